/* The texts of the GPU driver in procfs. The first byte chooses. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "sandbox/gpu.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static void information(const char *text, struct error *err) {
    struct gpu g;
    if (gpu_parse_information("fuzz", text, &g, err) < 0) return;
    FUZZ_CHECK(!g.uuid[0] || gpu_is_uuid(g.uuid, "GPU-"), "UUID %s", g.uuid);
    FUZZ_CHECK(g.minor >= 0 && g.minor < 248, "minor %d", g.minor);
    FUZZ_CHECK(strlen(g.pci) == 12 && g.model[0], "place %s, model %s", g.pci, g.model);
}

static void version(const char *text, struct error *err) {
    char driver[GPU_DRIVER_SIZE] = "";
    if (gpu_parse_version("fuzz", text, driver, err) < 0) return;
    FUZZ_CHECK(driver[0] && strspn(driver, "0123456789.") == strlen(driver) && strchr(driver, '.'),
               "driver %s", driver);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct fuzz_input in = {data, len};
    _cleanup_error_ struct error err = {0};
    struct gpu_inventory inventory = {0};
    int chosen = fuzz_byte(&in) % 4;
    _cleanup_free_ char *text = fuzz_text(&in);
    switch (chosen) {
    case 0: information(text, &err); break;
    case 1: version(text, &err); break;
    case 2:
        FUZZ_CHECK(gpu_parse_devices("fuzz", text, &inventory, &err) == 0, "out of memory");
        FUZZ_CHECK(inventory.major >= 0 && inventory.uvm_major >= -1 && inventory.uvm_major < 4096,
                   "major %d", inventory.uvm_major);
        break;
    default: FUZZ_CHECK(gpu_parse_access("fuzz", text, &err) <= 65535, "a minor too large");
    }
    FUZZ_CHECK(err.kind != ERROR_INTERNAL, "%s", error_text(&err));
    return 0;
}
