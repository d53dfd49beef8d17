/*
 * paddock-examine itself, with this program in the launcher's place: started as
 * `paddock-sandbox run SPEC --dir DIR`, it does what SPEC's name says.
 */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "orchestrator/judge/exam.h"
#include "orchestrator/judge/exam_job.h"
#include "orchestrator/judge/lockstep.h"

#include <fcntl.h>
#include <limits.h>
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

enum { B = 4, T = 8, V = 256, ROUNDS = 2, BLOCK = 64, LEN = 40 * BLOCK };

static char root[64];

/* ---- in the launcher's place ---- */

static bool get(void *data, size_t len) {
    for (size_t got = 0; got < len;) {
        ssize_t n = read(STDIN_FILENO, (char *)data + got, len - got);
        if (n <= 0) return false;
        got += (size_t)n;
    }
    return true;
}

static void predict(const char *how) {
    static float rows[B][V];
    uint32_t hello[5], ours[2] = {LOCKSTEP_MAGIC, 1}, kind, tokens[B];
    if (str_eq(how, "nan")) rows[1][2] = __builtin_nanf("");
    if (!get(hello, sizeof hello) || write_all(STDOUT_FILENO, ours, sizeof ours) < 0) return;
    while (get(&kind, sizeof kind) && kind != LOCKSTEP_END) {
        if (kind == LOCKSTEP_RESET) continue;
        if (!get(tokens, sizeof tokens) || str_eq(how, "dies")) return;
        if (str_eq(how, "hangs")) sleep(60);
        if (write_all(STDOUT_FILENO, rows, sizeof rows) < 0) return;
    }
}

static int fake_launcher(char **argv) {
    const char *how = strrchr(argv[2], '/') + 1;
    if (str_eq(how, "fails")) return 125;
    if (str_starts(how, "says-")) {
        _cleanup_free_ char *path = path_join(argv[4], "stdout");
        _cleanup_free_ char *text = str_printf("{\"metric\": %s}\n", how + strlen("says-"));
        return file_write_atomic(path, text, strlen(text), 0644, NULL);
    }
    if (str_eq(how, "silent")) return 0;
    if (str_eq(how, "sleeps")) sleep(60);
    predict(how);
    if (str_eq(how, "lingers")) {
        close(STDOUT_FILENO);
        sleep(60);
    }
    return 0;
}

/* ---- the tests ---- */

static int make_folder(void **state) {
    (void)state;
    char self[PATH_MAX], text[LEN];
    snprintf(root, sizeof root, "/tmp/paddock-exam-XXXXXX");
    assert_non_null(mkdtemp(root));
    _cleanup_free_ char *launcher = path_join(root, "paddock-sandbox");
    _cleanup_free_ char *held_out = path_join(root, "held-out.bin");
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    assert_true(len > 0);
    self[len] = '\0';
    assert_int_equal(symlink(self, launcher), 0);
    memset(text, 'a', sizeof text);
    assert_int_equal(file_write_atomic(held_out, text, sizeof text, 0600, NULL), 0);
    return setenv("PADDOCK_BIN", root, 1);
}

static int drop_folder(void **state) {
    (void)state;
    return tree_remove(root, NULL);
}

static void write_job(enum task_examiner kind, const char *how, int64_t wall_ms) {
    struct exam_job job = {.kind = kind,
                           .spec = path_join(root, how),
                           .dir = strdup(root),
                           .wall_ms = wall_ms,
                           .held_out = path_join(root, "held-out.bin"),
                           .block_bytes = BLOCK,
                           .streams = B,
                           .tokens = T,
                           .rounds = ROUNDS,
                           .vocabulary = V,
                           .seed = UINT64_MAX};
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    assert_int_equal(exam_job_encode(&job, w, NULL), 0);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    _cleanup_free_ char *path = path_join(root, "job.json");
    assert_int_equal(file_write_atomic(path, text, len, 0644, NULL), 0);
    exam_job_clear(&job);
}

static pid_t start(void) {
    _cleanup_free_ char *job = path_join(root, "job.json");
    pid_t child = fork();
    if (child == 0) {
        execl(EXAMINE_PROGRAM, "paddock-examine", job, NULL);
        _exit(99);
    }
    return child;
}

static void finish(pid_t child, struct exam *e) {
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    _cleanup_free_ char *path = path_join(root, "exam.json");
    _cleanup_error_ struct error err = {0};
    if (exam_load(path, e, &err) < 0) fail_msg("%s", error_text(&err));
}

static void expect(enum task_examiner kind, const char *how, enum outcome outcome, const char *end,
                   const char *reason) {
    _cleanup_exam_ struct exam e = {0};
    bool stays = str_eq(how, "hangs") || str_eq(how, "sleeps") || str_eq(how, "lingers");
    write_job(kind, how, stays ? 500 : 30000);
    finish(start(), &e);
    if (e.outcome != outcome || !str_eq(e.end, end) || (reason && !strstr(e.reason, reason)))
        fail_msg("%s: %s (%s): %s", how, outcome_name(e.outcome), e.end, e.reason);
    assert_int_equal(e.kind, kind);
}

static void a_whole_examination(void **state) {
    (void)state;
    _cleanup_exam_ struct exam e = {0};
    write_job(EXAMINER_LOCKSTEP, "honest", 30000);
    finish(start(), &e);
    if (e.outcome != OUTCOME_VALID) fail_msg("%s", e.reason);
    assert_true(e.metric == 8);
    assert_true(e.seed == UINT64_MAX);
    assert_int_equal(e.positions, B * T * ROUNDS);
    char text[LEN], hex[DIGEST_HEX];
    memset(text, 'a', sizeof text);
    digest_hex_of(text, sizeof text, hex);
    assert_string_equal(e.held_out_sha256, hex);
    _cleanup_free_ char *who = path_join(root, "examiner.json");
    assert_int_equal(access(who, R_OK), 0);
}

static void faults_of_the_candidate(void **state) {
    (void)state;
    expect(EXAMINER_LOCKSTEP, "nan", OUTCOME_INVALID_LOSS, "not-finite", "score 2 of stream 1");
    expect(EXAMINER_LOCKSTEP, "dies", OUTCOME_INVALID_LOSS, "closed", "gone before");
    expect(EXAMINER_LOCKSTEP, "lingers", OUTCOME_TIMEOUT, "late", "still running");
    expect(EXAMINER_LOCKSTEP, "hangs", OUTCOME_TIMEOUT, "late", "the time was up");
}

static void faults_of_the_launcher(void **state) {
    (void)state;
    expect(EXAMINER_LOCKSTEP, "fails", OUTCOME_INVALID_ENVIRONMENT, "no-answer", "exit status 125");
    expect(EXAMINER_PROGRAM, "fails", OUTCOME_INVALID_ENVIRONMENT, "no-answer", "exit status 125");
    _cleanup_free_ char *launcher = path_join(root, "paddock-sandbox");
    assert_int_equal(unlink(launcher), 0);
    expect(EXAMINER_LOCKSTEP, "honest", OUTCOME_INVALID_ENVIRONMENT, "no-answer", "No such file");
}

static void a_text_that_is_missing_is_ours(void **state) {
    (void)state;
    _cleanup_free_ char *held_out = path_join(root, "held-out.bin");
    assert_int_equal(unlink(held_out), 0);
    expect(EXAMINER_LOCKSTEP, "honest", OUTCOME_INVALID_ENVIRONMENT, "no-answer", "held-out.bin");
}

static void programs_are_believed(void **state) {
    (void)state;
    expect(EXAMINER_PROGRAM, "silent", OUTCOME_INVALID_ENVIRONMENT, "no-answer", "printed nothing");
    expect(EXAMINER_PROGRAM, "sleeps", OUTCOME_TIMEOUT, "no-answer", "was up");
    expect(EXAMINER_PROGRAM, "says-true", OUTCOME_INVALID_ENVIRONMENT, "no-answer", "a number");
    _cleanup_exam_ struct exam e = {0};
    write_job(EXAMINER_PROGRAM, "says-1348", 30000);
    finish(start(), &e);
    assert_int_equal(e.outcome, OUTCOME_VALID);
    assert_true(e.has_metric && e.metric == 1348);
}

static void a_hang_up_is_not_heard_but_a_request_to_stop_is(void **state) {
    (void)state;
    _cleanup_exam_ struct exam e = {0};
    _cleanup_free_ char *who = path_join(root, "examiner.json");
    write_job(EXAMINER_LOCKSTEP, "hangs", 60000);
    pid_t child = start();
    /* examiner.json is there before signals are taken care of: wait for the sessions to differ. */
    while (getsid(child) == getsid(0) || access(who, F_OK) < 0) usleep(1000);
    usleep(100000);
    assert_int_equal(kill(child, SIGHUP), 0);
    assert_int_equal(kill(child, SIGTERM), 0);
    finish(child, &e);
    assert_int_equal(e.outcome, OUTCOME_CANCELLED);
    assert_string_equal(e.end, "cancelled");
}

static const char negative_seed[] =
    "{\"kind\": \"lockstep\", \"spec\": \"/s\", \"dir\": \"/d\", \"wall_ms\": 1,"
    " \"held_out\": \"/h\", \"block_bytes\": 64, \"streams\": 1, \"tokens\": 1, \"rounds\": 1,"
    " \"vocabulary\": 256, \"seed\": \"-1\"}";

static void jobs_are_read_strictly(void **state) {
    (void)state;
    static const char *const bad[] = {
        "{}",
        "{\"kind\": \"program\", \"spec\": \"/s\", \"dir\": \"rel\", \"wall_ms\": 1}",
        "{\"kind\": \"program\", \"spec\": \"/s\", \"dir\": \"/d\", \"wall_ms\": 0}",
        "{\"kind\": \"program\", \"spec\": \"/s\", \"dir\": \"/d\", \"wall_ms\": 1, \"x\": 1}",
        "{\"kind\": \"lockstep\", \"spec\": \"/s\", \"dir\": \"/d\", \"wall_ms\": 1}",
        negative_seed,
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_json_ struct json *doc = json_parse("job", bad[i], strlen(bad[i]), NULL);
        _cleanup_exam_job_ struct exam_job job = {0};
        assert_non_null(doc);
        assert_int_equal(exam_job_decode(doc, &job, NULL), -1);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, drop_folder)

int main(int argc, char **argv) {
    if (argc == 5 && str_eq(argv[0], "paddock-sandbox")) return fake_launcher(argv);
    const struct CMUnitTest tests[] = {
        TEST(a_whole_examination),    TEST(faults_of_the_candidate),
        TEST(faults_of_the_launcher), TEST(a_text_that_is_missing_is_ours),
        TEST(programs_are_believed),  TEST(a_hang_up_is_not_heard_but_a_request_to_stop_is),
        TEST(jobs_are_read_strictly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
