/*
 * The section "measure.bounds" of a task.json. Inside the room only; the struct
 * is in task.h.
 */
#ifndef PADDOCK_TASKS_BOUNDS_H
#define PADDOCK_TASKS_BOUNDS_H

#include "common/json.h"
#include "tasks/faults.h"

/* Reads it into the bounds of a struct task, which hold the defaults. */
void bounds_read(struct faults *faults, const struct json *v, void *task);

#endif
