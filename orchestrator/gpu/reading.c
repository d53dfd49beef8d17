#include "orchestrator/gpu/reading.h"

#include "common/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gpu_readings_clear(struct gpu_readings *r) {
    free(r->items);
    *r = (struct gpu_readings){0};
}

const struct gpu_reading *gpu_readings_find(const struct gpu_readings *r, const char *uuid) {
    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->items[i].uuid, uuid) == 0) return &r->items[i];
    return NULL;
}

void gpu_reading_init(struct gpu_reading *r) {
    memset(r, 0, sizeof *r);
    int64_t *const numbers[] = {
        &r->index,           &r->minor,         &r->memory_total,    &r->memory_used,
        &r->memory_reserved, &r->mig_mode,      &r->mig_instances,   &r->sm_mhz,
        &r->memory_mhz,      &r->throttle,      &r->temperature_c,   &r->power_mw,
        &r->energy_mj,       &r->ecc_corrected, &r->ecc_uncorrected, &r->remapped,
        &r->remap_pending,   &r->remap_failed,  &r->recovery,        &r->retired_pending};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) *numbers[i] = -1;
}

void throttle_names(int64_t bits, char *out, size_t size) {
    static const struct {
        int64_t bit;
        const char *name;
    } names[] = {{0x1, "idle"},
                 {0x2, "application clocks"},
                 {THROTTLE_POWER_CAP, "power cap"},
                 {THROTTLE_HW_SLOWDOWN, "hardware slowdown"},
                 {0x10, "sync boost"},
                 {THROTTLE_SW_THERMAL, "thermal (software)"},
                 {THROTTLE_HW_THERMAL, "thermal (hardware)"},
                 {THROTTLE_POWER_BRAKE, "power brake"},
                 {0x100, "display clock"}};
    size_t len = 0;
    if (size > 0) out[0] = '\0';
    for (size_t i = 0; bits > 0 && i < ARRAY_SIZE(names); i++) {
        if (!(bits & names[i].bit) || len >= size) continue;
        int n = snprintf(out + len, size - len, "%s%s", len ? ", " : "", names[i].name);
        len += n > 0 ? (size_t)n : 0;
    }
}
