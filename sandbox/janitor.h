/*
 * What a run took from the host, its control groups and its registry entry, is
 * given back by a process of its own, after the launcher has left with the
 * result: the kernel takes longer to remove groups than to run a small program.
 *
 * It is cloned while the program runs, shares the launcher's memory and
 * descriptors, and sleeps until the launcher is dead, however it died. From then
 * on nobody else uses either. A launcher that is killed is thus cleaned up after
 * at once; if both are, the next launcher's sweep does it.
 */
#ifndef PADDOCK_SANDBOX_JANITOR_H
#define PADDOCK_SANDBOX_JANITOR_H

#include "sandbox/cgroup.h"
#include "sandbox/live.h"

#include <stdbool.h>

/* True when it will do it: the launcher must then leave `cg`, `live` and their
 * descriptors alone. False: it has to do it itself (janitor_clean()). */
bool janitor_start(struct cgroup *cg, struct live *live);
/* Kills what is left in the groups, removes them and the entry, frees both; what
 * cannot be removed is left for a sweep. Either may be NULL. */
void janitor_clean(struct cgroup *cg, struct live *live);

#endif
