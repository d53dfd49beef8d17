/*
 * The registry of live sandboxes: who runs, with which groups and ids, and the
 * sweep of what a killed launcher left (docs/architecture.md, "Live registry").
 * PADDOCK_LIVE, an absolute path of a folder of ours, replaces its place.
 *
 * The locks are flock(2): a child keeps them alive until it execs or closes its
 * descriptors, so the sandbox's init must close what it inherits.
 */
#ifndef PADDOCK_SANDBOX_LIVE_H
#define PADDOCK_SANDBOX_LIVE_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct live; /* this launcher's entry; holds the lock */

/* Sweeps what dead launchers left, then registers `id`; ERROR_EXISTS when a live sandbox has that
 * id. */
int live_register(const char *id, struct live **out, struct error *err);
/* Root only: reserves one of the pool's ranges of 65,536 host ids (base
 * 0x40000000 + slot · 65,536), free of other live sandboxes. Given back with
 * the entry. */
int live_reserve_ids(struct live *l, uint32_t *base, struct error *err);
/* Records the groups and all else of the entry, so that a sweep finds them. */
int live_record_cgroups(struct live *l, char *const *paths, struct error *err);
/* Another id for an entry that was registered before its run was known;
 * ERROR_EXISTS when a live sandbox has it. */
int live_rename(struct live *l, const char *id, struct error *err);
/* Whether there were leases of timed runs (lease.h) when it was registered. Asks
 * nobody. */
bool live_saw_leases(const struct live *l);
/* Removes the entry. */
void live_release(struct live *l);
/* Lets go of the entry, but leaves it: a sweep has something to do. */
void live_leave(struct live *l);

struct live_entry {
    char *id;
    int64_t pid;
    int64_t started_real_ns;
};
/* Lists live sandboxes. */
int live_list(struct live_entry **out, size_t *count, struct error *err);
void live_list_free(struct live_entry *entries, size_t count);

/* Sweeps entries whose owner is dead: kills and removes their groups, removes
 * the entry. Returns how many, or -1. Cheap when there is nothing to do. */
int live_sweep(struct error *err);

#endif
