/*
 * Rows and tasks as the API shows them (docs/reference/api.md).
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_VIEW_H
#define PADDOCK_ORCHESTRATOR_DAEMON_VIEW_H

#include "common/json.h"
#include "orchestrator/daemon/daemon.h"
#include "orchestrator/daemon/store_measure.h"
#include "orchestrator/daemon/store_run.h"
#include "orchestrator/daemon/store_version.h"
#include "tasks/task.h"

/* A real time as RFC 3339; 0 is null. */
void view_time(struct json_writer *w, const char *key, int64_t real_ns);
/* "v12", or null for 0. */
void view_id(struct json_writer *w, const char *key, char kind, int64_t id);
/* ns as seconds; 0 is null. */
void view_seconds(struct json_writer *w, const char *key, int64_t ns);

/* Text that is one JSON value, as the store keeps it; NULL is null. */
void view_json(struct json_writer *w, const char *key, const char *text);

/* Each writes the members of an object that the caller opened. */
void view_experiment(struct json_writer *w, const struct experiment_row *e);
void view_version(struct json_writer *w, const struct version_row *v);
void view_run(struct json_writer *w, const struct run_row *r);
void view_measurement(struct json_writer *w, const struct measurement_row *m);
void view_score(struct json_writer *w, const struct score_row *r);
void view_event(struct json_writer *w, const struct event *e);
void view_task_line(struct json_writer *w, const struct task *t);
void view_task(struct json_writer *w, const struct task *t);

/* Whole members that need the store. */
int view_runs_of(struct json_writer *w, struct store *s, int64_t version, struct error *err);
int view_scores_of(struct json_writer *w, struct store *s, int64_t measurement, int64_t version,
                   struct error *err);
/* "spent": the sums of an experiment's ledger. */
int view_spent(struct json_writer *w, struct store *s, int64_t experiment, struct error *err);
/* "arms" and "slots". */
int view_plan_of(struct json_writer *w, struct store *s, const struct measurement_row *m,
                 struct error *err);
/* "voids", "blocks_left_out" and "fingerprint" (view_void.c). */
int view_voids_of(struct json_writer *w, struct store *s, int64_t measurement, struct error *err);
/* A JSON document of a run's folder under `key`, null when it is not there. */
void view_document(struct json_writer *w, const char *key, const char *dir, const char *name);

#endif
