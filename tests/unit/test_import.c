/* The parsers of what an import reads: tables of records, heads of logs, imports. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "tasks/import/record_log.h"
#include "tasks/import/record_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HEAD \
    "| # | Record time | Description | Date | Log | Contributors |\n| - | - | - | - | - | - |\n"

static void read_table(const char *text, struct record_table *out) {
    _cleanup_error_ struct error err = {0};
    if (record_table_read(text, strlen(text), out, &err) < 0) fail_msg("%s", error_text(&err));
}

static void a_row_is_read(void **state) {
    (void)state;
    _cleanup_record_table_ struct record_table t = {0};
    read_table("text | with | bars\n\n" HEAD
               "7 | 1.5 minutes | [A \\| new](http://a/b) trick, [B](c) | 01/02/24 | "
               "[log](records/x/a.txt),[PR](http://p) | @a, @b\n",
               &t);
    assert_int_equal(t.count, 1);
    const struct record_row *r = &t.rows[0];
    assert_null(r->fault);
    assert_int_equal(r->number, 7);
    assert_string_equal(r->title, "A | new trick, B");
    assert_string_equal(r->time, "1.5 minutes");
    assert_true(r->ms == 90000);
    assert_string_equal(r->date, "01/02/24");
    assert_string_equal(r->log, "records/x/a.txt");
    assert_string_equal(r->contributors, "@a, @b");
}

static void only_the_first_table_counts(void **state) {
    (void)state;
    _cleanup_record_table_ struct record_table t = {0};
    read_table(HEAD "1 | 2s | a | d | [log](records/a) | x\r\n"
                    "| 1 | 3s | b | d | [log](records/b/) | x |\n"
                    "\n" HEAD "1 | 2s | c | d | [log](records/c) | x\n",
               &t);
    assert_int_equal(t.count, 2);
    assert_string_equal(t.rows[1].title, "b");
    assert_string_equal(t.rows[1].log, "records/b");
    assert_null(t.rows[1].fault);
}

static void a_malformed_row_stays_with_its_fault(void **state) {
    (void)state;
    static const struct {
        const char *row, *fault;
    } bad[] = {
        {"1 | 2s | a | d | none | x", "has no log"},
        {"1 | 2s | a | d | [log]() | x", "has no log"},
        {"1 | 2s | a | d | [log](records/a | x", "has no log"},
        {"one | 2s | a | d | [log](records/a) | x", "its number is none"},
        {"1 | 2s |  | d | [log](records/a) | x", "has no description"},
        {"1 | 2s | a | d | [log](records/../../etc/passwd) | x", "no path below records/"},
        {"1 | 2s | a | d | [log](/etc/passwd) | x", "no path below records/"},
        {"1 | 2s | a | d | [log](http://a/records/x) | x", "no path below records/"},
        {"1 | 2s | a | d | [log](records/a)", "has 5 columns instead of 6"},
        {"1 | 2s | a | d | [log](records/a) | x | y", "has 7 columns instead of 6"},
        {"1 | 2s | a\x1b[2J | d | [log](records/a) | x", "has control characters"},
        {"1 | 2s | a\xff | d | [log](records/a) | x", "is not UTF-8"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        _cleanup_record_table_ struct record_table t = {0};
        _cleanup_free_ char *text =
            str_printf("%s%s\n2 | 2s | b | d | [log](records/b) | x\n", HEAD, bad[i].row);
        read_table(text, &t);
        assert_int_equal(t.count, 2);
        if (!t.rows[0].fault || !strstr(t.rows[0].fault, bad[i].fault))
            fail_msg("%s: %s", bad[i].row, t.rows[0].fault ? t.rows[0].fault : "no fault");
        assert_null(t.rows[1].fault);
    }
}

static void a_time_that_is_none_is_no_fault(void **state) {
    (void)state;
    _cleanup_record_table_ struct record_table t = {0};
    read_table(HEAD "1 | soon | a | d | [log](records/a) | x\n", &t);
    assert_null(t.rows[0].fault);
    assert_true(t.rows[0].ms == 0);
}

static void tables_are_bounded(void **state) {
    (void)state;
    _cleanup_buf_ struct buf text = {0};
    _cleanup_error_ struct error err = {0};
    buf_puts(&text, HEAD);
    for (int i = 0; i <= RECORD_TABLE_ROWS; i++)
        buf_puts(&text, "1 | 2s | a | d | [log](records/a) | x\n");
    _cleanup_record_table_ struct record_table t = {0};
    assert_int_equal(record_table_read(buf_text(&text), text.len, &t, &err), -1);
    assert_true(err.kind == ERROR_LIMIT);
    error_clear(&err);
    record_table_clear(&t);
    assert_int_equal(record_table_read("no table", 8, &t, &err), -1);
    assert_true(err.kind == ERROR_NOT_FOUND);
}

#define RULE                                                                                       \
    "============================================================================================" \
    "========\n"
#define BAR "----------------------------------------\n"

static void check_source(const struct record_source *s, const char *name, const char *text) {
    assert_string_equal(s->name, name);
    assert_int_equal(s->len, strlen(text));
    assert_memory_equal(s->text, text, s->len);
}

static void a_log_gives_its_sources(void **state) {
    (void)state;
    static const char plain[] = "import os\nx = 1\n" RULE "step:1/2\n" RULE;
    static const char opened[] = RULE "import os\nx = 1\n" RULE "step:1/2\n" RULE;
    static const char modules[] = "import os\nx = '====='\n\n\n" BAR "# kern_a.py\n" BAR
                                  "\nimport b\n\n" BAR "# kern_b.py\n" BAR "y = 2\n" RULE "log\n";
    struct record_log log;
    assert_true(record_log_split(plain, sizeof plain - 1, &log));
    assert_int_equal(log.count, 1);
    check_source(&log.sources[0], "", "import os\nx = 1\n");
    assert_true(record_log_split(opened, sizeof opened - 1, &log));
    check_source(&log.sources[0], "", "import os\nx = 1\n");
    assert_true(record_log_split(modules, sizeof modules - 1, &log));
    assert_int_equal(log.count, 3);
    check_source(&log.sources[0], "", "import os\nx = '====='\n");
    check_source(&log.sources[1], "kern_a.py", "\nimport b\n");
    check_source(&log.sources[2], "kern_b.py", "y = 2\n");
}

static void other_logs_give_none(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "s:0 tel:11.0\ns:1 trl:10\n",
        "s:0 tel:11.0\n" RULE "more\n",
        RULE "import os\n",
        RULE RULE,
        "import os\n==========\nlog\n",
        "import os\n" BAR "# a.py\n" BAR "x\n" BAR "# a.py\n" BAR "y\n" RULE,
    };
    struct record_log log;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        if (record_log_split(bad[i], strlen(bad[i]), &log)) fail_msg("%zu: %s", i, bad[i]);
    /* A name with a path in it is text of the program, not a module. */
    static const char odd[] = "import os\n" BAR "# ../a.py\n" BAR "x\n" RULE;
    assert_true(record_log_split(odd, sizeof odd - 1, &log));
    assert_int_equal(log.count, 1);
}

static void imports_are_found(void **state) {
    (void)state;
    static const char text[] = "import os, sys as s\nfrom torch.nn import functional\n"
                               "  import kern_a\nfrom .kern_b import (x,\n  y)\nimport os\n"
                               "# import no\nimportant = 1\nx = 'import no'\nimport a.b.c\n";
    static const char *const want[] = {"os", "sys", "torch", "kern_a", "kern_b", "a", NULL};
    _cleanup_strv_ char **got = python_imports(text, sizeof text - 1);
    assert_int_equal(strv_len(got), ARRAY_SIZE(want) - 1);
    for (size_t i = 0; want[i]; i++) assert_string_equal(got[i], want[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_read),
        cmocka_unit_test(only_the_first_table_counts),
        cmocka_unit_test(a_malformed_row_stays_with_its_fault),
        cmocka_unit_test(a_time_that_is_none_is_no_fault),
        cmocka_unit_test(tables_are_bounded),
        cmocka_unit_test(a_log_gives_its_sources),
        cmocka_unit_test(other_logs_give_none),
        cmocka_unit_test(imports_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
