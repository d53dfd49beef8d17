#include "common/cleanup.h"
#include "orchestrator/client/args.h"
#include "orchestrator/client/cli.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

static const struct arg table[] = {
    {.name = "label", .letter = 'l', .kind = ARG_TEXT, .value = "TEXT", .help = "a label"},
    {.name = "agent", .kind = ARG_LIST, .value = "NAME", .help = "who"},
    {.name = "blocks", .kind = ARG_INT, .value = "N", .min = 2, .max = 9, .help = "repeats"},
    {.name = "width", .kind = ARG_NUMBER, .value = "W", .help = "how wide"},
    {.name = "fast", .letter = 'f', .kind = ARG_FLAG, .help = "hurry"},
    {.name = NULL}};

#define PARSE(args, err, ...) args_parse(table, NULL, (char *[]){__VA_ARGS__, NULL}, args, err)

static void test_reads_every_kind(void **state) {
    (void)state;
    _cleanup_args_ struct args a = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(PARSE(&a, &err, "task", "--agent", "noop", "--agent=reference", "-l", "x",
                           "--blocks=3", "--width", "0.25", "-f", "more"),
                     0);
    assert_string_equal(a.operands[0], "task");
    assert_string_equal(a.operands[1], "more");
    assert_null(a.operands[2]);
    assert_string_equal(args_list(&a, "agent")[0], "noop");
    assert_string_equal(args_list(&a, "agent")[1], "reference");
    assert_string_equal(args_text(&a, "label"), "x");
    assert_int_equal(args_int(&a, "blocks", 0), 3);
    assert_true(args_number(&a, "width", 0) == 0.25);
    assert_true(args_given(&a, "fast"));
}

static void test_absent_options_read_as_defaults(void **state) {
    (void)state;
    _cleanup_args_ struct args a = {0};
    assert_int_equal(PARSE(&a, NULL, "--", "--fast", "-l"), 0);
    assert_string_equal(a.operands[0], "--fast");
    assert_string_equal(a.operands[1], "-l");
    assert_false(args_given(&a, "fast"));
    assert_null(args_text(&a, "label"));
    assert_null(args_list(&a, "agent"));
    assert_int_equal(args_int(&a, "blocks", 7), 7);
}

static void expect_refusal(char *const *argv, const char *part) {
    _cleanup_args_ struct args a = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(args_parse(table, NULL, argv, &a, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID);
    if (!strstr(error_text(&err), part)) fail_msg("“%s” lacks “%s”", error_text(&err), part);
}

static void test_refuses_what_the_table_does_not_know(void **state) {
    (void)state;
    expect_refusal((char *[]){"--fats", NULL}, "unknown option --fats");
    expect_refusal((char *[]){"-x", NULL}, "unknown option -x");
    expect_refusal((char *[]){"-fl", NULL}, "unknown option -fl");
    expect_refusal((char *[]){"--label", NULL}, "--label needs a value (TEXT)");
    expect_refusal((char *[]){"--fast=1", NULL}, "--fast takes no value");
    expect_refusal((char *[]){"--blocks", "1", NULL}, "--blocks: must be from 2 to 9");
    expect_refusal((char *[]){"--blocks", "3x", NULL}, "is not a whole number");
    expect_refusal((char *[]){"--blocks", "99999999999999999999", NULL}, "is not a whole number");
    expect_refusal((char *[]){"--width", "nan", NULL}, "is not a number");
}

static void test_help_is_wanted_before_the_dashes_only(void **state) {
    (void)state;
    assert_true(args_wants_help((char *[]){"x", "--help", NULL}));
    assert_true(args_wants_help((char *[]){"-h", NULL}));
    assert_false(args_wants_help((char *[]){"--", "--help", NULL}));
}

static void test_finds_verbs_of_one_and_two_words(void **state) {
    (void)state;
    size_t words = 0;
    const struct verb *v = cli_find((char *[]){"task", "check", "dir", NULL}, &words);
    assert_ptr_equal(v, &verb_task_check);
    assert_int_equal(words, 2);
    assert_ptr_equal(cli_find((char *[]){"run", NULL}, &words), &verb_run);
    assert_int_equal(words, 1);
    assert_null(cli_find((char *[]){"task", NULL}, &words));
    assert_null(cli_find((char *[]){"runs", NULL}, &words));
    assert_true(cli_is_group("task"));
    assert_false(cli_is_group("tas"));
    assert_false(cli_is_group("run"));
}

/* Help can only be complete if every entry of the table is. */
static void test_every_verb_is_documented(void **state) {
    (void)state;
    for (const struct verb *const *v = cli_verbs; *v; v++) {
        assert_non_null((*v)->summary);
        assert_non_null((*v)->operands);
        assert_true((*v)->raw || (*v)->run);
        assert_true(str_starts((*v)->example, "paddock "));
        _cleanup_args_ struct args a = {0};
        assert_int_equal(args_parse((*v)->args, cli_common_args, (char *[]){NULL}, &a, NULL), 0);
        assert_false(args_given(&a, "json"));
        _cleanup_buf_ struct buf help = {0};
        cli_help_verb(*v, &help);
        assert_non_null(strstr(buf_text(&help), "Example:\n  paddock "));
        assert_non_null(strstr(buf_text(&help), "--json"));
        for (const struct arg *arg = (*v)->args; arg->name; arg++) {
            assert_non_null(arg->help);
            assert_true((arg->kind == ARG_FLAG) == (arg->value == NULL));
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_every_kind),
        cmocka_unit_test(test_absent_options_read_as_defaults),
        cmocka_unit_test(test_refuses_what_the_table_does_not_know),
        cmocka_unit_test(test_help_is_wanted_before_the_dashes_only),
        cmocka_unit_test(test_finds_verbs_of_one_and_two_words),
        cmocka_unit_test(test_every_verb_is_documented),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
