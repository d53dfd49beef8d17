/*
 * Leases: a timed run has its cpus for itself. The lease is an exclusive flock(2) on
 * a file of the live registry that names the cpus, so that it ends with its holder,
 * however that ends.
 *
 * Others are not told: each launcher looks, in its own loop, and answers in its own
 * entry of the registry (mode and mtime: one place, no text to tear) that it has
 * gone away, or cannot. An answer counts for the leases that were there when its
 * giver looked. Both sides write before they look at the other's, so that not both
 * can miss each other: the holder takes the lease and then reads the answers; who
 * comes back takes back its answer and then looks once more.
 */
#ifndef PADDOCK_SANDBOX_LEASE_H
#define PADDOCK_SANDBOX_LEASE_H

#include "common/cpu_list.h"
#include "common/error.h"
#include "sandbox/live.h"

#include <stdbool.h>
#include <stdint.h>

struct lease;

/* Whether there may be leases; one system call, and no entry is needed. */
bool lease_any(void);
/* How many leases are held, and the cpus of all of them together. The leases of the
 * dead are removed. `l` NULL: seen from a launcher that is not registered yet. */
size_t lease_look(const struct live *l, struct cpu_list *out);

enum lease_answer {
    LEASE_BACK,  /* no answer: it runs */
    LEASE_AWAY,  /* frozen, on other cpus, or not begun */
    LEASE_STAYS, /* is in the way and cannot be frozen */
    LEASE_IDLE,  /* has nothing to run, whatever leases there will be */
};
/* Answers for the leases seen at `looked_ns` (monotonic) or before. */
void lease_answer(const struct live *l, enum lease_answer answer, int64_t looked_ns);

/* Takes these cpus unless another lease has some of them: 0, 1 when one has, -1. */
int lease_try(const struct live *l, const struct cpu_list *cpus, struct lease **out,
              struct error *err);
struct lease_others {
    int count;   /* other sandboxes that live and hold no lease themselves */
    int loud;    /* of those, who have not gone away … */
    int pending; /* … and may do so yet */
};
void lease_ask(const struct lease *lease, struct lease_others *out);
void lease_end(struct lease *lease);

#endif
