/* What people read: tables, trees, progress lines, results. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "orchestrator/client/autostart.h"
#include "orchestrator/client/measure.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/results.h"
#include "orchestrator/client/table.h"
#include "orchestrator/client/tree.h"

#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

static struct json *parse(const char *text) {
    _cleanup_error_ struct error err = {0};
    struct json *doc = json_parse("test", text, strlen(text), &err);
    if (!doc) fail_msg("%s", error_text(&err));
    return doc;
}

static void test_columns_are_as_wide_as_their_widest_cell(void **state) {
    (void)state;
    static const char *const heads[] = {"NAME", ">N", "WHY", NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    _cleanup_buf_ struct buf out = {0};
    table_cell(t, "├─ v3");
    table_cellf(t, "%d", 12345);
    table_cell(t, NULL);
    table_cell(t, "x");
    table_cell(t, "1");
    table_cell(t, "because");
    assert_int_equal(table_rows(t), 2);
    assert_int_equal(table_print(t, false, &out), 0);
    assert_string_equal(buf_text(&out), "NAME       N  WHY\n"
                                        "├─ v3  12345  –\n"
                                        "x          1  because\n");
}

static void test_cells_cannot_drive_the_terminal(void **state) {
    (void)state;
    static const char *const heads[] = {"A", NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    _cleanup_buf_ struct buf out = {0};
    table_cell(t, "\033[2J\nforged row\x9b\xff");
    assert_int_equal(table_print(t, false, &out), 0);
    assert_string_equal(buf_text(&out), "A\n\\x1b[2J\\x0aforged row\\x9b\\xff\n");
}

static void test_wide_characters_count_double(void **state) {
    (void)state;
    if (!setlocale(LC_CTYPE, "C.UTF-8")) {
        print_message("skip - this system has no locale C.UTF-8\n");
        skip();
    }
    assert_int_equal(text_columns("日本"), 4);
    assert_int_equal(text_columns("├─ é"), 4);
    assert_int_equal(text_columns(""), 0);
}

static const char experiment_text[] =
    "{\"id\": \"e4\", \"task\": \"toy\", \"step\": 1, \"agent\": \"replay\", \"label\": \"bad\","
    " \"versions\": ["
    "{\"id\": \"v10\", \"parent\": \"v9\", \"outcome\": \"valid\", \"seconds\": 2.5},"
    "{\"id\": \"v8\", \"parent\": null, \"state\": \"done\", \"outcome\": \"valid\"},"
    "{\"id\": \"v9\", \"parent\": \"v8\", \"outcome\": \"crash\", \"reason\": \"signal\\u001b\"},"
    "{\"id\": \"v12\", \"parent\": \"v8\", \"outcome\": \"valid\", \"seconds\": 1.5},"
    "{\"id\": \"v11\", \"parent\": \"v9\", \"state\": \"training\"}]}";

static void test_tree_puts_children_behind_their_parent(void **state) {
    (void)state;
    static const char *const with_root[] = {"v8", "├─ v9", "│  ├─ v10", "│  └─ v11", "└─ v12"};
    static const char *const without[] = {"v9", "├─ v10", "└─ v11", "v12"};
    _cleanup_json_ struct json *doc = parse(experiment_text);
    _cleanup_tree_ struct tree full = {0}, bare = {0};
    assert_int_equal(tree_layout(doc, true, &full, NULL), 0);
    assert_int_equal(full.count, 5);
    for (size_t i = 0; i < full.count; i++) assert_string_equal(full.lines[i].label, with_root[i]);
    assert_int_equal(tree_layout(doc, false, &bare, NULL), 0);
    assert_int_equal(bare.count, 4);
    for (size_t i = 0; i < bare.count; i++) assert_string_equal(bare.lines[i].label, without[i]);
}

/* A daemon that is wrong must not make us loop. */
static void test_tree_survives_cycles_and_orphans(void **state) {
    (void)state;
    _cleanup_json_ struct json *doc =
        parse("{\"versions\": [{\"id\": \"v1\", \"parent\": \"v2\"}, {\"id\": \"v2\", \"parent\":"
              " \"v1\"}, {\"id\": \"v3\", \"parent\": \"v3\"}, {\"id\": \"nonsense\"}, 7]}");
    _cleanup_tree_ struct tree t = {0};
    assert_int_equal(tree_layout(doc, true, &t, NULL), 0);
    assert_int_equal(t.count, 3);
}

static void test_best_is_the_fastest_valid_version(void **state) {
    (void)state;
    _cleanup_json_ struct json *doc = parse(experiment_text);
    _cleanup_strv_ char **best = NULL;
    assert_int_equal(results_top(doc, 1, &best, NULL), 0);
    assert_int_equal(strv_len(best), 1);
    assert_string_equal(best[0], "v12");
    assert_int_equal(results_top(doc, 5, &best, NULL), 0);
    assert_int_equal(strv_len(best), 2);
    assert_string_equal(best[1], "v10");
    _cleanup_json_ struct json *none =
        parse("{\"versions\": [{\"id\": \"v1\", \"parent\": null, \"outcome\": \"valid\"}]}");
    _cleanup_strv_ char **nobody = NULL;
    assert_int_equal(results_top(none, 3, &nobody, NULL), 0);
    assert_null(nobody);
}

static const char measurement_text[] =
    "{\"id\": \"m2\", \"task\": \"toy\", \"step\": 1, \"state\": \"done\", \"blocks\": 5,"
    " \"arms\": [{\"position\": 0, \"kind\": \"record\", \"record\": 1, \"version\": null},"
    "{\"position\": 1, \"record\": 2}, {\"position\": 2, \"version\": \"v12\"}],"
    " \"slots\": [{\"block\": 0, \"arm\": 0, \"state\": \"done\", \"wall_s\": 9.8}],"
    " \"scores\": [{\"version\": \"v12\", \"outcome\": \"scored\", \"fsr\": 1.0249,"
    " \"low\": 0.9101, \"high\": 1.13, \"mean_s\": 1.25, \"metric\": 2.25}]}";

static void test_results_join_tree_outcome_and_score(void **state) {
    (void)state;
    _cleanup_json_ struct json *experiment = parse(experiment_text);
    _cleanup_json_ struct json *measurement = parse(measurement_text);
    const struct json *experiments[] = {experiment};
    _cleanup_buf_ struct buf out = {0};
    assert_int_equal(results_table(experiments, 1, measurement, NULL, false, &out, NULL), 0);
    assert_string_equal(
        buf_text(&out),
        "AGENT         VERSION  OUTCOME     TIME  METRIC                FSR  REASON\n"
        "replay (bad)  v9       crash          –       –                  –  signal\\x1b\n"
        "              ├─ v10   valid     2.50 s       –                  –\n"
        "              └─ v11   training       –       –                  –\n"
        "              v12      scored    1.25 s    2.25  1.02 [0.91, 1.13]\n");
}

static void test_scores_without_an_interval_say_so(void **state) {
    (void)state;
    _cleanup_json_ struct json *open = parse("{\"fsr\": 0.5, \"low\": null, \"high\": null}");
    _cleanup_buf_ struct buf out = {0};
    measure_fsr(open, &out);
    measure_fsr(NULL, &out);
    assert_string_equal(buf_text(&out), "0.50 [unbounded]–");
}

static void test_slots_name_block_arm_and_time(void **state) {
    (void)state;
    _cleanup_json_ struct json *m = parse(measurement_text);
    _cleanup_buf_ struct buf out = {0};
    measure_slot(m, reply_at(m, "slots", 0), &out);
    assert_string_equal(buf_text(&out), "block 1/5  record 1 9.80 s");
    _cleanup_json_ struct json *bad = parse("{\"block\": 1, \"arm\": 2, \"outcome\": \"timeout\","
                                            " \"reason\": \"more than 60 s\"}");
    _cleanup_buf_ struct buf line = {0};
    measure_slot(m, bad, &line);
    assert_string_equal(buf_text(&line), "block 2/5  v12  timeout: more than 60 s");
}

static void test_progress_lines(void **state) {
    (void)state;
    _cleanup_buf_ struct buf out = {0};
    progress_elapsed(12345 * NS_PER_MS, &out);
    _cleanup_json_ struct json *version =
        parse("{\"id\": \"v3\", \"state\": \"done\", \"outcome\": \"valid\", \"seconds\": 8.921,"
              " \"metric\": 2.31, \"reason\": \"not shown\"}");
    progress_version(version, "loss", &out);
    assert_string_equal(buf_text(&out), "[  12.3s] v3 valid  8.92 s  loss 2.31");
    _cleanup_json_ struct json *bad =
        parse("{\"id\": \"v4\", \"state\": \"done\", \"outcome\": \"build-failed\","
              " \"reason\": \"cc:\\nerror\"}");
    _cleanup_buf_ struct buf line = {0};
    progress_version(bad, "loss", &line);
    assert_string_equal(buf_text(&line), "v4 build-failed: cc:\\x0aerror");
    _cleanup_json_ struct json *run = parse("{\"id\": \"r9\", \"version\": \"v3\", \"phase\":"
                                            " \"train\", \"wall_s\": 0.0411, \"ended\":"
                                            " \"wall-limit\"}");
    _cleanup_buf_ struct buf ran = {0};
    progress_run(run, "loss", &ran);
    assert_string_equal(buf_text(&ran), "v3 train  0.041 s  wall-limit");
}

static void test_text_is_cut_by_characters(void **state) {
    (void)state;
    _cleanup_buf_ struct buf out = {0};
    progress_text("äöüß", 4, &out);
    buf_putc(&out, ' ');
    progress_text("äöüßx", 4, &out);
    assert_string_equal(buf_text(&out), "äöüß äöü…");
}

static void test_log_tail(void **state) {
    (void)state;
    static const char text[] = "one\ntwo\033\nthree\n\n";
    _cleanup_buf_ struct buf out = {0}, all = {0};
    autostart_tail(text, strlen(text), 2, &out);
    assert_string_equal(buf_text(&out), "\n  two\\x1b\n  three");
    autostart_tail("a", 1, 5, &all);
    assert_string_equal(buf_text(&all), "\n  a");
}

static void test_replies_are_read_leniently(void **state) {
    (void)state;
    _cleanup_json_ struct json *doc =
        parse("{\"a\": {\"b\": \"x\", \"n\": null, \"i\": 3}, \"l\": [1, 2]}");
    assert_string_equal(reply_text(doc, "a.b"), "x");
    assert_null(reply_text(doc, "a.n"));
    assert_null(reply_text(doc, "a.b.c"));
    assert_null(reply_text(doc, "l.0"));
    assert_int_equal(reply_int(doc, "a.i", 9), 3);
    assert_int_equal(reply_int(doc, "a.b", 9), 9);
    assert_int_equal(reply_count(doc, "l"), 2);
    assert_int_equal(reply_count(doc, "a"), 0);
    assert_null(reply_at(doc, "l", 2));
    assert_true(isnan(reply_number(NULL, "a", NAN)));
}

static void test_ids(void **state) {
    (void)state;
    _cleanup_error_ struct error err = {0};
    assert_int_equal(reply_check_id("v12", "vr", &err), 0);
    static const char *const wrong[] = {"", "v", "12", "e1", "v1/../x", "v 1", "V1", "v1 "};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_int_equal(reply_check_id(wrong[i], "vr", NULL), -1);
    assert_int_equal(reply_check_id("x\n", "vr", &err), -1);
    assert_string_equal(error_text(&err), "“x\\x0a” is not the id of a version (v1) or a run (r1)");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_as_wide_as_their_widest_cell),
        cmocka_unit_test(test_cells_cannot_drive_the_terminal),
        cmocka_unit_test(test_wide_characters_count_double),
        cmocka_unit_test(test_tree_puts_children_behind_their_parent),
        cmocka_unit_test(test_tree_survives_cycles_and_orphans),
        cmocka_unit_test(test_best_is_the_fastest_valid_version),
        cmocka_unit_test(test_results_join_tree_outcome_and_score),
        cmocka_unit_test(test_scores_without_an_interval_say_so),
        cmocka_unit_test(test_slots_name_block_arm_and_time),
        cmocka_unit_test(test_progress_lines),
        cmocka_unit_test(test_text_is_cut_by_characters),
        cmocka_unit_test(test_log_tail),
        cmocka_unit_test(test_replies_are_read_leniently),
        cmocka_unit_test(test_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
