#include "orchestrator/judge/verdict.h"

#include "common/cleanup.h"
#include "orchestrator/judge/exam.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static const struct spec_limits limits = {.wall_ms = 1500,
                                          .cpu_ms = 3000,
                                          .memory_bytes = 64 << 20,
                                          .pids = 8,
                                          .output_bytes = 4096,
                                          .disk_bytes = 1 << 20};

static struct task make_task(void) {
    return (struct task){.artifact = (char *)"out",
                         .artifact_bytes = 1000,
                         .artifact_files = 2,
                         .metric = (char *)"loss",
                         .unit = (char *)"bits per byte",
                         .has_target = true,
                         .target = 2.4,
                         .build.limits = limits,
                         .train.limits = limits,
                         .examine.limits = limits};
}

static struct collected artifact = {
    .path = (char *)"out", .as = (char *)"out", .present = true, .files = 1, .bytes = 9};

static struct result ended(enum ended how) {
    return (struct result){.ended = how, .collected = &artifact, .collected_count = 1};
}

static char last_rule[32]; /* of the last verdict expected; "" when valid */

static void expect(const struct verdict_facts *facts, enum outcome outcome, const char *reason) {
    _cleanup_verdict_ struct verdict v = {0};
    _cleanup_error_ struct error err = {0};
    if (verdict_judge(facts, &v, &err) < 0) fail_msg("%s", error_text(&err));
    bool same = reason ? v.reason && strcmp(v.reason, reason) == 0 : !v.reason;
    if (v.outcome != outcome || !same)
        fail_msg("%s: \"%s\", want %s: \"%s\"", outcome_name(v.outcome), v.reason ? v.reason : "",
                 outcome_name(outcome), reason ? reason : "");
    if ((v.rule == NULL) != (outcome == OUTCOME_VALID))
        fail_msg("%s with the rule %s", outcome_name(outcome), v.rule ? v.rule : "none");
    snprintf(last_rule, sizeof last_rule, "%s", v.rule ? v.rule : "");
}

static void expect_rule(const struct verdict_facts *facts, enum outcome outcome, const char *reason,
                        const char *rule) {
    expect(facts, outcome, reason);
    assert_string_equal(last_rule, rule);
}

static void every_end_of_a_run_has_its_outcome(void **state) {
    (void)state;
    static const struct {
        enum task_phase phase;
        enum ended how;
        int number; /* exit status or signal */
        enum outcome outcome;
        const char *error, *reason, *rule;
    } rows[] = {
        {PHASE_BUILD, ENDED_EXIT, 0, OUTCOME_VALID, NULL, NULL, ""},
        {PHASE_BUILD, ENDED_EXIT, 2, OUTCOME_BUILD_FAILED, NULL, "build: exit status 2",
         "build-failed"},
        {PHASE_BUILD, ENDED_SIGNAL, 6, OUTCOME_BUILD_FAILED, NULL,
         "build: ended by signal 6 (SIGABRT)", "build-failed"},
        {PHASE_BUILD, ENDED_WALL_LIMIT, 0, OUTCOME_TIMEOUT, NULL,
         "build: still running after 1.5 s", "wall-limit"},
        {PHASE_TRAIN, ENDED_EXIT, 0, OUTCOME_VALID, NULL, NULL, ""},
        {PHASE_TRAIN, ENDED_EXIT, 3, OUTCOME_CRASH, NULL, "train: exit status 3", "exit-status"},
        {PHASE_TRAIN, ENDED_SIGNAL, 11, OUTCOME_CRASH, NULL, "train: ended by signal 11 (SIGSEGV)",
         "signal"},
        {PHASE_TRAIN, ENDED_WALL_LIMIT, 9, OUTCOME_TIMEOUT, NULL,
         "train: still running after 1.5 s", "wall-limit"},
        {PHASE_TRAIN, ENDED_CPU_LIMIT, 9, OUTCOME_TIMEOUT, NULL,
         "train: used more than 3 s of cpu time", "cpu-limit"},
        {PHASE_TRAIN, ENDED_MEMORY_LIMIT, 9, OUTCOME_OUT_OF_MEMORY, NULL,
         "train: used more than 64 MiB of memory", "memory-limit"},
        {PHASE_TRAIN, ENDED_PIDS_LIMIT, 9, OUTCOME_LIMIT, NULL,
         "train: more than 8 processes and threads", "pids-limit"},
        {PHASE_TRAIN, ENDED_OUTPUT_LIMIT, 9, OUTCOME_LIMIT, NULL,
         "train: more than 4096 bytes of output", "output-limit"},
        {PHASE_TRAIN, ENDED_DISK_LIMIT, 9, OUTCOME_LIMIT, NULL,
         "train: filled its workspace of 1 MiB", "disk-limit"},
        {PHASE_TRAIN, ENDED_POLICY_VIOLATION, 31, OUTCOME_INVALID_TAMPER, "system call \x1b[31mbpf",
         "train: broke the policy: system call \\x1b[31mbpf", "policy-violation"},
        {PHASE_TRAIN, ENDED_SETUP_ERROR, 0, OUTCOME_INVALID_ENVIRONMENT, NULL,
         "train: the fence could not be built: no reason given", "fence-failed"},
        {PHASE_TRAIN, ENDED_CANCELLED, 0, OUTCOME_CANCELLED, NULL, "train: cancelled", "cancelled"},
    };
    const struct task task = make_task();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct result r = ended(rows[i].how);
        r.exit_code = r.signal = rows[i].number;
        r.error = (char *)rows[i].error;
        expect_rule(&(struct verdict_facts){.task = &task, .phase = rows[i].phase, .result = &r},
                    rows[i].outcome, rows[i].reason, rows[i].rule);
    }
    expect(&(struct verdict_facts){.task = &task, .phase = PHASE_TRAIN},
           OUTCOME_INVALID_ENVIRONMENT, "train: the launcher left no result");
}

static void stderr_is_quoted_as_text(void **state) {
    (void)state;
    static const struct {
        const char *text, *quoted;
    } rows[] = {
        {"", ""},
        {"\n \n", ""},
        {"gpt.c:3: error\n", ": gpt.c:3: error"},
        {"one\ntwo\n\nthree\n", ": one | two | three"},
        {"1\n2\n3\n4\n5\n6\n", ": 3 | 4 | 5 | 6"},
        {"\x1b[2J\xff{\"outcome\": \"valid\"}", ": \\x1b[2J\\xff{\"outcome\": \"valid\"}"},
    };
    const struct task task = make_task();
    struct result r = ended(ENDED_EXIT);
    r.exit_code = 1;
    struct verdict_facts f = {.task = &task, .phase = PHASE_BUILD, .result = &r};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_free_ char *want = str_printf("build: exit status 1%s", rows[i].quoted);
        f.stderr_tail = rows[i].text;
        f.stderr_len = strlen(rows[i].text);
        expect(&f, OUTCOME_BUILD_FAILED, want);
    }
    char flood[5000];
    memset(flood, 'x', sizeof flood);
    f.stderr_tail = flood;
    f.stderr_len = sizeof flood;
    _cleanup_verdict_ struct verdict v = {0};
    assert_int_equal(verdict_judge(&f, &v, NULL), 0);
    assert_in_range(strlen(v.reason), 400, 450);
}

static void an_artifact_is_whole_or_none(void **state) {
    (void)state;
    const struct task task = make_task();
    struct collected c = artifact;
    struct result r = ended(ENDED_EXIT);
    r.collected = &c;
    const struct verdict_facts f = {.task = &task, .phase = PHASE_TRAIN, .result = &r};
    c.truncated = true;
    expect(&f, OUTCOME_INVALID_ARTIFACT,
           "train: the artifact out is larger than 1000 bytes or 2 files");
    c.present = false;
    expect(&f, OUTCOME_INVALID_ARTIFACT, "train: left no artifact in out");
    c = artifact;
    c.files = 0;
    expect(&f, OUTCOME_INVALID_ARTIFACT, "train: left no artifact in out");
    r.collected_count = 0;
    expect(&f, OUTCOME_INVALID_ARTIFACT, "train: left no artifact in out");
}

static struct exam examined(enum outcome outcome, const char *end, const char *reason) {
    return (struct exam){.outcome = outcome,
                         .end = (char *)end,
                         .reason = (char *)reason,
                         .has_metric = outcome == OUTCOME_VALID,
                         .metric = 2.3};
}

static void half_a_built_tree_is_none(void **state) {
    (void)state;
    const struct task task = make_task();
    struct collected c = artifact;
    struct result r = ended(ENDED_EXIT);
    r.collected = &c;
    struct verdict_facts f = {.task = &task, .phase = PHASE_BUILD, .result = &r};
    expect(&f, OUTCOME_VALID, NULL);
    c.truncated = true;
    expect(&f, OUTCOME_LIMIT, "build: the built workspace was more than could be kept");
}

static void the_examiner_and_the_fence_agree_on_one_reason(void **state) {
    (void)state;
    const struct task task = make_task();
    struct result ok = ended(ENDED_EXIT), segfault = ended(ENDED_SIGNAL);
    struct result stopped = ended(ENDED_CANCELLED), wall = ended(ENDED_WALL_LIMIT);
    segfault.signal = 11;
    struct exam valid = examined(OUTCOME_VALID, "complete", NULL);
    struct exam gone = examined(OUTCOME_INVALID_LOSS, "closed", "the program was gone");
    struct exam nan = examined(OUTCOME_INVALID_LOSS, "not-finite", "score 3 is not");
    struct exam off = examined(OUTCOME_CANCELLED, "cancelled", "cancelled before step 3");
    struct verdict_facts f = {.task = &task, .phase = PHASE_EXAMINE, .result = &ok, .exam = &valid};
    expect(&f, OUTCOME_VALID, NULL);
    f.exam = &gone;
    expect(&f, OUTCOME_INVALID_LOSS, "examine: the program was gone");
    f.result = &segfault;
    expect(&f, OUTCOME_CRASH, "examine: ended by signal 11 (SIGSEGV)");
    f.exam = &valid;
    expect(&f, OUTCOME_CRASH, "examine: ended by signal 11 (SIGSEGV)");
    f.exam = &nan;
    expect(&f, OUTCOME_INVALID_LOSS, "examine: score 3 is not");
    f.result = &stopped;
    expect(&f, OUTCOME_INVALID_LOSS, "examine: score 3 is not");
    f.exam = &off;
    expect(&f, OUTCOME_CANCELLED, "examine: cancelled before step 3");
    f.result = &wall;
    f.exam = &gone;
    expect(&f, OUTCOME_TIMEOUT, "examine: still running after 1.5 s");
    f.result = &ok;
    f.exam = NULL;
    expect(&f, OUTCOME_INVALID_ENVIRONMENT, "examine: the examiner left no exam.json");
    f.result = NULL;
    f.exam = &off;
    expect(&f, OUTCOME_CANCELLED, "examine: cancelled");
}

static void every_verdict_names_its_rule(void **state) {
    (void)state;
    struct task task = make_task();
    struct result ok = ended(ENDED_EXIT);
    struct collected c = artifact;
    struct exam e = examined(OUTCOME_INVALID_LOSS, "bad-hello", "x");
    struct verdict_facts f = {.task = &task, .phase = PHASE_EXAMINE, .result = &ok, .exam = &e};
    static const struct {
        enum outcome outcome;
        const char *end, *rule;
    } exams[] = {
        {OUTCOME_INVALID_LOSS, "bad-hello", "lockstep-broken"},
        {OUTCOME_INVALID_LOSS, "extra", "lockstep-broken"},
        {OUTCOME_INVALID_LOSS, "closed", "lockstep-broken"},
        {OUTCOME_INVALID_LOSS, "short-answer", "lockstep-broken"},
        {OUTCOME_INVALID_LOSS, "not-finite", "not-finite"},
        {OUTCOME_TIMEOUT, "late", "wall-limit"},
        {OUTCOME_INVALID_TAMPER, "inconsistent", "examine-state"},
        {OUTCOME_INVALID_TAMPER, "audit-fresh", "audit-fresh"},
        {OUTCOME_INVALID_TAMPER, "audit-shuffled", "audit-shuffled"},
        {OUTCOME_INVALID_TAMPER, "audit-babble", "audit-babble"},
        {OUTCOME_INVALID_ARTIFACT, "complete", "artifact-refused"},
        {OUTCOME_INVALID_ENVIRONMENT, "no-answer", "examiner-failed"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(exams); i++) {
        e.outcome = exams[i].outcome;
        e.end = (char *)exams[i].end;
        expect_rule(&f, exams[i].outcome, "examine: x", exams[i].rule);
    }
    e = examined(OUTCOME_VALID, "complete", NULL);
    e.metric = 9;
    expect_rule(&f, OUTCOME_INVALID_LOSS, "examine: loss 9 bits per byte, target at most 2.4",
                "target-missed");
    f.phase = PHASE_TRAIN;
    ok.collected = &c;
    c.truncated = true;
    expect_rule(&f, OUTCOME_INVALID_ARTIFACT,
                "train: the artifact out is larger than 1000 bytes or 2 files",
                "artifact-too-large");
    c.present = false;
    expect_rule(&f, OUTCOME_INVALID_ARTIFACT, "train: left no artifact in out", "no-artifact");
}

static void nobody_is_faster_than_the_floor(void **state) {
    (void)state;
    struct task task = make_task();
    struct result ok = ended(ENDED_EXIT);
    const struct verdict_facts f = {.task = &task, .phase = PHASE_TRAIN, .result = &ok};
    ok.wall_ns = 249900000;
    expect(&f, OUTCOME_VALID, NULL);
    task.floor_ms = 250;
    task.floor_why = (char *)"10 GB at 40 GB/s";
    expect_rule(&f, OUTCOME_INVALID_TAMPER, "train: took 249.9 ms, at least 250: 10 GB at 40 GB/s",
                "time-floor");
    ok.wall_ns = 250000000;
    expect(&f, OUTCOME_VALID, NULL);
}

static void the_target_is_met_or_not(void **state) {
    (void)state;
    struct task task = make_task();
    struct result ok = ended(ENDED_EXIT);
    struct exam e = examined(OUTCOME_VALID, "complete", NULL);
    const struct verdict_facts f = {
        .task = &task, .phase = PHASE_EXAMINE, .result = &ok, .exam = &e};
    e.metric = 3.412;
    expect(&f, OUTCOME_INVALID_LOSS, "examine: loss 3.412 bits per byte, target at most 2.4");
    e.metric = 2.4;
    expect(&f, OUTCOME_VALID, NULL);
    e.metric = 2.40001;
    expect(&f, OUTCOME_INVALID_LOSS, "examine: loss 2.40001 bits per byte, target at most 2.4");
    e.metric = NAN;
    expect(&f, OUTCOME_INVALID_LOSS, "examine: loss is not a number");
    task.higher_is_better = true;
    e.metric = 2.3;
    expect(&f, OUTCOME_INVALID_LOSS, "examine: loss 2.3 bits per byte, target at least 2.4");
    task.has_target = false;
    expect(&f, OUTCOME_VALID, NULL);
}

static void a_failing_examiner_is_not_the_candidates_fault(void **state) {
    (void)state;
    const struct task task = make_task();
    struct result bad = ended(ENDED_EXIT);
    bad.exit_code = 1;
    struct exam e = examined(OUTCOME_VALID, "complete", NULL);
    e.kind = EXAMINER_PROGRAM;
    expect(
        &(struct verdict_facts){.task = &task, .phase = PHASE_EXAMINE, .result = &bad, .exam = &e},
        OUTCOME_INVALID_ENVIRONMENT, "examine: exit status 1");
}

static void a_program_answers_in_one_line(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum outcome outcome;
        const char *reason;
    } rows[] = {
        {"{\"metric\": 12.5}\n", OUTCOME_VALID, NULL},
        {"{\"metric\": -3}", OUTCOME_VALID, NULL},
        {"{\"invalid\": \"bad \\u001b answer\"}\n", OUTCOME_INVALID_ARTIFACT, "bad \\x1b answer"},
        {"", OUTCOME_INVALID_ENVIRONMENT, "printed nothing"},
        {"{\"metric\": 1}\n{\"metric\": 2}\n", OUTCOME_INVALID_ENVIRONMENT, "more than one line"},
        {"\n{\"metric\": 1}\n", OUTCOME_INVALID_ENVIRONMENT, "more than one line"},
        {"metric: 1\n", OUTCOME_INVALID_ENVIRONMENT, "no answer"},
        {"{\"metric\": \"1\"}\n", OUTCOME_INVALID_ENVIRONMENT, "must be a number"},
        {"{\"metric\": 1e999}\n", OUTCOME_INVALID_ENVIRONMENT, "must be between"},
        {"{\"metric\": NaN}\n", OUTCOME_INVALID_ENVIRONMENT, "no answer"},
        {"{\"metric\": 1, \"invalid\": \"x\"}\n", OUTCOME_INVALID_ENVIRONMENT, "either"},
        {"{}\n", OUTCOME_INVALID_ENVIRONMENT, "either"},
        {"[1]\n", OUTCOME_INVALID_ENVIRONMENT, "must be an object"},
        {"{\"metric\": 1, \"more\": 2}\n", OUTCOME_INVALID_ENVIRONMENT, "more"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        _cleanup_exam_ struct exam e = {.kind = EXAMINER_PROGRAM};
        assert_int_equal(exam_read_answer(rows[i].text, strlen(rows[i].text), &e, NULL), 0);
        if (e.outcome != rows[i].outcome) fail_msg("%s: %s", rows[i].text, outcome_name(e.outcome));
        assert_int_equal(e.has_metric, e.outcome == OUTCOME_VALID);
        if (rows[i].reason) assert_non_null(strstr(e.reason, rows[i].reason));
        else assert_null(e.reason);
    }
}

static void exams_read_back(void **state) {
    (void)state;
    struct exam e = examined(OUTCOME_VALID, "complete", NULL);
    e.seed = UINT64_MAX;
    e.positions = 65536;
    e.bits_total = 0.1 + 0.2;
    e.wall_ns = 7;
    digest_hex_of("x", 1, e.held_out_sha256);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    assert_int_equal(exam_encode(&e, w, NULL), 0);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    _cleanup_json_ struct json *doc = json_parse("exam.json", text, len, NULL);
    _cleanup_exam_ struct exam back = {0};
    _cleanup_error_ struct error err = {0};
    if (exam_decode(doc, &back, &err) < 0) fail_msg("%s", error_text(&err));
    assert_true(back.seed == UINT64_MAX && back.bits_total == e.bits_total);
    assert_string_equal(back.held_out_sha256, e.held_out_sha256);
    assert_null(back.reason);
    assert_int_equal(back.positions, 65536);

    static const char *const bad[] = {"{}", "[]",
                                      "{\"kind\": \"lockstep\", \"outcome\": \"great\"}"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_json_ struct json *wrong = json_parse("exam.json", bad[i], strlen(bad[i]), NULL);
        _cleanup_exam_ struct exam none = {0};
        assert_int_equal(exam_decode(wrong, &none, NULL), -1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_end_of_a_run_has_its_outcome),
        cmocka_unit_test(stderr_is_quoted_as_text),
        cmocka_unit_test(an_artifact_is_whole_or_none),
        cmocka_unit_test(half_a_built_tree_is_none),
        cmocka_unit_test(the_examiner_and_the_fence_agree_on_one_reason),
        cmocka_unit_test(every_verdict_names_its_rule),
        cmocka_unit_test(nobody_is_faster_than_the_floor),
        cmocka_unit_test(the_target_is_met_or_not),
        cmocka_unit_test(a_failing_examiner_is_not_the_candidates_fault),
        cmocka_unit_test(a_program_answers_in_one_line),
        cmocka_unit_test(exams_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
