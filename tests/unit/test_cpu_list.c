/* Sets of cpus in the kernel's format. */
#include "common/cleanup.h"
#include "common/cpu_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static void lists_are_read_and_written(void **state) {
    (void)state;
    static const char *const each[][2] = {{"", ""},           {"\n", ""},         {"0", "0"},
                                          {"0-1\n", "0-1"},   {"4,0-1", "0-1,4"}, {"3,2,1", "1-3"},
                                          {"63-65", "63-65"}, {"4095", "4095"}};
    for (size_t i = 0; i < ARRAY_SIZE(each); i++) {
        struct cpu_list l;
        assert_int_equal(cpu_list_parse(each[i][0], &l), 0);
        _cleanup_free_ char *text = cpu_list_format(&l);
        assert_string_equal(text, each[i][1]);
    }
}

static void what_is_no_list_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"x", "1-", "-1", "2-1", "1,", ",1", "1 2", "4096", "1-99999"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct cpu_list l;
        assert_int_equal(cpu_list_parse(bad[i], &l), -1);
        assert_int_equal(cpu_list_count(&l), 0);
    }
}

static void sets_are_joined_and_taken_apart(void **state) {
    (void)state;
    struct cpu_list a, b;
    cpu_list_parse("0-7", &a);
    cpu_list_parse("6-9", &b);
    assert_true(cpu_list_overlaps(&a, &b));
    cpu_list_remove(&a, &b);
    assert_false(cpu_list_overlaps(&a, &b));
    assert_int_equal(cpu_list_count(&a), 6);
    cpu_list_join(&a, &b);
    _cleanup_free_ char *text = cpu_list_format(&a);
    assert_string_equal(text, "0-9");
    assert_int_equal(cpu_list_next(&b, 0), 6);
    assert_int_equal(cpu_list_next(&b, 10), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_read_and_written),
        cmocka_unit_test(what_is_no_list_is_refused),
        cmocka_unit_test(sets_are_joined_and_taken_apart),
    };
    return cmocka_run_group_tests_name("cpu_list", tests, NULL, NULL);
}
