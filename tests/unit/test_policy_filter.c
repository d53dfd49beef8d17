/* The compiled program answers as the rules say: its instructions are executed
 * here, for the shipped policies and for random ones. */
#include "common/cleanup.h"
#include "policies/policy_internal.h"

#include <inttypes.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#if defined(__x86_64__)
#define NATIVE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE AUDIT_ARCH_AARCH64
#endif

static uint64_t next_random(uint64_t *state) {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static bool jump_taken(uint16_t code, uint32_t a, uint32_t k) {
    switch (BPF_OP(code)) {
    case BPF_JEQ: return a == k;
    case BPF_JGT: return a > k;
    case BPF_JGE: return a >= k;
    case BPF_JSET: return (a & k) != 0;
    default: fail_msg("unexpected jump %#x", code); return false;
    }
}

/* The instructions that seccomp filters use. */
static uint32_t execute(const struct policy_filter *f, const struct seccomp_data *data) {
    uint32_t a = 0;
    for (size_t pc = 0; pc < f->count; pc++) {
        const struct sock_filter *i = &f->insns[pc];
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(i->k <= sizeof *data - 4 && i->k % 4 == 0);
            memcpy(&a, (const char *)data + i->k, 4);
            break;
        case BPF_ALU | BPF_AND | BPF_K: a &= i->k; break;
        case BPF_JMP | BPF_JA: pc += i->k; break;
        case BPF_RET | BPF_K: return i->k;
        default:
            assert_int_equal(BPF_CLASS(i->code), BPF_JMP);
            pc += jump_taken(i->code, a, i->k) ? i->jt : i->jf;
        }
    }
    fail_msg("ran off the end");
    return 0;
}

static bool holds(const struct policy_condition *c, const struct seccomp_data *data) {
    uint64_t arg = data->args[c->argument];
    switch (c->compare) {
    case POLICY_EQ: return arg == c->value;
    case POLICY_NE: return arg != c->value;
    case POLICY_LT: return arg < c->value;
    case POLICY_LE: return arg <= c->value;
    case POLICY_GT: return arg > c->value;
    case POLICY_GE: return arg >= c->value;
    case POLICY_MASKED_EQ: return (arg & c->mask) == c->value;
    case POLICY_IN: break;
    }
    for (size_t i = 0; i < c->value_count; i++)
        if ((arg & c->mask) == c->values[i]) return true;
    return false;
}

static bool names(const struct policy_rule *rule, int number) {
    for (size_t i = 0; rule->calls[i]; i++)
        if (policy_call_number(rule->calls[i]) == number) return true;
    return false;
}

static uint32_t code_of(enum policy_action action, int errno_value) {
    switch (action) {
    case POLICY_ALLOW: return SECCOMP_RET_ALLOW;
    case POLICY_LOG: return SECCOMP_RET_LOG;
    case POLICY_ERRNO: return SECCOMP_RET_ERRNO | (uint32_t)errno_value;
    case POLICY_KILL: break;
    }
    return SECCOMP_RET_USER_NOTIF; /* the launcher kills */
}

/* What the policy says, read off its rules. */
static uint32_t expected(const struct policy *p, const struct seccomp_data *data) {
    uint32_t answer = code_of(p->default_action, p->default_errno);
    for (size_t i = 0; i < p->rule_count; i++) {
        const struct policy_rule *rule = &p->rules[i];
        if (!names(rule, data->nr)) continue;
        size_t met = 0;
        while (met < rule->condition_count && holds(&rule->conditions[met], data)) met++;
        if (met < rule->condition_count) continue;
        answer = code_of(rule->action, rule->errno_value);
        if (rule->condition_count) return answer;
    }
    return answer;
}

/* An argument on, beside or far from what some condition compares with. */
static uint64_t interesting(const struct policy *p, int number, unsigned argument, uint64_t *seed) {
    uint64_t chosen = next_random(seed);
    size_t seen = 0;
    for (size_t i = 0; i < p->rule_count; i++) {
        const struct policy_rule *rule = &p->rules[i];
        if (!rule->condition_count || !names(rule, number)) continue;
        for (size_t j = 0; j < rule->condition_count; j++) {
            const struct policy_condition *c = &rule->conditions[j];
            if (c->argument != argument || next_random(seed) % ++seen) continue;
            chosen = c->value_count ? c->values[next_random(seed) % c->value_count] : c->value;
        }
    }
    switch (next_random(seed) % 6) {
    case 0: return chosen ^ (UINT64_C(1) << (next_random(seed) % 64));
    case 1: return chosen | next_random(seed) << 32;
    case 2: return chosen + 1;
    case 3: return chosen - 1;
    default: return chosen;
    }
}

static void agree(const struct policy *p, const struct policy_filter *f, int number, int rounds,
                  uint64_t *seed) {
    for (int i = 0; i < rounds; i++) {
        struct seccomp_data data = {.nr = number, .arch = NATIVE};
        for (unsigned a = 0; a < 6; a++) data.args[a] = interesting(p, number, a, seed);
        uint32_t is = execute(f, &data);
        uint32_t should = expected(p, &data);
        if (is != should)
            fail_msg("%s: call %d(0x%" PRIx64 ", 0x%" PRIx64 ", 0x%" PRIx64
                     "): program %#x, rules %#x",
                     p->name, number, (uint64_t)data.args[0], (uint64_t)data.args[1],
                     (uint64_t)data.args[2], is, should);
    }
}

static void load(const char *name, struct policy *p) {
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *path = str_printf("%s/%s.json", TEST_POLICIES, name);
    if (policy_load(path, p, &err) < 0) fail_msg("%s", error_text(&err));
}

static const char *const shipped[] = {"strict", "train", "train-gpu", "build", "coder"};

static void shipped_programs_answer_as_their_rules(void **state) {
    (void)state;
    uint64_t seed = 20250131;
    for (size_t i = 0; i < ARRAY_SIZE(shipped); i++) {
        _cleanup_policy_ struct policy p = {0};
        _cleanup_(policy_filter_clear) struct policy_filter f = {0};
        load(shipped[i], &p);
        assert_int_equal(policy_filter(&p, &f, NULL), 0);
        for (int number = 0; number < 600; number++) agree(&p, &f, number, 4, &seed);
        static const char *const careful[] = {"clone",   "ioctl",      "socket",   "prctl",
                                              "unshare", "setsockopt", "prlimit64"};
        for (size_t j = 0; j < ARRAY_SIZE(careful); j++)
            agree(&p, &f, policy_call_number(careful[j]), 20000, &seed);
    }
}

static void other_architectures_are_killed(void **state) {
    (void)state;
    _cleanup_policy_ struct policy p = {0};
    _cleanup_(policy_filter_clear) struct policy_filter f = {0};
    load("train", &p);
    assert_int_equal(policy_filter(&p, &f, NULL), 0);
    for (int number = 0; number < 600; number++) {
        struct seccomp_data i386 = {.nr = number, .arch = AUDIT_ARCH_I386};
        struct seccomp_data x32 = {.nr = number | 0x40000000, .arch = NATIVE};
        assert_int_equal(execute(&f, &i386), SECCOMP_RET_KILL_PROCESS);
#ifdef __x86_64__
        assert_int_equal(execute(&f, &x32), SECCOMP_RET_KILL_PROCESS);
#else
        (void)x32;
#endif
    }
}

static void prebuilt_programs_are_what_compiling_gives(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(shipped); i++) {
        _cleanup_policy_ struct policy p = {0};
        _cleanup_(policy_filter_clear) struct policy_filter found = {0};
        _cleanup_(policy_filter_clear) struct policy_filter fresh = {0};
        load(shipped[i], &p);
        assert_int_equal(policy_filter(&p, &found, NULL), 0);
        assert_int_equal(policy_compile(&p, &fresh, NULL), 0);
        assert_true(found.prebuilt);
        assert_false(fresh.prebuilt);
        assert_int_equal(found.count, fresh.count);
        assert_memory_equal(found.insns, fresh.insns, found.count * sizeof *found.insns);
        assert_string_equal(found.sha256, fresh.sha256);
    }
}

static void opening_gives_what_loading_gives(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(shipped); i++) {
        _cleanup_policy_ struct policy loaded = {0};
        _cleanup_policy_ struct policy opened = {0};
        _cleanup_free_ char *path = str_printf("%s/%s.json", TEST_POLICIES, shipped[i]);
        assert_int_equal(policy_load(path, &loaded, NULL), 0);
        assert_int_equal(policy_open(path, &opened, NULL), 0);
        assert_null(opened.rules);
        assert_string_equal(opened.name, loaded.name);
        assert_string_equal(opened.sha256, loaded.sha256);
        assert_int_equal(opened.default_action, loaded.default_action);
        assert_int_equal(opened.default_errno, loaded.default_errno);
        assert_int_equal(opened.loopback, loaded.loopback);
        assert_int_equal(opened.listen, loaded.listen);
        assert_int_equal(opened.devpts, loaded.devpts);
        assert_int_equal(opened.exec_workspace, loaded.exec_workspace);
        assert_int_equal(opened.exec_tmp, loaded.exec_tmp);
        assert_int_equal(opened.proc_machine, loaded.proc_machine);
        assert_int_equal(strv_len(opened.devices), strv_len(loaded.devices));
        for (size_t d = 0; d < strv_len(loaded.devices); d++)
            assert_string_equal(opened.devices[d], loaded.devices[d]);
    }
}

static void changed_bytes_are_compiled_anew(void **state) {
    (void)state;
    static const char text[] =
        "{\"name\": \"own\", \"description\": \"d\",\n"
        " \"default\": {\"action\": \"kill\"}, \"rules\": [\n"
        " {\"name\": \"r\", \"reason\": \"x\", \"action\": \"allow\", \"calls\": [\"execve\"]}]}";
    _cleanup_policy_ struct policy p = {0};
    _cleanup_(policy_filter_clear) struct policy_filter f = {0};
    assert_int_equal(policy_parse("own", text, strlen(text), &p, NULL), 0);
    assert_int_equal(policy_filter(&p, &f, NULL), 0);
    assert_false(f.prebuilt);
    uint64_t seed = 1;
    for (int number = 0; number < 600; number++) agree(&p, &f, number, 1, &seed);
}

/* ---- random policies ---- */

static const char *pick(const char *const *from, size_t n, uint64_t *seed) {
    return from[next_random(seed) % n];
}

static void put_random_condition(struct buf *b, unsigned argument, uint64_t *seed) {
    static const char *const wide[] = {"eq", "ne", "lt", "le", "gt", "ge"};
    unsigned v = (unsigned)(next_random(seed) % 8);
    buf_printf(b, "{\"argument\": %u, ", argument);
    switch (next_random(seed) % 4) {
    case 0:
        buf_printf(b, "\"bits\": 64, \"compare\": \"%s\", \"value\": \"0x%x0000000%x\"}",
                   pick(wide, ARRAY_SIZE(wide), seed), v / 4, v);
        return;
    case 1: buf_printf(b, "\"bits\": 32, \"compare\": \"eq\", \"value\": %u}", v); return;
    case 2:
        buf_printf(b, "\"bits\": 32, \"compare\": \"masked-eq\", \"mask\": 7, \"value\": %u}", v);
        return;
    default:
        buf_printf(b, "\"bits\": 32, \"compare\": \"in\", \"values\": [%u, %u, %u]}", v, v + 9,
                   v + 90);
    }
}

static void put_random_rule(struct buf *b, int i, uint64_t *seed) {
    static const char *const actions[] = {"\"allow\"", "\"errno\", \"errno\": \"EPERM\"",
                                          "\"errno\", \"errno\": \"ENOTTY\"", "\"kill\"",
                                          "\"log\""};
    static const char *const calls[] = {"read", "write", "ioctl", "socket", "prctl", "futex"};
    buf_printf(b, ",{\"name\": \"r%d\", \"reason\": \"x\", \"action\": %s, \"calls\": [\"%s\"]", i,
               pick(actions, ARRAY_SIZE(actions), seed), pick(calls, ARRAY_SIZE(calls), seed));
    size_t conditions = next_random(seed) % 4;
    for (unsigned a = 0; a < conditions; a++) {
        buf_puts(b, a ? ", " : ", \"when\": [");
        put_random_condition(b, a, seed);
    }
    buf_puts(b, conditions ? "]}" : "}");
}

static void random_policies_are_refused_or_kept_to(void **state) {
    (void)state;
    uint64_t seed = 4711;
    int compiled = 0;
    for (int round = 0; round < 3000; round++) {
        _cleanup_buf_ struct buf b = {0};
        buf_puts(&b, "{\"name\": \"random\", \"description\": \"d\", \"default\": {\"action\": "
                     "\"errno\", \"errno\": \"ENOSYS\"}, \"rules\": [{\"name\": \"x\", \"reason\": "
                     "\"x\", \"action\": \"allow\", \"calls\": [\"execve\"]}");
        int rules = (int)(next_random(&seed) % 8);
        for (int i = 0; i < rules; i++) put_random_rule(&b, i, &seed);
        buf_puts(&b, "]}");
        _cleanup_policy_ struct policy p = {0};
        _cleanup_(policy_filter_clear) struct policy_filter f = {0};
        if (policy_parse("random", b.data, b.len, &p, NULL) < 0) continue;
        _cleanup_error_ struct error err = {0};
        if (policy_filter(&p, &f, &err) < 0) fail_msg("%s\n%s", error_text(&err), b.data);
        compiled++;
        static const char *const calls[] = {"read",  "write", "ioctl", "socket",
                                            "prctl", "futex", "close"};
        for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
            agree(&p, &f, policy_call_number(calls[i]), 100, &seed);
    }
    assert_true(compiled > 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_programs_answer_as_their_rules),
        cmocka_unit_test(other_architectures_are_killed),
        cmocka_unit_test(prebuilt_programs_are_what_compiling_gives),
        cmocka_unit_test(opening_gives_what_loading_gives),
        cmocka_unit_test(changed_bytes_are_compiled_anew),
        cmocka_unit_test(random_policies_are_refused_or_kept_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
