#include "orchestrator/judge/fsr.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static void near(double got, double want, double tolerance) {
    if (!(fabs(got - want) <= tolerance)) fail_msg("got %.12g, want %.12g", got, want);
}

static void quantiles_are_those_of_tables(void **state) {
    (void)state;
    static const struct {
        double p, df, t;
    } rows[] = {
        {0.975, 1, 12.7062047362},
        {0.975, 2, 4.30265272975},
        {0.975, 4, 2.7764451052},
        {0.975, 6, 2.44691185114},
        {0.975, 8, 2.30600413503},
        {0.975, 12, 2.17881282967},
        {0.975, 18, 2.10092204024},
        {0.995, 4, 4.60409487143},
        {0.995, 10, 3.16927267261},
        {0.95, 5, 2.01504837267},
        {0.9995, 3, 12.9239786367},
        {0.975, 1e6, 1.95996635682},
        {0.75, 1, 1.0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        near(student_t_quantile(rows[i].p, rows[i].df), rows[i].t, 1e-8 * rows[i].t);
        near(student_t_quantile(1 - rows[i].p, rows[i].df), -rows[i].t, 1e-6 * rows[i].t);
    }
    near(student_t_quantile(0.5, 7), 0, 1e-12);
    assert_true(isnan(student_t_quantile(0, 3)));
    assert_true(isnan(student_t_quantile(1, 3)));
    assert_true(isnan(student_t_quantile(0.9, 0)));
}

/* Two blocks whose arms differ by factors e^±d: the residuals are known.
 * A: 10·(1, 1), B: 8·(e^d, e^−d), C: 9·(e^−d, e^d), d = 0.01. */
static void two_blocks_by_hand(void **state) {
    (void)state;
    const double d = 0.01, u = exp(d), l = exp(-d);
    const double times[] = {10, 8 * u, 9 * l, 10, 8 * l, 9 * u};
    struct fsr_interval i;
    assert_int_equal(fsr_estimate(times, 2, 3, 0.95, &i, NULL), 0);
    /* Block means of the logs are equal, so e = ±d in B and C, 0 in A. */
    double s2 = 4 * d * d / 2, ch = cosh(d);
    double a = 10, b = 8 * ch, c = 9 * ch, q = 4.30265272975;
    near(i.df, 2, 0);
    near(i.cv, sqrt(s2), 1e-12);
    near(i.mean_b, b, 1e-12);
    near(i.estimate, (a - c) / (a - b), 1e-12);
    double va = s2 * a * a / 2, vb = s2 * b * b / 2, vc = s2 * c * c / 2;
    near(i.gap_low, (a - b) - q * sqrt(va + vb), 1e-9);
    near(i.gap_to_noise, (a - b) / sqrt(va + vb), 1e-9);
    double N = a - c, D = a - b;
    double al = D * D - q * q * (va + vb), be = N * D - q * q * va, ga = N * N - q * q * (va + vc);
    assert_true(i.bounded);
    near(i.low, (be - sqrt(be * be - al * ga)) / al, 1e-8);
    near(i.high, (be + sqrt(be * be - al * ga)) / al, 1e-8);
    assert_false(i.trimmed);
}

/* Five blocks, block medians removed: C is the median everywhere, A and B have
 * deviations whose trimmed means and winsorised squares are written out. */
static void five_blocks_by_hand(void **state) {
    (void)state;
    const double da[] = {0.10, 0.11, 0.12, 0.13, 0.90}, db[] = {-0.50, -0.13, -0.12, -0.11, -0.10};
    const double speed[] = {1.0, 1.3, 0.9, 1.1, 1.2}; /* of the machine, block by block */
    double times[15];
    for (int r = 0; r < 5; r++) {
        times[3 * r] = speed[r] * exp(da[r]);
        times[3 * r + 1] = speed[r] * exp(db[4 - r]);
        times[3 * r + 2] = speed[r];
    }
    struct fsr_interval i;
    assert_int_equal(fsr_estimate(times, 5, 3, 0.95, &i, NULL), 0);
    assert_true(i.trimmed);
    /* k = 1, h = 3: trimmed means 0.12, −0.12, 0; winsorised values 0.11 0.11
     * 0.12 0.13 0.13: squares 4·0.01² an arm; centre ln 1.1; df = 3·(3 − 1). */
    near(i.mean_a, 1.1 * exp(0.12), 1e-12);
    near(i.mean_b, 1.1 * exp(-0.12), 1e-12);
    near(i.mean_c, 1.1, 1e-12);
    near(i.df, 6, 0);
    double v = (2 * 4e-4) / (3 * 3 * 2);
    near(i.cv, sqrt(5 * v), 1e-12);
    double va = v * i.mean_a * i.mean_a, vb = v * i.mean_b * i.mean_b;
    near(i.gap_high - i.gap, 2.44691185114 * sqrt(va + vb), 1e-9);
    near(i.estimate, (i.mean_a - i.mean_c) / (i.mean_a - i.mean_b), 1e-12);
}

static void records_score_one_and_nought(void **state) {
    (void)state;
    /* Candidates: a copy of B, a copy of A, and one slower than A. */
    const double row[] = {10, 8, 8, 10, 12};
    double times[6 * 5];
    for (int r = 0; r < 6; r++)
        for (int j = 0; j < 5; j++) times[5 * r + j] = row[j];
    struct fsr_interval i[3];
    for (size_t blocks = 2; blocks <= 6; blocks++) {
        assert_int_equal(fsr_estimate(times, blocks, 5, 0.95, i, NULL), 0);
        const double want[] = {1, 0, -1};
        for (int c = 0; c < 3; c++) {
            assert_true(i[c].bounded);
            near(i[c].estimate, want[c], 1e-9);
            near(i[c].low, want[c], 1e-6);
            near(i[c].high, want[c], 1e-6);
            assert_int_equal(fsr_classify(&i[c]), FSR_SCORED);
        }
    }
}

static void equal_records_have_no_gap(void **state) {
    (void)state;
    double times[15];
    for (int i = 0; i < 15; i++) times[i] = 5;
    struct fsr_interval i;
    assert_int_equal(fsr_estimate(times, 5, 3, 0.95, &i, NULL), 0);
    assert_false(i.bounded);
    assert_int_equal(fsr_classify(&i), FSR_GAP_NONPOSITIVE);
    near(i.gap_to_noise, 0, 0);
    near(fsr_blocks_needed(&i, 0.1), 0, 0);
}

static void scale_does_not_matter(void **state) {
    (void)state;
    const double times[] = {10.1, 8.0, 9.2, 9.8, 8.3, 9.0, 10.0, 8.1, 8.9,
                            10.3, 7.9, 9.1, 9.9, 8.2, 9.3, 10.2, 8.0, 9.0};
    double scaled[18];
    for (int i = 0; i < 18; i++) scaled[i] = times[i] * 3600;
    for (size_t blocks = 2; blocks <= 6; blocks++) {
        struct fsr_interval x, y;
        assert_int_equal(fsr_estimate(times, blocks, 3, 0.95, &x, NULL), 0);
        assert_int_equal(fsr_estimate(scaled, blocks, 3, 0.95, &y, NULL), 0);
        near(y.estimate, x.estimate, 1e-9);
        near(y.low, x.low, 1e-9);
        near(y.high, x.high, 1e-9);
        near(y.gap, 3600 * x.gap, 1e-7);
        near(y.cv, x.cv, 1e-12);
    }
}

/* What slows a whole block down changes nothing. */
static void blocks_do_not_matter(void **state) {
    (void)state;
    const double times[] = {10.1, 8.0,  9.2, 9.8, 8.3, 9.0, 10.0, 8.1,
                            8.9,  10.3, 7.9, 9.1, 9.9, 8.2, 9.3};
    const double factor[] = {1, 1.5, 0.7, 1.1, 2};
    double slowed[15];
    for (int i = 0; i < 15; i++) slowed[i] = times[i] * factor[i / 3];
    struct fsr_interval x, y;
    assert_int_equal(fsr_estimate(times, 5, 3, 0.95, &x, NULL), 0);
    assert_int_equal(fsr_estimate(slowed, 5, 3, 0.95, &y, NULL), 0);
    near(y.estimate, x.estimate, 1e-9);
    near(y.low, x.low, 1e-9);
    assert_int_equal(fsr_estimate(times, 4, 3, 0.95, &x, NULL), 0);
    assert_int_equal(fsr_estimate(slowed, 4, 3, 0.95, &y, NULL), 0);
    near(y.cv, x.cv, 1e-12);
}

static void wrong_input_is_refused(void **state) {
    (void)state;
    double times[] = {10, 8, 9, 10, 8, 9};
    struct fsr_interval i;
    _cleanup_error_ struct error err = {0};
    assert_int_equal(fsr_estimate(times, 1, 3, 0.95, &i, &err), -1);
    assert_int_equal(fsr_estimate(times, 3, 2, 0.95, &i, &err), -1);
    assert_int_equal(fsr_estimate(times, 2, 3, 1, &i, &err), -1);
    const double bad[] = {NAN, INFINITY, 0, -1};
    for (int b = 0; b < 4; b++) {
        times[4] = bad[b];
        assert_int_equal(fsr_estimate(times, 2, 3, 0.95, &i, &err), -1);
        assert_non_null(strstr(error_text(&err), "block 1, arm 1"));
    }
}

static struct fsr_interval made(double estimate, double half, double gap, double gap_half) {
    return (struct fsr_interval){.estimate = estimate,
                                 .low = estimate - half,
                                 .high = estimate + half,
                                 .bounded = gap - gap_half > 0 || gap + gap_half < 0,
                                 .gap = gap,
                                 .gap_low = gap - gap_half,
                                 .gap_high = gap + gap_half,
                                 .gap_to_noise = gap / (gap_half / 2),
                                 .mean_a = 10};
}

static void outcomes_follow_the_thresholds(void **state) {
    (void)state;
    static const struct {
        double estimate, half, gap, gap_half;
        const char *outcome;
    } rows[] = {
        {0.5, 0.0999, 2, 0.1, "scored"},
        {0.5, 0.1001, 2, 0.1, "scored-wide"},
        {0.5, 0.5001, 2, 0.1, "no-resolution"},
        {0.5, 0.05, 2, 1.1, "no-resolution"},       /* gap-to-noise below 4 */
        {0.5, 0.05, 2, 2.5, "no-resolution"},       /* unbounded: zero, or a gap of 4.5 s */
        {-0.5, 0.05, -1, 2.5, "no-resolution"},     /* perhaps negative, perhaps 1.5 s */
        {0.5, 0.05, -1, 0.5, "gap-nonpositive"},    /* certainly negative */
        {0.5, 0.05, 0.01, 0.05, "gap-nonpositive"}, /* certainly below 1 % of 10 s */
        {0.5, 0.05, 0.05, 0.01, "scored"},          /* small, but certainly there */
        {-40, 1, 2, 0.1, "scored"},                 /* relative above 1 */
        {-40, 10, 2, 0.1, "scored-wide"},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct fsr_interval i = made(rows[r].estimate, rows[r].half, rows[r].gap, rows[r].gap_half);
        assert_string_equal(fsr_outcome_name(fsr_classify(&i)), rows[r].outcome);
    }
}

static void needed_blocks_are_enough(void **state) {
    (void)state;
    const double times[] = {10.1, 8.0,  9.2, 9.8, 8.3, 9.0, 10.0, 8.1,
                            8.9,  10.3, 7.9, 9.1, 9.9, 8.2, 9.3};
    struct fsr_interval i;
    assert_int_equal(fsr_estimate(times, 5, 3, 0.95, &i, NULL), 0);
    double wide = fsr_blocks_needed(&i, 0.2), narrow = fsr_blocks_needed(&i, 0.05);
    assert_true(wide >= 2 && wide < narrow);
    /* Half the width needs about four times the blocks. */
    double ratio = fsr_blocks_needed(&i, 0.01) / fsr_blocks_needed(&i, 0.02);
    assert_true(ratio > 3.7 && ratio < 4.3);
    near(fsr_blocks_needed(&i, fsr_half_width(&i) * 1.0001), 5, 0);
    i.gap = -1;
    near(fsr_blocks_needed(&i, 0.1), 0, 0);
}

static void what_is_lacking_is_said(void **state) {
    (void)state;
    /* 10 s, 9.7 s, at 1 %: the gap drowns. */
    struct fsr_interval i = fsr_expect(10, 9.7, 0.01, 0.3, 5);
    assert_int_equal(fsr_classify(&i), FSR_NO_RESOLUTION);
    double needed = fsr_blocks_needed(&i, 0.1);
    assert_true(needed > 50 && needed < 2000);
    char *text = fsr_shortfall(&i, 0.1, 31), want[256];
    snprintf(want, sizeof want,
             "this gap of 0.3 s cannot be resolved on this machine at this budget: it would need "
             "about %.0f blocks (about %.0f min)",
             needed, needed * 31 / 60);
    assert_string_equal(text, want);
    free(text);
    text = fsr_shortfall(&i, 5, 0); /* never less than what a score needs; no time known */
    want[strlen(want) - strlen(strstr(want, " (about"))] = '\0';
    assert_string_equal(text, want);
    free(text);
    i = fsr_expect(10, 8, 0.02, 0.3, 3);
    assert_int_equal(fsr_classify(&i), FSR_SCORED_WIDE);
    text = fsr_shortfall(&i, 0.5, 2);
    assert_non_null(strstr(text, "after 3 blocks; for ±0.1 it would need about "));
    assert_non_null(strstr(text, " s)"));
    free(text);
    i = fsr_expect(10, 9.9999, 0.05, 0.3, 5);
    text = fsr_shortfall(&i, 0.1, 1);
    assert_non_null(strstr(text, "it would need more than 10000 blocks"));
    free(text);
    i = fsr_expect(10, 10.1, 0.05, 0.3, 5);
    text = fsr_shortfall(&i, 0.1, 1);
    assert_non_null(strstr(text, "whether there is a gap cannot be resolved"));
    free(text);
    i = fsr_expect(10, 8, 0.001, 0.3, 5);
    assert_null(fsr_shortfall(&i, 0.1, 1)); /* scored: nothing */
}

/* What is expected of a plan is what fsr_estimate() finds of such times. */
static void expected_intervals_are_those_found(void **state) {
    (void)state;
    const double times[] = {10.1, 8.0,  9.2, 9.8, 8.3, 9.0, 10.0, 8.1,
                            8.9,  10.3, 7.9, 9.1, 9.9, 8.2, 9.3};
    for (size_t blocks = 2; blocks <= 5; blocks++) {
        struct fsr_interval found;
        double means[3], cv, df;
        assert_int_equal(fsr_estimate(times, blocks, 3, 0.95, &found, NULL), 0);
        assert_int_equal(fsr_means(times, blocks, 3, means, &cv, &df, NULL), 0);
        struct fsr_interval e = fsr_expect(means[0], means[1], cv, found.estimate, blocks);
        near(cv, found.cv, 1e-15);
        near(df, found.df, 0);
        near(e.low, found.low, 1e-9);
        near(e.high, found.high, 1e-9);
        near(e.gap_to_noise, found.gap_to_noise, 1e-9);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_those_of_tables),
        cmocka_unit_test(two_blocks_by_hand),
        cmocka_unit_test(five_blocks_by_hand),
        cmocka_unit_test(records_score_one_and_nought),
        cmocka_unit_test(equal_records_have_no_gap),
        cmocka_unit_test(scale_does_not_matter),
        cmocka_unit_test(blocks_do_not_matter),
        cmocka_unit_test(wrong_input_is_refused),
        cmocka_unit_test(outcomes_follow_the_thresholds),
        cmocka_unit_test(needed_blocks_are_enough),
        cmocka_unit_test(what_is_lacking_is_said),
        cmocka_unit_test(expected_intervals_are_those_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
