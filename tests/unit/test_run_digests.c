/* Digests of what a run left: taken at its end, kept as they were then. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/daemon/run_digests.h"
#include "orchestrator/daemon/store_run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

struct fixture {
    char dir[64];
    struct store *s;
    int64_t run;
};

static char *inside(const struct fixture *f, const char *name) {
    char *path = path_join(f->dir, name);
    assert_non_null(path);
    return path;
}

static void put(const struct fixture *f, const char *name, const char *text) {
    _cleanup_free_ char *path = inside(f, name);
    assert_int_equal(file_write_atomic(path, text, strlen(text), 0600, NULL), 0);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/test_digests.XXXXXX");
    if (!mkdtemp(f->dir)) return -1;
    _cleanup_free_ char *db = inside(f, "paddock.db");
    assert_int_equal(store_open_file(db, &f->s, NULL), 0);
    struct run_row row = {.phase = (char *)"build"};
    struct store_tx tx = {0};
    assert_int_equal(store_begin(&tx, f->s, NULL), 0);
    assert_int_equal(run_add(f->s, &row, NULL), 0);
    assert_int_equal(store_commit(&tx, NULL), 0);
    f->run = row.id;
    free(row.purpose);
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

static void keep(struct fixture *f, const struct run_digests *d) {
    struct store_tx tx = {0};
    assert_int_equal(store_begin(&tx, f->s, NULL), 0);
    assert_int_equal(run_digests_keep(f->s, f->run, d, NULL), 0);
    assert_int_equal(store_commit(&tx, NULL), 0);
}

static void what_is_there_is_taken(void **state) {
    struct fixture *f = *state;
    struct run_digests d;
    _cleanup_free_ char *out = inside(f, "artifacts/out");
    _cleanup_free_ char *link = inside(f, "stderr");
    put(f, "stdout", "abc");
    assert_int_equal(dir_make(out, 0700, NULL), 0);
    put(f, "artifacts/out/model", "weights");
    assert_int_equal(symlink("stdout", link), 0);
    run_digests_take(f->dir, &d);
    assert_string_equal(d.of[SCORE_FILE_STDOUT],
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(strlen(d.of[SCORE_FILE_ARTIFACTS]), 64);
    assert_string_equal(d.of[SCORE_FILE_SPEC], "");
    assert_string_equal(d.of[SCORE_FILE_STDERR], ""); /* no link is followed */
    char before[DIGEST_HEX];
    memcpy(before, d.of[SCORE_FILE_ARTIFACTS], sizeof before);
    put(f, "artifacts/out/model", "Weights");
    run_digests_take(f->dir, &d);
    assert_string_not_equal(d.of[SCORE_FILE_ARTIFACTS], before);
}

static void the_first_ones_stay(void **state) {
    struct fixture *f = *state;
    struct run_digests first, later, got;
    put(f, "result.json", "{}");
    run_digests_take(f->dir, &first);
    keep(f, &first);
    put(f, "result.json", "{\"wall_ns\": 1}");
    put(f, "exam.json", "{}");
    run_digests_take(f->dir, &later);
    assert_string_not_equal(first.of[SCORE_FILE_RESULT], later.of[SCORE_FILE_RESULT]);
    keep(f, &later);
    assert_int_equal(run_digests_get(f->s, f->run, &got, NULL), 0);
    assert_string_equal(got.of[SCORE_FILE_RESULT], first.of[SCORE_FILE_RESULT]);
    assert_string_equal(got.of[SCORE_FILE_EXAM], later.of[SCORE_FILE_EXAM]);
    assert_string_equal(got.of[SCORE_FILE_STDOUT], "");
}

static void a_run_of_an_older_store_has_none(void **state) {
    struct fixture *f = *state;
    struct run_digests got;
    struct store *old = NULL;
    _cleanup_free_ char *db = inside(f, "old.db");
    assert_int_equal(store_open_file_at(db, 1, &old, NULL), 0);
    store_close(old);
    assert_int_equal(store_open_file(db, &old, NULL), 0);
    assert_int_equal(run_digests_get(old, 1, &got, NULL), 0);
    for (size_t i = 0; i < SCORE_FILE_COUNT; i++) assert_string_equal(got.of[i], "");
    store_close(old);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_there_is_taken, setup, teardown),
        cmocka_unit_test_setup_teardown(the_first_ones_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(a_run_of_an_older_store_has_none, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
