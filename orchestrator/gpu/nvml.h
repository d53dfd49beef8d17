/*
 * NVIDIA's management library, opened when it is needed: which GPUs there are, what
 * runs on them, how they are.
 *
 * Not for two threads at a time: who shares a `struct nvml` locks (pool.c does).
 * Every function of the library but four may be missing, for drivers differ; what
 * it would have told is then not known.
 */
#ifndef PADDOCK_ORCHESTRATOR_GPU_NVML_H
#define PADDOCK_ORCHESTRATOR_GPU_NVML_H

#include "common/error.h"
#include "orchestrator/gpu/reading.h"

struct nvml;

/* Opens the library that PADDOCK_NVML names, else libnvidia-ml.so.1, and starts it.
 * NULL: ERROR_UNSUPPORTED where there is none, or it finds no driver. */
struct nvml *nvml_open(struct error *err);
void nvml_close(struct nvml *n);

/* Reads all that is told of each GPU. `out` zero before, gpu_readings_clear() after,
 * on success or failure. A GPU that does not answer is in the list, with `lost` that
 * says why. Events since the last call are in it. */
int nvml_read(struct nvml *n, struct gpu_readings *out, struct error *err);

#endif
