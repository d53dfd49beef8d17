/* Durations as logs print them, and what must not pass for one. */
#include "common/amount.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void reads(const char *text, double want) {
    double ms = -1;
    assert_int_equal(amount_ms(text, strlen(text), &ms, NULL), 0);
    assert_true(ms > want - 1e-6 && ms < want + 1e-6);
}

static void refuses(const char *text, size_t len) {
    _cleanup_error_ struct error err = {0};
    double ms = -1;
    assert_int_equal(amount_ms(text, len, &ms, &err), -1);
    assert_true(err.kind == ERROR_INVALID);
    assert_true(ms == -1);
}

static void test_reads_units(void **state) {
    (void)state;
    reads("184262ms", 184262);
    reads("3.07 minutes", 184200);
    reads("12.03m", 721800);
    reads("2.5s", 2500);
    reads("0ms", 0);
    reads("1 hour", 3600000);
}

static void test_refuses_the_rest(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",
        "ms",
        "184262",
        "-7ms",
        "+7ms",
        "nanms",
        "infs",
        "0x10s",
        "1e3s",
        "1.s",
        ".5s",
        "1.2.3s",
        " 1s",
        "1s ",
        "1  s",
        "1,5s",
        "1ms2ms",
        "1 lightyear",
        "1S",
        "367000000000000000ms",
        "9999 hours9",
        "99999999999999999999999999999999999999999s",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) refuses(bad[i], strlen(bad[i]));
    refuses("1s\0x", 4);
}

static void test_stops_at_the_length(void **state) {
    (void)state;
    double ms = -1;
    assert_int_equal(amount_ms("12ms9", 4, &ms, NULL), 0);
    assert_true(ms == 12);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_units),
        cmocka_unit_test(test_refuses_the_rest),
        cmocka_unit_test(test_stops_at_the_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
