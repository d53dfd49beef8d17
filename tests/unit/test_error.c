#include "common/error.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static void context_reads_from_outside_in(void **state) {
    (void)state;
    _cleanup_error_ struct error err = {0};
    assert_int_equal(error_sys(&err, ENOENT, "open %s", "x"), -1);
    error_wrap(&err, "task %d", 7);
    assert_string_equal(error_text(&err), "task 7: open x: No such file or directory");
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    assert_int_equal(err.sys, ENOENT);
}

static void own_text_may_be_an_argument(void **state) {
    (void)state;
    _cleanup_error_ struct error err = {0};
    error_set(&err, ERROR_INVALID, "reason");
    error_set(&err, ERROR_LIMIT, "again: %s", error_text(&err));
    assert_string_equal(error_text(&err), "again: reason");
}

static void null_is_allowed(void **state) {
    (void)state;
    assert_int_equal(error_set(NULL, ERROR_INVALID, "x"), -1);
    assert_int_equal(error_wrap(NULL, "x"), -1);
    assert_false(error_is_set(NULL));
}

static void moving_empties_the_source(void **state) {
    (void)state;
    _cleanup_error_ struct error a = {0}, b = {0};
    assert_int_equal(error_move(&b, &a), 0);
    error_set(&a, ERROR_BUSY, "held");
    assert_int_equal(error_move(&b, &a), -1);
    assert_false(error_is_set(&a));
    assert_string_equal(error_text(&b), "held");
    assert_string_equal(error_kind_name(b.kind), "busy");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(context_reads_from_outside_in),
        cmocka_unit_test(own_text_may_be_an_argument),
        cmocka_unit_test(null_is_allowed),
        cmocka_unit_test(moving_empties_the_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
