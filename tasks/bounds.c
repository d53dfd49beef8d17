#include "tasks/bounds.h"

#include "common/cleanup.h"
#include "tasks/fields.h"
#include "tasks/task.h"

#include <math.h>

#define MOST 1e9

const char *const task_bound_names[] = {"steal",        "foreign_cpu",       "run_delay",
                                        "pressure_cpu", "pressure_memory",   "pressure_io",
                                        "launcher_cpu", "thermal_throttles", "swap_pages",
                                        "gauge_cpu",    "gauge_memory",      NULL};

/* From quiet runs of a shared virtual machine: docs/explanation/witnesses.md has the
 * figures, and what each of these lets pass. Waiting for disks is left open: a program
 * could do that to itself at will. */
static const double defaults[BOUND_COUNT] = {
    [BOUND_STEAL] = 0.05,        [BOUND_FOREIGN_CPU] = 0.05,     [BOUND_RUN_DELAY] = 0.02,
    [BOUND_PRESSURE_CPU] = 0.02, [BOUND_PRESSURE_MEMORY] = 0.05, [BOUND_PRESSURE_IO] = INFINITY,
    [BOUND_LAUNCHER_CPU] = 0.02, [BOUND_THERMAL_THROTTLES] = 0,  [BOUND_SWAP_PAGES] = 256,
    [BOUND_GAUGE_CPU] = 0.20,    [BOUND_GAUGE_MEMORY] = 0.75,
};

void task_bounds_default(struct task_bounds *out) {
    for (size_t i = 0; i < BOUND_COUNT; i++) out->most[i] = defaults[i];
}

static void read_one(struct json_reader *r, const char *key, double *out) {
    const struct json *v = json_find(r->object, key);
    bool open = v && json_type(v) == JSON_NULL;
    if (open) json_get(r, key, JSON_OPTIONAL);
    else json_get_double(r, key, JSON_OPTIONAL, 0, MOST, out);
    if (open) *out = INFINITY;
}

void bounds_read(struct faults *faults, const struct json *v, void *task) {
    struct task_bounds *b = &((struct task *)task)->bounds;
    _cleanup_error_ struct error err = {0};
    if (json_type(v) == JSON_NULL) {
        for (size_t i = 0; i < BOUND_COUNT; i++) b->most[i] = INFINITY;
        return;
    }
    struct json_reader r;
    json_object(&r, v, &err);
    if (r.failed) return fault_take(faults, &err);
    for (size_t i = 0; i < BOUND_COUNT; i++) {
        read_one(&r, task_bound_names[i], &b->most[i]);
        if (r.failed) fault_take(faults, &err);
        r.failed = false;
    }
    if (json_object_end(&r) < 0) fault_take(faults, &err);
}
