/* Sweep files: cells, their order and keys, what is refused and how it is said. */
#include "common/cleanup.h"
#include "orchestrator/client/sweep_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

static int decode(const char *text, struct sweep_file *out, struct error *err) {
    struct json *doc = json_parse("s.json", text, strlen(text), err);
    return doc ? sweep_file_decode(doc, "/dir", out, err) : -1;
}

static void expect_keys(const char *text, const char *const *keys) {
    _cleanup_error_ struct error err = {0};
    _cleanup_sweep_file_ struct sweep_file f = {0};
    if (decode(text, &f, &err) < 0) fail_msg("%s", error_text(&err));
    for (size_t i = 0; keys[i]; i++) {
        assert_true(i < f.count);
        assert_string_equal(f.cells[i].key, keys[i]);
    }
    assert_null(keys[f.count]);
}

#define HEAD "{\"version\":1,\"name\":\"s\",\"tasks\":[\"a:1\",\"a:2\"],"

static void cells_in_the_order_of_the_lists(void **state) {
    (void)state;
    static const char *const keys[] = {"s/a:1/hints-none/flat/m/seed-1",
                                       "s/a:1/hints-none/tree/m/seed-1",
                                       "s/a:1/hints-1+2/flat/m/seed-1",
                                       "s/a:1/hints-1+2/tree/m/seed-1",
                                       "s/a:2/hints-none/flat/m/seed-1",
                                       "s/a:2/hints-none/tree/m/seed-1",
                                       "s/a:2/hints-1+2/flat/m/seed-1",
                                       "s/a:2/hints-1+2/tree/m/seed-1",
                                       NULL};
    expect_keys(HEAD "\"hints\":[[],[1,2]],\"searches\":[\"flat\",\"tree\"],\"models\":[\"m\"]}",
                keys);
}

static void models_and_seeds(void **state) {
    (void)state;
    static const char *const keys[] = {"s/a:1/hints-none/search-1/m/seed-3",
                                       "s/a:1/hints-none/search-1/m/seed-4",
                                       "s/a:1/hints-none/search-1/n/seed-3",
                                       "s/a:1/hints-none/search-1/n/seed-4",
                                       "s/a:2/hints-none/search-1/m/seed-3",
                                       "s/a:2/hints-none/search-1/m/seed-4",
                                       "s/a:2/hints-none/search-1/n/seed-3",
                                       "s/a:2/hints-none/search-1/n/seed-4",
                                       NULL};
    expect_keys(HEAD "\"searches\":[{\"n0\":1,\"n\":1}],\"models\":[\"m\",\"x/n.json\"],"
                     "\"seeds\":[3,4]}",
                keys);
}

static void agents_without_models(void **state) {
    (void)state;
    static const char *const keys[] = {"s/a:1/noop/seed-1", "s/a:1/replay-r/seed-1",
                                       "s/a:2/noop/seed-1", "s/a:2/replay-r/seed-1", NULL};
    expect_keys(HEAD "\"agents\":[\"noop\",\"replay:dir/r\"]}", keys);
}

static void a_config_is_the_common_one_and_the_cell(void **state) {
    (void)state;
    _cleanup_error_ struct error err = {0};
    _cleanup_sweep_file_ struct sweep_file f = {0};
    const char *text = HEAD "\"hints\":[[2]],\"searches\":[\"tree\"],\"models\":[\"x/n.json\"],"
                            "\"config\":{\"nodes\":3,\"knowledge\":[\"k/*.md\"]}}";
    if (decode(text, &f, &err) < 0) fail_msg("%s", error_text(&err));
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    assert_int_equal(sweep_file_config(&f, &f.cells[0], "v7", w, NULL, &err), 0);
    assert_string_equal(json_writer_text(w, NULL),
                        "{\"nodes\":3,\"knowledge\":[\"/dir/k/*.md\"],\"model\":\"/dir/x/n.json\","
                        "\"search\":\"tree\",\"hints\":[2],\"seed\":1,\"start\":\"v7\"}");
}

static void a_chain_goes_from_step_to_step(void **state) {
    (void)state;
    _cleanup_error_ struct error err = {0};
    _cleanup_sweep_file_ struct sweep_file f = {0};
    const char *text = HEAD "\"hints\":[[1],[2]],\"searches\":[\"tree\"],\"models\":[\"m\"],"
                            "\"cumulative\":true}";
    if (decode(text, &f, &err) < 0) fail_msg("%s", error_text(&err));
    assert_int_equal(f.count, 4);
    assert_true(f.cells[0].before == SIZE_MAX && f.cells[1].before == SIZE_MAX);
    assert_int_equal(f.cells[2].before, 0);
    assert_int_equal(f.cells[3].before, 1);
}

static void faults_say_where_and_why(void **state) {
    (void)state;
    static const struct {
        const char *text, *says;
    } faults[] = {
        {"[]", "s.json: $: must be an object"},
        {"{\"version\":2}", "$.version: must be between 1 and 1"},
        {"{\"version\":1,\"name\":\"A B\",\"tasks\":[\"a\"],\"agents\":[\"noop\"]}",
         "$.name: must be 1 to 64 of"},
        {"{\"version\":1,\"name\":\"s\",\"tasks\":[],\"agents\":[\"noop\"]}",
         "$.tasks: must not be empty"},
        {"{\"version\":1,\"name\":\"s\",\"tasks\":[\"a:x\"],\"agents\":[\"noop\"]}",
         "$.tasks[0]: "},
        {HEAD "\"agents\":[\"noop\"],\"models\":[\"m\"]}", "$.agents: goes without models"},
        {HEAD "\"models\":[\"m\"]}", "needs the key \"searches\""},
        {HEAD "\"parallel\":1}", "needs either \"models\" or \"agents\""},
        {HEAD "\"models\":[\"m\"],\"searches\":[\"flatter\"]}", "flatter"},
        {HEAD "\"models\":[\"m\"],\"searches\":[\"flat\"],\"hints\":[[7]]}",
         "hints[0][0]: must be"},
        {HEAD "\"models\":[\"m\"],\"searches\":[\"flat\"],\"hints\":[1]}",
         "hints[0]: must be a list"},
        {HEAD "\"models\":[\"m\",\"d/m\"],\"searches\":[\"flat\"]}",
         "two experiments would both be s/a:1/hints-none/flat/m/seed-1"},
        {HEAD "\"models\":[\"m\"],\"searches\":[\"flat\"],\"config\":{\"noodles\":1}}", "noodles"},
        {HEAD "\"models\":[\"m\"],\"searches\":[\"flat\"],\"config\":{\"seed\":1}}",
         "$.config.seed: belongs to the sweep's own lists"},
        {HEAD "\"agents\":[\"noop\"],\"cumulative\":true}", "$.cumulative: goes with models only"},
        {HEAD "\"agents\":[\"noop\"],\"measure\":\"some\"}", "$.measure: "},
        {HEAD "\"agents\":[\"noop\"],\"colour\":1}", "colour"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        _cleanup_error_ struct error err = {0};
        _cleanup_sweep_file_ struct sweep_file f = {0};
        assert_int_equal(decode(faults[i].text, &f, &err), -1);
        if (!strstr(error_text(&err), faults[i].says))
            fail_msg("“%s” not in: %s", faults[i].says, error_text(&err));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_in_the_order_of_the_lists),
        cmocka_unit_test(models_and_seeds),
        cmocka_unit_test(agents_without_models),
        cmocka_unit_test(a_config_is_the_common_one_and_the_cell),
        cmocka_unit_test(a_chain_goes_from_step_to_step),
        cmocka_unit_test(faults_say_where_and_why),
    };
    return cmocka_run_group_tests_name("sweep", tests, NULL, NULL);
}
