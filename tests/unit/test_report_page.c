/* The page, the document and the CSV, full of texts that nobody vouches for. */
#include "common/file.h"
#include "orchestrator/report/document.h"
#include "orchestrator/report/page.h"
#include "orchestrator/report/text.h"
#include "tests/unit/report_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define EVIL "</script><!--<script>x()</script>\"'&amp;\x1b[2J\x01\xff\xe2\x80\xae</style>"

static void html(const char *text, const char *wanted) {
    _cleanup_buf_ struct buf out = {0};
    text_html(text, &out);
    assert_string_equal(buf_text(&out), wanted);
}

static void html_is_text(void **state) {
    (void)state;
    html("a < b && c > \"d'", "a &lt; b &amp;&amp; c &gt; &quot;d&#39;");
    html("one\ntwo\tthree", "one two three");
    html("\x1b[2J\r\x7f", "\\x1b[2J\\x0d\\x7f");
    html("\xff\xe2\x80\xae", "\\xff\\xe2\\x80\\xae");
    html("naïve 🐎", "naïve 🐎");
    html("", "");
    _cleanup_buf_ struct buf out = {0};
    text_html_lines("a\n\tb\x01\n", 6, &out);
    assert_string_equal(buf_text(&out), "a\n\tb\\x01\n");
}

static void json_stays_json_inside_a_script(void **state) {
    (void)state;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    json_open_object(w, NULL);
    json_put_string(w, "x", EVIL);
    json_close_object(w);
    _cleanup_buf_ struct buf out = {0};
    text_script_json(json_writer_text(w, NULL), &out);
    assert_null(strpbrk(buf_text(&out), "<>&"));
    assert_null(strstr(out.data, "\xe2\x80\xae"));
    assert_non_null(strstr(out.data, "\\u202e"));
    _cleanup_json_ struct json *doc = json_parse("t", out.data, out.len, NULL);
    assert_non_null(doc);
    const char *text = NULL;
    assert_int_equal(json_as_string(json_at(doc, 0), &text, NULL), 0);
    assert_non_null(strstr(text, "</script><!--<script>x()</script>\"'&amp;"));
}

static void csv(const char *text, const char *wanted) {
    _cleanup_buf_ struct buf out = {0};
    text_csv(text, &out);
    assert_string_equal(buf_text(&out), wanted);
}

static void csv_is_no_formula(void **state) {
    (void)state;
    csv("plain, text", "\"plain, text\"");
    csv("a \"b\"\nc", "\"a \"\"b\"\"\nc\"");
    csv("=1+1", "\"'=1+1\"");
    csv("@x", "\"'@x\"");
    csv("-1", "\"'-1\"");
    csv("a=1", "a=1");
    csv(NULL, "");
}

static void hashes_are_those_of_csp(void **state) {
    (void)state;
    _cleanup_buf_ struct buf out = {0};
    text_csp_hash("alert('Hello, world.');", 23, &out); /* the example of CSP level 3 */
    assert_string_equal(buf_text(&out), "sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng=");
}

/* ---- whole pages ---- */

static char *set(char **slot, const char *text) {
    free(*slot);
    return *slot = strdup(text);
}

static void fill(struct report *r) {
    struct report_task *t = sample_task(r, EVIL, 1);
    t->title = strdup(EVIL);
    t->from = strdup(EVIL);
    t->to = strdup(EVIL);
    t->unknown = strdup(EVIL);
    struct report_experiment *e = sample_experiment(r, t, EVIL, EVIL, EVIL);
    set(&r->title, EVIL);
    e->label = strdup(EVIL);
    e->reason = strdup(EVIL);
    e->key = strdup(EVIL);
    struct report_version *v = sample_version(e, EVIL, 1);
    v->hypothesis = strdup(EVIL);
    v->rule = strdup(EVIL);
    v->reason = strdup(EVIL);
    v->kind = strdup(EVIL);
    v->summary = strdup(EVIL);
    v->diff = strdup("diff --git a/" EVIL " b/x\n--- " EVIL "\n@@ -1 +1 @@\n-" EVIL "\n+" EVIL);
    sample_score(v, EVIL, 0.5);
    set(&v->score.measurement, EVIL);
    v->score.reason = strdup(EVIL);
    v = sample_version(e, "valid", 1);
    sample_score(v, EVIL, NAN);
    v->score.reason = strdup(EVIL);
}

static size_t count(const char *text, const char *what) {
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)); p++) n++;
    return n;
}

static void write_page(const struct report *r, const struct page_options *options,
                       struct buf *out) {
    _cleanup_groups_ struct groups g = {0};
    _cleanup_error_ struct error err = {0};
    if (groups_make(r, &g, &err) < 0 || page_write(r, &g, options, out, &err) < 0)
        fail_msg("%s", error_text(&err));
}

static void nothing_gets_out_of_its_place(void **state) {
    (void)state;
    _cleanup_report_ struct report r = {0};
    fill(&r);
    assert_int_equal(report_assess(&r, NULL), 0);
    _cleanup_buf_ struct buf page = {0};
    write_page(&r, &(struct page_options){.charts = false}, &page);
    assert_int_equal(count(page.data, "<script"), 0);
    assert_int_equal(count(page.data, "<!--"), 0);
    assert_int_equal(count(page.data, "</style>"), 1);
    for (const char *p = page.data; *p; p++)
        assert_true((unsigned char)*p >= ' ' || strchr("\n\t", *p));
    assert_non_null(strstr(page.data, "&lt;/script&gt;&lt;!--&lt;script&gt;x()&lt;/script&gt;"
                                      "&quot;&#39;&amp;amp;\\x1b[2J\\x01\\xff\\xe2\\x80\\xae"));
    assert_non_null(strstr(page.data, "default-src 'none'"));
    assert_null(strstr(page.data, "script-src"));
}

static char *write_library(const char *text) {
    static char path[] = "/tmp/paddock-d3-XXXXXX";
    strcpy(path + strlen(path) - 6, "XXXXXX");
    _cleanup_close_ int fd = mkstemp(path);
    assert_int_equal(write_all(fd, text, strlen(text)), 0);
    return path;
}

static void charts_bring_three_scripts(void **state) {
    (void)state;
    _cleanup_report_ struct report r = {0};
    fill(&r);
    assert_int_equal(report_assess(&r, NULL), 0);
    const char *library = write_library("// https://d3js.org v7.8.5 x\nvar d3 = {};\n");
    _cleanup_buf_ struct buf page = {0};
    write_page(&r, &(struct page_options){.charts = true, .library = library}, &page);
    unlink(library);
    assert_int_equal(count(page.data, "<script"), 3);
    assert_int_equal(count(page.data, "</script>"), 3);
    assert_int_equal(count(page.data, "<!--"), 0);
    assert_int_equal(count(page.data, "'sha256-"), 3);
    assert_null(strstr(page.data, "unsafe"));
}

static void refused(const char *library, const char *why) {
    _cleanup_report_ struct report r = {0};
    _cleanup_groups_ struct groups g = {0};
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf page = {0};
    const struct page_options options = {.charts = true, .library = library};
    r.title = strdup("t");
    r.created = strdup("t");
    r.paddock = strdup("t");
    assert_int_equal(groups_make(&r, &g, NULL), 0);
    assert_int_equal(page_write(&r, &g, &options, &page, &err), -1);
    if (!strstr(error_text(&err), why)) fail_msg("%s", error_text(&err));
}

static void a_library_must_be_one(void **state) {
    (void)state;
    static const char *const wrong[] = {"",
                                        "var d3;",
                                        "// https://d3js.org v3.5.17\n",
                                        "// https://d3js.org v5\n'</SCRIPT>'",
                                        "// https://d3js.org v5\n<!--",
                                        "// https://d3js.org v5\r\n"};
    refused("/nowhere/d3.min.js", "install the Debian package node-d3");
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        const char *path = write_library(wrong[i]);
        refused(path, "is not the one file of D3");
        unlink(path);
    }
}

static void what_is_not_measured_is_no_number(void **state) {
    (void)state;
    _cleanup_report_ struct report r = {0};
    struct report_experiment *e =
        sample_experiment(&r, sample_task(&r, "t", 1), "m", "none", "flat");
    sample_version(e, "valid", 9);
    assert_int_equal(report_assess(&r, NULL), 0);
    _cleanup_buf_ struct buf page = {0}, text = {0};
    write_page(&r, &(struct page_options){.charts = false}, &page);
    assert_non_null(strstr(page.data, "not measured"));
    assert_null(strstr(page.data, "<b>0.00</b>"));
    assert_null(strstr(page.data, "nan"));
    report_csv(&r, &text);
    assert_non_null(strstr(text.data, ",unmeasured,,,,,v101,,,"));
}

static void the_document_is_json(void **state) {
    (void)state;
    _cleanup_report_ struct report r = {0};
    _cleanup_groups_ struct groups g = {0};
    fill(&r);
    assert_int_equal(report_assess(&r, NULL), 0);
    assert_int_equal(groups_make(&r, &g, NULL), 0);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    report_json(&r, &g, w);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    assert_non_null(text);
    _cleanup_json_ struct json *doc = json_parse("report", text, len, NULL);
    assert_non_null(doc);
    assert_int_equal(json_count(json_find(doc, "experiments")), 1);
    assert_int_equal(json_count(json_find(json_at(json_find(doc, "experiments"), 0), "versions")),
                     3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(html_is_text),
        cmocka_unit_test(json_stays_json_inside_a_script),
        cmocka_unit_test(csv_is_no_formula),
        cmocka_unit_test(hashes_are_those_of_csp),
        cmocka_unit_test(nothing_gets_out_of_its_place),
        cmocka_unit_test(charts_bring_three_scripts),
        cmocka_unit_test(a_library_must_be_one),
        cmocka_unit_test(what_is_not_measured_is_no_number),
        cmocka_unit_test(the_document_is_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
