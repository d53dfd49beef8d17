/* Runs that the machine disturbed: kept, counted arm by arm, told with the score. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/daemon/fingerprint.h"
#include "orchestrator/daemon/measure.h"
#include "orchestrator/daemon/store_void.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

enum { BLOCKS = 12, ARMS = 3 };

struct fixture {
    char dir[64];
    struct store *s;
    int64_t measurement;
};

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/test_voids.XXXXXX");
    if (!mkdtemp(f->dir)) return -1;
    char db[96];
    snprintf(db, sizeof db, "%s/paddock.db", f->dir);
    if (store_open_file(db, &f->s, NULL) < 0) return -1;
    struct store_tx tx = {0};
    struct measurement_row m = {.task = (char *)"toy",
                                .task_dir = (char *)"/t",
                                .task_digest = (char *)"d",
                                .step = 1,
                                .blocks_min = 2,
                                .blocks_max = BLOCKS};
    struct arm_row arms[ARMS];
    for (int i = 0; i < ARMS; i++)
        arms[i] = (struct arm_row){.kind = (char *)"record", .snapshot = (char *)"s"};
    if (store_begin(&tx, f->s, NULL) < 0 || measurement_add(f->s, &m, arms, ARMS, NULL) < 0)
        return -1;
    f->measurement = m.id;
    for (int64_t b = 0; b < BLOCKS; b++) {
        struct slot_row slots[ARMS];
        for (int64_t i = 0; i < ARMS; i++)
            slots[i] = (struct slot_row){.block = b, .position = i, .arm = i};
        if (block_add(f->s, m.id, slots, ARMS, NULL) < 0) return -1;
    }
    if (store_commit(&tx, NULL) < 0) return -1;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    store_close(f->s);
    tree_remove(f->dir, NULL);
    free(f);
    return 0;
}

/* One run of the slot of `arm` in `block`. Slots are numbered from 1. */
static void add_run(struct fixture *f, int64_t arm, int64_t block, const char *phase,
                    enum run_state how, bool outside, const char *reason) {
    struct store_tx tx = {0};
    struct run_row r = {
        .owner = {.measurement = f->measurement, .arm = arm, .slot = block * ARMS + arm + 1},
        .phase = (char *)phase,
        .metric = NAN};
    assert_int_equal(store_begin(&tx, f->s, NULL), 0);
    assert_int_equal(run_add(f->s, &r, NULL), 0);
    r.state = how;
    r.outside = outside;
    r.reason = (char *)reason;
    r.daemon_cpu_ns = 1234;
    assert_int_equal(run_end(f->s, &r, NULL), 0);
    assert_int_equal(store_commit(&tx, NULL), 0);
}

static void a_void_run_is_counted_by_its_cause(void **state) {
    struct fixture *f = *state;
    add_run(f, 2, 0, "train", RUN_VOID, true, "foreign_cpu: one");
    add_run(f, 2, 0, "train", RUN_VOID, false, "its launcher died");
    add_run(f, 2, 0, "train", RUN_VOID, true, "foreign_cpu: two");
    add_run(f, 2, 0, "examine", RUN_VOID, false, "its launcher died");
    struct run_owner o = {.measurement = f->measurement, .arm = 2, .slot = 3};
    int64_t outside = 0, voids = 0;
    bool found;
    _cleanup_free_ char *reason = NULL;
    assert_int_equal(void_count(f->s, &o, "train", &outside, &reason, NULL), 0);
    assert_int_equal(outside, 2);
    assert_string_equal(reason, "foreign_cpu: two");
    _cleanup_run_ struct run_row latest = {0};
    assert_int_equal(run_latest(f->s, &o, "train", &latest, &found, &voids, NULL), 0);
    assert_false(found);
    assert_int_equal(voids, 3);
    _cleanup_free_ char *none = NULL;
    assert_int_equal(void_count(f->s, &o, "examine", &outside, &none, NULL), 0);
    assert_int_equal(outside, 0);
    assert_null(none);
}

static void void_runs_are_listed_oldest_first(void **state) {
    struct fixture *f = *state;
    add_run(f, 0, 0, "train", RUN_DONE, false, NULL);
    add_run(f, 1, 0, "train", RUN_VOID, true, "one");
    add_run(f, 2, 0, "train", RUN_VOID, false, "lost");
    add_run(f, 1, 1, "train", RUN_VOID, true, "two");
    struct run_row *rows = NULL;
    size_t count = 0;
    assert_int_equal(void_list(f->s, f->measurement, &rows, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_string_equal(rows[0].reason, "one");
    assert_string_equal(rows[1].reason, "two");
    assert_true(rows[0].outside);
    assert_int_equal(rows[0].daemon_cpu_ns, 1234);
    runs_free(rows, count);
}

static void score_members(struct fixture *f, struct json **out) {
    struct daemon d = {.store = f->s};
    struct measure m = {.d = &d, .row = {.id = f->measurement}, .arm_count = ARMS};
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    json_open_object(w, NULL);
    assert_int_equal(measure_put_voids(&m, 2, w, NULL), 0);
    json_close_object(w);
    size_t len;
    const char *text = json_writer_text(w, &len);
    assert_non_null(text);
    *out = json_parse("score", text, len, NULL);
    assert_non_null(*out);
}

static int64_t number(const struct json *v, const char *key) {
    int64_t n = -1;
    assert_int_equal(json_as_int(json_find(v, key), 0, INT64_MAX, &n, NULL), 0);
    return n;
}

/* `noisy` of the candidate's twelve runs are void once, `calm` of the records'. */
static void fill(struct fixture *f, int64_t noisy, int64_t calm) {
    for (int64_t b = 0; b < BLOCKS; b++)
        for (int64_t arm = 0; arm < ARMS; arm++) {
            if (b < (arm == 2 ? noisy : calm)) add_run(f, arm, b, "train", RUN_VOID, true, "noise");
            add_run(f, arm, b, "train", RUN_VOID, false, "its launcher died");
            add_run(f, arm, b, "train", RUN_DONE, false, NULL);
            add_run(f, arm, b, "examine", RUN_DONE, false, NULL);
        }
}

static void too_many_void_runs_are_a_finding(void **state) {
    struct fixture *f = *state;
    fill(f, 7, 0);
    _cleanup_json_ struct json *doc = NULL;
    score_members(f, &doc);
    const struct json *voids = json_find(doc, "voids");
    assert_int_equal(json_count(voids), 3);
    assert_int_equal(number(json_at(voids, 0), "runs"), BLOCKS);
    assert_int_equal(number(json_at(voids, 0), "voids"), 0);
    assert_int_equal(number(json_at(voids, 2), "arm"), 2);
    assert_int_equal(number(json_at(voids, 2), "runs"), BLOCKS + 7);
    assert_int_equal(number(json_at(voids, 2), "voids"), 7);
    const struct json *findings = json_find(doc, "findings");
    assert_int_equal(json_count(findings), 1);
    const char *text = NULL;
    json_as_string(json_find(json_at(findings, 0), "rule"), &text, NULL);
    assert_string_equal(text, "noisy-runs");
    json_as_string(json_find(json_at(findings, 0), "text"), &text, NULL);
    assert_non_null(strstr(text, "7 of its 19 runs"));
    assert_non_null(strstr(text, "0 of the records' 24"));
}

static void as_many_as_the_records_have_are_none(void **state) {
    struct fixture *f = *state;
    fill(f, 7, 5);
    _cleanup_json_ struct json *doc = NULL;
    score_members(f, &doc);
    assert_int_equal(json_count(json_find(doc, "findings")), 0);
    assert_int_equal(number(json_at(json_find(doc, "voids"), 1), "voids"), 5);
}

static void a_fingerprint_is_kept(void **state) {
    struct fixture *f = *state;
    struct store_tx tx = {0};
    char *text = NULL;
    assert_int_equal(measurement_fingerprint(f->s, f->measurement, &text, NULL), 0);
    assert_null(text);
    assert_int_equal(store_begin(&tx, f->s, NULL), 0);
    assert_int_equal(measurement_set_fingerprint(f->s, f->measurement, "{\"a\":1}", NULL), 0);
    assert_int_equal(store_commit(&tx, NULL), 0);
    assert_int_equal(measurement_fingerprint(f->s, f->measurement, &text, NULL), 0);
    assert_string_equal(text, "{\"a\":1}");
    free(text);
}

static void a_fingerprint_has_all_its_members(void **state) {
    struct fixture *f = *state;
    struct daemon d = {.images = f->dir};
    struct task t = {.name = (char *)"toy", .image = (char *)"host", .has_build = true};
    t.build.policy = t.train.policy = t.examine.policy = (char *)TEST_POLICIES "/strict.json";
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *text = fingerprint_make(&d, &t, "0-1", &err);
    if (!text) fail_msg("%s", error_text(&err));
    _cleanup_json_ struct json *doc = json_parse("fingerprint", text, strlen(text), &err);
    assert_non_null(doc);
    static const char *const members[] = {
        "paddock",        "task",        "task_digest", "image",
        "image_digest",   "policies",    "cpu",         "microcode",
        "kernel",         "cpus_online", "lane_cpus",   "smt",
        "governor",       "turbo",       "mitigations", "architecture",
        "kernel_version", "clocksource", "gpus",        "transparent_hugepages",
        "gpu_driver",     "memory_bytes"};
    for (size_t i = 0; i < ARRAY_SIZE(members); i++)
        if (!json_find(doc, members[i])) fail_msg("lacks %s: %s", members[i], text);
    assert_int_equal(json_count(doc), ARRAY_SIZE(members));
    assert_int_equal(json_count(json_find(doc, "policies")), 3);
    t.train.policy = (char *)"no-such-policy";
    assert_null(fingerprint_make(&d, &t, NULL, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_void_run_is_counted_by_its_cause, setup, teardown),
        cmocka_unit_test_setup_teardown(void_runs_are_listed_oldest_first, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_void_runs_are_a_finding, setup, teardown),
        cmocka_unit_test_setup_teardown(as_many_as_the_records_have_are_none, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fingerprint_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fingerprint_has_all_its_members, setup, teardown),
    };
    return cmocka_run_group_tests_name("voids", tests, NULL, NULL);
}
