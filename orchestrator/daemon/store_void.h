/*
 * Rows of the store: runs that the machine disturbed beyond the task's bounds, and
 * what the machine was. Every attempt stays; none is ever taken out.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_STORE_VOID_H
#define PADDOCK_ORCHESTRATOR_DAEMON_STORE_VOID_H

#include "orchestrator/daemon/store_run.h"

/* How many runs of this owner and phase were outside the bounds; *reason, which
 * must be NULL before, gets the newest one's (owned). */
int void_count(struct store *s, const struct run_owner *owner, const char *phase, int64_t *count,
               char **reason, struct error *err);

/* Of one arm's timed runs in a measurement. */
struct void_tally {
    int64_t runs; /* that came to an end, the void ones included */
    int64_t voids;
};
/* Adds to out[0 … arms − 1], which are zero before. */
int void_tally(struct store *s, int64_t measurement, struct void_tally *out, size_t arms,
               struct error *err);

/* All that were outside the bounds, oldest first; runs_free(). */
int void_list(struct store *s, int64_t measurement, struct run_row **out, size_t *count,
              struct error *err);

/* The machine of a measurement, as a JSON object; NULL: not written down yet. */
int measurement_set_fingerprint(struct store *s, int64_t id, const char *text, struct error *err);
int measurement_fingerprint(struct store *s, int64_t id, char **text, struct error *err);

#endif
