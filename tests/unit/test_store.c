/* The store: migrations, transactions, rows, what survives, a full disk. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/daemon/queue.h"
#include "orchestrator/daemon/store_board.h"
#include "orchestrator/daemon/store_gc.h"
#include "orchestrator/daemon/store_measure.h"
#include "orchestrator/daemon/store_run.h"
#include "orchestrator/daemon/store_version.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

struct fixture {
    char dir[64];
    char db[96];
    struct store *s;
};

static void reopen(struct fixture *f) {
    store_close(f->s);
    f->s = NULL;
    _cleanup_error_ struct error err = {0};
    if (store_open_file(f->db, &f->s, &err) < 0) fail_msg("%s", error_text(&err));
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/test_store.XXXXXX");
    if (!mkdtemp(f->dir)) return -1;
    snprintf(f->db, sizeof f->db, "%s/paddock.db", f->dir);
    reopen(f);
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

static int64_t add_experiment(struct store *s) {
    struct store_tx tx = {0};
    struct experiment_row e = {.task = (char *)"toy",
                               .task_dir = (char *)"/t",
                               .task_digest = (char *)"d",
                               .step = 1,
                               .agent = (char *)"noop"};
    assert_int_equal(store_begin(&tx, s, NULL), 0);
    assert_int_equal(experiment_add(s, &e, NULL), 0);
    assert_int_equal(store_commit(&tx, NULL), 0);
    return e.id;
}

static int64_t add_child(struct store *s, int64_t experiment, int64_t parent,
                         const char *snapshot) {
    struct store_tx tx = {0};
    struct version_row v = {.experiment = experiment,
                            .parent = parent,
                            .hypothesis = (char *)"try \"this\"",
                            .snapshot = (char *)snapshot};
    assert_int_equal(store_begin(&tx, s, NULL), 0);
    assert_int_equal(version_add(s, &v, NULL), 0);
    assert_int_equal(store_commit(&tx, NULL), 0);
    return v.id;
}

/* A version below a root of its own. */
static int64_t add_version(struct store *s, int64_t experiment, const char *snapshot) {
    return add_child(s, experiment, add_child(s, experiment, 0, "root"), snapshot);
}

static int64_t add_run(struct store *s, int64_t version, const char *phase) {
    struct store_tx tx = {0};
    struct run_row r = {.owner = {.version = version}, .phase = (char *)phase, .metric = NAN};
    assert_int_equal(store_begin(&tx, s, NULL), 0);
    assert_int_equal(run_add(s, &r, NULL), 0);
    assert_int_equal(store_commit(&tx, NULL), 0);
    return r.id;
}

static void end_run(struct store *s, int64_t id, enum run_state how) {
    struct store_tx tx = {0};
    struct run_row r = {.id = id, .state = how, .phase = (char *)"train", .metric = NAN};
    if (how == RUN_VOID) r.reason = (char *)"its launcher died";
    assert_int_equal(store_begin(&tx, s, NULL), 0);
    assert_int_equal(run_end(s, &r, NULL), 0);
    assert_int_equal(store_commit(&tx, NULL), 0);
}

static int user_version(const char *path) {
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int version = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return version;
}

static void migrates_step_by_step(void **state) {
    struct fixture *f = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/old.db", f->dir);
    for (int steps = 0; steps <= store_schema_version(); steps++) {
        struct store *s;
        assert_int_equal(store_open_file_at(path, steps, &s, NULL), 0);
        store_close(s);
        assert_int_equal(user_version(path), steps);
    }
}

static void refuses_a_newer_schema(void **state) {
    struct fixture *f = *state;
    sqlite3 *db;
    store_close(f->s);
    f->s = NULL;
    assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version=999", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    _cleanup_error_ struct error err = {0};
    assert_int_equal(store_open_file(f->db, &f->s, &err), -1);
    assert_int_equal(err.kind, ERROR_UNSUPPORTED);
    assert_non_null(strstr(error_text(&err), "999"));
}

static void refuses_what_is_no_database(void **state) {
    struct fixture *f = *state;
    char path[128];
    snprintf(path, sizeof path, "%s/junk.db", f->dir);
    char junk[4096];
    memset(junk, 'x', sizeof junk);
    assert_int_equal(file_write_atomic(path, junk, sizeof junk, 0600, NULL), 0);
    struct store *s;
    _cleanup_error_ struct error err = {0};
    assert_int_equal(store_open_file(path, &s, &err), -1);
    assert_non_null(strstr(error_text(&err), "junk.db"));
}

static void rows_come_back_as_they_went_in(void **state) {
    struct fixture *f = *state;
    int64_t e = add_experiment(f->s), v = add_version(f->s, e, "abc");
    reopen(f);
    _cleanup_version_ struct version_row got = {0};
    assert_int_equal(version_get(f->s, v, &got, NULL), 0);
    assert_string_equal(got.hypothesis, "try \"this\"");
    assert_string_equal(got.snapshot, "abc");
    assert_int_equal(got.state, VERSION_QUEUED);
    assert_true(isnan(got.metric));
    assert_null(got.outcome);
    _cleanup_error_ struct error err = {0};
    _cleanup_version_ struct version_row none = {0};
    assert_int_equal(version_get(f->s, 77, &none, &err), -1);
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
}

static void a_root_is_a_record_and_done(void **state) {
    struct fixture *f = *state;
    int64_t root = add_child(f->s, add_experiment(f->s), 0, "abc");
    _cleanup_version_ struct version_row got = {0};
    assert_int_equal(version_get(f->s, root, &got, NULL), 0);
    assert_int_equal(got.state, VERSION_DONE);
    assert_string_equal(got.outcome, "record");
    assert_int_equal(got.ended_ns, got.created_ns);
    struct queue_job *jobs = NULL;
    size_t count = 0;
    assert_int_equal(queue_load(f->s, &jobs, &count, NULL), 0);
    assert_int_equal(count, 0);
    free(jobs);
}

static void ids_are_never_used_again(void **state) {
    struct fixture *f = *state;
    int64_t first = add_experiment(f->s);
    sqlite3 *db;
    store_close(f->s);
    f->s = NULL;
    assert_int_equal(sqlite3_open(f->db, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DELETE FROM experiments", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    reopen(f);
    assert_true(add_experiment(f->s) > first);
}

static void what_is_not_committed_is_undone(void **state) {
    struct fixture *f = *state;
    {
        _cleanup_store_tx_ struct store_tx tx = {0};
        struct experiment_row e = {.task = (char *)"t",
                                   .task_dir = (char *)"/",
                                   .task_digest = (char *)"d",
                                   .step = 1,
                                   .agent = (char *)"a"};
        assert_int_equal(store_begin(&tx, f->s, NULL), 0);
        assert_int_equal(experiment_add(f->s, &e, NULL), 0);
    }
    struct event_list events = {0};
    assert_int_equal(store_events(f->s, 0, 0, 10, &events, NULL), 0);
    assert_int_equal(events.count, 0);
    assert_int_equal(events.last, 0);
    event_list_clear(&events);
}

static void a_version_that_is_over_stays_over(void **state) {
    struct fixture *f = *state;
    int64_t v = add_version(f->s, add_experiment(f->s), "abc");
    bool moved;
    assert_int_equal(version_set_state(f->s, v, VERSION_TRAINING, &moved, NULL), 0);
    assert_true(moved);
    assert_int_equal(version_set_state(f->s, v, VERSION_CANCELLED, &moved, NULL), 0);
    assert_true(moved);
    struct version_row done = {.id = v, .outcome = (char *)"valid", .metric = NAN};
    assert_int_equal(version_finish(f->s, &done, &moved, NULL), 0);
    assert_false(moved);
    assert_int_equal(version_set_state(f->s, v, VERSION_QUEUED, &moved, NULL), 0);
    assert_false(moved);
}

static void the_newest_run_that_counts_is_found(void **state) {
    struct fixture *f = *state;
    int64_t v = add_version(f->s, add_experiment(f->s), "abc");
    struct run_owner owner = {.version = v};
    bool found;
    int64_t voids;
    _cleanup_run_ struct run_row none = {0}, running = {0}, done = {0};
    int64_t first = add_run(f->s, v, "train");
    end_run(f->s, first, RUN_VOID);
    assert_int_equal(run_latest(f->s, &owner, "train", &none, &found, &voids, NULL), 0);
    assert_false(found);
    assert_int_equal(voids, 1);
    assert_string_equal(none.reason, "its launcher died");
    int64_t second = add_run(f->s, v, "train");
    assert_int_equal(run_latest(f->s, &owner, "train", &running, &found, &voids, NULL), 0);
    assert_true(found);
    assert_int_equal(running.id, second);
    assert_int_equal(running.state, RUN_RUNNING);
    assert_null(running.reason);
    struct run_row *rows = NULL;
    size_t count = 0;
    assert_int_equal(run_running(f->s, &rows, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].id, second);
    runs_free(rows, count);
    end_run(f->s, second, RUN_DONE);
    assert_int_equal(run_latest(f->s, &owner, "train", &done, &found, &voids, NULL), 0);
    assert_int_equal(done.state, RUN_DONE);
    /* Another owner has none. */
    struct run_owner other = {.version = v, .measurement = 1};
    _cleanup_run_ struct run_row nothing = {0};
    assert_int_equal(run_latest(f->s, &other, "train", &nothing, &found, &voids, NULL), 0);
    assert_false(found);
}

static void a_measurement_is_kept_slot_by_slot(void **state) {
    struct fixture *f = *state;
    int64_t v = add_version(f->s, add_experiment(f->s), "abc");
    struct arm_row arms[3] = {{.kind = (char *)"record", .snapshot = (char *)"a"},
                              {.kind = (char *)"record", .snapshot = (char *)"b"},
                              {.kind = (char *)"candidate", .version = v, .snapshot = (char *)"c"}};
    struct measurement_row m = {.task = (char *)"toy",
                                .task_dir = (char *)"/",
                                .task_digest = (char *)"d",
                                .step = 1,
                                .blocks_min = 3,
                                .blocks_max = 5,
                                .half_width = 0.1,
                                .budget_s = 90.5};
    struct slot_row plan[3] = {{.arm = 2}, {.position = 1, .arm = 0}, {.position = 2, .arm = 1}};
    struct store_tx tx = {0};
    assert_int_equal(store_begin(&tx, f->s, NULL), 0);
    assert_int_equal(measurement_add(f->s, &m, arms, 3, NULL), 0);
    assert_int_equal(block_add(f->s, m.id, plan, 3, NULL), 0);
    assert_int_equal(arm_leave(f->s, m.id, 2, "crash", "why", NULL), 0);
    assert_int_equal(store_commit(&tx, NULL), 0);
    reopen(f);
    struct slot_row *slots = NULL;
    size_t count = 0;
    assert_int_equal(slot_list(f->s, m.id, &slots, &count, NULL), 0);
    assert_int_equal(count, 3);
    assert_int_equal(slots[0].arm, 2);
    assert_int_equal(slots[0].state, SLOT_SKIPPED);
    assert_int_equal(slots[1].state, SLOT_PENDING);
    slots_free(slots, count);
    _cleanup_measurement_ struct measurement_row got = {0};
    assert_int_equal(measurement_get(f->s, m.id, &got, NULL), 0);
    assert_int_equal(got.blocks, 1);
    assert_string_equal(got.kind, "score");
    assert_true(got.budget_s == 90.5);
    /* The same place cannot be filled twice. */
    assert_int_equal(block_add(f->s, m.id, plan, 1, NULL), -1);
}

/* A measurement of these versions on a step; the outcomes are its scores'. */
static int64_t add_scored(struct store *s, const char *digest, const int64_t *versions,
                          const char *const *outcomes, size_t count) {
    struct arm_row arms[8] = {{.kind = (char *)"record", .snapshot = (char *)"a"},
                              {.kind = (char *)"record", .snapshot = (char *)"b"}};
    struct measurement_row m = {.task = (char *)"toy",
                                .task_dir = (char *)"/",
                                .task_digest = (char *)digest,
                                .step = 1,
                                .kind = (char *)"score"};
    for (size_t i = 0; i < count; i++)
        arms[2 + i] = (struct arm_row){
            .kind = (char *)"candidate", .version = versions[i], .snapshot = (char *)"c"};
    struct store_tx tx = {0};
    assert_int_equal(store_begin(&tx, s, NULL), 0);
    assert_int_equal(measurement_add(s, &m, arms, 2 + count, NULL), 0);
    for (size_t i = 0; i < count; i++) {
        struct score_row row = {.measurement = m.id,
                                .arm = (int64_t)i + 2,
                                .version = versions[i],
                                .outcome = (char *)outcomes[i],
                                .document = (char *)"{}"};
        assert_int_equal(score_add(s, &row, NULL), 0);
    }
    assert_int_equal(store_commit(&tx, NULL), 0);
    return m.id;
}

static void boards_take_the_newest_score_that_counts(void **state) {
    struct fixture *f = *state;
    int64_t e = add_experiment(f->s), a = add_version(f->s, e, "a"), b = add_version(f->s, e, "b");
    int64_t both[] = {a, b};
    const char *const good[] = {"scored", "scored-wide"};
    const char *const spoilt[] = {"invalid-environment"}, *const worse[] = {"no-resolution"};
    int64_t first = add_scored(f->s, "d", both, good, 2);
    int64_t second = add_scored(f->s, "d", &b, worse, 1);
    add_scored(f->s, "d", &a, spoilt, 1);
    add_scored(f->s, "another state of the task", &e, good, 1);
    struct score_row *rows = NULL;
    size_t count = 0;
    assert_int_equal(board_scores(f->s, "d", 1, &rows, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].version, a);
    assert_int_equal(rows[0].measurement, first);
    assert_int_equal(rows[1].measurement, second);
    assert_string_equal(rows[1].outcome, "no-resolution");
    scores_free(rows, count);
    rows = NULL;
    count = 0;
    assert_int_equal(board_scores(f->s, "d", 2, &rows, &count, NULL), 0);
    assert_int_equal(count, 0);
    free(rows);
}

static void time_is_spent_by_slots_only(void **state) {
    struct fixture *f = *state;
    int64_t v = add_version(f->s, add_experiment(f->s), "abc"), spent = -1;
    const char *const none[] = {"scored"};
    int64_t m = add_scored(f->s, "d", &v, none, 1);
    struct slot_row plan = {.arm = 2};
    struct run_row build = {.owner = {.version = v, .measurement = m, .arm = 2},
                            .phase = (char *)"build",
                            .metric = NAN};
    struct store_tx tx = {0};
    assert_int_equal(store_begin(&tx, f->s, NULL), 0);
    assert_int_equal(block_add(f->s, m, &plan, 1, NULL), 0);
    assert_int_equal(run_add(f->s, &build, NULL), 0);
    assert_int_equal(store_commit(&tx, NULL), 0);
    assert_int_equal(measurement_spent(f->s, m, &spent, NULL), 0);
    assert_int_equal(spent, 0);
    struct run_row train = {.owner = {.version = v, .measurement = m, .arm = 2, .slot = 1},
                            .phase = (char *)"train",
                            .metric = NAN};
    assert_int_equal(store_begin(&tx, f->s, NULL), 0);
    assert_int_equal(run_add(f->s, &train, NULL), 0);
    assert_int_equal(store_commit(&tx, NULL), 0);
    usleep(1000); /* it goes on */
    assert_int_equal(measurement_spent(f->s, m, &spent, NULL), 0);
    assert_true(spent >= 1000000);
    end_run(f->s, train.id, RUN_VOID); /* that it is void brings no time back */
    int64_t after = 0;
    assert_int_equal(measurement_spent(f->s, m, &after, NULL), 0);
    assert_true(after >= spent);
}

static void the_queue_holds_what_is_not_over(void **state) {
    struct fixture *f = *state;
    int64_t e = add_experiment(f->s);
    int64_t first = add_version(f->s, e, "a"), second = add_version(f->s, e, "b");
    bool moved;
    struct queue_job *jobs = NULL;
    size_t count = 0;
    assert_int_equal(queue_load(f->s, &jobs, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_int_equal(jobs[queue_choose(jobs, count, 0)].id, first);
    free(jobs);
    jobs = NULL;
    count = 0;
    version_set_state(f->s, first, VERSION_CANCELLED, &moved, NULL);
    assert_int_equal(queue_load(f->s, &jobs, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(jobs[0].id, second);
    free(jobs);
}

static void gc_asks_only_for_what_nothing_rests_on(void **state) {
    struct fixture *f = *state;
    int64_t v = add_version(f->s, add_experiment(f->s), "abc");
    int64_t lost = add_run(f->s, v, "train"), kept = add_run(f->s, v, "train");
    end_run(f->s, lost, RUN_VOID);
    end_run(f->s, kept, RUN_DONE);
    _cleanup_free_ int64_t *ids = NULL;
    size_t count = 0;
    assert_int_equal(store_gc_runs(f->s, INT64_MAX, &ids, &count, NULL), 0);
    assert_int_equal(count, 0); /* the version is not over */
    bool yes, moved;
    assert_int_equal(store_gc_snapshot_busy(f->s, "abc", &yes, NULL), 0);
    assert_true(yes);
    struct version_row done = {.id = v, .outcome = (char *)"valid", .metric = NAN};
    version_finish(f->s, &done, &moved, NULL);
    assert_int_equal(store_gc_runs(f->s, INT64_MAX, &ids, &count, NULL), 0);
    assert_int_equal(count, 1);
    assert_int_equal(ids[0], lost);
    assert_int_equal(store_gc_snapshot_busy(f->s, "abc", &yes, NULL), 0);
    assert_false(yes);
    assert_int_equal(store_gc_snapshot_known(f->s, "abc", &yes, NULL), 0);
    assert_true(yes);
    assert_int_equal(store_gc_snapshot_known(f->s, "xyz", &yes, NULL), 0);
    assert_false(yes);
}

/* A child that is told it may write no more: what it acknowledged is there, and
 * nothing of what it could not write. */
static void a_full_disk_changes_nothing(void **state) {
    struct fixture *f = *state;
    int report[2];
    assert_int_equal(pipe(report), 0);
    store_close(f->s);
    f->s = NULL;
    pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        struct store *s;
        if (store_open_file(f->db, &s, NULL) < 0) _exit(2);
        int64_t e = add_experiment(s);
        struct rlimit cap = {.rlim_cur = 256 << 10, .rlim_max = 256 << 10};
        setrlimit(RLIMIT_FSIZE, &cap);
        int64_t acknowledged = 0;
        _cleanup_error_ struct error err = {0};
        for (int i = 0; i < 10000; i++) {
            _cleanup_store_tx_ struct store_tx tx = {0};
            struct version_row v = {
                .experiment = e, .hypothesis = (char *)"h", .snapshot = (char *)"s"};
            if (store_begin(&tx, s, &err) < 0 || version_add(s, &v, &err) < 0 ||
                store_commit(&tx, &err) < 0)
                break;
            acknowledged++;
        }
        dprintf(report[1], "%lld %d", (long long)acknowledged, error_is_set(&err));
        _exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    char text[64] = {0};
    assert_true(read(report[0], text, sizeof text - 1) > 0);
    close(report[0]);
    close(report[1]);
    char *rest;
    long long acknowledged = strtoll(text, &rest, 10);
    assert_string_equal(rest, " 1"); /* it did fail in the end */
    reopen(f);
    struct version_row *rows = NULL;
    size_t count = 0;
    assert_int_equal(version_list(f->s, 1, &rows, &count, NULL), 0);
    assert_int_equal(count, acknowledged);
    versions_free(rows, count);
    add_child(f->s, 1, 0, "again"); /* and it goes on */
}

/* Killed at a random moment, again and again: each version that was acknowledged
 * is there once. */
static void kill_9_loses_nothing(void **state) {
    struct fixture *f = *state;
    int64_t e = add_experiment(f->s);
    store_close(f->s);
    f->s = NULL;
    long long acknowledged = 0;
    for (int round = 0; round < 8; round++) {
        int report[2];
        assert_int_equal(pipe(report), 0);
        pid_t child = fork();
        if (child == 0) {
            struct store *s;
            if (store_open_file(f->db, &s, NULL) < 0) _exit(2);
            for (;;) {
                add_child(s, e, 0, "x");
                if (write(report[1], "+", 1) != 1) _exit(1);
            }
        }
        close(report[1]);
        char got[8];
        for (int i = 0; i < 5 + round; i++)
            if (read(report[0], got, 1) == 1) acknowledged++;
        kill(child, SIGKILL);
        ssize_t n;
        while ((n = read(report[0], got, sizeof got)) > 0) acknowledged += n;
        close(report[0]);
        waitpid(child, NULL, 0);
    }
    reopen(f);
    struct version_row *rows = NULL;
    size_t count = 0;
    assert_int_equal(version_list(f->s, e, &rows, &count, NULL), 0);
    assert_true((long long)count >= acknowledged && (long long)count <= acknowledged + 8);
    versions_free(rows, count);
}

static void meta_and_built_trees_are_kept(void **state) {
    struct fixture *f = *state;
    _cleanup_free_ char *none = NULL, *value = NULL, *dir = NULL;
    assert_int_equal(store_meta_get(f->s, "k", &none, NULL), 0);
    assert_null(none);
    assert_int_equal(store_meta_set(f->s, "k", "1", NULL), 0);
    assert_int_equal(store_meta_set(f->s, "k", "2", NULL), 0);
    assert_int_equal(store_meta_get(f->s, "k", &value, NULL), 0);
    assert_string_equal(value, "2");
    assert_int_equal(store_built_put(f->s, "key", "/dir", "snap", NULL), 0);
    assert_int_equal(store_built_get(f->s, "key", &dir, NULL), 0);
    assert_string_equal(dir, "/dir");
}

static void events_end_waiting(void **state) {
    struct fixture *f = *state;
    struct event_list events = {0};
    add_experiment(f->s);
    assert_int_equal(store_events(f->s, 0, 60000, 10, &events, NULL), 0);
    assert_int_equal(events.count, 1);
    assert_string_equal(events.items[0].type, "experiment.created");
    assert_string_equal(events.items[0].subject, "e1");
    int64_t last = events.last;
    event_list_clear(&events);
    store_wake_waiters(f->s); /* nobody waits for long any more */
    assert_int_equal(store_events(f->s, last, 60000, 10, &events, NULL), 0);
    assert_int_equal(events.count, 0);
    event_list_clear(&events);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(migrates_step_by_step, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_a_newer_schema, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_database, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_come_back_as_they_went_in, setup, teardown),
        cmocka_unit_test_setup_teardown(a_root_is_a_record_and_done, setup, teardown),
        cmocka_unit_test_setup_teardown(ids_are_never_used_again, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_committed_is_undone, setup, teardown),
        cmocka_unit_test_setup_teardown(a_version_that_is_over_stays_over, setup, teardown),
        cmocka_unit_test_setup_teardown(the_newest_run_that_counts_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_measurement_is_kept_slot_by_slot, setup, teardown),
        cmocka_unit_test_setup_teardown(boards_take_the_newest_score_that_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(time_is_spent_by_slots_only, setup, teardown),
        cmocka_unit_test_setup_teardown(the_queue_holds_what_is_not_over, setup, teardown),
        cmocka_unit_test_setup_teardown(gc_asks_only_for_what_nothing_rests_on, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(kill_9_loses_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(meta_and_built_trees_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(events_end_waiting, setup, teardown),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
