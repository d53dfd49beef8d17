/* What the GPU driver and the loader wrote, well and badly. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/gpu.h"
#include "sandbox/gpu_lease.h"
#include "sandbox/ldcache.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define UUID "GPU-00000001-aaaa-bbbb-cccc-dddddddddddd"

static void versions(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\nGCC",
         "535.104.05"},
        {"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release",
         "570.86.15"},
        {"NVRM version: NVIDIA UNIX x86_64 Kernel Module  470.1\n", "470.1"},
        {"NVRM version: NVIDIA UNIX x86_64 Kernel Module\n570.86.15", NULL},
        {"NVRM version: 570..15 1.2.3.4.5 570. .5 570/86.15", NULL},
        {"version: 570.86.15", NULL},
        {"", NULL}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char driver[GPU_DRIVER_SIZE] = "";
        _cleanup_error_ struct error err = {0};
        int r = gpu_parse_version("/x/version", cases[i][0], driver, &err);
        assert_int_equal(r, cases[i][1] ? 0 : -1);
        if (cases[i][1]) assert_string_equal(driver, cases[i][1]);
        else assert_true(str_starts(error_text(&err), "/x/version: "));
    }
}

static const char whole[] =
    "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 88\nGPU UUID: \t " UUID
    "\nBus Location: \t 0000:C7:00.0\nDevice Minor: \t 11\nGPU Excluded:\t No\n";

static void information(void **state) {
    (void)state;
    struct gpu g;
    assert_int_equal(gpu_parse_information("x", whole, &g, NULL), 0);
    assert_string_equal(g.model, "NVIDIA H100 80GB HBM3");
    assert_string_equal(g.uuid, UUID);
    assert_string_equal(g.pci, "0000:c7:00.0");
    assert_int_equal(g.minor, 11);
    assert_false(g.excluded);
}

/* One line of it in another form. */
static void bad_information(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"Minor: \t 11", "Minor: \t 248"},
                                           {"Minor: \t 11", "Minor: \t -1"},
                                           {"Minor: \t 11", "Minor: \t 1x"},
                                           {"Minor: \t 11", "Minor: \t 99999999999"},
                                           {"0000:C7:00.0", "0000:C7:00"},
                                           {"0000:C7:00.0", "../../etc/pa"},
                                           {UUID, "GPU-../../x"},
                                           {UUID, "GPU-"},
                                           {"Excluded:\t No", "Excluded:\t Perhaps"},
                                           {"NVIDIA H100", "NVIDIA\x1b[2J"},
                                           {"Model:", "Modell:"},
                                           {"IRQ:   \t\t 88", "Device Minor: 3"}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct gpu g;
        _cleanup_error_ struct error err = {0};
        const char *at = strstr(whole, cases[i][0]);
        assert_non_null(at);
        _cleanup_free_ char *text =
            str_printf("%.*s%s%s", (int)(at - whole), whole, cases[i][1], at + strlen(cases[i][0]));
        if (gpu_parse_information("/x/information", text, &g, &err) == 0)
            fail_msg("%s", cases[i][1]);
        assert_true(str_starts(error_text(&err), "/x/information: "));
    }
}

static void a_gpu_not_started_has_no_uuid(void **state) {
    (void)state;
    struct gpu g;
    _cleanup_free_ char *text = strdup(whole);
    char *at = strstr(text, UUID) + 4;
    for (; *at && *at != '\n'; at++)
        if (*at != '-') *at = '?';
    assert_int_equal(gpu_parse_information("x", text, &g, NULL), 0);
    assert_string_equal(g.uuid, "");
}

static void majors(void **state) {
    (void)state;
    struct gpu_inventory i = {0};
    assert_int_equal(
        gpu_parse_devices("x",
                          "Character devices:\n  1 mem\n234 nvidia-caps\n511 nvidia-uvm\n"
                          "\nBlock devices:\n 99 nvidia\n",
                          &i, NULL),
        0);
    assert_int_equal(i.major, 195);
    assert_int_equal(i.uvm_major, 511);
    assert_int_equal(i.caps_major, 234);
    assert_int_equal(gpu_parse_devices("x", "200 nvidia-frontend\n99999 nvidia-uvm\n", &i, NULL),
                     0);
    assert_int_equal(i.major, 200);
    assert_int_equal(i.uvm_major, -1);
}

static void capabilities(void **state) {
    (void)state;
    assert_int_equal(gpu_parse_access("x", "DeviceFileMinor: 30\nDeviceFileMode: 292\n", NULL), 30);
    static const char *const bad[] = {
        "",           "DeviceFileMinor:\n",      "DeviceFileMinor: -1\n", "DeviceFileMinor: 3x\n",
        "Minor: 3\n", "DeviceFileMinor: 65536\n"};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_int_equal(gpu_parse_access("x", bad[i], NULL), -1);
}

static void no_driver_is_no_error(void **state) {
    (void)state;
    _cleanup_gpu_inventory_ struct gpu_inventory i = {0};
    assert_int_equal(gpu_inventory_read("/nonexistent", &i, NULL), 0);
    assert_int_equal(i.count, 0);
    assert_true(strstr(i.absent, "/nonexistent/proc/driver/nvidia/version") != NULL);
}

/* ---- the loader's cache ---- */

static int count(void *context, const char *name, const char *path) {
    ++*(int *)context;
    return str_eq(name, "libcuda.so.1") && str_eq(path, "/usr/lib/libcuda.so.1") ? 0 : 9;
}

static size_t make_cache(uint8_t *out) {
    static const char texts[] = "libcuda.so.1\0/usr/lib/libcuda.so.1";
    const uint32_t words[] = {1, sizeof texts, 2, 0, 0, 0, 0, 0x303, 72, 85, 0, 0, 0};
    memcpy(out, "glibc-ld.so.cache1.1", 20);
    memcpy(out + 20, words, sizeof words);
    memcpy(out + 72, texts, sizeof texts);
    return 72 + sizeof texts;
}

static void caches(void **state) {
    (void)state;
    uint8_t cache[256];
    int seen = 0;
    size_t len = make_cache(cache);
    assert_int_equal(ldcache_walk("x", cache, len, count, &seen, NULL), 0);
    assert_int_equal(seen, 1);
    /* Cut off anywhere it is refused, and read no further: the copy is exact. */
    for (size_t cut = 0; cut < len; cut++) {
        _cleanup_free_ uint8_t *copy = malloc(cut + !cut);
        memcpy(copy, cache, cut);
        _cleanup_error_ struct error err = {0};
        assert_int_equal(ldcache_walk("/x/cache", copy, cut, count, &seen, &err), -1);
        assert_true(str_starts(error_text(&err), "/x/cache: "));
    }
}

static void bad_caches(void **state) {
    (void)state;
    static const struct {
        size_t at;
        uint32_t word;
    } cases[] = {{20, 2},    {20, UINT32_MAX}, {24, 4096},        {28, 3},
                 {52, 4096}, {56, UINT32_MAX}, {52, 72 + 13 + 22}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint8_t cache[256];
        int seen = 0;
        size_t len = make_cache(cache);
        memcpy(cache + cases[i].at, &cases[i].word, 4);
        assert_int_equal(ldcache_walk("x", cache, len, count, &seen, NULL), -1);
    }
}

/* ---- leases ---- */

static void leases(void **state) {
    (void)state;
    char folder[] = "/tmp/paddock-gpu-lease-XXXXXX";
    assert_non_null(mkdtemp(folder));
    setenv("PADDOCK_LIVE", folder, 1);
    _cleanup_error_ struct error err = {0};
    _cleanup_close_ int dir = gpu_lease_folder(NULL);
    int first = gpu_lease_take(dir, UUID, "x-1", false, NULL);
    assert_true(first >= 0);
    assert_int_equal(gpu_lease_take(dir, UUID, "x-2", false, &err), -1);
    assert_int_equal(err.kind, ERROR_BUSY);
    assert_true(strstr(error_text(&err), "x-1 has it") != NULL);
    assert_int_equal(gpu_lease_take(dir, UUID, "x-2", true, NULL), -1);
    int inherited = dup(first); /* as a process forked from the holder has it */
    gpu_lease_end(&first);
    _cleanup_close_ int part = gpu_lease_take(dir, UUID, "x-2", true, NULL);
    _cleanup_close_ int other = gpu_lease_take(dir, UUID, "x-3", true, NULL);
    assert_true(part >= 0 && other >= 0);
    assert_int_equal(gpu_lease_take(dir, UUID, "x-4", false, NULL), -1);
    close(inherited);
    assert_int_equal(gpu_sick_set(dir, UUID, "Xid 79\nmore", NULL), 0);
    _cleanup_free_ char *reason = gpu_sick_reason(dir, UUID);
    assert_string_equal(reason, "Xid 79");
    assert_int_equal(gpu_sick_set(dir, "../x", "no", NULL), -1);
    assert_int_equal(gpu_sick_set(dir, UUID, NULL, NULL), 0);
    assert_null(gpu_sick_reason(dir, UUID));
    assert_int_equal(tree_remove(folder, NULL), 0);
}

/* To ask who has a GPU takes it from nobody. */
static void asking_is_no_lease(void **state) {
    (void)state;
    char folder[] = "/tmp/paddock-gpu-lease-XXXXXX";
    assert_non_null(mkdtemp(folder));
    setenv("PADDOCK_LIVE", folder, 1);
    _cleanup_close_ int dir = gpu_lease_folder(NULL);
    int lease = gpu_lease_take(dir, UUID, "x-1", false, NULL);
    gpu_lease_end(&lease);
    pid_t asker = fork();
    assert_true(asker >= 0);
    while (asker == 0) free(gpu_lease_holder(dir, UUID));
    int refused = 0;
    for (int i = 0; i < 2000; i++) {
        lease = gpu_lease_take(dir, UUID, "x-1", false, NULL);
        refused += lease < 0;
        gpu_lease_end(&lease);
    }
    kill(asker, SIGKILL);
    waitpid(asker, NULL, 0);
    assert_int_equal(refused, 0);
    assert_int_equal(tree_remove(folder, NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions),
        cmocka_unit_test(information),
        cmocka_unit_test(bad_information),
        cmocka_unit_test(a_gpu_not_started_has_no_uuid),
        cmocka_unit_test(majors),
        cmocka_unit_test(capabilities),
        cmocka_unit_test(no_driver_is_no_error),
        cmocka_unit_test(caches),
        cmocka_unit_test(bad_caches),
        cmocka_unit_test(leases),
        cmocka_unit_test(asking_is_no_lease),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
