/*
 * Specs of phases: what the launcher is told. Internal to the phases.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_PHASE_SPEC_H
#define PADDOCK_ORCHESTRATOR_DAEMON_PHASE_SPEC_H

#include "orchestrator/daemon/run.h"
#include "sandbox/result.h"
#include "sandbox/spec.h"

/* The spec of a phase of this run: identity, command, environment, image,
 * policy, limits, output, hidden paths. Workspace, mounts and collection are
 * added by the caller. `out` zero before, spec_clear() after. */
int phase_spec_init(struct execution *x, const struct run_row *row, const char *dir,
                    const struct task_phase_spec *phase, struct spec *out, struct error *err);

int phase_spec_env(struct spec *s, const char *name, const char *value, struct error *err);
int phase_spec_mount(struct spec *s, const char *source, const char *target, struct error *err);
/* A clock of a task's, without data. */
int phase_spec_clock(struct spec *s, const struct spec_clock *clock, struct error *err);
/* What a gated run is given at GO. */
int phase_spec_gate_data(struct spec *s, const char *source, const char *target, struct error *err);
int phase_spec_collect(struct spec *s, const char *path, const char *as, int64_t bytes,
                       int64_t files, struct error *err);
/* A run of the train phase on one of the data's folders, nothing collected. */
int phase_train_spec(struct execution *x, const struct run_row *row, const char *dir,
                     const char *data, struct spec *s, struct error *err);
/* The newest timed run of this owner: what is examined. */
int phase_timed_run(struct execution *x, struct run_row *out, struct error *err);
/* The specs of the audits and their job, into `dir` and `job`. */
int phase_audit_prepare(struct execution *x, const struct run_row *row, const char *dir,
                        const char *job, struct error *err);
/* Writes <dir>/spec.json. */
int phase_spec_write(const struct spec *s, const char *dir, struct error *err);

/* For plans: ["run", "<dir>/spec.json", "--dir", "<dir>"]. */
int phase_launcher_args(const char *dir, char ***argv, struct error *err);
/* Reads result.json into the row; a cancelled run is void. */
int phase_launcher_finish(struct execution *x, const char *dir, struct run_row *row,
                          struct error *err);
/* The result of a run that is over. */
int phase_result(struct execution *x, const struct run_row *row, struct result *out,
                 struct error *err);

#endif
