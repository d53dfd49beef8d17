/* Bounds: what voids a run, what does not, and whose voids are too many. */
#include "orchestrator/judge/bounds.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/judge/fisher.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define SECONDS(x) ((int64_t)((x)*1e9))

/* Ten seconds of one busy thread on two cpus, on a quiet machine. */
static struct result quiet(void) {
    struct result r = {.cpus = 2,
                       .wall_ns = SECONDS(10),
                       .cpu_user_ns = SECONDS(9.8),
                       .cpu_system_ns = SECONDS(0.1),
                       .steal_ns = 0,
                       .foreign_cpu_ns = SECONDS(0.06),
                       .run_delay_ns = SECONDS(0.004),
                       .pressure_cpu_ns = SECONDS(0.02),
                       .launcher_cpu_ns = SECONDS(0.004),
                       .thermal_throttles = -1,
                       .gauge_cpu_before_ns = 1000000,
                       .gauge_cpu_after_ns = 1020000,
                       .gauge_memory_before_ns = 3000000,
                       .gauge_memory_after_ns = 3300000};
    return r;
}

static struct task_bounds defaults(void) {
    struct task_bounds b;
    task_bounds_default(&b);
    return b;
}

/* `wanted`: how the sentence begins; NULL: within. */
static void expect(const struct result *r, const struct task_bounds *b, const char *wanted) {
    _cleanup_free_ char *crossed = NULL;
    assert_int_equal(bounds_check(r, b, &crossed, NULL), 0);
    bool same = wanted ? crossed && strncmp(crossed, wanted, strlen(wanted)) == 0 : !crossed;
    if (!same) fail_msg("\"%s\", want \"%s\"", crossed ? crossed : "", wanted ? wanted : "");
}

static void a_quiet_run_is_within(void **state) {
    (void)state;
    struct result r = quiet();
    struct task_bounds b = defaults();
    expect(&r, &b, NULL);
}

static void each_witness_has_its_bound(void **state) {
    (void)state;
    struct task_bounds b = defaults();
    struct result r = quiet();
    r.steal_ns = SECONDS(2);
    expect(&r, &b, "steal: the host took 10 % of its cpus' time, at most ");
    r = quiet();
    r.foreign_cpu_ns = SECONDS(5);
    expect(&r, &b, "foreign_cpu: others had 25 % of its cpus' time, at most ");
    r = quiet();
    r.pressure_memory_ns = SECONDS(4);
    expect(&r, &b, "pressure_memory: it waited for memory during 40 % of its time");
    r = quiet();
    r.pressure_io_ns = SECONDS(4);
    expect(&r, &b, NULL);
    b.most[BOUND_PRESSURE_IO] = 0.2;
    expect(&r, &b, "pressure_io: it waited for disks during 40 %");
    r = quiet();
    r.launcher_cpu_ns = SECONDS(1);
    expect(&r, &b, "launcher_cpu: the launcher worked during 10 %");
    r = quiet();
    r.thermal_throttles = 3;
    expect(&r, &b, "thermal_throttles: cpus were slowed down by heat 3 times, at most 0");
    r = quiet();
    r.swap_pages = 100000;
    expect(&r, &b, "swap_pages: the machine swapped 100000 pages");
    r = quiet();
    r.gauge_cpu_after_ns = 2000000;
    expect(&r, &b, "gauge_cpu: the speed of the cpu changed by 100 %");
    r = quiet();
    r.gauge_memory_before_ns = 9000000; /* in either direction */
    expect(&r, &b, "gauge_memory: the speed of the memory changed by 173 %");
}

/* One thread on two cpus that others held up, though they had little of both. */
static void waiting_for_others_counts(void **state) {
    (void)state;
    struct task_bounds b = defaults();
    struct result r = quiet();
    b.most[BOUND_FOREIGN_CPU] = INFINITY;
    r.cpu_user_ns = SECONDS(8.9);
    r.foreign_cpu_ns = r.run_delay_ns = SECONDS(0.9);
    expect(&r, &b, "run_delay: its threads waited for others during 8.6 % of its time");
    r.run_delay_ns = -1;
    r.pressure_cpu_ns = SECONDS(0.9);
    expect(&r, &b, "pressure_cpu: it was short of cpus for others during 8.6 % of its time");
}

/* Eight threads on two cpus wait for each other nearly all the time. */
static void waiting_for_its_own_threads_does_not_count(void **state) {
    (void)state;
    struct task_bounds b = defaults();
    struct result r = quiet();
    r.cpu_user_ns = SECONDS(19.8);
    r.run_delay_ns = SECONDS(58);
    r.pressure_cpu_ns = SECONDS(9.9);
    expect(&r, &b, NULL);
    /* … and others that had a tenth of its cpus cost it a tenth, not six times as much. */
    r.foreign_cpu_ns = SECONDS(2.04);
    assert_true(fabs(bounds_value(BOUND_RUN_DELAY, &r) - 0.1) < 0.002);
    assert_true(fabs(bounds_value(BOUND_PRESSURE_CPU, &r) - 0.1) < 0.002);
}

/* What it does to itself at the edge of its limit voids no run. */
static void reclaim_at_its_own_limit_does_not_count(void **state) {
    (void)state;
    struct task_bounds b = defaults();
    struct result r = quiet();
    struct limit_report limits[] = {{.name = (char *)"wall", .value = 5},
                                    {.name = (char *)"memory", .value = 1000000}};
    r.limits = limits;
    r.limit_count = 2;
    r.pressure_memory_ns = SECONDS(4);
    r.memory_peak_bytes = 950000;
    expect(&r, &b, NULL);
    r.memory_peak_bytes = 500000;
    expect(&r, &b, "pressure_memory: ");
}

/* Two threads on two cpus with two neighbours: each waited half of the time. */
static void a_halved_run_waited_half_of_its_time(void **state) {
    (void)state;
    struct result r = quiet();
    r.cpu_user_ns = r.foreign_cpu_ns = r.run_delay_ns = SECONDS(10);
    assert_true(fabs(bounds_value(BOUND_RUN_DELAY, &r) - 0.5) < 0.01);
}

static void the_grain_lets_short_runs_pass(void **state) {
    (void)state;
    struct task_bounds b = defaults();
    struct result r = quiet();
    r.wall_ns = SECONDS(0.1);
    r.cpu_user_ns = SECONDS(0.1);
    r.foreign_cpu_ns = SECONDS(0.03); /* a tick and a half of each cpu */
    r.pressure_cpu_ns = r.launcher_cpu_ns = SECONDS(0.01);
    expect(&r, &b, NULL);
    r.foreign_cpu_ns = SECONDS(0.09);
    expect(&r, &b, "foreign_cpu: ");
}

static void what_is_not_known_crosses_nothing(void **state) {
    (void)state;
    struct task_bounds b = defaults();
    struct result r = {.cpus = 2, .wall_ns = SECONDS(1), .cpu_user_ns = SECONDS(1)};
    result_know_nothing(&r);
    r.cpus = 2;
    r.steal_ns = r.pressure_memory_ns = r.pressure_io_ns = r.launcher_cpu_ns = -1;
    r.pressure_cpu_ns = SECONDS(1); /* for whom, is not known */
    expect(&r, &b, NULL);
    for (int i = 0; i < BOUND_COUNT; i++) b.most[i] = 0;
    expect(&r, &b, NULL);
    r = quiet();
    r.cpus = -1; /* an old result */
    r.foreign_cpu_ns = SECONDS(9);
    expect(&r, &b, NULL);
}

static void an_open_bound_is_never_crossed(void **state) {
    (void)state;
    struct task_bounds b;
    for (int i = 0; i < BOUND_COUNT; i++) b.most[i] = INFINITY;
    struct result r = quiet();
    r.foreign_cpu_ns = r.steal_ns = SECONDS(20);
    r.swap_pages = INT64_MAX;
    expect(&r, &b, NULL);
}

static void all_that_crossed_are_told(void **state) {
    (void)state;
    struct task_bounds b = defaults();
    struct result r = quiet();
    _cleanup_free_ char *crossed = NULL;
    r.foreign_cpu_ns = SECONDS(5);
    r.gauge_cpu_after_ns = 2000000;
    assert_int_equal(bounds_check(&r, &b, &crossed, NULL), 0);
    assert_non_null(crossed);
    assert_non_null(strstr(crossed, "foreign_cpu: "));
    assert_non_null(strstr(crossed, "; gauge_cpu: "));
}

/* Against values of R's fisher.test(…, alternative = "greater"). */
static void fisher_agrees_with_the_tables(void **state) {
    (void)state;
    static const struct {
        int64_t k, n, l, m;
        double p;
    } known[] = {
        {3, 4, 1, 4, 17.0 / 70}, /* Fisher's tea: 16/70 + 1/70 */
        {4, 4, 0, 4, 1.0 / 70},
        {5, 10, 0, 20, 252.0 / 142506}, /* C(10,5) / C(30,5) */
        {1, 10, 2, 20, 0.7192118226600985},
        {0, 10, 5, 20, 1},
        {0, 0, 0, 5, 1},
        {2, 5, 0, 0, 1},
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        double p = fisher_p(known[i].k, known[i].n, known[i].l, known[i].m);
        if (fabs(p - known[i].p) > 1e-9) fail_msg("%zu: %.12g, want %.12g", i, p, known[i].p);
    }
    assert_true(fisher_p(30, 30, 1, 60) < 1e-20);
    assert_true(fisher_p(1000, 3000, 2000, 6000) > 0.4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_quiet_run_is_within),
        cmocka_unit_test(each_witness_has_its_bound),
        cmocka_unit_test(waiting_for_others_counts),
        cmocka_unit_test(waiting_for_its_own_threads_does_not_count),
        cmocka_unit_test(reclaim_at_its_own_limit_does_not_count),
        cmocka_unit_test(a_halved_run_waited_half_of_its_time),
        cmocka_unit_test(the_grain_lets_short_runs_pass),
        cmocka_unit_test(what_is_not_known_crosses_nothing),
        cmocka_unit_test(an_open_bound_is_never_crossed),
        cmocka_unit_test(all_that_crossed_are_told),
        cmocka_unit_test(fisher_agrees_with_the_tables),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
