/* Processes that are found again, and how a run stands after a restart. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/daemon/process.h"
#include "orchestrator/daemon/run.h"

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static char dir[64];

static int setup(void **state) {
    (void)state;
    strcpy(dir, "/tmp/test_process.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    return tree_remove(dir, NULL);
}

static void put(const char *name, const char *text) {
    _cleanup_free_ char *path = path_join(dir, name);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
}

static void start(const char *script, struct process *out) {
    char *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)script, NULL};
    _cleanup_free_ char *log = path_join(dir, "log");
    assert_int_equal(process_start(argv, log, out, NULL), 0);
}

static void it_is_found_by_number_and_start(void **state) {
    (void)state;
    _cleanup_process_ struct process p = PROCESS_NONE;
    start("sleep 60", &p);
    assert_true(p.start_ticks > 0);
    struct process again = PROCESS_NONE;
    assert_true(process_find(p.pid, p.start_ticks, &again));
    process_close(&again);
    assert_false(process_find(p.pid, p.start_ticks + 1, &again)); /* the number's next owner */
    assert_false(process_find(0, 0, &again));
    process_signal(&p, SIGKILL);
    assert_int_equal(process_wait(&p, -1, 10000), PROCESS_ENDED);
    /* Dead, but not yet reaped: that is gone as well. */
    assert_false(process_find(p.pid, p.start_ticks, &again));
}

static void it_is_a_session_of_its_own_and_hears_signals(void **state) {
    (void)state;
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    _cleanup_process_ struct process p = PROCESS_NONE;
    start("sleep 60", &p);
    sigprocmask(SIG_SETMASK, &before, NULL);
    assert_int_equal(getsid((pid_t)p.pid), p.pid);
    process_signal(&p, SIGTERM);
    assert_int_equal(process_wait(&p, -1, 10000), PROCESS_ENDED);
}

static void what_it_says_is_kept(void **state) {
    (void)state;
    _cleanup_process_ struct process p = PROCESS_NONE;
    start("echo out; echo bad luck >&2", &p);
    assert_int_equal(process_wait(&p, -1, 10000), PROCESS_ENDED);
    _cleanup_free_ char *log = path_join(dir, "log");
    _cleanup_buf_ struct buf text = {0};
    assert_int_equal(file_read(log, 100, &text, NULL), 0);
    assert_string_equal(buf_text(&text), "bad luck\n");
}

static void a_pidfile_is_strict(void **state) {
    (void)state;
    _cleanup_free_ char *path = path_join(dir, "launcher.json");
    int64_t pid = 0, ticks = 0;
    assert_false(process_read(path, &pid, &ticks));
    static const char *const bad[] = {"", "{}", "{\"pid\": 1}", "{\"pid\": 0, \"start_ticks\": 5}",
                                      "{\"pid\": 7, \"start_ticks\": 5, \"x\": 1}"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        put("launcher.json", bad[i]);
        assert_false(process_read(path, &pid, &ticks));
    }
    put("launcher.json", "{\"pid\": 7, \"start_ticks\": 5}");
    assert_true(process_read(path, &pid, &ticks));
    assert_int_equal(pid, 7);
    assert_int_equal(ticks, 5);
}

static void a_restarted_daemon_sees_how_a_run_stands(void **state) {
    (void)state;
    struct process found = PROCESS_NONE;
    struct run_row row = {.pid = 999999999, .start_ticks = 1};
    assert_int_equal(run_find(dir, "launcher.json", "result.json", &row, &found),
                     RUN_FOUND_NOTHING);
    _cleanup_process_ struct process p = PROCESS_NONE;
    start("sleep 60", &p);
    _cleanup_free_ char *says =
        str_printf("{\"pid\": %" PRId64 ", \"start_ticks\": %" PRId64 "}", p.pid, p.start_ticks);
    put("launcher.json", says);
    assert_int_equal(run_find(dir, "launcher.json", "result.json", &row, &found), RUN_FOUND_ALIVE);
    process_close(&found);
    process_signal(&p, SIGKILL);
    process_wait(&p, -1, 10000);
    assert_int_equal(run_find(dir, "launcher.json", "result.json", &row, &found),
                     RUN_FOUND_NOTHING);
    put("result.json", "{}");
    assert_int_equal(run_find(dir, "launcher.json", "result.json", &row, &found), RUN_FOUND_RESULT);
    assert_int_equal(run_find("/nonexistent", "launcher.json", "result.json", &row, &found),
                     RUN_FOUND_NOTHING);
}

/* The daemon was killed before it wrote the number down: the launcher says it
 * itself a little later. */
static void a_launcher_may_be_late_to_say_who_it_is(void **state) {
    (void)state;
    _cleanup_free_ char *script =
        str_printf("sleep 0.1; echo \"{\\\"pid\\\": $$, \\\"start_ticks\\\": $(cut -d' ' -f22 "
                   "/proc/$$/stat)}\""
                   " >%s/new; mv %s/new %s/launcher.json; sleep 60",
                   dir, dir, dir);
    _cleanup_process_ struct process p = PROCESS_NONE;
    start(script, &p);
    struct run_row row = {0};
    _cleanup_process_ struct process found = PROCESS_NONE;
    assert_int_equal(run_find(dir, "launcher.json", "result.json", &row, &found), RUN_FOUND_ALIVE);
    assert_int_equal(found.pid, p.pid);
    process_signal(&p, SIGKILL);
    process_wait(&p, -1, 10000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_is_found_by_number_and_start, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_a_session_of_its_own_and_hears_signals, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_it_says_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pidfile_is_strict, setup, teardown),
        cmocka_unit_test_setup_teardown(a_restarted_daemon_sees_how_a_run_stands, setup, teardown),
        cmocka_unit_test_setup_teardown(a_launcher_may_be_late_to_say_who_it_is, setup, teardown),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
