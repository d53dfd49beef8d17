/*
 * Digests of what a run left, taken when it ends and kept with its row: whoever
 * changes a file of the run's folder later is found out.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_RUN_DIGESTS_H
#define PADDOCK_ORCHESTRATOR_DAEMON_RUN_DIGESTS_H

#include "common/digest.h"
#include "orchestrator/daemon/store.h"
#include "orchestrator/judge/score.h"

struct run_digests {
    char of[SCORE_FILE_COUNT][DIGEST_HEX]; /* "": there is no such file */
};

/* Of the files of a run's folder that are there. What cannot be read is logged
 * and left out: a run ends in any case. */
void run_digests_take(const char *dir, struct run_digests *out);
/* Within a transaction. What is known already of this run stays. */
int run_digests_keep(struct store *s, int64_t run, const struct run_digests *d, struct error *err);
int run_digests_get(struct store *s, int64_t run, struct run_digests *out, struct error *err);

#endif
