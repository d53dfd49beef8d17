/* Calibration, noise FSR, boards: what is said about a ladder and who is on it. */
#include "orchestrator/judge/board.h"
#include "orchestrator/judge/calibrate.h"
#include "orchestrator/judge/noise_fsr.h"
#include "test_noisy_machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static void near(double got, double want, double tolerance) {
    if (!(fabs(got - want) <= tolerance)) fail_msg("got %.12g, want %.12g", got, want);
}

static void noise_fsr_is_the_luck_of_the_best(void **state) {
    (void)state;
    /* The expected largest of 20 normal deviates is 1.8675 (tables of normal
     * order statistics); of one it is 0. */
    near(noise_fsr_formula(0.005, 0.06, 20), 0.005 * 1.8675 / 0.06, 2e-4);
    near(noise_fsr_formula(0.005, 0.06, 5), 0.005 * 1.1630 / 0.06, 2e-3);
    near(noise_fsr_formula(0.005, 0.06, 1), 0, 1e-9);
    /* Heavy tails bring the best of few nearer and that of many further. */
    near(noise_fsr_simulated(0.005, 0.06, 20), 0.15, 0.02);
    near(noise_fsr_simulated(0.005, 0.06, 1), 0, 0.01);
    near(noise_fsr_simulated(0, 0.06, 20), 0, 1e-9);
    assert_true(noise_fsr_simulated(0.005, 0.06, 20) == noise_fsr_simulated(0.005, 0.06, 20));
    static const double wrong[][2] = {{0.01, 0}, {0.01, -0.1}, {-1, 0.1}, {NAN, 0.1}, {0.1, NAN}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_true(isnan(noise_fsr_formula(wrong[i][0], wrong[i][1], 20)));
        assert_true(isnan(noise_fsr_simulated(wrong[i][0], wrong[i][1], 20)));
    }
    assert_true(isnan(noise_fsr_formula(0.01, 0.1, 0)));
}

/* Blocks of records of these times, each run off by a normal share. */
static void ladder(const double *base, size_t arms, size_t blocks, double cv, double *times) {
    random_state = 19;
    for (size_t i = 0; i < arms * blocks; i++) times[i] = base[i % arms] * (1 + cv * normal());
}

static void a_step_is_as_good_as_its_gap(void **state) {
    (void)state;
    /* 20 %, 1 % and nothing at all, at a variation of half a per cent. */
    const double base[] = {10, 8, 7.92, 7.92};
    const size_t records[] = {0, 1, 2, 3};
    double times[4 * 200];
    struct calibration c;
    struct calibrated_record r[4];
    ladder(base, 4, 200, 0.005, times);
    assert_int_equal(calibrate_records(times, 200, 4, records, 10, &c, r, NULL), 0);
    near(c.cv, 0.005, 0.0005);
    near(c.cv_single, 0.005, 0.0005);
    near(r[0].mean, 10, 0.01);
    near(r[0].gap, 2, 0.02);
    assert_true(r[0].has_step && r[1].has_step && r[2].has_step && !r[3].has_step);
    assert_int_equal(r[0].best, FSR_SCORED);
    assert_true(r[0].blocks_needed >= 2 && r[0].blocks_needed <= 4);
    near(r[0].noise_fsr, 0.005 * 1.8675 / 0.2, 0.005);
    near(r[0].gap_to_noise, 2 / (0.005 * sqrt((100 + 64) / 200.0)), 30);
    assert_int_equal(r[1].best, FSR_NO_RESOLUTION); /* needs far more than 10 */
    assert_true(r[1].blocks_needed > 100);
    assert_true(r[1].noise_fsr > 0.8 && r[1].noise_fsr_simulated > 0.5);
    assert_int_equal(r[2].best, FSR_GAP_NONPOSITIVE);
    /* The same step, were it allowed more. */
    assert_int_equal(calibrate_records(times, 200, 4, records, 2000, &c, r, NULL), 0);
    assert_int_equal(r[1].best, FSR_SCORED);
}

static void a_record_that_is_missing_has_no_steps(void **state) {
    (void)state;
    const double base[] = {10, 8};
    const size_t records[] = {0, 2};
    double times[2 * 6];
    struct calibration c;
    struct calibrated_record r[2];
    ladder(base, 2, 6, 0.005, times);
    assert_int_equal(calibrate_records(times, 6, 2, records, 10, &c, r, NULL), 0);
    assert_false(r[0].has_step || r[1].has_step);
    assert_int_equal(calibrate_records(times, 1, 2, records, 10, &c, r, NULL), -1);
    assert_int_equal(calibrate_records(times, 6, 1, records, 10, &c, r, NULL), -1);
}

/* Of two arms the block's median is their mean: half of the noise would go. */
static void two_records_keep_their_noise(void **state) {
    (void)state;
    const double base[] = {10, 8};
    const size_t records[] = {0, 1};
    static double times[2 * 1000];
    struct calibration c;
    struct calibrated_record r[2];
    ladder(base, 2, 1000, 0.01, times);
    assert_int_equal(calibrate_records(times, 1000, 2, records, 10, &c, r, NULL), 0);
    near(c.cv, 0.01, 0.001); /* trimmed means are a little less sharp */
    near(c.df, 599, 0);      /* a fifth of the blocks is trimmed at either end */
    near(r[0].step_cv, c.cv, 1e-12);
    assert_int_equal(calibrate_records(times, 4, 2, records, 10, &c, r, NULL), 0);
    near(c.df, 3, 0);
}

/* Means over many small calibrations, plain and trimmed, of a short record that
 * varies more than the long ones: a step is judged by its own two. */
static void a_step_has_its_own_noise(void **state) {
    (void)state;
    static const size_t blocks[] = {4, 5, 10};
    const double base[] = {10, 8, 1};
    const size_t records[] = {0, 1, 2};
    for (int b = 0; b < 3; b++) {
        double first = 0, second = 0;
        random_state = 23;
        for (int run = 0; run < 500; run++) {
            double times[3 * 10];
            struct calibration c;
            struct calibrated_record r[3];
            for (size_t i = 0; i < 3 * blocks[b]; i++)
                times[i] = base[i % 3] * (1 + (i % 3 == 2 ? 0.02 : 0.002) * normal());
            assert_int_equal(calibrate_records(times, blocks[b], 3, records, 10, &c, r, NULL), 0);
            first += r[0].step_cv * r[0].step_cv / 500;
            second += r[1].step_cv * r[1].step_cv / 500;
        }
        near(sqrt(first), 0.002, 0.0003);
        near(sqrt(second), 0.0142, 0.002); /* of one run of the two, pooled */
    }
}

/* What the machine does slowly is in cv_single, not in cv. */
static void drift_is_told_apart(void **state) {
    (void)state;
    const double base[] = {10, 8, 6};
    const size_t records[] = {0, 1, 2};
    double times[3 * 20];
    struct calibration c;
    struct calibrated_record r[3];
    ladder(base, 3, 20, 0.001, times);
    for (int i = 0; i < 3 * 20; i++) times[i] *= 1 + 0.01 * (i / 3);
    assert_int_equal(calibrate_records(times, 20, 3, records, 10, &c, r, NULL), 0);
    assert_true(c.cv < 0.002 && c.cv_single > 0.04);
}

static void boards_go_by_the_lower_end(void **state) {
    (void)state;
    struct board_entry e[] = {
        {.low = 0.2, .high = 0.3, .id = 1}, /* certainly below 4 */
        {.low = 0.4, .high = 2.0, .id = 2}, /* may be as good as the best */
        {.low = 0.9, .high = 1.1, .id = 3}, /* the best for certain */
        {.low = 0.5, .high = 0.6, .id = 4}, /* below 3 for certain */
        {.low = 0.2, .high = 0.3, .id = 5}, /* as 1, but later */
    };
    for (size_t i = 0; i < 5; i++) e[i].index = i;
    board_rank(e, 5);
    static const struct {
        int64_t id;
        size_t rank;
        bool tied;
    } want[] = {{3, 1, false}, {4, 2, true}, {2, 2, true}, {1, 4, true}, {5, 4, true}};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(e[i].id, want[i].id);
        assert_int_equal(e[i].rank, want[i].rank);
        assert_int_equal(e[i].tied, want[i].tied);
    }
    board_rank(e, 1);
    assert_false(e[0].tied);
    board_rank(NULL, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_fsr_is_the_luck_of_the_best),
        cmocka_unit_test(a_step_is_as_good_as_its_gap),
        cmocka_unit_test(a_record_that_is_missing_has_no_steps),
        cmocka_unit_test(two_records_keep_their_noise),
        cmocka_unit_test(a_step_has_its_own_noise),
        cmocka_unit_test(drift_is_told_apart),
        cmocka_unit_test(boards_go_by_the_lower_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
