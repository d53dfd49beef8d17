/*
 * Policy files (policies/): parsed, checked, compiled. A program that comes out must
 * be one that the kernel takes: every jump forwards and inside, a return at the end,
 * loads within seccomp_data; and the same policy always gives the same program.
 */
#include "common/cleanup.h"
#include "policies/policy.h"
#include "tests/fuzz/fuzz.h"

#include <linux/seccomp.h>
#include <string.h>

#define RULES_MAX 12 /* libseccomp takes its time; what has more is only checked */
#define CALLS_MAX 60

static void check_jump(const struct policy_filter *f, size_t at) {
    const struct sock_filter *i = &f->insns[at];
    size_t last = f->count - 1;
    if (BPF_OP(i->code) == BPF_JA) {
        FUZZ_CHECK(i->k <= last - at - 1, "instruction %zu jumps by %u", at, i->k);
        return;
    }
    FUZZ_CHECK(at + 1 + i->jt <= last && at + 1 + i->jf <= last,
               "instruction %zu of %u jumps by %u or %u", at, f->count, i->jt, i->jf);
}

static void check_program(const struct policy_filter *f) {
    FUZZ_CHECK(f->count > 0 && f->count <= BPF_MAXINSNS, "%u instructions", f->count);
    FUZZ_CHECK(BPF_CLASS(f->insns[f->count - 1].code) == BPF_RET, "ends without a return");
    for (size_t at = 0; at < f->count; at++) {
        const struct sock_filter *i = &f->insns[at];
        if (BPF_CLASS(i->code) == BPF_JMP) check_jump(f, at);
        if (BPF_CLASS(i->code) == BPF_LD && BPF_MODE(i->code) == BPF_ABS)
            FUZZ_CHECK(i->k % 4 == 0 && i->k < sizeof(struct seccomp_data), "loads at %u", i->k);
    }
}

static bool is_small(const struct policy *p) {
    size_t calls = 0;
    for (size_t i = 0; i < p->rule_count; i++) calls += strv_len(p->rules[i].calls);
    return p->rule_count <= RULES_MAX && calls <= CALLS_MAX;
}

static void compile(const struct policy *p) {
    struct policy_filter first = {0}, second = {0};
    _cleanup_error_ struct error err = {0};
    if (policy_compile(p, &first, &err) < 0) {
        FUZZ_CHECK(error_is_set(&err), "failed without an error");
        return;
    }
    check_program(&first);
    FUZZ_CHECK(policy_compile(p, &second, &err) == 0 && str_eq(first.sha256, second.sha256),
               "compiles to another program: %s", error_text(&err));
    policy_filter_clear(&first);
    policy_filter_clear(&second);
}

static void explain(const struct policy *p) {
    for (size_t i = 0; i < p->rule_count; i++)
        for (char **call = p->rules[i].calls; *call; call++) {
            _cleanup_buf_ struct buf out = {0};
            _cleanup_error_ struct error err = {0};
            const struct policy_question question = {.call = *call};
            int r = policy_explain(p, &question, &out, &err);
            FUZZ_CHECK((r < 0) == error_is_set(&err), "%s: %s", *call, error_text(&err));
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    _cleanup_policy_ struct policy p = {0};
    _cleanup_error_ struct error err = {0};
    int r = policy_parse("policy", (const char *)data, len, &p, &err);
    FUZZ_CHECK((r < 0) == error_is_set(&err), "returned %d: %s", r, error_text(&err));
    if (r < 0) return 0;
    FUZZ_CHECK(p.default_action == POLICY_ERRNO || p.default_action == POLICY_KILL,
               "the default allows");
    for (char **d = p.devices; d && *d; d++)
        FUZZ_CHECK(str_starts(*d, "/dev/") && !strstr(*d, "/../"), "device %s", *d);
    explain(&p);
    if (is_small(&p)) compile(&p);
    return 0;
}
