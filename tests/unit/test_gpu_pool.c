/* The pool on a library that stands in for NVIDIA's (tests/gpu/nvml_stub.c). */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/gpu/nvml.h"
#include "orchestrator/gpu/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static char dir[64], scenario[96];
static const struct gpu_choice all = {.all = true};

static void say(const char *text) {
    assert_int_equal(file_write_atomic(scenario, text, strlen(text), 0600, NULL), 0);
}

static int setup(void **state) {
    (void)state;
    strcpy(dir, "/tmp/test_gpu_pool.XXXXXX");
    if (!mkdtemp(dir)) return -1;
    snprintf(scenario, sizeof scenario, "%s/scenario", dir);
    setenv("PADDOCK_LIVE", dir, 1);
    setenv("PADDOCK_NVML", STUBS "/nvml_stub_whole.so", 1);
    setenv("PADDOCK_NVML_SCENARIO", scenario, 1);
    say("devices 2\n");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    return tree_remove(dir, NULL);
}

static struct gpu_pool *open_pool(void) {
    struct gpu_pool *p = gpu_pool_new(NULL);
    assert_non_null(p);
    return p;
}

static enum gpu_state state_at(struct gpu_pool *p, size_t i, const char *detail) {
    _cleanup_gpu_list_ struct gpu_list list = {0};
    assert_int_equal(gpu_pool_list(p, &list, NULL), 0);
    assert_true(i < list.count);
    if (!strstr(list.items[i].detail, detail))
        fail_msg("no \"%s\" in \"%s\"", detail, list.items[i].detail);
    return list.items[i].state;
}

static void a_machine_without_a_driver_says_so(void **state) {
    (void)state;
    static const char *const libraries[] = {"/nowhere.so", STUBS "/nvml_stub_broken.so",
                                            STUBS "/nvml_stub_whole.so"};
    say("devices 2\nfail 9\n");
    for (size_t i = 0; i < ARRAY_SIZE(libraries); i++) {
        _cleanup_gpu_list_ struct gpu_list list = {0};
        _cleanup_error_ struct error err = {0};
        setenv("PADDOCK_NVML", libraries[i], 1);
        struct gpu_pool *p = open_pool();
        assert_int_equal(gpu_pool_list(p, &list, NULL), 0);
        assert_int_equal(list.count, 0);
        assert_non_null(strstr(list.absent, "NVML: "));
        assert_int_equal(gpu_pool_check(p, &all, 2, &err), -1);
        assert_non_null(
            strstr(error_text(&err), "task needs 2 GPUs, this machine has 0 healthy: NVML"));
        gpu_pool_free(p);
    }
}

static void what_is_missing_is_not_known(void **state) {
    (void)state;
    static const char *const kinds[] = {STUBS "/nvml_stub_whole.so", STUBS "/nvml_stub_old.so",
                                        STUBS "/nvml_stub_bare.so"};
    say("devices 1\nprocess 0 5\nmps 0 6\ngraphics 0 5\n");
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        setenv("PADDOCK_NVML", kinds[i], 1);
        _cleanup_gpu_readings_ struct gpu_readings r = {0};
        struct nvml *n = nvml_open(NULL);
        assert_non_null(n);
        assert_int_equal(nvml_read(n, &r, NULL), 0);
        assert_int_equal(r.count, 1);
        assert_string_equal(r.items[0].uuid, "GPU-00000000-0000-0000-0000-000000000000");
        assert_int_equal(r.items[0].process_count, i == 2 ? 0 : 2);
        assert_int_equal(r.items[0].memory_reserved, i == 0 ? 500 << 20 : -1);
        assert_int_equal(r.items[0].recovery, i == 0 ? 0 : -1);
        nvml_close(n);
    }
}

static void gpus_are_lent_to_one_alone(void **state) {
    (void)state;
    _cleanup_strv_ char **first = NULL, **second = NULL, **third = NULL;
    _cleanup_error_ struct error err = {0};
    struct gpu_pool *p = open_pool();
    assert_int_equal(gpu_pool_take(p, &all, 1, "v1-train", &first, NULL), 0);
    assert_int_equal(gpu_pool_take(p, &all, 1, "v2-train", &second, NULL), 0);
    assert_string_not_equal(first[0], second[0]);
    assert_null(first[1]);
    assert_int_equal(state_at(p, 0, "run v1-train"), GPU_LENT);
    assert_int_equal(gpu_pool_take(p, &all, 1, "v3-train", &third, &err), -1);
    assert_int_equal(err.kind, ERROR_BUSY);
    gpu_pool_give(p, "v1-train", true);
    assert_int_equal(gpu_pool_take(p, &all, 1, "v3-train", &third, NULL), 0);
    assert_string_equal(third[0], first[0]);
    gpu_pool_free(p);
}

static void a_lane_has_its_own(void **state) {
    (void)state;
    char *names[] = {(char *)"1", NULL};
    const struct gpu_choice one = {.names = names}, none = {0};
    _cleanup_strv_ char **lent = NULL;
    _cleanup_error_ struct error err = {0};
    struct gpu_pool *p = open_pool();
    assert_int_equal(gpu_pool_take(p, &one, 1, "v1-train", &lent, NULL), 0);
    assert_string_equal(lent[0], "GPU-00000000-0000-0000-0000-000000000001");
    assert_int_equal(gpu_pool_check(p, &one, 2, &err), -1);
    assert_int_equal(gpu_pool_check(p, &none, 1, NULL), -1);
    gpu_pool_free(p);
}

static void somebody_elses_gpu_is_passed_over(void **state) {
    (void)state;
    _cleanup_strv_ char **lent = NULL;
    say("devices 2\nprocess 0 1\n");
    struct gpu_pool *p = open_pool();
    assert_int_equal(state_at(p, 0, "process 1"), GPU_BUSY);
    assert_int_equal(gpu_pool_take(p, &all, 1, "v1-train", &lent, NULL), 0);
    assert_string_equal(lent[0], "GPU-00000000-0000-0000-0000-000000000001");
    gpu_pool_free(p);
}

static void a_foreign_process_is_held_against_the_run(void **state) {
    (void)state;
    _cleanup_strv_ char **lent = NULL;
    char own[64];
    struct gpu_pool *p = open_pool();
    assert_int_equal(gpu_pool_take(p, &all, 1, "v1-train", &lent, NULL), 0);
    snprintf(own, sizeof own, "devices 2\nprocess 0 %d\n", (int)getpid());
    gpu_pool_follow(p, "v1-train", getpid());
    say(own);
    gpu_pool_look(p);
    assert_null(gpu_pool_fault(p, "v1-train"));
    say("devices 2\nprocess 0 1\n");
    gpu_pool_look(p);
    say("devices 2\n");
    _cleanup_free_ char *fault = gpu_pool_fault(p, "v1-train");
    assert_non_null(fault);
    assert_non_null(strstr(fault, "not the run's: 1"));
    gpu_pool_give(p, "v1-train", true);
    assert_int_equal(state_at(p, 0, ""), GPU_FREE);
    gpu_pool_free(p);
}

/* Also when it is not the run that looks: an event is told but once. */
static void a_hardware_xid_takes_a_gpu_out(void **state) {
    (void)state;
    _cleanup_strv_ char **lent = NULL, **next = NULL;
    _cleanup_error_ struct error err = {0};
    struct gpu_pool *p = open_pool();
    assert_int_equal(gpu_pool_take(p, &all, 1, "v1-train", &lent, NULL), 0);
    say("devices 2\nxid 0 79 1\n");
    assert_int_equal(state_at(p, 0, "Xid 79"), GPU_SICK);
    _cleanup_free_ char *fault = gpu_pool_fault(p, "v1-train");
    assert_non_null(fault);
    gpu_pool_give(p, "v1-train", true);
    assert_int_equal(gpu_pool_take(p, &all, 1, "v2-train", &next, NULL), 0);
    assert_string_not_equal(next[0], lent[0]);
    assert_int_equal(gpu_pool_check(p, &all, 2, &err), -1);
    assert_non_null(strstr(error_text(&err), "has 1 healthy: GPU 0 is sick (Xid 79)"));
    gpu_pool_free(p);
    /* Another daemon finds it out of the pool, until a person says otherwise. */
    p = open_pool();
    assert_int_equal(state_at(p, 0, "Xid 79"), GPU_SICK);
    say("devices 2\nxid 0 79 1\nremap_failed 0 1\n");
    assert_int_equal(gpu_pool_quarantine(p, "0", NULL, NULL), -1);
    say("devices 2\nxid 0 79 1\n");
    assert_int_equal(gpu_pool_quarantine(p, "0", NULL, NULL), 0);
    assert_int_equal(state_at(p, 0, ""), GPU_FREE);
    assert_int_equal(gpu_pool_quarantine(p, "7", NULL, NULL), -1);
    gpu_pool_free(p);
}

static void what_is_left_behind_takes_a_gpu_out(void **state) {
    (void)state;
    _cleanup_strv_ char **lent = NULL;
    struct gpu_pool *p = open_pool();
    assert_int_equal(gpu_pool_take(p, &all, 1, "v1-train", &lent, NULL), 0);
    say("devices 2\nmemory 0 900\n");
    gpu_pool_give(p, "v1-train", true);
    assert_int_equal(state_at(p, 0, "not empty after run v1-train: 900 MiB"), GPU_SICK);
    gpu_pool_free(p);
}

static void a_lost_gpu_is_told(void **state) {
    (void)state;
    say("devices 2\nlost 1 15\n");
    struct gpu_pool *p = open_pool();
    assert_int_equal(state_at(p, 1, "GPU is lost (15)"), GPU_SICK);
    gpu_pool_free(p);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_machine_without_a_driver_says_so),
        TEST(what_is_missing_is_not_known),
        TEST(gpus_are_lent_to_one_alone),
        TEST(a_lane_has_its_own),
        TEST(somebody_elses_gpu_is_passed_over),
        TEST(a_foreign_process_is_held_against_the_run),
        TEST(a_hardware_xid_takes_a_gpu_out),
        TEST(what_is_left_behind_takes_a_gpu_out),
        TEST(a_lost_gpu_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
