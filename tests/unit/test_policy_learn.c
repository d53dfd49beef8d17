/* From what was seen to a policy, and back: the proposal allows what was seen,
 * refuses what was refused, and little else. */
#include "common/cleanup.h"
#include "policies/policy_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

enum { MOST = 4096 };

struct learned {
    struct policy base;
    struct policy_observations seen;
    struct policy_proposal proposal;
    struct policy policy; /* what the proposal says */
};

static int set_up(void **state) {
    struct learned *l = *state = calloc(1, sizeof *l);
    _cleanup_free_ char *path = str_printf("%s/train.json", TEST_POLICIES);
    return l ? policy_load(path, &l->base, NULL) : -1;
}

static int tear_down(void **state) {
    struct learned *l = *state;
    policy_clear(&l->base);
    policy_clear(&l->policy);
    policy_proposal_clear(&l->proposal);
    policy_observations_clear(&l->seen);
    free(l);
    return 0;
}

static void see(struct learned *l, long number, uint64_t a, uint64_t b, uint64_t c) {
    const uint64_t args[6] = {a, b, c, 77, 88, 99};
    int refused = policy_never(&l->base, (int)number, args);
    assert_int_equal(policy_observe(&l->base, &l->seen, (int)number, args, refused, MOST), 0);
}

static void propose(struct learned *l) {
    _cleanup_error_ struct error err = {0};
    if (policy_propose(&l->base, &l->seen, "p", "d", &l->proposal, &err) < 0)
        fail_msg("%s\n%s", error_text(&err), l->proposal.text ? l->proposal.text : "");
    if (policy_parse("p", l->proposal.text, strlen(l->proposal.text), &l->policy, &err) < 0)
        fail_msg("%s", error_text(&err));
}

static uint32_t answer(const struct learned *l, long number, uint64_t a, uint64_t b, uint64_t c) {
    const uint64_t args[6] = {a, b, c};
    _cleanup_(policy_filter_clear) struct policy_filter f = {0};
    assert_int_equal(policy_compile(&l->policy, &f, NULL), 0);
    return policy_filter_answer(&f, (int)number, args);
}

#define ALLOWED     SECCOMP_RET_ALLOW
#define REFUSED(no) (SECCOMP_RET_ERRNO | (uint32_t)(no))

static void an_empty_run_leaves_what_a_start_needs(void **state) {
    struct learned *l = *state;
    propose(l);
    assert_int_equal(answer(l, SYS_execve, 0, 0, 0), ALLOWED);
    assert_int_equal(answer(l, SYS_write, 0, 0, 0), ALLOWED);
    assert_int_equal(answer(l, SYS_openat, 0, 0, 0), REFUSED(ENOSYS));
    assert_int_equal(answer(l, SYS_reboot, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
    assert_true(l->policy.loopback && l->policy.exec_tmp);
}

static void values_that_were_not_seen_are_refused(void **state) {
    struct learned *l = *state;
    see(l, SYS_openat, 1, 2, 3);
    see(l, SYS_socket, AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    see(l, SYS_socket, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    see(l, SYS_socket, AF_UNIX, SOCK_DGRAM, 0);
    see(l, SYS_ioctl, 5, TCGETS, 1);
    see(l, SYS_ioctl, 6, TCGETS, 2);
    see(l, SYS_setsockopt, 3, SOL_SOCKET, SO_REUSEADDR);
    see(l, SYS_setsockopt, 3, IPPROTO_TCP, 1);
    see(l, SYS_fcntl, 3, F_GETFL, 0);
    see(l, SYS_clone, CLONE_VM | CLONE_FILES, 0, 0);
    see(l, SYS_prlimit64, 0, 3, 0);
    propose(l);
    assert_int_equal(answer(l, SYS_openat, 9, 9, 9), ALLOWED);
    assert_int_equal(answer(l, SYS_socket, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), ALLOWED);
    assert_int_equal(answer(l, SYS_socket, AF_UNIX, SOCK_DGRAM, 0), ALLOWED);
    /* The values of one family do not open those of another. */
    assert_int_equal(answer(l, SYS_socket, AF_INET, SOCK_DGRAM, 0), REFUSED(EAFNOSUPPORT));
    assert_int_equal(answer(l, SYS_socket, AF_UNIX, SOCK_STREAM, 0), REFUSED(EAFNOSUPPORT));
    assert_int_equal(answer(l, SYS_ioctl, 1, TCGETS, 0), ALLOWED);
    assert_int_equal(answer(l, SYS_ioctl, 1, FIONREAD, 0), REFUSED(ENOTTY));
    assert_int_equal(answer(l, SYS_setsockopt, 1, IPPROTO_TCP, 1), ALLOWED);
    assert_int_equal(answer(l, SYS_setsockopt, 1, SOL_SOCKET, 1), REFUSED(ENOPROTOOPT));
    assert_int_equal(answer(l, SYS_fcntl, 1, F_GETFL, 0), ALLOWED);
    assert_int_equal(answer(l, SYS_fcntl, 1, F_SETLK, 0), REFUSED(ENOSYS));
    assert_int_equal(answer(l, SYS_clone, CLONE_VM | CLONE_FILES, 0, 0), ALLOWED);
    assert_int_equal(answer(l, SYS_clone, SIGCHLD, 0, 0), REFUSED(EPERM));
    assert_int_equal(answer(l, SYS_prlimit64, 0, 1, 1), ALLOWED);
    assert_int_equal(answer(l, SYS_prlimit64, 1, 1, 1), REFUSED(EPERM));
    assert_int_equal(strv_len(l->proposal.beyond), 0);
    assert_int_equal(strv_len(l->proposal.refused), 0);
}

static const struct policy_rule *rule_named(const struct policy *p, const char *name) {
    for (size_t i = 0; i < p->rule_count; i++)
        if (strcmp(p->rules[i].name, name) == 0) return &p->rules[i];
    return NULL;
}

static void reasons_come_from_the_base(void **state) {
    struct learned *l = *state;
    see(l, SYS_openat, 0, 0, 0);
    propose(l);
    const struct policy_rule *now = rule_named(&l->policy, "files");
    const struct policy_rule *then = rule_named(&l->base, "files");
    assert_non_null(now);
    assert_string_equal(now->reason, then->reason);
    assert_true(strv_len(now->calls) < strv_len(then->calls));
}

static void what_goes_beyond_is_said(void **state) {
    struct learned *l = *state;
    see(l, SYS_splice, 0, 0, 0);
    see(l, SYS_socket, AF_PACKET, SOCK_RAW, 3);
    propose(l);
    assert_int_equal(strv_len(l->proposal.beyond), 2);
    assert_string_equal(l->proposal.beyond[1], "socket(AF_PACKET, SOCK_RAW, 0x3)");
    assert_int_equal(answer(l, SYS_splice, 0, 0, 0), ALLOWED);
    assert_int_equal(answer(l, SYS_socket, AF_PACKET, SOCK_RAW, 3), ALLOWED);
    assert_int_equal(answer(l, SYS_socket, AF_PACKET, SOCK_DGRAM, 3), REFUSED(EAFNOSUPPORT));
    assert_non_null(rule_named(&l->policy, "beyond-base"));
}

static const struct {
    long number;
    uint64_t first;
    int refused;
} nevers[] = {
    {SYS_clone3, 0, ENOSYS},
    {SYS_bpf, 0, EPERM},
    {SYS_userfaultfd, 0, EPERM},
    {SYS_io_uring_setup, 0, EPERM},
    {SYS_ptrace, 0, EPERM},
    {SYS_mount, 0, EPERM},
    {SYS_seccomp, 0, EPERM},
    {SYS_reboot, 0, EPERM}, /* the base kills: a run that learns goes on */
    {SYS_kexec_load, 0, EPERM},
    {SYS_finit_module, 0, EPERM},
    {SYS_setns, 0, EPERM},
    {SYS_unshare, CLONE_NEWUSER, EPERM},
    {SYS_unshare, 0x80, EPERM}, /* CLONE_NEWTIME */
    {SYS_unshare, CLONE_FILES, 0},
    {SYS_clone, CLONE_NEWNS | SIGCHLD, EPERM},
    {SYS_clone, CLONE_PARENT | SIGCHLD, EPERM},
    {SYS_clone, SIGCHLD, 0},
    {SYS_splice, 0, 0},
    {1023, 0, ENOSYS}, /* no policy could allow it */
};

static void nothing_dangerous_is_learned(void **state) {
    struct learned *l = *state;
    for (size_t i = 0; i < ARRAY_SIZE(nevers); i++) {
        const uint64_t args[6] = {nevers[i].first};
        assert_int_equal(policy_never(&l->base, (int)nevers[i].number, args), nevers[i].refused);
        see(l, nevers[i].number, nevers[i].first, 0, 0);
    }
    propose(l);
    assert_int_equal(strv_len(l->proposal.refused), ARRAY_SIZE(nevers) - 3);
    for (size_t i = 0; i < ARRAY_SIZE(nevers); i++) {
        uint32_t now = answer(l, nevers[i].number, nevers[i].first, 0, 0);
        if (!nevers[i].refused) assert_int_equal(now, ALLOWED);
        else if (now != SECCOMP_RET_USER_NOTIF) assert_int_equal(now, REFUSED(nevers[i].refused));
    }
}

/* A base that allows what learning never does, and one whose default kills. */
static void the_same_answer_is_met_again(void **state) {
    struct learned *l = *state;
    static const char text[] =
        "{\"name\": \"b\", \"description\": \"d\", \"default\": {\"action\": \"kill\"}, \"rules\":"
        " [{\"name\": \"x\", \"action\": \"allow\", \"reason\": \"r\", \"calls\": [\"execve\","
        " \"read\", \"write\", \"bpf\", \"clone\"]}]}";
    policy_clear(&l->base);
    assert_int_equal(policy_parse("b", text, sizeof text - 1, &l->base, NULL), 0);
    see(l, SYS_bpf, 0, 0, 0);
    see(l, SYS_clone3, 0, 0, 0);
    see(l, SYS_clone, CLONE_NEWUSER, 0, 0);
    see(l, SYS_clone, SIGCHLD, 0, 0);
    see(l, 1023, 0, 0, 0);
    propose(l);
    assert_int_equal(answer(l, SYS_bpf, 0, 0, 0), REFUSED(EPERM));
    assert_int_equal(answer(l, SYS_clone3, 0, 0, 0), REFUSED(ENOSYS));
    assert_int_equal(answer(l, SYS_clone, CLONE_NEWUSER, 0, 0), REFUSED(EPERM));
    assert_int_equal(answer(l, SYS_clone, SIGCHLD, 0, 0), ALLOWED);
    assert_int_equal(answer(l, SYS_mount, 0, 0, 0), SECCOMP_RET_USER_NOTIF);
}

static void too_many_values_are_no_condition(void **state) {
    struct learned *l = *state;
    for (uint64_t i = 0; i < 200; i++) see(l, SYS_ioctl, 0, 0x7000 + i, 0);
    propose(l);
    assert_int_equal(answer(l, SYS_ioctl, 0, 0x9999, 0), ALLOWED);
}

static void what_a_program_makes_us_keep_is_bounded(void **state) {
    struct learned *l = *state;
    for (uint64_t i = 0; i < 10; i++) {
        const uint64_t args[6] = {0, i};
        int rc = policy_observe(&l->base, &l->seen, SYS_ioctl, args, 0, 8);
        assert_int_equal(rc, i < 8 ? 0 : -1);
    }
    const uint64_t known[6] = {0, 3};
    assert_int_equal(policy_observe(&l->base, &l->seen, SYS_ioctl, known, 0, 8), 0);
    assert_int_equal(l->seen.list[3].count, 2);
}

static void what_was_seen_can_be_written_and_read(void **state) {
    struct learned *l = *state;
    see(l, SYS_socket, AF_INET, SOCK_STREAM, 0);
    see(l, SYS_clone, UINT64_MAX & ~UINT64_C(0x7e028180), 0, 0);
    see(l, SYS_bpf, 0, 0, 0);
    see(l, SYS_bpf, 0, 0, 0);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    policy_observations_encode(&l->seen, w);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    _cleanup_error_ struct error err = {0};
    _cleanup_json_ struct json *doc = json_parse("calls", text, len, &err);
    _cleanup_policy_observations_ struct policy_observations back = {0};
    assert_int_equal(policy_observations_decode(doc, &back, &err), 0);
    assert_int_equal(back.count, 3);
    assert_memory_equal(back.list, l->seen.list, back.count * sizeof *back.list);
    assert_int_equal(back.list[2].count, 2);
    static const char *const wrong[] = {
        "{}", "{\"calls\": [{}]}", "{\"calls\": [], \"more\": 1}",
        "{\"calls\": [{\"call\": \"a\", \"number\": 1, \"count\": 1, \"refused\": 0, \"args\": "
        "[]}]}",
        "{\"calls\": [{\"call\": \"a\", \"number\": 1, \"count\": 1, \"refused\": 0, \"args\": "
        "[\"0x1\", \"q\", \"0x1\", \"0x1\", \"0x1\", \"0x1\"]}]}"};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        _cleanup_policy_observations_ struct policy_observations none = {0};
        _cleanup_json_ struct json *bad = json_parse("calls", wrong[i], strlen(wrong[i]), NULL);
        assert_non_null(bad);
        assert_int_equal(policy_observations_decode(bad, &none, NULL), -1);
    }
}

#define LEARNING(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        LEARNING(an_empty_run_leaves_what_a_start_needs),
        LEARNING(values_that_were_not_seen_are_refused),
        LEARNING(reasons_come_from_the_base),
        LEARNING(what_goes_beyond_is_said),
        LEARNING(nothing_dangerous_is_learned),
        LEARNING(the_same_answer_is_met_again),
        LEARNING(too_many_values_are_no_condition),
        LEARNING(what_a_program_makes_us_keep_is_bounded),
        LEARNING(what_was_seen_can_be_written_and_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
