#include "sandbox/probe.h"

#include "common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static const char *const expected[] = {"user namespace",
                                       "mount namespace",
                                       "pid namespace",
                                       "network namespace",
                                       "ipc namespace",
                                       "uts namespace",
                                       "cgroup namespace",
                                       "time namespace",
                                       "seccomp",
                                       "landlock",
                                       "session keyring",
                                       "pidfd",
                                       "openat2",
                                       "close_range",
                                       "new mount API",
                                       "private /proc",
                                       "overlay",
                                       "CLONE_INTO_CGROUP",
                                       "cgroup.kill",
                                       "memory limit",
                                       "pids limit",
                                       "cpu accounting",
                                       "cpuset",
                                       "io accounting",
                                       "freezer",
                                       "cpu share",
                                       "device list",
                                       "subordinate ids",
                                       "kernel",
                                       "cpu",
                                       "cpus",
                                       "memory",
                                       "swap",
                                       "pressure stall",
                                       "steal",
                                       "governor",
                                       "frequency",
                                       "clock source",
                                       "quiet lanes"};

static void every_check_says_something(void **state) {
    (void)state;
    _cleanup_probe_ struct probe_report report;
    _cleanup_error_ struct error err = {0};
    if (probe_run(&report, &err) < 0) fail_msg("%s", error_text(&err));
    assert_int_equal(report.count, ARRAY_SIZE(expected));
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
        const struct probe_item *item = probe_find(&report, expected[i]);
        if (!item || !item->detail[0]) fail_msg("no check named %s", expected[i]);
    }
    assert_null(probe_find(&report, "flux capacitor"));
    assert_non_null(strstr(report.verdict, report.official ? "are possible" : "no "));
}

static void the_report_is_shown_as_json_and_as_a_table(void **state) {
    (void)state;
    struct probe_item items[] = {{(char *)"a", PROBE_YES, (char *)"fine"},
                                 {(char *)"longer", PROBE_NO, (char *)"bad\x1b"}};
    struct probe_report report = {
        .privilege = "plain", .verdict = (char *)"so so", .items = items, .count = 2};
    _cleanup_buf_ struct buf table = {0};
    probe_print(&report, &table);
    assert_string_equal(buf_text(&table), "a       yes     fine\n"
                                          "longer  no      bad\\x1b\n"
                                          "\nso so\n");
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    probe_encode(&report, w, NULL);
    const char *text = json_writer_text(w, NULL);
    assert_non_null(text);
    assert_non_null(strstr(text, "\"privilege\":\"plain\",\"official\":false"));
    assert_non_null(strstr(text, "{\"name\":\"a\",\"state\":\"yes\",\"detail\":\"fine\"}"));
}

/* Without a writable group there is no official score, and it says why. */
static int as_plain_user(void) {
    struct probe_report report;
    if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0) return 1;
    if (probe_run(&report, NULL) < 0) return 2;
    const struct probe_item *memory = probe_find(&report, "memory limit");
    int result = report.official                            ? 3
                 : strcmp(report.privilege, "root") == 0    ? 4
                 : memory->state != PROBE_WEAKER            ? 5
                 : !strstr(memory->detail, "rlimits and a") ? 6
                 : strcmp(report.privilege, "none") == 0    ? 0
                 : !strstr(report.verdict, "memory limit")  ? 7
                                                            : 0;
    probe_clear(&report);
    return result;
}

static void a_plain_user_is_told_what_is_missing(void **state) {
    (void)state;
    if (geteuid() != 0) {
        print_message("skip - becoming another user needs root\n");
        skip();
    }
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) _exit(as_plain_user());
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--show") == 0) {
        _cleanup_probe_ struct probe_report report;
        _cleanup_buf_ struct buf table = {0};
        if (probe_run(&report, NULL) < 0) return 1;
        probe_print(&report, &table);
        fputs(buf_text(&table), stdout);
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_check_says_something),
        cmocka_unit_test(the_report_is_shown_as_json_and_as_a_table),
        cmocka_unit_test(a_plain_user_is_told_what_is_missing),
    };
    return cmocka_run_group_tests_name("probe", tests, NULL, NULL);
}
