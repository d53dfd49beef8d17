/*
 * The gauge of a GPU: a program that does the same work before and after a timed run.
 * If it took longer, the GPU was not the same. The program is `paddock-gpu-gauge`, or
 * the one that PADDOCK_GPU_GAUGE names: `measure UUID` and `scrub UUID`, one JSON
 * object on stdout, exit 77 where there is no driver.
 */
#ifndef PADDOCK_ORCHESTRATOR_GPU_GAUGE_H
#define PADDOCK_ORCHESTRATOR_GPU_GAUGE_H

#include "common/error.h"
#include "common/json.h"

#include <stddef.h>

enum { GAUGE_RATES_MOST = 8, GAUGE_NAME_MOST = 48 };

/* Between gauges, a change of any rate beyond this says that the GPU was disturbed. */
#define GAUGE_CHANGE_MOST 0.03

struct gpu_gauge {
    char skipped[128]; /* why there are no figures; "": there are */
    struct gauge_rate {
        char name[GAUGE_NAME_MOST];
        double value; /* above nought */
    } rates[GAUGE_RATES_MOST];
    size_t count;
};

/* Runs the program. What it cannot do is told in out->skipped; there is no error. */
void gpu_gauge_run(const char *verb, const char *uuid, struct gpu_gauge *out);

/* The rates of a document: the numbers whose names end in one of "_per_s", "_tflops",
 * "_gflops", "_gb_s". Of untrusted shape, for it may be another's program. */
int gpu_gauge_read(const char *text, size_t len, struct gpu_gauge *out, struct error *err);

/* The greatest relative change of a rate that both have, and its name (borrowed of
 * `before`; NULL: they have none in common). */
double gpu_gauge_change(const struct gpu_gauge *before, const struct gpu_gauge *after,
                        const char **name);

#endif
