/*
 * Making experiments, versions and measurements: from what a client asks for to
 * rows and snapshots, in one go or not at all.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_CREATE_H
#define PADDOCK_ORCHESTRATOR_DAEMON_CREATE_H

#include "common/json.h"
#include "orchestrator/daemon/daemon.h"
#include "orchestrator/daemon/store_measure.h"
#include "orchestrator/daemon/store_version.h"
#include "tasks/task.h"

#define HYPOTHESIS_MAX           ((size_t)64 << 10)
#define MEASUREMENT_VERSIONS_MAX 16

/* Each body is decoded strictly. A body with a "key" that was used before, of the same
 * (an experiment: task, step, agent and config; a version: the parent), gives the id of
 * what was made then, and *made is false; ERROR_EXISTS when it is another's. */
int create_experiment(struct daemon *d, const struct json *body, int64_t *id, bool *made,
                      struct error *err);
int create_version(struct daemon *d, int64_t experiment, const struct json *body, int64_t *id,
                   bool *made, struct error *err);
/* Replaces what a version's maker says of it: {"note": {…}}. */
int create_note(struct daemon *d, int64_t version, const struct json *body, struct error *err);
/* The row is to be cleared by the caller. */
int create_measurement(struct daemon *d, const struct json *body, struct measurement_row *out,
                       struct error *err);

/* Loads the task an experiment or measurement was made with; ERROR_EXISTS when
 * its folder has changed since, for then it is another race. */
int create_load_task(const char *dir, const char *digest, struct task *out, struct error *err);

/* What nothing of this task could run without (its image, its text) is told
 * before there is anything of it. */
int create_check_machine(struct daemon *d, const struct task *t, struct error *err);

#endif
