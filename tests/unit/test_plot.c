#include "orchestrator/judge/plot.h"
#include "tests/unit/score_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static void draw(const struct sample *p, struct buf *out) {
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf text = {0};
    _cleanup_score_ struct score s = {0};
    if (sample_seal(p, &text, &err) < 0 || score_parse("t", text.data, text.len, &s, &err) < 0 ||
        plot_runs(&s, out, &err) < 0)
        fail_msg("%s", error_text(&err));
}

static size_t count(const struct buf *text, const char *what) {
    size_t n = 0;
    for (const char *p = buf_text(text); (p = strstr(p, what)); p++) n++;
    return n;
}

static void every_run_is_a_mark(void **state) {
    (void)state;
    _cleanup_buf_ struct buf svg = {0};
    draw(&sample_plain, &svg);
    /* Each mark of a run has a title of its own; the picture has one more. */
    assert_int_equal(count(&svg, "<title"), 12 + 1 + 1);
    assert_int_equal(count(&svg, " v\" "), 1); /* the void one */
    assert_int_equal(count(&svg, "class=\"mean "), 3 + 2);
    assert_int_equal(count(&svg, "<desc id=\"d\">"), 1);
    assert_non_null(strstr(svg.data, "12 timed runs count, 1 void"));
    assert_non_null(strstr(svg.data, "95 % interval"));
    assert_non_null(strstr(svg.data, "prefers-color-scheme:dark"));
}

static void no_text_gets_out_of_its_place(void **state) {
    (void)state;
    struct sample p = sample_plain;
    p.reason = "</title><script>alert('x')</script>&\"\x1b[2J";
    _cleanup_buf_ struct buf svg = {0};
    draw(&p, &svg);
    assert_null(strstr(svg.data, "<script"));
    assert_null(strchr(svg.data, '\x1b'));
    assert_non_null(strstr(
        svg.data, "&lt;/title&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;"));
    assert_int_equal(count(&svg, "<"), count(&svg, ">"));
}

static void those_without_an_interval_say_so(void **state) {
    (void)state;
    _cleanup_buf_ struct buf left = {0};
    _cleanup_buf_ struct buf unbounded = {0};
    struct sample p = sample_plain;
    p.left = p.outcome = "crash";
    draw(&p, &left);
    assert_non_null(strstr(left.data, "crash"));
    assert_null(strstr(left.data, "95 % interval"));
    p = (struct sample){.blocks = 3, .loss = 2.2, .noise = 0.4, .outcome = "no-resolution"};
    draw(&p, &unbounded);
    assert_non_null(strstr(unbounded.data, "interval unbounded"));
}

static void scales_are_round(void **state) {
    (void)state;
    assert_true(fabs(plot_step(7.3, 8) - 1) < 1e-12);
    assert_true(fabs(plot_step(0.031, 8) - 0.005) < 1e-12);
    assert_int_equal(plot_digits(0.005), 3);
    assert_int_equal(plot_digits(0.1), 1);
    assert_int_equal(plot_digits(20), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_run_is_a_mark),
        cmocka_unit_test(no_text_gets_out_of_its_place),
        cmocka_unit_test(those_without_an_interval_say_so),
        cmocka_unit_test(scales_are_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
