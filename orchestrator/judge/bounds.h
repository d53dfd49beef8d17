/*
 * Bounds: whether a timed run was disturbed by the machine, so that its time says
 * nothing about the program. What the witnesses of its result say is held against
 * the task's bounds (docs/reference/task.md; why these, and what they cannot see:
 * docs/explanation/witnesses.md).
 *
 * What is the program's own doing must not count. It may have more threads than
 * cpus: these then wait for each other. So waiting for a cpu counts at most as
 * much as others were on the run's cpus at all.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_BOUNDS_H
#define PADDOCK_ORCHESTRATOR_JUDGE_BOUNDS_H

#include "common/error.h"
#include "sandbox/result.h"
#include "tasks/task.h"

#include <stdint.h>

/* What short runs are let off: two of the ticks in which the kernel counts. Of
 * each cpu for times that are summed over cpus. */
#define BOUNDS_GRAIN_NS INT64_C(20000000)

/* A witness in the unit of its bound, the grain included; NaN where the machine
 * does not tell. */
double bounds_value(enum task_bound which, const struct result *r);

/* *crossed: which witnesses crossed which bound, in one sentence (owned by the
 * caller); NULL when the run was within all of them. What is not known crosses
 * nothing. -1 only when out of memory. */
int bounds_check(const struct result *r, const struct task_bounds *bounds, char **crossed,
                 struct error *err);

#endif
