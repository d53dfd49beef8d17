/*
 * What boards and searches ask of the store: which versions were scored on a
 * step, and how many a search has tried.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_STORE_BOARD_H
#define PADDOCK_ORCHESTRATOR_DAEMON_STORE_BOARD_H

#include "orchestrator/daemon/store_measure.h"

/* The newest score of every version that was measured on this step of the task
 * in this very state; a measurement that this machine spoilt does not count.
 * scores_free() the list. */
int board_scores(struct store *s, const char *task_digest, int64_t step, struct score_row **out,
                 size_t *count, struct error *err);

/* How many valid versions an experiment has, its root excluded. */
int experiment_valid_count(struct store *s, int64_t experiment, int64_t *count, struct error *err);

#endif
