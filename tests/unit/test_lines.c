/* The clock of lines, fed by hand: what arrives when is the test's choice. */
#include "common/clock.h"
#include "sandbox/lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { OUT, ERR };

static struct lines *matcher(int64_t outside_ms) {
    struct spec_lines spec = {
        .start = (char *)"^go$", .stop = (char *)"loss: [0-9.]+", .outside_ms = outside_ms};
    struct error err = {0};
    struct lines *l = lines_open(&spec, &err);
    assert_non_null(l);
    return l;
}

static void feed(struct lines *l, int stream, const char *text, int64_t now) {
    lines_feed(l, stream, text, strlen(text), now);
}

/* Released at 1000, at its end at 9000. */
static struct result settle(struct lines *l) {
    struct result r = {
        .t_release = 1000, .t_clock_start = 1000, .t_clock_stop = 9000, .wall_ns = 8000};
    lines_settle(l, &r);
    lines_close(l);
    return r;
}

static void expect(struct result r, int64_t start, int64_t stop, int64_t outside, int64_t wall) {
    assert_int_equal(r.t_clock_start, start);
    assert_int_equal(r.t_clock_stop, stop);
    assert_int_equal(r.outside_ns, outside);
    assert_int_equal(r.wall_ns, wall);
}

static void test_window(void **state) {
    (void)state;
    struct lines *l = matcher(1);
    feed(l, OUT, "hello\ngo\n", 3000);
    feed(l, OUT, "step 1\nfinal loss: 2.5\n", 7000);
    feed(l, OUT, "loss: 9\n", 8000);
    expect(settle(l), 3000, 7000, 4000, 4000);
}

static void test_outside_counts(void **state) {
    (void)state;
    struct lines *l = matcher(0);
    feed(l, OUT, "go\n", 3000);
    feed(l, OUT, "loss: 1\n", 7000);
    expect(settle(l), 3000, 7000, 4000, 8000); /* nothing is free */
}

static void test_nothing_came(void **state) {
    (void)state;
    struct lines *l = matcher(1);
    feed(l, OUT, "loss: 1\nno go\ngone\n", 3000); /* the end first is none */
    expect(settle(l), 1000, 9000, 0, 8000);
    l = matcher(1);
    feed(l, OUT, "go", 3000); /* not a line yet */
    expect(settle(l), 1000, 9000, 0, 8000);
}

static void test_both_at_once(void **state) {
    (void)state;
    struct lines *l = matcher(1);
    feed(l, OUT, "go\nloss: 1\n", 7000); /* held back: no time lies between */
    expect(settle(l), 1000, 7000, 2000, 6000);
}

static void test_pieces(void **state) {
    (void)state;
    struct lines *l = matcher(1);
    feed(l, OUT, "g", 2000);
    feed(l, ERR, "loss: 1\n", 2500); /* another stream is another line */
    feed(l, OUT, "o\nlo", 3000);
    feed(l, OUT, "ss: 4", 4000);
    feed(l, OUT, "\n", 5000);
    expect(settle(l), 3000, 5000, 6000, 2000);
}

static void test_long_lines(void **state) {
    (void)state;
    struct lines *l = matcher(1);
    char *line = malloc(2 * LINES_BYTES);
    memset(line, 'x', 2 * LINES_BYTES);
    feed(l, OUT, "go\n", 2000);
    lines_feed(l, OUT, line, 2 * LINES_BYTES, 3000);
    feed(l, OUT, "loss: 1\n", 4000); /* the tail of a line that is too long */
    memcpy(line, "loss: 2 ", 8);
    lines_feed(l, OUT, line, 2 * LINES_BYTES, 5000); /* the head of one is looked at */
    free(line);
    expect(settle(l), 2000, 5000, 5000, 3000);
}

static void test_nul(void **state) {
    (void)state;
    struct lines *l = matcher(1);
    lines_feed(l, OUT, "go\0\n", 4, 2000);
    lines_feed(l, OUT, "go\n", 3, 3000);
    lines_feed(l, OUT, "\0loss: 1\n", 9, 4000);
    expect(settle(l), 3000, 4000, 7000, 1000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window),       cmocka_unit_test(test_outside_counts),
        cmocka_unit_test(test_nothing_came), cmocka_unit_test(test_both_at_once),
        cmocka_unit_test(test_pieces),       cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_nul),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
