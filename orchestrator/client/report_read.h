/*
 * Answers of the API read into the struct of a report (orchestrator/report/report.h).
 * Lenient: what an older daemon does not say is not there.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_REPORT_READ_H
#define PADDOCK_ORCHESTRATOR_CLIENT_REPORT_READ_H

#include "common/json.h"
#include "orchestrator/report/report.h"

/* GET /v1/experiments/{id}; its task is left to the caller. `out` is zero before and
 * report_experiment_clear() is called after, also on failure. */
int report_read_experiment(const struct json *doc, struct report_experiment *out,
                           struct error *err);

/* Of a task, as far as `doc` (GET /v1/tasks/{task}; NULL: it is gone) and the experiment
 * tell. Times and the known change are left to the caller. NULL on error. */
struct report_task *report_read_task(const struct json *experiment, const struct json *doc,
                                     struct error *err);

#endif
