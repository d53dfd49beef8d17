/*
 * A proposal while it is made: what propose.c decides and propose_rules.c writes.
 */
#ifndef PADDOCK_POLICIES_PROPOSE_H
#define PADDOCK_POLICIES_PROPOSE_H

#include "policies/policy_internal.h"

/* One call, or one group of its arguments, that a rule of the base allows. */
struct grant {
    int number;
    char *call;
    const struct policy_rule *owner; /* NULL: goes beyond the base */
    const struct policy_observation **seen;
    size_t seen_count;
    uint64_t bits[6]; /* that its conditions compare; 0: not this argument */
    bool conditional;
    bool idle; /* another grant of the call has no conditions */
};

struct proposing {
    const struct policy *base;
    const struct policy_observations *seen;
    struct grant *grants;
    size_t grant_count;
    char **names; /* of rules, taken already */
    struct json_writer *w;
};

/* How many different values an argument had. */
size_t grant_values(const struct grant *g, unsigned argument);
/* Writes the whole policy. */
void proposal_write(struct proposing *p, const char *name, const char *description);

#endif
