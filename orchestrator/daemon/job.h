/*
 * Jobs: a version from queued to done, a measurement slot by slot.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_JOB_H
#define PADDOCK_ORCHESTRATOR_DAEMON_JOB_H

#include "orchestrator/daemon/lane.h"

/* Carries the lane's job on: a version to its end, a measurement by one slot.
 * Called again after a restart or a failure, it goes on where things stand. */
enum lane_step job_step(struct lane *l, struct error *err);

/* Whether the lane's job is over, for somebody cancelled it meanwhile. */
bool job_over(struct lane *l);

/* Ends the job as "invalid-environment": it failed again and again for a reason
 * that trying once more does not change. */
int job_give_up(struct lane *l, const char *reason, struct error *err);

/* The two kinds. */
enum lane_step job_version(struct lane *l, struct error *err);
enum lane_step job_measurement(struct lane *l, struct error *err);

#endif
