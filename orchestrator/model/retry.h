/*
 * How long to wait before the next attempt.
 */
#ifndef PADDOCK_ORCHESTRATOR_MODEL_RETRY_H
#define PADDOCK_ORCHESTRATOR_MODEL_RETRY_H

#include <stdint.h>

struct retry {
    int64_t first_ns, longest_ns;
    uint64_t state; /* of the jitter */
};

/* The pause behind attempt number `attempt` (from 0). With a hint of the server: that
 * and up to a tenth of it more, never less; -1: it is longer than the longest. Without:
 * doubling from the first, capped, between half of it and all. */
int64_t retry_pause(struct retry *r, int attempt, int64_t hint_ns);

#endif
