/* The output of a GPU's gauge: what is taken of it can be divided by. */
#include "orchestrator/gpu/gauge.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct gpu_gauge gauge = {0};
    const char *name;
    int rc = gpu_gauge_read((const char *)data, len, &gauge, NULL);
    FUZZ_CHECK(gauge.count <= GAUGE_RATES_MOST, "%zu rates", gauge.count);
    for (size_t i = 0; rc == 0 && i < gauge.count; i++)
        FUZZ_CHECK(gauge.rates[i].value > 0, "%g", gauge.rates[i].value);
    FUZZ_CHECK(gpu_gauge_change(&gauge, &gauge, &name) >= 0, "change");
    return 0;
}
