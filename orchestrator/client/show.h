/*
 * Things of the API as pages of text: for `paddock show` and `paddock doctor`.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_SHOW_H
#define PADDOCK_ORCHESTRATOR_CLIENT_SHOW_H

#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"

#include <stdbool.h>

/* "  key          value" for each member that is text, a number or a bool. */
void show_members(const struct json *object, const char *const *skip, struct buf *out);
void show_version(const struct json *version, bool colour, struct buf *out);
/* `fence`: also the fence report and the limits as they were enforced. */
void show_run(const struct json *run, bool fence, bool colour, struct buf *out);
void show_measurement(const struct json *measurement, bool colour, struct buf *out);
void show_experiment(const struct json *experiment, bool colour, struct buf *out);
/* The fence report of a result, or what a machine can enforce. */
void show_layers(const struct json *layers, bool colour, struct buf *out);
void show_limits(const struct json *limits, bool colour, struct buf *out);

#endif
