/*
 * What gc asks the store.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_STORE_GC_H
#define PADDOCK_ORCHESTRATOR_DAEMON_STORE_GC_H

#include "orchestrator/daemon/store.h"

/* Exploratory runs that ended before this time and whose job is over: the
 * newest of each phase of a version stays, since it is what the version's
 * outcome rests on. free() the list. */
int store_gc_runs(struct store *s, int64_t before_ns, int64_t **ids, size_t *count,
                  struct error *err);
/* Whether unfinished work runs these files. */
int store_gc_snapshot_busy(struct store *s, const char *sha256, bool *busy, struct error *err);
/* Whether any version or arm refers to them. */
int store_gc_snapshot_known(struct store *s, const char *sha256, bool *known, struct error *err);

#endif
