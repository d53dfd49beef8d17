/* The record rule: when the mean of an arm's runs surely meets the target. */
#include "orchestrator/judge/record_rule.h"
#include "test_noisy_machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static const struct record_rule at_most = {.has_target = true, .target = 3.28, .p = 0.01};

static void near(double got, double want, double tolerance) {
    if (!(fabs(got - want) <= tolerance)) fail_msg("got %.12g, want %.12g", got, want);
}

/* n = 4 values about `mean` whose standard deviation is `sd`. */
static void four(double mean, double sd, double out[4]) {
    const double unit = sqrt(0.75); /* of ±1, ±1: deviation sqrt(4/3) */
    for (int i = 0; i < 4; i++) out[i] = mean + (i % 2 ? sd : -sd) * unit;
}

/* Quantiles of Student's t for 3 degrees of freedom, as tables have them. */
static void p_is_that_of_tables(void **state) {
    (void)state;
    static const struct {
        double t, p;
    } rows[] = {{0, 0.5},         {1.637744, 0.1},   {2.353363, 0.05}, {3.182446, 0.025},
                {4.540703, 0.01}, {5.840909, 0.005}, {-2.353363, 0.95}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double x[4], sd = 0.002;
        four(3.28 - rows[i].t * sd / 2, sd, x); /* standard error sd / √4 */
        struct record_finding f = record_rule_judge(&at_most, x, 4);
        near(f.p, rows[i].p, 1e-6);
        near(f.mean, 3.28 - rows[i].t * sd / 2, 1e-12);
        assert_int_equal(f.runs, 4);
        if (rows[i].p != at_most.p) assert_int_equal(f.met, rows[i].p < at_most.p);
    }
}

static void the_rule_names_what_is_missing(void **state) {
    (void)state;
    double x[4];
    four(3.279, 0.002, x); /* t = 1: p 0.196 */
    struct record_finding f = record_rule_judge(&at_most, x, 4);
    assert_false(f.met || f.settled);
    assert_string_equal(f.rule, "target-not-significant");
    near(f.p, 0.195501, 1e-6);
    char *why = record_rule_reason(&at_most, &f, "loss", "nats");
    assert_string_equal(why, "mean loss 3.279 nats over 4 runs, target at most 3.28: one-sided p "
                             "0.2, must be below 0.01");
    free(why);
    four(3.281, 0.002, x); /* missed, but more runs might tell otherwise */
    f = record_rule_judge(&at_most, x, 4);
    assert_false(f.met || f.settled);
    assert_string_equal(f.rule, "target-missed");
    four(3.29, 0.002, x); /* missed for certain */
    f = record_rule_judge(&at_most, x, 4);
    assert_true(!f.met && f.settled);
    assert_string_equal(f.rule, "target-missed");
    four(3.27, 0.002, x);
    f = record_rule_judge(&at_most, x, 4);
    assert_true(f.met && f.settled && !f.rule);
}

static void one_run_is_never_significant(void **state) {
    (void)state;
    const double x[] = {1.0};
    struct record_finding f = record_rule_judge(&at_most, x, 1);
    assert_false(f.met || f.settled);
    assert_true(isnan(f.p));
    assert_string_equal(f.rule, "target-not-significant");
    char *why = record_rule_reason(&at_most, &f, "loss", "nats");
    assert_non_null(strstr(why, "over 1 run, target at most 3.28 at p below 0.01: one run"));
    free(why);
    f = record_rule_judge(&at_most, x, 0);
    assert_false(f.met);
}

static void runs_that_do_not_vary_leave_nothing_to_chance(void **state) {
    (void)state;
    double x[] = {0.1, 0.1, 0.1}, y[] = {0.3, 0.3, 0.3};
    const struct record_rule exactly = {.has_target = true, .target = 0.1, .p = 0.01};
    struct record_finding f = record_rule_judge(&exactly, x, 3);
    assert_true(f.met && f.p == 0); /* the target itself, for all that sums round */
    f = record_rule_judge(&exactly, y, 3);
    assert_true(!f.met && f.settled && f.p == 1);
}

static void higher_may_be_better(void **state) {
    (void)state;
    const struct record_rule at_least = {
        .has_target = true, .higher_is_better = true, .target = 0.94, .p = 0.01};
    double x[4];
    four(0.94 + 4.6 * 0.001, 0.002, x);
    struct record_finding f = record_rule_judge(&at_least, x, 4);
    assert_true(f.met && f.p < 0.01 && f.p > 0.009);
    four(0.94 - 4.6 * 0.001, 0.002, x);
    f = record_rule_judge(&at_least, x, 4);
    assert_true(!f.met && f.settled);
    char *why = record_rule_reason(&at_least, &f, "accuracy", "of 1");
    assert_non_null(strstr(why, "target at least 0.94"));
    free(why);
}

static void without_p_the_mean_decides(void **state) {
    (void)state;
    const struct record_rule mean = {.has_target = true, .target = 3.28};
    const double x[] = {3.20, 3.35}, y[] = {3.20, 3.37};
    struct record_finding f = record_rule_judge(&mean, x, 2);
    assert_true(f.met && f.settled);
    f = record_rule_judge(&mean, y, 2);
    assert_true(!f.met && f.settled);
    assert_string_equal(f.rule, "target-missed");
    const struct record_rule nothing = {.has_target = false, .p = 0.01};
    f = record_rule_judge(&nothing, y, 2);
    assert_true(f.met && f.settled);
}

/* A measurement goes on while the rule is unsettled, and looks at 3, 5, 7 and 10
 * blocks: how often does a program pass whose true loss is just the target? */
static void looking_again_lets_few_pass(void **state) {
    (void)state;
    static const size_t looks[] = {3, 5, 7};
    int once = 0, ever = 0, naive = 0;
    random_state = 17;
    for (int run = 0; run < 20000; run++) {
        double x[10];
        bool met = false, any = false;
        for (int i = 0; i < 10; i++) x[i] = 3.28 + 0.0013 * normal();
        for (size_t l = 0; l < sizeof looks / sizeof *looks && !met; l++) {
            struct record_finding f = record_rule_judge(&at_most, x, looks[l]);
            any |= f.met;
            met = f.met && f.settled;
        }
        bool at_last = record_rule_judge(&at_most, x, 10).met;
        once += at_last;
        ever += met || at_last;
        naive += any || at_last;
    }
    print_message("# at the target itself %.2f %% pass at 10 runs, %.2f %% with looks before; "
                  "%.2f %% have p below 0.01 at some look\n",
                  once / 200.0, ever / 200.0, naive / 200.0);
    assert_in_range(once, 140, 260); /* 1 % of 20,000, sd 14 */
    assert_true(ever < 0.015 * 20000);
    assert_true(naive > 0.02 * 20000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(p_is_that_of_tables),
        cmocka_unit_test(the_rule_names_what_is_missing),
        cmocka_unit_test(one_run_is_never_significant),
        cmocka_unit_test(runs_that_do_not_vary_leave_nothing_to_chance),
        cmocka_unit_test(higher_may_be_better),
        cmocka_unit_test(without_p_the_mean_decides),
        cmocka_unit_test(looking_again_lets_few_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
