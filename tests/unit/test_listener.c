/* The filter's questions: handed over, asked, named, recorded. The payload is a
 * child with the release socket where the real one has it. */
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/learn.h"
#include "sandbox/listener.h"
#include "sandbox/violation.h"
#include "tests/unit/test_policy_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

enum { FORBIDDEN = SYS_reboot, ANSWERED = 7 };

struct scene {
    struct run run;
    struct fence fence;
    struct spec spec;
    struct policy policy;
    struct policy_filter filter;
    struct result result;
    int ends[2];
    pid_t child;
};

static void set_scene(struct scene *s, const char *policy, int (*body)(void)) {
    struct error err = {0};
    s->spec.policy = (char *)policy;
    s->fence = (struct fence){.spec = &s->spec, .policy = &s->policy, .filter = &s->filter};
    s->run = (struct run){.spec = &s->spec, .fence = &s->fence, .result = &s->result};
    s->run.listener = -1;
    if (policy_load(policy, &s->policy, &err) < 0) fail_msg("%s", error_text(&err));
    int rc = s->spec.learn ? policy_filter_learning(RELEASE_FD, LISTENER_FLAGS, &s->filter, &err)
                           : policy_filter(&s->policy, &s->filter, &err);
    assert_int_equal(rc, 0);
    s->result.policy_sha256 = strdup(s->policy.sha256);
    s->result.filter_sha256 = strdup(s->filter.sha256);
    s->fence.page = mmap(NULL, sizeof *s->fence.page, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(s->fence.page != MAP_FAILED);
    s->fence.noting = s->fence.page->notes;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s->ends), 0);
    s->fence.release[0] = s->ends[0];
    s->child = fork();
    if (s->child == 0) {
        int listener = -1;
        if (dup2(s->ends[1], RELEASE_FD) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
            _exit(1);
        if (listener_install(&s->fence, &listener, NULL) < 0 || listener_ready(listener) < 0)
            _exit(2);
        if (listener >= 0) close(listener);
        _exit(body());
    }
    close(s->ends[1]);
    struct pollfd p = {.fd = s->ends[0], .events = POLLIN};
    assert_int_equal(poll(&p, 1, 20000), 1);
    struct release_answer answer = {0};
    assert_int_equal(listener_receive(&s->run, &answer), sizeof answer);
    assert_int_equal(answer.message, RELEASE_READY);
}

static int end_scene(struct scene *s, bool stop) {
    int status = 0;
    if (stop) kill(s->child, SIGKILL);
    assert_int_equal(waitpid(s->child, &status, 0), s->child);
    close(s->ends[0]);
    if (s->run.listener >= 0) close(s->run.listener);
    munmap(s->fence.page, sizeof *s->fence.page);
    free(s->run.offender);
    policy_clear(&s->policy);
    policy_filter_clear(&s->filter);
    result_clear(&s->result);
    return status;
}

static void await_question(const struct scene *s) {
    struct pollfd p = {.fd = s->run.listener, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 20000), 1);
}

static char *shipped(const char *name) {
    return str_printf("%s/%s.json", TEST_POLICIES, name);
}

static int break_policy(void) {
    syscall(FORBIDDEN, 1, 2, 3, 4);
    return ANSWERED;
}

static int keep_it(void) {
    return ANSWERED;
}

static void broken_policies_are_named(void **state) {
    (void)state;
    struct scene s = {0};
    _cleanup_free_ char *path = shipped("train");
    set_scene(&s, path, break_policy);
    assert_true(s.run.listener >= 0);
    await_question(&s);
    assert_int_equal(listener_serve(&s.run), LISTENER_VIOLATED);
    violation_report(&s.run);
    const struct violation *v = s.result.violation;
    assert_string_equal(v->call, "reboot");
    assert_int_equal(v->number, FORBIDDEN);
    assert_int_equal(v->args[3], 4);
    assert_string_equal(v->rule, "administration-kills");
    assert_non_null(v->process);
    assert_int_equal(s.result.signal, SIGSYS);
    assert_non_null(strstr(s.result.error, "reboot(0x1, 0x2, 0x3, 0x4) is forbidden by rule "));
    assert_true(WIFSIGNALED(end_scene(&s, true)));
}

/* The text of the policy has changed since: its rules are not this run's. */
static void changed_policies_name_no_rule(void **state) {
    (void)state;
    struct scene s = {0};
    _cleanup_free_ char *path = shipped("train");
    _cleanup_free_ char *other = shipped("strict");
    set_scene(&s, path, break_policy);
    await_question(&s);
    assert_int_equal(listener_serve(&s.run), LISTENER_VIOLATED);
    s.spec.policy = other;
    violation_report(&s.run);
    assert_string_equal(s.result.violation->call, "reboot");
    assert_null(s.result.violation->rule);
    end_scene(&s, true);
}

static void the_end_is_no_question(void **state) {
    (void)state;
    struct scene s = {0};
    _cleanup_free_ char *path = shipped("train");
    set_scene(&s, path, keep_it);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)s.child, &info, WEXITED | WNOWAIT), 0);
    enum listener_news news = listener_serve(&s.run);
    assert_true(news == LISTENER_QUIET || news == LISTENER_OVER); /* by the kernel's age */
    assert_false(s.run.violated);
    assert_int_equal(WEXITSTATUS(end_scene(&s, false)), ANSWERED);
}

static void calls_taken_back_are_reported(void **state) {
    (void)state;
    struct scene s = {0};
    _cleanup_free_ char *path = shipped("train");
    set_scene(&s, path, keep_it);
    s.run.violated = true;
    violation_report(&s.run);
    assert_null(s.result.violation->call);
    assert_int_equal(s.result.violation->number, -1);
    assert_non_null(strstr(s.result.error, "taken back"));
    end_scene(&s, false);
}

/* No sendmsg: the thread hands over. */
static char *mute_policy(const char *dir) {
    static const char text[] =
        "{\"name\": \"mute\", \"description\": \"d\", \"default\": {\"action\": \"kill\"},"
        " \"rules\": [{\"name\": \"x\", \"action\": \"allow\", \"reason\": \"r\", \"calls\":"
        " [\"execve\", \"read\", \"write\", \"exit_group\", \"close\"]}]}";
    char *path = path_join(dir, "mute.json");
    assert_int_equal(file_write_atomic(path, text, sizeof text - 1, 0600, NULL), 0);
    return path;
}

static void any_policy_lets_it_be_handed_over(void **state) {
    (void)state;
    char dir[] = "/tmp/paddock-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    _cleanup_free_ char *path = mute_policy(dir);
    struct scene s = {0};
    set_scene(&s, path, break_policy);
    assert_true(s.run.listener >= 0);
    await_question(&s);
    assert_int_equal(listener_serve(&s.run), LISTENER_VIOLATED);
    assert_int_equal(s.run.offence.nr, FORBIDDEN);
    violation_report(&s.run);
    assert_null(s.result.violation->rule); /* the default */
    end_scene(&s, true);
    /* A thread too many: the kernel kills by itself, and all know. */
    struct scene alone = {.spec.limits.pids = 1};
    set_scene(&alone, path, break_policy);
    assert_int_equal(alone.run.listener, -1);
    assert_true(alone.run.unheard);
    assert_false(policy_filter_asks(&alone.filter));
    assert_string_equal(alone.result.filter_sha256, alone.filter.sha256);
    int status = end_scene(&alone, false);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
    assert_int_equal(tree_remove(dir, NULL), 0);
}

static int try_things(void) {
    if (syscall(FORBIDDEN, 1, 2, 3, 4) != -1 || errno != EPERM) return 1;
    return syscall(SYS_getppid) > 0 ? ANSWERED : 2;
}

static void learning_records_and_refuses(void **state) {
    (void)state;
    char dir[] = "/tmp/paddock-test-XXXXXX";
    assert_non_null(mkdtemp(dir));
    _cleanup_free_ char *path = shipped("train");
    struct scene s = {.spec.learn = true};
    set_scene(&s, path, try_things);
    s.run.learn = learn_open(path, NULL);
    assert_non_null(s.run.learn);
    struct pollfd p = {.fd = s.run.listener, .events = POLLIN};
    while (poll(&p, 1, 20000) == 1 && (p.revents & POLLIN))
        assert_int_equal(listener_serve(&s.run), LISTENER_QUIET);
    assert_int_equal(listener_serve(&s.run), LISTENER_OVER);
    _cleanup_close_ int fd = dir_open(dir, NULL);
    assert_int_equal(learn_deliver(s.run.learn, fd, NULL), 0);
    assert_int_equal(learn_deliver(s.run.learn, -1, NULL), -1);
    learn_close(s.run.learn);
    assert_int_equal(WEXITSTATUS(end_scene(&s, false)), ANSWERED);
    _cleanup_buf_ struct buf text = {0};
    assert_int_equal(file_read_at(fd, "calls.json", 1 << 20, &text, NULL), 0);
    assert_non_null(strstr(buf_text(&text), "\"getppid\""));
    assert_non_null(strstr(buf_text(&text), "\"exit_group\""));
    assert_int_equal(tree_remove(dir, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_policies_are_named),
        cmocka_unit_test(changed_policies_name_no_rule),
        cmocka_unit_test(the_end_is_no_question),
        cmocka_unit_test(calls_taken_back_are_reported),
        cmocka_unit_test(any_policy_lets_it_be_handed_over),
        cmocka_unit_test(learning_records_and_refuses),
    };
    if (can_install()) return cmocka_run_group_tests(tests, NULL, NULL);
    printf(
        "1..1\nok 1 - the filter's questions # SKIP this machine lets nobody install a filter\n");
    return 0;
}
