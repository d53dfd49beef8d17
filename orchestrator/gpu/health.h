/*
 * Whether a GPU is fit to be timed on, and whether a run on it was disturbed: pure
 * functions of what was read (reading.h).
 */
#ifndef PADDOCK_ORCHESTRATOR_GPU_HEALTH_H
#define PADDOCK_ORCHESTRATOR_GPU_HEALTH_H

#include "orchestrator/gpu/reading.h"

/* What may be in use on a GPU that nobody uses, above what is reserved. */
#define HEALTH_IDLE_BYTES (INT64_C(64) << 20)

/* Whether this Xid says that the GPU, its link or its firmware failed. The others are
 * mostly what a program did. */
bool health_xid_is_hardware(int64_t xid);

/* Writes why the GPU must leave the pool and returns true; false: it is healthy. */
bool health_sick(const struct gpu_reading *r, char *why, size_t size);

/* Writes who is on a GPU that should be empty and returns true; false: it is empty.
 * `baseline`: the memory that it used when it was first seen empty, -1: not known. */
bool health_busy(const struct gpu_reading *r, int64_t baseline, char *why, size_t size);

/* Whether memory alone is left, above the baseline, and no process. */
bool health_leftover(const struct gpu_reading *r, int64_t baseline, char *why, size_t size);

/* What happened to a GPU since `before` that makes a run's time worth nothing. Writes
 * the first and returns true. `own` says whether a process belongs to the run. */
typedef bool health_own(const void *context, int64_t pid);
bool health_disturbed(const struct gpu_reading *before, const struct gpu_reading *now,
                      health_own *own, const void *context, char *why, size_t size);

#endif
