/* A shrunk program answers every call as the one it was made of: on programs
 * drawn at random, for all numbers near a constant, and on the shipped ones. */
#include "policies/policy_internal.h"
#include "test_policy_run.h"

#include <linux/audit.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h> /* needs those above */

enum { PROGRAMS = 300, MOST = 3000 };

static uint32_t word_of(const struct seccomp_data *d, uint32_t offset) {
    uint32_t word;
    memcpy(&word, (const char *)d + offset, sizeof word);
    return word;
}

/* The kernel's machine, as far as these programs use it. */
static uint32_t run(const struct policy_filter *f, const struct seccomp_data *d) {
    uint32_t a = 0;
    for (size_t pc = 0; pc < f->count; pc++) {
        const struct sock_filter *i = &f->insns[pc];
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS: a = word_of(d, i->k); break;
        case BPF_ALU | BPF_AND | BPF_K: a &= i->k; break;
        case BPF_RET | BPF_K: return i->k;
        case BPF_JMP | BPF_JA: pc += i->k; break;
        case BPF_JMP | BPF_JEQ | BPF_K: pc += a == i->k ? i->jt : i->jf; break;
        case BPF_JMP | BPF_JGT | BPF_K: pc += a > i->k ? i->jt : i->jf; break;
        case BPF_JMP | BPF_JGE | BPF_K: pc += a >= i->k ? i->jt : i->jf; break;
        case BPF_JMP | BPF_JSET | BPF_K: pc += a & i->k ? i->jt : i->jf; break;
        default: fail_msg("instruction %#x", i->code);
        }
    }
    fail_msg("the program has no end");
    return 0;
}

static void expect_same(const struct policy_filter *old, const struct policy_filter *new,
                        uint32_t arch, uint32_t nr) {
    for (uint64_t n = 0; n < 6; n++) {
        struct seccomp_data d = {.nr = (int)nr, .arch = arch};
        for (int i = 0; i < 6; i++) d.args[i] = n < 4 ? n : (uint64_t)random() << 31 | random();
        if (run(old, &d) != run(new, &d))
            fail_msg("call %u on %#x with argument %#llx: %#x became %#x", nr, arch,
                     (unsigned long long)d.args[0], run(old, &d), run(new, &d));
    }
}

static void compare(const struct policy_filter *old, const struct policy_filter *new) {
    for (size_t i = 0; i < old->count; i++)
        for (uint32_t d = 0; d < 3; d++)
            expect_same(old, new, SECCOMP_ARCH, old->insns[i].k + d - 1);
    for (uint32_t nr = 0; nr < 600; nr++) expect_same(old, new, SECCOMP_ARCH, nr);
    expect_same(old, new, AUDIT_ARCH_I386, 1);
    expect_same(old, new, AUDIT_ARCH_ARM, 4);
}

static struct policy_filter copy_of(const struct policy_filter *f) {
    struct policy_filter copy = {.count = f->count};
    copy.insns = malloc(f->count * sizeof *copy.insns);
    assert_non_null(copy.insns);
    memcpy(copy.insns, f->insns, f->count * sizeof *copy.insns);
    return copy;
}

static void put(struct policy_filter *f, struct sock_filter insn) {
    assert_true(f->count < MOST);
    f->insns[f->count++] = insn;
}

/* One call after the other, as libseccomp does without a tree: some end, some
 * look at an argument first, some at a bit of it. */
static void draw(struct policy_filter *f, long calls) {
    f->count = 0;
    put(f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4));
    put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SECCOMP_ARCH, 1, 0));
    put(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    put(f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0));
    put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1));
    put(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    for (long c = 0; c < calls; c++) {
        uint32_t nr = (uint32_t)(random() % 460);
        uint32_t value = random() % 3 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | (random() % 3);
        if (random() % 4) {
            put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1));
        } else {
            put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 5));
            put(f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                                16 + 8 * (uint32_t)(random() % 6)));
            put(f, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 3));
            put(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(random() % 4),
                                                0, 1));
            put(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
        }
        put(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, value));
    }
    put(f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 38));
}

static void random_programs(void **state) {
    (void)state;
    struct sock_filter space[MOST];
    srandom(1);
    for (int n = 0; n < PROGRAMS; n++) {
        struct policy_filter old = {.insns = space};
        struct error err = {0};
        draw(&old, random() % 400);
        struct policy_filter new = copy_of(&old);
        assert_int_equal(policy_shrink(&new, &err), 0);
        compare(&old, &new);
        free(new.insns);
    }
}

static void a_long_one_gets_shorter(void **state) {
    (void)state;
    struct sock_filter space[MOST];
    struct policy_filter old = {.insns = space};
    struct error err = {0};
    srandom(2);
    draw(&old, 400);
    struct policy_filter new = copy_of(&old);
    assert_int_equal(policy_shrink(&new, &err), 0);
    assert_true(new.count < old.count);
    free(new.insns);
}

/* What it does not follow stays: here the number is calculated with. */
static void arithmetic_is_left_alone(void **state) {
    (void)state;
    struct sock_filter insns[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 1),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
    };
    struct policy_filter f = {.insns = insns, .count = 5};
    struct error err = {0};
    assert_int_equal(policy_shrink(&f, &err), 0);
    assert_int_equal(f.count, 5);
}

/* So does a test of the number's bits, whose answer changes between any two. */
static void a_test_of_bits_is_left_alone(void **state) {
    (void)state;
    struct sock_filter insns[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 4, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
    };
    struct policy_filter old = {.insns = insns, .count = 4};
    struct policy_filter new = copy_of(&old);
    struct error err = {0};
    assert_int_equal(policy_shrink(&new, &err), 0);
    for (int nr = 0; nr < 64; nr++) {
        struct seccomp_data d = {.nr = nr, .arch = SECCOMP_ARCH};
        assert_int_equal(run(&old, &d), nr & 4 ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | 1);
        assert_int_equal(run(&new, &d), run(&old, &d));
    }
    free(new.insns);
}

/* Shrunk already: once more changes nothing that is answered. */
static void shipped_programs(void **state) {
    static const char *const names[] = {"strict", "train", "build"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct policy policy = {0};
        struct policy_filter filter = {0};
        struct error err = {0};
        load_shipped(names[i], &policy, &filter);
        struct policy_filter again = copy_of(&filter);
        assert_int_equal(policy_shrink(&again, &err), 0);
        compare(&filter, &again);
        free(again.insns);
        policy_filter_clear(&filter);
        policy_clear(&policy);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs),          cmocka_unit_test(a_long_one_gets_shorter),
        cmocka_unit_test(arithmetic_is_left_alone), cmocka_unit_test(a_test_of_bits_is_left_alone),
        cmocka_unit_test(shipped_programs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
