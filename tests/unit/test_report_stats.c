#include "orchestrator/report/stats.h"

#include "common/cleanup.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define CLOSE(a, b) assert_true(fabs((a) - (b)) < 1e-12)

static struct stats_summary summary(const struct stats_value *values, size_t count) {
    struct stats_summary s;
    assert_int_equal(stats_summarise(values, count, &s, NULL), 0);
    return s;
}

static void a_quarter_is_cut_off_at_either_end(void **state) {
    (void)state;
    const double eight[] = {-100, 2, 3, 4, 5, 6, 7, 1000};
    CLOSE(stats_iqm(eight, 8), 4.5);   /* (3 + 4 + 5 + 6) / 4 */
    CLOSE(stats_iqm(eight, 7), 4);     /* one each: (2 + 3 + 4 + 5 + 6) / 5 */
    CLOSE(stats_iqm(eight + 1, 5), 4); /* one each: (3 + 4 + 5) / 3 */
    CLOSE(stats_iqm(eight, 4), 2.5);   /* (2 + 3) / 2 */
}

static void fewer_than_four_values_are_all_kept(void **state) {
    (void)state;
    const double three[] = {0, 0, 10};
    CLOSE(stats_iqm(three, 3), 10.0 / 3);
    CLOSE(stats_iqm(three + 1, 2), 5);
    CLOSE(stats_iqm(three + 2, 1), 10);
    assert_true(isnan(stats_iqm(three, 0)));
    assert_true(isnan(stats_mean(three, 0)));
}

static void quantiles_stand_between_values(void **state) {
    (void)state;
    const double four[] = {1, 2, 3, 4};
    CLOSE(stats_quantile(four, 4, 0), 1);
    CLOSE(stats_quantile(four, 4, 0.25), 1.75);
    CLOSE(stats_quantile(four, 4, 0.5), 2.5);
    CLOSE(stats_quantile(four, 4, 1), 4);
    CLOSE(stats_quantile(four, 1, 0.3), 1);
    assert_true(isnan(stats_quantile(four, 0, 0.5)));
}

/* The mean of two values drawn from {0, 1} is 0 or 1 with a chance of a quarter each. */
static void two_values_span_the_whole_interval(void **state) {
    (void)state;
    const struct stats_value two[] = {{1, 5}, {0, 5}};
    struct stats_summary s = summary(two, 2);
    CLOSE(s.mean.estimate, 0.5);
    assert_true(s.mean.known && s.iqm.known);
    CLOSE(s.mean.low, 0);
    CLOSE(s.mean.high, 1);
    assert_int_equal(s.strata, 1);
    assert_int_equal(s.lone, 0);
}

/* Of four draws from {0, 0, 0, 1} the number k of ones is Bin(4, 1/4): P(0) = 0.316,
 * P(≥ 3) = 0.051, P(4) = 0.004. So the mean goes from 0 to 3/4; the interquartile
 * mean, 0 for k ≤ 1, 1/2 for k = 2 and 1 above, from 0 to 1. */
static void a_binomial_known_by_hand(void **state) {
    (void)state;
    const struct stats_value four[] = {{0, 0}, {1, 0}, {0, 0}, {0, 0}};
    struct stats_summary s = summary(four, 4);
    CLOSE(s.mean.estimate, 0.25);
    CLOSE(s.mean.low, 0);
    CLOSE(s.mean.high, 0.75);
    CLOSE(s.iqm.estimate, 0);
    CLOSE(s.iqm.low, 0);
    CLOSE(s.iqm.high, 1);
}

/* Tasks that differ but repeat exactly leave nothing to chance: without strata the
 * interval would be wide. */
static void each_stratum_is_drawn_from_itself(void **state) {
    (void)state;
    const struct stats_value v[] = {{0, 1}, {1, 2}, {0, 1}, {1, 2}};
    struct stats_summary s = summary(v, 4);
    assert_true(s.mean.known);
    CLOSE(s.mean.low, 0.5);
    CLOSE(s.mean.high, 0.5);
    CLOSE(s.iqm.low, 0.5);
    assert_int_equal(s.strata, 2);
}

static void without_repeats_there_is_no_interval(void **state) {
    (void)state;
    const struct stats_value lone[] = {{0.1, 1}, {0.7, 2}, {0.4, 3}};
    struct stats_summary s = summary(lone, 3);
    CLOSE(s.mean.estimate, 0.4);
    CLOSE(s.iqm.estimate, 0.4);
    assert_false(s.mean.known || s.iqm.known);
    assert_true(isnan(s.mean.low) && isnan(s.iqm.high));
    assert_int_equal(s.lone, 3);
    s = summary(lone, 0);
    assert_true(isnan(s.mean.estimate) && !s.mean.known);
    assert_int_equal(s.count, 0);
}

static void strata_of_one_are_counted(void **state) {
    (void)state;
    const struct stats_value v[] = {{0.1, 1}, {0.7, 2}, {0.4, 2}};
    struct stats_summary s = summary(v, 3);
    assert_true(s.mean.known);
    assert_int_equal(s.strata, 2);
    assert_int_equal(s.lone, 1);
    CLOSE(s.mean.low, (0.1 + 0.4 + 0.4) / 3);
    CLOSE(s.mean.high, (0.1 + 0.7 + 0.7) / 3);
}

static void the_order_of_values_is_no_matter(void **state) {
    (void)state;
    struct stats_value v[40], w[40];
    for (size_t i = 0; i < 40; i++) {
        v[i] = (struct stats_value){(double)(i * 7 % 11) / 3, i % 5};
        w[39 - i] = v[i];
    }
    struct stats_summary a = summary(v, 40), b = summary(w, 40);
    CLOSE(a.mean.estimate, b.mean.estimate);
    CLOSE(a.mean.low, b.mean.low);
    CLOSE(a.mean.high, b.mean.high);
    CLOSE(a.iqm.low, b.iqm.low);
    CLOSE(a.iqm.high, b.iqm.high);
    assert_true(a.iqm.low < a.iqm.estimate && a.iqm.estimate < a.iqm.high);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quarter_is_cut_off_at_either_end),
        cmocka_unit_test(fewer_than_four_values_are_all_kept),
        cmocka_unit_test(quantiles_stand_between_values),
        cmocka_unit_test(two_values_span_the_whole_interval),
        cmocka_unit_test(a_binomial_known_by_hand),
        cmocka_unit_test(each_stratum_is_drawn_from_itself),
        cmocka_unit_test(without_repeats_there_is_no_interval),
        cmocka_unit_test(strata_of_one_are_counted),
        cmocka_unit_test(the_order_of_values_is_no_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
