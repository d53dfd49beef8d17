/*
 * Removing what nothing refers to: the folders of old exploratory runs, built
 * trees and snapshots. What a version or a score refers to stays; so does what
 * unfinished work may still need.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_GC_H
#define PADDOCK_ORCHESTRATOR_DAEMON_GC_H

#include "orchestrator/daemon/daemon.h"

struct gc_stats {
    int64_t runs, built, snapshots; /* removed */
    int64_t bytes;
};

/* `age_s`: folders of runs that ended longer ago go. Their rows stay. */
int gc_run(struct daemon *d, int64_t age_s, struct gc_stats *out, struct error *err);

#endif
