/* Templates, and the texts that are put into them. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/agent/excerpt.h"
#include "orchestrator/agent/history.h"
#include "orchestrator/agent/knowledge.h"
#include "orchestrator/agent/prompt.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

static const struct prompt_value values[] = {
    {"name", "Ada"}, {"none", NULL}, {"empty", ""}, {"sly", "{{name}} {{#none}}"}, {NULL, NULL}};

static void expect(const char *template, const char *wanted) {
    _cleanup_buf_ struct buf out = {0};
    _cleanup_error_ struct error err = {0};
    if (prompt_render("t.md", template, values, &out, &err) < 0) fail_msg("%s", error_text(&err));
    assert_string_equal(buf_text(&out), wanted);
}

static void test_templates(void **state) {
    (void)state;
    expect("", "");
    expect("Hello {{name}}{{none}}{{empty}}.", "Hello Ada.");
    expect("a{{#name}} and {{name}}{{/name}}{{#none}} or {{name}}{{/none}}!", "a and Ada!");
    expect("a\n{{#name}}\nb\n{{/name}}\nc\n{{#empty}}\nd\n{{/empty}}\ne\n", "a\nb\nc\ne\n");
    expect("{{#none}}{{#name}}x{{/name}}{{#empty}}y{{/empty}}{{/none}}z", "z");
    expect("{{#name}}{{#none}}x{{/none}}y{{/name}}", "y");
    expect("{{sly}}", "{{name}} {{#none}}"); /* a value is not looked into */
    expect("int a = {1, {2}};", "int a = {1, {2}};");
}

static void test_template_faults(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"a\n{{nobody}}", "t.md: line 2: there is no value named nobody"},
        {"{{#name}}", "is not closed: name"},
        {"{{/name}}", "closes no open section: name"},
        {"{{#name}}{{#none}}{{/name}}{{/none}}", "closes no open section: name"},
        {"{{ name }}", "must begin"},
        {"{{name}", "must begin"},
        {"{{name", "must begin"},
        {"{{", "must begin"},
        {"{{#name}}{{#name}}{{#name}}{{#name}}{{#name}}{{#name}}{{#name}}{{#name}}{{#name}}",
         "too deep"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_buf_ struct buf out = {0};
        _cleanup_error_ struct error err = {0};
        assert_int_equal(prompt_render("t.md", cases[i][0], values, &out, &err), -1);
        if (!strstr(error_text(&err), cases[i][1]))
            fail_msg("“%s” lacks “%s”", error_text(&err), cases[i][1]);
    }
}

static int make_place(void **state) {
    char *path = strdup("/tmp/paddock-test-XXXXXX");
    *state = path;
    return path && mkdtemp(path) ? 0 : -1;
}

static int remove_place(void **state) {
    int r = tree_remove(*state, NULL);
    free(*state);
    return r;
}

static void write_file(const char *dir, const char *name, const char *text, size_t len) {
    _cleanup_free_ char *path = path_join(dir, name);
    assert_int_equal(file_write_atomic(path, text, len, 0644, NULL), 0);
}

static void test_folders_of_prompts(void **state) {
    char *dir = *state;
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *shipped = prompts_shipped(&err);
    if (!shipped) fail_msg("%s", error_text(&err));
    write_file(dir, "analyst.md", "Say {{goal}}", 12);
    {
        char *const folders[] = {dir, shipped, NULL};
        _cleanup_prompts_ struct prompts p = {0};
        if (prompts_load(folders, &p, &err) < 0) fail_msg("%s", error_text(&err));
        assert_string_equal(p.text[PROMPT_ANALYST], "Say {{goal}}");
        assert_true(str_starts(p.path[PROMPT_CODER], shipped));
    }
    write_file(dir, "coder.md", "{{typo}}", 8);
    char *const folders[] = {dir, shipped, NULL}, *const alone[] = {dir, NULL};
    _cleanup_prompts_ struct prompts p = {0}, q = {0};
    assert_int_equal(prompts_load(folders, &p, &err), -1);
    assert_non_null(strstr(error_text(&err), "coder.md: line 1: there is no value named typo"));
    assert_int_equal(prompts_load(alone, &q, &err), -1);
    assert_non_null(strstr(error_text(&err), "no prompt system.md in"));
}

static void test_knowledge(void **state) {
    const char *dir = *state;
    _cleanup_free_ char *all = path_join(dir, "*.md"), *none = path_join(dir, "*.txt");
    _cleanup_buf_ struct buf out = {0}, other = {0};
    _cleanup_error_ struct error err = {0};
    write_file(dir, "b.md", "bee\n", 4);
    write_file(dir, "a.md", "ay", 2);
    char *globs[] = {all, NULL};
    assert_int_equal(knowledge_read(globs, &out, &err), 0);
    assert_string_equal(buf_text(&out), "a.md:\n```\nay\n```\n\nb.md:\n```\nbee\n```\n");
    assert_int_equal(knowledge_read(NULL, &other, NULL), 0);
    globs[0] = none;
    assert_int_equal(knowledge_read(globs, &other, &err), -1);
    assert_non_null(strstr(error_text(&err), "names no file"));
    write_file(dir, "c.md", "\xff", 1);
    globs[0] = all;
    assert_int_equal(knowledge_read(globs, &other, &err), -1);
    assert_non_null(strstr(error_text(&err), "is not text"));
}

static void test_excerpts(void **state) {
    (void)state;
    _cleanup_buf_ struct buf a = {0}, b = {0}, c = {0};
    excerpt_cut("añb\001\xff", 6, 100, &a);
    assert_string_equal(buf_text(&a), "añb\\x01\\xff");
    excerpt_line("ñññ\nx", 5, &b);
    assert_string_equal(buf_text(&b), "ññ…");
    _cleanup_excerpt_ struct excerpt e = {.head_max = 4, .tail_max = 4};
    for (const char *p = "0123456789abcdef"; *p; p += 2) excerpt_add(&e, p, 2);
    excerpt_show(&e, &c);
    assert_string_equal(buf_text(&c), "0123\n[… 8 bytes are left out here …]\ncdef");
    _cleanup_excerpt_ struct excerpt f = {.head_max = 4, .tail_max = 4};
    excerpt_add(&f, "0123456789abcdef", 16);
    assert_int_equal(f.skipped, 8);
    assert_string_equal(buf_text(&f.tail), "cdef");
}

/* Twelve nodes below n1: the latest are n9 to n13 by number, not by spelling. */
static void test_history_is_in_order_of_numbers(void **state) {
    (void)state;
    struct search_node nodes[20] = {{.state = SEARCH_GOOD, .value = NAN}};
    struct tale tales[20] = {{0}};
    for (size_t i = 1; i < 20; i++) {
        nodes[i] = (struct search_node){.parent = i > 1, .state = SEARCH_GOOD, .value = 30.0 - i};
        tales[i] = (struct tale){.kind = "improve", .idea = "think", .outcome = "valid"};
    }
    tales[1].summary = "It\nran.";
    tales[19].result = "11 s";
    _cleanup_buf_ struct buf out = {0};
    history_tell(nodes, tales, 20, 1, 19, &out);
    const char *text = buf_text(&out);
    assert_non_null(strstr(text, "- n1 (improve of the record): valid\n  idea: think\n"
                                 "  what happened: It ran.\n"));
    assert_null(strstr(text, "- n7 "));
    const char *eight = strstr(text, "- n8 "), *ten = strstr(text, "- n10 ");
    assert_true(eight && ten && eight < ten);
    assert_non_null(strstr(text, "- n19 (improve of n1, the best so far): valid, 11 s\n"));
    _cleanup_buf_ struct buf siblings = {0};
    history_siblings(tales, 18, 20, &siblings);
    assert_string_equal(buf_text(&siblings), "- think\n- think\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_templates),
        cmocka_unit_test(test_template_faults),
        cmocka_unit_test_setup_teardown(test_folders_of_prompts, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_knowledge, make_place, remove_place),
        cmocka_unit_test(test_excerpts),
        cmocka_unit_test(test_history_is_in_order_of_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
