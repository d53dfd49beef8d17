/*
 * Calibrations as a person reads them: what each step of a task is worth on a
 * machine.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_CALIBRATION_H
#define PADDOCK_ORCHESTRATOR_CLIENT_CALIBRATION_H

#include "common/buf.h"
#include "common/json.h"
#include "tasks/task.h"

#include <stdbool.h>
#include <stdint.h>

/* The newest calibration of this task in this very state that a daemon of ours,
 * or the machine's, has left: of all records or of this step alone. NULL: none
 * that we can read. json_free() it. */
struct json *calibration_find(const struct task *t, int64_t step);

/* A table of the records with a line about the whole. */
void calibration_text(const struct json *calibration, bool bold, struct buf *out);

#endif
