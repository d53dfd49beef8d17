/* Calls in words, what decides them, and the filters made of filters. */
#include "common/cleanup.h"
#include "policies/policy_internal.h"
#include "tests/unit/test_policy_run.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define HIGH UINT64_C(0x100000000)

static const struct {
    long number;
    uint64_t args[6];
    const char *text;
} calls[] = {
    {SYS_socket,
     {AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 3},
     "socket(AF_PACKET, SOCK_RAW|SOCK_CLOEXEC, 0x3)"},
    {SYS_socket, {HIGH | AF_INET, SOCK_STREAM, 6}, "socket(AF_INET, SOCK_STREAM, IPPROTO_TCP)"},
    {SYS_socket,
     {AF_NETLINK, SOCK_DGRAM, NETLINK_AUDIT},
     "socket(AF_NETLINK, SOCK_DGRAM, NETLINK_AUDIT)"},
    {SYS_socket, {250, 0, 0}, "socket(0xfa, 0, IPPROTO_IP)"},
    {SYS_clone, {CLONE_NEWUSER | SIGCHLD}, "clone(SIGCHLD|CLONE_NEWUSER, 0, 0, 0, 0)"},
    {SYS_clone, {HIGH | CLONE_VM}, "clone(CLONE_VM|0x100000000, 0, 0, 0, 0)"},
    {SYS_ioctl, {3, HIGH | TIOCSTI, 0}, "ioctl(0x3, TIOCSTI, 0)"},
    {SYS_prctl, {PR_SET_NAME, 7}, "prctl(PR_SET_NAME, 0x7, 0, 0, 0)"},
    {SYS_setsockopt,
     {4, SOL_SOCKET, SO_REUSEADDR, 1, 4},
     "setsockopt(0x4, SOL_SOCKET, SO_REUSEADDR, 0x1, 0x4)"},
    {SYS_setsockopt,
     {4, IPPROTO_TCP, 1, 1, 4},
     "setsockopt(0x4, IPPROTO_TCP, TCP_NODELAY, 0x1, 0x4)"},
    {SYS_setsockopt, {4, 12345, 1, 1, 4}, "setsockopt(0x4, 0x3039, 0x1, 0x1, 0x4)"},
    {SYS_mknodat,
     {UINT64_MAX, 1, S_IFCHR | 0600, 5},
     "mknodat(0xffffffff, 0x1, S_IFCHR|0x180, 0x5)"},
    {SYS_reboot,
     {UINT64_C(0xfffffffffee1dead), 1, 2, 3, 4, 5},
     "reboot(0xfee1dead, 0x1, 0x2, 0x3)"},
    {SYS_personality, {0x0040000}, "personality(ADDR_NO_RANDOMIZE)"},
    {SYS_read, {0, 0, 5, 0, 0, 0}, "read(0, 0, 0x5)"}, /* no table: trailing zeros are dropped */
    {SYS_getpid, {0}, "getpid()"},
    {1023, {1}, "call-1023(0x1)"},
};

static void calls_are_named(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
        _cleanup_buf_ struct buf out = {0};
        policy_call_text((int)calls[i].number, calls[i].args, &out);
        assert_string_equal(buf_text(&out), calls[i].text);
    }
}

/* Whatever an argument is called, the loader of policies knows the same value. */
static void words_are_read_back(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (size_t i = 0; i < 2000; i++) {
        uint64_t args[6] = {0};
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        args[0] = seed >> (seed % 64);
        _cleanup_buf_ struct buf out = {0};
        policy_argument_text(SYS_clone, 0, args, &out);
        uint64_t back = 0;
        assert_int_equal(policy_value_parse(buf_text(&out), &back, NULL), 0);
        assert_int_equal(back, args[0]);
    }
    uint64_t value = 0;
    assert_int_equal(policy_value_parse("-1", &value, NULL), 0);
    assert_int_equal(value, UINT64_MAX);
    assert_int_equal(policy_value_parse("0x10|SOCK_STREAM|4", &value, NULL), 0);
    assert_int_equal(value, 0x15);
    static const char *const wrong[] = {"",
                                        "|",
                                        "AF_UNIX|",
                                        "1|",
                                        "0x",
                                        "12x",
                                        "AF_NONE",
                                        "99999999999999999999",
                                        "AF_UNIX AF_INET"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        _cleanup_error_ struct error err = {0};
        assert_int_equal(policy_value_parse(wrong[i], &value, &err), -1);
        assert_true(err.kind == ERROR_INVALID);
    }
}

static uint32_t code_of(const struct policy *p, const struct policy_rule *rule) {
    enum policy_action action = rule ? rule->action : p->default_action;
    int number = rule ? rule->errno_value : p->default_errno;
    if (action == POLICY_ERRNO) return SECCOMP_RET_ERRNO | (uint32_t)number;
    return action == POLICY_KILL ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_ALLOW;
}

/* The rule that is named is the one whose answer the kernel gives. */
static void rules_decide_as_filters_do(void **state) {
    (void)state;
    static const char *const names[] = {"strict", "train", "build"};
    for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
        _cleanup_policy_ struct policy p = {0};
        _cleanup_(policy_filter_clear) struct policy_filter f = {0};
        _cleanup_free_ char *path = str_printf("%s/%s.json", TEST_POLICIES, names[n]);
        assert_int_equal(policy_load(path, &p, NULL), 0);
        assert_int_equal(policy_filter(&p, &f, NULL), 0);
        for (int number = 0; number < 480; number++)
            for (uint64_t a = 0; a < 40; a++) {
                uint64_t args[6] = {a, a / 3, a % 7, a % 6, 0, 0};
                assert_int_equal(policy_filter_answer(&f, number, args),
                                 code_of(&p, policy_decide(&p, number, args)));
            }
    }
}

static void filters_can_do_without_a_listener(void **state) {
    (void)state;
    static const uint64_t none[6];
    _cleanup_policy_ struct policy p = {0};
    _cleanup_(policy_filter_clear) struct policy_filter f = {0};
    _cleanup_free_ char *path = str_printf("%s/train.json", TEST_POLICIES);
    assert_int_equal(policy_load(path, &p, NULL), 0);
    assert_int_equal(policy_filter(&p, &f, NULL), 0);
    assert_true(f.prebuilt);
    assert_true(policy_filter_asks(&f));
    _cleanup_free_ char *digest = strdup(f.sha256);
    policy_filter_unheard(&f);
    assert_false(policy_filter_asks(&f));
    assert_string_not_equal(digest, f.sha256);
    assert_int_equal(policy_filter_answer(&f, SYS_reboot, none), SECCOMP_RET_KILL_PROCESS);
    assert_int_equal(policy_filter_answer(&f, SYS_getpid, none), SECCOMP_RET_ALLOW);
}

static void learning_asks_about_everything(void **state) {
    (void)state;
    _cleanup_(policy_filter_clear) struct policy_filter f = {0};
    assert_int_equal(policy_filter_learning(3, 0x4800, &f, NULL), 0);
    for (int number = 0; number < 1100; number++) {
        const uint64_t args[6] = {3, 1, 0x4000};
        assert_int_equal(policy_filter_answer(&f, number, args), SECCOMP_RET_USER_NOTIF);
    }
    const uint64_t handing_over[6] = {3, 0x1234, 0x4800};
    const uint64_t elsewhere[6] = {4, 0x1234, 0x4800};
    assert_int_equal(policy_filter_answer(&f, SYS_sendmsg, handing_over), SECCOMP_RET_ALLOW);
    assert_int_equal(policy_filter_answer(&f, SYS_sendto, handing_over), SECCOMP_RET_USER_NOTIF);
    assert_int_equal(policy_filter_answer(&f, SYS_sendmsg, elsewhere), SECCOMP_RET_USER_NOTIF);
#ifdef __x86_64__
    assert_int_equal(policy_filter_answer(&f, 0x40000000 | SYS_sendmsg, handing_over),
                     SECCOMP_RET_KILL_PROCESS);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_named),
        cmocka_unit_test(words_are_read_back),
        cmocka_unit_test(rules_decide_as_filters_do),
        cmocka_unit_test(filters_can_do_without_a_listener),
        cmocka_unit_test(learning_asks_about_everything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
