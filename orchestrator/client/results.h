/*
 * The table of results: experiments, the trees of their versions, what became
 * of each, and the scores of one measurement.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_RESULTS_H
#define PADDOCK_ORCHESTRATOR_CLIENT_RESULTS_H

#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>

/* Experiments as GET /v1/experiments/{id} gives them; the measurement may be
 * NULL. `only` (NULL-terminated ids) limits the table to these versions. */
int results_table(const struct json *const *experiments, size_t count,
                  const struct json *measurement, char *const *only, bool bold, struct buf *out,
                  struct error *err);

/* A cell with the metric of a task; "–" when it is not finite. */
struct table;
void results_metric(struct table *t, double metric);

/* Appends the ids of the fastest valid versions of an experiment, its root
 * excluded, `most` of them or as many as there are. */
int results_top(const struct json *experiment, size_t most, char ***ids, struct error *err);

/* "replay (tinygpt-bad)" */
void results_agent(const struct json *experiment, struct buf *out);
/* "tinygpt:1" of an experiment or measurement. */
void results_task(const struct json *thing, struct buf *out);

#endif
