/* The ledger in the store: calls once each, sums, keys of experiments and versions. */
#include "common/cleanup.h"
#include "common/digest.h"
#include "common/file.h"
#include "orchestrator/daemon/store_call.h"
#include "orchestrator/daemon/store_version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define SHA_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct fixture {
    char dir[64];
    struct store *s;
    int64_t experiment;
};

static int64_t add_experiment(struct store *s, const char *key, const char *sweep) {
    _cleanup_store_tx_ struct store_tx tx = {0};
    struct experiment_row e = {.task = (char *)"toy",
                               .task_dir = (char *)"/t",
                               .task_digest = (char *)"d",
                               .step = 1,
                               .agent = (char *)"model",
                               .key = (char *)key,
                               .sweep = (char *)sweep,
                               .config = (char *)"{\"seed\":1}"};
    assert_int_equal(store_begin(&tx, s, NULL), 0);
    assert_int_equal(experiment_add(s, &e, NULL), 0);
    assert_int_equal(store_commit(&tx, NULL), 0);
    return e.id;
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/test_ledger.XXXXXX");
    if (!mkdtemp(f->dir)) return -1;
    _cleanup_free_ char *db = str_printf("%s/paddock.db", f->dir);
    if (store_open_file(db, &f->s, NULL) < 0) return -1;
    f->experiment = add_experiment(f->s, NULL, NULL);
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

/* A call of that key; reply NULL: it failed. */
static struct call_row call_of(const struct fixture *f, const char *key, const char *sha,
                               const char *reply, const char *began) {
    return (struct call_row){.experiment = f->experiment,
                             .key = (char *)key,
                             .role = (char *)"coder",
                             .model = (char *)"m",
                             .request_sha256 = (char *)sha,
                             .request = (char *)"{\"messages\":[]}",
                             .reply = (char *)reply,
                             .error = (char *)(reply ? NULL : "503"),
                             .input = 100,
                             .cached = 10,
                             .output = 20,
                             .reasoned = 5,
                             .cost = 0.25,
                             .began = (char *)began};
}

/* What call_add() says; *number and *made as it left them. */
static int add(struct fixture *f, struct call_row row, int64_t *number, bool *made,
               struct error *err) {
    _cleanup_store_tx_ struct store_tx tx = {0};
    assert_int_equal(store_begin(&tx, f->s, NULL), 0);
    int rc = call_add(f->s, &row, made, err);
    *number = row.number;
    if (rc == 0) assert_int_equal(store_commit(&tx, NULL), 0);
    return rc;
}

static void add_new(struct fixture *f, struct call_row row, int64_t wanted) {
    int64_t number = 0;
    bool made = false;
    assert_int_equal(add(f, row, &number, &made, NULL), 0);
    assert_true(made);
    assert_int_equal(number, wanted);
}

static void numbers_count_within_an_experiment(void **state) {
    struct fixture *f = *state;
    add_new(f, call_of(f, "a", SHA_A, "r", "t1"), 1);
    add_new(f, call_of(f, "b", SHA_A, "r", "t2"), 2);
    f->experiment = add_experiment(f->s, NULL, NULL);
    add_new(f, call_of(f, "a", SHA_A, "r", "t1"), 1);
}

static void an_answered_call_is_taken_down_once(void **state) {
    struct fixture *f = *state;
    int64_t number = 0;
    bool made = true;
    add_new(f, call_of(f, "a", SHA_A, "first", "t1"), 1);
    assert_int_equal(add(f, call_of(f, "a", SHA_A, "second", "t2"), &number, &made, NULL), 0);
    assert_false(made);
    assert_int_equal(number, 1);
    _cleanup_call_ struct call_row got = {0};
    assert_int_equal(call_get(f->s, f->experiment, 1, &got, NULL), 0);
    assert_string_equal(got.reply, "first");
}

static void a_key_belongs_to_one_request(void **state) {
    struct fixture *f = *state;
    _cleanup_error_ struct error err = {0};
    int64_t number;
    bool made;
    add_new(f, call_of(f, "a", SHA_A, "r", "t1"), 1);
    assert_int_equal(add(f, call_of(f, "a", SHA_B, "r", "t2"), &number, &made, &err), -1);
    assert_int_equal(err.kind, ERROR_EXISTS);
    assert_non_null(strstr(error_text(&err), "key a"));
}

static void failures_are_all_kept_and_answer_nothing(void **state) {
    struct fixture *f = *state;
    int64_t number = 0;
    bool made = true;
    add_new(f, call_of(f, "a", SHA_A, NULL, "t1"), 1);
    add_new(f, call_of(f, "a", SHA_A, NULL, "t2"), 2);
    /* The same failure said again, by an agent that did not hear the answer. */
    assert_int_equal(add(f, call_of(f, "a", SHA_A, NULL, "t2"), &number, &made, NULL), 0);
    assert_false(made);
    assert_int_equal(call_by_key(f->s, f->experiment, "a", &number, NULL), 0);
    assert_int_equal(number, 0);
    /* Another prompt after a failure is another try. */
    add_new(f, call_of(f, "a", SHA_B, "at last", "t3"), 3);
    assert_int_equal(call_by_key(f->s, f->experiment, "a", &number, NULL), 0);
    assert_int_equal(number, 3);
}

static void sums_are_of_one_experiment(void **state) {
    struct fixture *f = *state;
    struct call_totals t = {0};
    int64_t first = f->experiment;
    add_new(f, call_of(f, "a", SHA_A, "r", "t1"), 1);
    add_new(f, call_of(f, "b", SHA_A, NULL, "t1"), 2);
    f->experiment = add_experiment(f->s, NULL, NULL);
    add_new(f, call_of(f, "a", SHA_A, "r", "t1"), 1);
    assert_int_equal(call_sum(f->s, first, &t, NULL), 0);
    assert_int_equal(t.calls, 2);
    assert_int_equal(t.input, 200);
    assert_int_equal(t.cached, 20);
    assert_int_equal(t.output, 40);
    assert_int_equal(t.reasoned, 10);
    assert_true(t.cost == 0.5);
    t = (struct call_totals){0};
    assert_int_equal(call_sum(f->s, 999, &t, NULL), 0);
    assert_int_equal(t.calls, 0);
}

static void a_list_goes_on_where_it_stopped(void **state) {
    struct fixture *f = *state;
    struct call_row *rows = NULL;
    size_t count = 0;
    for (int i = 1; i <= 5; i++) {
        char key[8];
        snprintf(key, sizeof key, "k%d", i);
        add_new(f, call_of(f, key, SHA_A, "r", "t"), i);
    }
    assert_int_equal(call_list(f->s, f->experiment, 2, 2, &rows, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_int_equal(rows[0].number, 3);
    assert_int_equal(rows[1].number, 4);
    assert_null(rows[0].reply);
    calls_free(rows, count);
}

static void keys_of_experiments_and_sweeps(void **state) {
    struct fixture *f = *state;
    struct experiment_row *rows = NULL;
    size_t count = 0;
    int64_t id = -1, made = add_experiment(f->s, "s/1", "s");
    add_experiment(f->s, "s/2", "s");
    add_experiment(f->s, "other", "t");
    assert_int_equal(experiment_by_key(f->s, "s/1", &id, NULL), 0);
    assert_int_equal(id, made);
    assert_int_equal(experiment_by_key(f->s, "none", &id, NULL), 0);
    assert_int_equal(id, 0);
    assert_int_equal(experiment_list(f->s, "s", INT64_MAX, 10, &rows, &count, NULL), 0);
    assert_int_equal(count, 2);
    assert_string_equal(rows[1].key, "s/1");
    assert_string_equal(rows[1].config, "{\"seed\":1}");
    experiments_free(rows, count);
}

static int64_t add_version(struct store *s, int64_t experiment, const char *key) {
    _cleanup_store_tx_ struct store_tx tx = {0};
    struct version_row v = {.experiment = experiment,
                            .hypothesis = (char *)"h",
                            .snapshot = (char *)"s",
                            .key = (char *)key,
                            .note = (char *)"{\"step\":3}"};
    assert_int_equal(store_begin(&tx, s, NULL), 0);
    assert_int_equal(version_add(s, &v, NULL), 0);
    assert_int_equal(store_commit(&tx, NULL), 0);
    return v.id;
}

static void keys_and_notes_of_versions(void **state) {
    struct fixture *f = *state;
    int64_t id = -1, made = add_version(f->s, f->experiment, "n1");
    int64_t other = add_experiment(f->s, NULL, NULL);
    assert_int_equal(version_by_key(f->s, f->experiment, "n1", &id, NULL), 0);
    assert_int_equal(id, made);
    assert_int_equal(version_by_key(f->s, other, "n1", &id, NULL), 0);
    assert_int_equal(id, 0);
    assert_int_not_equal(add_version(f->s, other, "n1"), made);
    _cleanup_version_ struct version_row v = {0};
    assert_int_equal(version_get(f->s, made, &v, NULL), 0);
    assert_string_equal(v.note, "{\"step\":3}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(numbers_count_within_an_experiment, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answered_call_is_taken_down_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_key_belongs_to_one_request, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_are_all_kept_and_answer_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(sums_are_of_one_experiment, setup, teardown),
        cmocka_unit_test_setup_teardown(a_list_goes_on_where_it_stopped, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_of_experiments_and_sweeps, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_and_notes_of_versions, setup, teardown),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
