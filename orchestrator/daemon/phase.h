/*
 * The phases of a version: data, build, train, examine, each a run with its own
 * spec (docs/architecture.md, "Tasks").
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_PHASE_H
#define PADDOCK_ORCHESTRATOR_DAEMON_PHASE_H

#include "orchestrator/daemon/run.h"

/* What came of the phases so far. */
struct judged {
    const char *outcome; /* NULL: nothing against it yet; "valid" at the end */
    const char *rule;    /* NULL: none; static */
    char *reason;
    double metric; /* NaN: none */
    int64_t wall_ns;
};
void judged_clear(struct judged *j);
#define _cleanup_judged_ __attribute__((cleanup(judged_clear)))

/* Each makes sure that its phase is over, whatever was done of it before, and
 * fills `j` when it went wrong. Only RUN_END_DONE with j->outcome NULL lets the
 * next phase begin; RUN_END_GIVEN_UP is handed on as "invalid-environment". */

/* Prepares the task's text once for this installation: x->data. */
enum run_end phase_data(struct execution *x, struct judged *j, struct error *err);
/* Builds, or finds what was built: x->built. */
enum run_end phase_build(struct execution *x, struct judged *j, struct error *err);
/* The timed run; *train is its row. */
enum run_end phase_train(struct execution *x, struct run_row *train, struct judged *j,
                         struct error *err);
/* The examiner's word on what the timed run left: the outcome is set. */
enum run_end phase_examine(struct execution *x, struct judged *j, struct error *err);

/* Sets an outcome, its rule (rule.h; NULL when valid) and a reason in one sentence
 * (copied). */
void judged_set(struct judged *j, const char *outcome, const char *rule, const char *reason);
/* Records that a phase was given up: "invalid-environment". */
enum run_end judged_given_up(struct judged *j, const struct run_row *row);

/* Makes a timed run of a measurement void when the machine disturbed it beyond the
 * task's bounds. A run that the program itself made fail is not looked at. */
int phase_check_bounds(struct execution *x, struct run_row *row, struct error *err);

/* Asks the judge about a launcher's run of build or train: the outcome stays
 * NULL when there is nothing against it. */
int phase_judge(struct execution *x, const struct run_row *row, enum task_phase phase,
                struct judged *j, struct error *err);

/* ERROR_UNSUPPORTED, naming the package, when the task's text is neither
 * prepared nor can be made on this machine. */
int phase_data_check(struct daemon *d, const struct task *t, struct error *err);
/* The folder of the prepared text, in fresh memory. */
char *phase_data_dir(struct daemon *d, const struct task *t, struct error *err);

#endif
