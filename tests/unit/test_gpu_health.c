/* Healthy or not, disturbed or not: from readings alone. */
#include "common/cleanup.h"
#include "orchestrator/gpu/gauge.h"
#include "orchestrator/gpu/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static char why[256];

static void nothing_known_is_healthy(void **state) {
    (void)state;
    struct gpu_reading r;
    gpu_reading_init(&r);
    assert_false(health_sick(&r, why, sizeof why));
    assert_false(health_busy(&r, -1, why, sizeof why));
}

static void each_fault_is_named(void **state) {
    (void)state;
    struct gpu_reading r;
    struct {
        int64_t *at, value;
        const char *text;
    } faults[] = {{&r.recovery, 1, "reset the GPU"},
                  {&r.recovery, 77, "an unknown one"},
                  {&r.ecc_uncorrected, 3, "uncorrected memory errors: 3"},
                  {&r.remap_failed, 1, "could not be remapped"},
                  {&r.remap_pending, 1, "wait for a reset"},
                  {&r.retired_pending, 1, "to be retired"}};
    for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
        gpu_reading_init(&r);
        *faults[i].at = faults[i].value;
        assert_true(health_sick(&r, why, sizeof why));
        assert_non_null(strstr(why, faults[i].text));
    }
}

static void a_programs_xid_is_no_hardware_fault(void **state) {
    (void)state;
    struct gpu_reading r;
    gpu_reading_init(&r);
    r.xids[r.xid_count++] = 31;
    assert_false(health_sick(&r, why, sizeof why));
    r.xids[r.xid_count++] = 79;
    assert_true(health_sick(&r, why, sizeof why));
    assert_string_equal(why, "Xid 79");
}

static bool is_seven(const void *context, int64_t pid) {
    (void)context;
    return pid == 7;
}

static void what_disturbs_a_run(void **state) {
    (void)state;
    struct gpu_reading before, now;
    gpu_reading_init(&before);
    now = before;
    now.processes[now.process_count++].pid = 7;
    now.throttle = THROTTLE_POWER_CAP;
    assert_false(health_disturbed(&before, &now, is_seven, NULL, why, sizeof why));
    now.throttle = THROTTLE_HW_THERMAL;
    assert_true(health_disturbed(&before, &now, is_seven, NULL, why, sizeof why));
    assert_non_null(strstr(why, "thermal (hardware)"));
    now.processes[now.process_count++].pid = 8;
    assert_true(health_disturbed(&before, &now, is_seven, NULL, why, sizeof why));
    assert_non_null(strstr(why, "not the run's: 8"));
    before.ecc_uncorrected = 1;
    now.ecc_uncorrected = 3;
    assert_true(health_disturbed(&before, &now, is_seven, NULL, why, sizeof why));
    assert_non_null(strstr(why, "memory errors: 2"));
}

static void memory_that_nobody_has_is_left_over(void **state) {
    (void)state;
    struct gpu_reading r;
    gpu_reading_init(&r);
    r.memory_used = 100 << 20;
    assert_false(health_leftover(&r, 50 << 20, why, sizeof why));
    r.memory_used = 200 << 20;
    assert_true(health_leftover(&r, 50 << 20, why, sizeof why));
    r.memory_reserved = -1;
    assert_false(health_leftover(&r, -1, why, sizeof why)); /* may be the driver's own */
}

static void gauges_are_compared_by_rate(void **state) {
    (void)state;
    static const char text[] =
        "{\"gemm_tflops\": 700, \"copy_gb_s\": 2000, \"sm_mhz\": 1, \"name\": \"x\"}";
    static const char later[] = "{\"gemm_tflops\": 665, \"copy_gb_s\": 2010}";
    struct gpu_gauge a = {0}, b = {0}, none = {0};
    const char *name;
    assert_int_equal(gpu_gauge_read(text, strlen(text), &a, NULL), 0);
    assert_int_equal(a.count, 2);
    assert_int_equal(gpu_gauge_read(later, strlen(later), &b, NULL), 0);
    assert_true(gpu_gauge_change(&a, &b, &name) > 0.049);
    assert_string_equal(name, "gemm_tflops");
    gpu_gauge_change(&a, &none, &name);
    assert_null(name);
    assert_int_equal(gpu_gauge_read("{\"x_per_s\": 0}", 14, &none, NULL), -1);
    assert_int_equal(gpu_gauge_read("[]", 2, &none, NULL), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_known_is_healthy),
        cmocka_unit_test(each_fault_is_named),
        cmocka_unit_test(a_programs_xid_is_no_hardware_fault),
        cmocka_unit_test(what_disturbs_a_run),
        cmocka_unit_test(memory_that_nobody_has_is_left_over),
        cmocka_unit_test(gauges_are_compared_by_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
