/* When servers say to come back, and how long we wait. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/model/hints.h"
#include "orchestrator/model/retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

#define NOW (1769862896 * NS_PER_SEC) /* 2026-01-31T12:34:56Z */
#define S   NS_PER_SEC

static void every_form_of_a_time_is_read(void **state) {
    (void)state;
    assert_int_equal(hint_parse("34", NOW), 34 * S);
    assert_int_equal(hint_parse("0.5", NOW), S / 2);
    assert_int_equal(hint_parse("34s", NOW), 34 * S);
    assert_int_equal(hint_parse("12ms", NOW), 12 * NS_PER_MS);
    assert_int_equal(hint_parse("1m30s", NOW), 90 * S);
    assert_int_equal(hint_parse("1h2m3.5s", NOW), 3723 * S + S / 2);
    assert_int_equal(hint_parse("Sat, 31 Jan 2026 12:35:06 GMT", NOW), 10 * S);
    assert_int_equal(hint_parse("2026-01-31T12:35:06Z", NOW), 10 * S);
    assert_int_equal(hint_parse("2026-01-31T14:35:06+02:00", NOW), 10 * S);
    assert_int_equal(hint_parse("2026-01-31T12:35:06.500Z", NOW) / NS_PER_MS, 10500);
    assert_int_equal(hint_parse("1769862906", NOW), 10 * S);
    assert_int_equal(hint_parse("1769862906000", NOW), 10 * S);
}

static void what_is_no_time_is_no_hint(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "soon",
                                      "-1",
                                      "0",
                                      "12 parsecs",
                                      "1m30",
                                      "inf",
                                      "nan",
                                      "1e300",
                                      "5x",
                                      "Sat",
                                      "1s2",
                                      "99999999999999999999",
                                      "2026-01-31",
                                      "2026-01-31T12:34:56",
                                      "Sat, 31 Jan 2026 12:34:46 GMT" /* over */,
                                      "2026-01-31T12:34:46Z"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) assert_int_equal(hint_parse(bad[i], NOW), 0);
}

static int64_t wait_of(const char *const *lines) {
    struct hints h = {0};
    for (; *lines; lines++) hints_header(&h, *lines, strlen(*lines), NOW);
    return hints_wait(&h);
}
#define WAIT(...) wait_of((const char *const[]){__VA_ARGS__, NULL})

static void retry_after_comes_first(void **state) {
    (void)state;
    assert_int_equal(WAIT("X: y"), 0);
    assert_int_equal(WAIT("Retry-After: 7\r\n", "x-ratelimit-reset-tokens: 1s\r\n"), 7 * S);
    assert_int_equal(WAIT("retry-after-ms: 250", "retry-after: 1"), S / 4);
    assert_int_equal(WAIT("retry-after: 1", "retry-after-ms: 250"), S / 4);
    assert_int_equal(WAIT("retry-after: never", "x-ratelimit-reset-tokens: 1s"), S);
}

static void the_limit_that_is_spent_counts(void **state) {
    (void)state;
    assert_int_equal(WAIT("x-ratelimit-remaining-requests: 12", "x-ratelimit-reset-requests: 24h",
                          "x-ratelimit-remaining-tokens: 0", "x-ratelimit-reset-tokens: 6s"),
                     6 * S);
    assert_int_equal(WAIT("anthropic-ratelimit-tokens-reset: 2026-01-31T12:35:06Z",
                          "anthropic-ratelimit-tokens-remaining: 0",
                          "anthropic-ratelimit-requests-reset: 2026-01-31T12:34:57Z",
                          "anthropic-ratelimit-requests-remaining: 9"),
                     10 * S);
    /* None is at nothing: the first that comes back may be enough. */
    assert_int_equal(WAIT("x-ratelimit-reset-requests: 24h", "x-ratelimit-reset-tokens: 6s"),
                     6 * S);
    /* Azure. */
    assert_int_equal(WAIT("x-ratelimit-reset-tokens: -1", "x-ratelimit-reset-requests: 0"), 0);
    assert_int_equal(WAIT("ratelimit-reset: 3"), 3 * S);
}

static void headers_are_bounded(void **state) {
    (void)state;
    struct hints h = {0};
    for (int i = 0; i < 50; i++) {
        _cleanup_free_ char *line = str_printf("x-ratelimit-reset-limit%d: 5s", i);
        hints_header(&h, line, strlen(line), NOW);
    }
    assert_in_range(h.count, 1, HINT_LIMITS);
    char value[1000];
    memset(value, '9', sizeof value);
    memcpy(value, "Retry-After: ", 13);
    hints_header(&h, value, sizeof value, NOW);
    assert_int_equal(h.retry_after_ns, 0);
}

static void pauses_double_up_to_the_longest(void **state) {
    (void)state;
    struct retry r = {.first_ns = S, .longest_ns = 10 * S, .state = 1};
    for (int attempt = 0; attempt < 40; attempt++) {
        int64_t full = attempt < 4 ? S << attempt : 10 * S;
        int64_t pause = retry_pause(&r, attempt, 0);
        assert_in_range(pause, full / 2, full);
    }
}

static void a_hint_is_never_cut_short(void **state) {
    (void)state;
    struct retry r = {.first_ns = S, .longest_ns = 10 * S, .state = 1};
    for (int i = 0; i < 20; i++) assert_in_range(retry_pause(&r, i, 5 * S), 5 * S, 5 * S + S / 2);
    assert_int_equal(retry_pause(&r, 0, 11 * S), -1);
}

static void jitter_follows_its_seed(void **state) {
    (void)state;
    struct retry a = {.first_ns = S, .longest_ns = S, .state = 7}, b = a, c = a;
    c.state = 8;
    int64_t first = retry_pause(&a, 0, 0);
    assert_int_equal(first, retry_pause(&b, 0, 0));
    assert_int_not_equal(first, retry_pause(&c, 0, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_form_of_a_time_is_read),
        cmocka_unit_test(what_is_no_time_is_no_hint),
        cmocka_unit_test(retry_after_comes_first),
        cmocka_unit_test(the_limit_that_is_spent_counts),
        cmocka_unit_test(headers_are_bounded),
        cmocka_unit_test(pauses_double_up_to_the_longest),
        cmocka_unit_test(a_hint_is_never_cut_short),
        cmocka_unit_test(jitter_follows_its_seed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
