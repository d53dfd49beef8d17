/* Witnesses: which cpus, what /proc/stat says of them, run delay, the report, the
 * gauge. */
#include "sandbox/witness.h"

#include "common/clock.h"
#include "sandbox/witness_machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static cpu_set_t set_of(const char *list) {
    cpu_set_t all, out;
    memset(&all, 0xff, sizeof all);
    witness_cpus(list, &all, &out);
    return out;
}

static void lists_of_cpus_are_read(void **state) {
    (void)state;
    cpu_set_t s = set_of("0-2,5,7-7");
    assert_int_equal(CPU_COUNT(&s), 5);
    assert_true(CPU_ISSET(0, &s) && CPU_ISSET(2, &s) && CPU_ISSET(5, &s) && CPU_ISSET(7, &s));
    assert_false(CPU_ISSET(3, &s));
    s = set_of(NULL);
    assert_int_equal(CPU_COUNT(&s), CPU_SETSIZE);
    s = set_of("0-99999");
    assert_int_equal(CPU_COUNT(&s), CPU_SETSIZE);
}

static void the_busy_columns_of_its_cpus_are_added(void **state) {
    (void)state;
    static const char stat[] = "cpu  999 999 999 999 999 999 999 999 0 0\n"
                               "cpu0 1 2 4 1000 2000 8 16 32 0 0\n"
                               "cpu1 100 200 400 1 1 800 1600 3200 7 7\n"
                               "cpu10 5 0 0 0 0 0 0 1 0 0\n"
                               "intr 1 2 3\n";
    int64_t busy, steal;
    cpu_set_t s = set_of("0");
    assert_true(witness_machine_stat(stat, &s, &busy, &steal));
    assert_int_equal(busy, 31);
    assert_int_equal(steal, 32);
    s = set_of("1,10");
    assert_true(witness_machine_stat(stat, &s, &busy, &steal));
    assert_int_equal(busy, 3105);
    assert_int_equal(steal, 3201);
    s = set_of("2");
    assert_false(witness_machine_stat(stat, &s, &busy, &steal));
    assert_false(witness_machine_stat("", &s, &busy, &steal));
    s = set_of("0");
    assert_false(witness_machine_stat("cpu0 1 2", &s, &busy, &steal));
}

static void run_delay_outlives_its_threads(void **state) {
    (void)state;
    struct run_delay d = {0};
    assert_int_equal(run_delay_total(&d), -1);
    run_delay_note(&d, 7, 100);
    run_delay_note(&d, 8, 50);
    run_delay_note(&d, 7, 300); /* it only grows */
    assert_int_equal(run_delay_total(&d), 350);
    run_delay_note(&d, 8, 60); /* 7 has gone: what it waited stays */
    assert_int_equal(run_delay_total(&d), 360);
    run_delay_note(&d, 7, 1); /* another thread of that number */
    assert_int_equal(run_delay_total(&d), 361);
    for (int64_t tid = 100; tid < 100 + 2 * RUN_DELAY_THREADS; tid++) run_delay_note(&d, tid, 1);
    assert_int_equal(run_delay_total(&d), 361 + RUN_DELAY_THREADS - 2);
}

static void what_a_run_did_not_do_is_foreign(void **state) {
    (void)state;
    struct witnesses w = {.gauge_before = {-1, -1}, .gauge_after = {-1, -1}};
    struct result r = {.cpu_user_ns = 3 * NS_PER_SEC, .cpu_system_ns = NS_PER_SEC};
    w.cpus = set_of("0-3");
    w.before = (struct witness){
        .busy_ns = 10 * NS_PER_SEC, .thermal_throttles = 4, .swap_pages = -1, .frequency_khz = 5};
    w.after = (struct witness){
        .busy_ns = 15 * NS_PER_SEC, .thermal_throttles = 6, .swap_pages = -1, .frequency_khz = 7};
    memset(&w.after.usage, 0xff, sizeof w.after.usage);
    witness_report(&w, &r);
    assert_int_equal(r.cpus, 4);
    assert_int_equal(r.foreign_cpu_ns, NS_PER_SEC);
    assert_int_equal(r.thermal_throttles, 2);
    assert_int_equal(r.swap_pages, -1);
    assert_int_equal(r.frequency_start_khz, 5);
    assert_int_equal(r.frequency_khz, 7);
    assert_int_equal(r.run_delay_ns, -1);
    assert_int_equal(r.gauge_cpu_before_ns, -1);
    w.after.busy_ns = 13 * NS_PER_SEC; /* the ticks lag behind */
    w.after.usage.waited_ns = 77;      /* a group's own count goes before threads' */
    run_delay_note(&w.delay, 1, 5);
    witness_report(&w, &r);
    assert_int_equal(r.foreign_cpu_ns, 0);
    assert_int_equal(r.run_delay_ns, 77);
    w.after.busy_ns = -1;
    witness_report(&w, &r);
    assert_int_equal(r.foreign_cpu_ns, -1);
}

/* What was before the clock started is nobody's concern. */
static void a_clock_that_starts_later_counts_from_there(void **state) {
    (void)state;
    struct witnesses w = {.cpus = set_of("0")};
    struct result r = {.cpu_user_ns = 9 * NS_PER_SEC};
    w.before = (struct witness){.busy_ns = NS_PER_SEC};
    w.before.usage.cpu_total_ns = 5 * NS_PER_SEC;
    w.before.usage.pressure_cpu_ns = 30;
    w.before.usage.throttled_ns = -1;
    w.before.usage.waited_ns = -1;
    w.after = (struct witness){.busy_ns = 6 * NS_PER_SEC};
    w.after.usage.cpu_total_ns = 9 * NS_PER_SEC;
    w.after.usage.pressure_cpu_ns = 50;
    w.after.usage.throttled_ns = 4;
    w.after.usage.waited_ns = -1;
    run_delay_note(&w.delay, 1, 100);
    w.delay_before_ns = 60;
    witness_report(&w, &r);
    assert_int_equal(r.foreign_cpu_ns, NS_PER_SEC);
    assert_int_equal(r.pressure_cpu_ns, 20);
    assert_int_equal(r.throttled_ns, 4);
    assert_int_equal(r.run_delay_ns, 40);
}

static void the_gauge_reads_and_goes_back(void **state) {
    (void)state;
    cpu_set_t before, after;
    struct gauge g;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    gauge_open(&g);
    struct gauge_reading r = gauge_read(&g, &before);
    assert_true(r.cpu_ns > 0 && r.memory_ns > 0);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    cpu_set_t none;
    CPU_ZERO(&none);
    r = gauge_read(&g, &none);
    assert_int_equal(r.cpu_ns, -1);
    gauge_close(&g);
    r = gauge_read(&g, &before);
    assert_true(r.cpu_ns > 0);
    assert_int_equal(r.memory_ns, -1);
}

static void this_machine_answers(void **state) {
    (void)state;
    cpu_set_t all;
    int64_t busy, steal;
    memset(&all, 0xff, sizeof all);
    witness_machine_cpu(&all, &busy, &steal);
    assert_true(busy > 0 && steal >= 0);
    assert_true(witness_machine_swapped() >= -1);
    assert_true(witness_machine_throttles() >= -1);
    assert_true(witness_machine_frequency() >= -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_of_cpus_are_read),
        cmocka_unit_test(the_busy_columns_of_its_cpus_are_added),
        cmocka_unit_test(run_delay_outlives_its_threads),
        cmocka_unit_test(what_a_run_did_not_do_is_foreign),
        cmocka_unit_test(a_clock_that_starts_later_counts_from_there),
        cmocka_unit_test(the_gauge_reads_and_goes_back),
        cmocka_unit_test(this_machine_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
