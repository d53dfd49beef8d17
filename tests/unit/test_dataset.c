#include "images/dataset.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

struct place {
    char path[64], store[80], file[80];
};

static int make_place(void **state) {
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->path, "/tmp/test-dataset-XXXXXX");
    if (!mkdtemp(p->path)) return -1;
    snprintf(p->store, sizeof p->store, "%s/datasets", p->path);
    snprintf(p->file, sizeof p->file, "%s/t.bin", p->path);
    *state = p;
    return file_write_atomic(p->file, "abc", 3, 0644, NULL);
}

static int drop_place(void **state) {
    struct place *p = *state;
    int r = tree_remove(p->path, NULL);
    free(p);
    return r;
}

static void comes_and_goes(void **state) {
    struct place *p = *state;
    _cleanup_error_ struct error err = {0};
    _cleanup_dataset_ struct dataset d = {0};
    char *sources[] = {p->file, NULL};
    assert_int_equal(dataset_add(p->store, "one", sources, false, false, &d, &err), 0);
    assert_int_equal(d.files, 1);
    assert_int_equal(d.bytes, 3);
    assert_int_equal(dataset_verify(p->store, "one", &err), 0);
    struct dataset again = {0};
    assert_int_equal(dataset_add(p->store, "one", sources, false, false, &again, &err), -1);
    assert_int_equal(err.kind, ERROR_EXISTS);
    assert_int_equal(dataset_remove(p->store, "one", NULL), 0);
    assert_int_equal(dataset_verify(p->store, "one", NULL), -1);
}

static void a_failed_addition_leaves_nothing(void **state) {
    struct place *p = *state;
    struct dataset d = {0};
    char **names __attribute__((cleanup(cleanup_strv))) = NULL;
    char *twice[] = {p->file, p->file, NULL};
    assert_int_equal(dataset_add(p->store, "one", twice, false, false, &d, NULL), -1);
    assert_int_equal(dataset_add(p->store, "../x", twice, false, false, &d, NULL), -1);
    assert_int_equal(dataset_list(p->store, &names, NULL), 0);
    assert_null(names[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(comes_and_goes, make_place, drop_place),
        cmocka_unit_test_setup_teardown(a_failed_addition_leaves_nothing, make_place, drop_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
