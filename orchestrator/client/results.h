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

/* The best valid version of an experiment, its root excluded: the fastest, or
 * for `by_metric` the one with the lowest (highest) metric. Borrowed id; NULL
 * when none is valid. */
const char *results_best(const struct json *experiment, bool by_metric, bool higher_is_better);

/* "replay (tinygpt-bad)" */
void results_agent(const struct json *experiment, struct buf *out);
/* "tinygpt:1" of an experiment or measurement. */
void results_task(const struct json *thing, struct buf *out);

#endif
