/* What the roles share; for their own sources alone. */
#ifndef PADDOCK_ORCHESTRATOR_AGENT_ROLE_H
#define PADDOCK_ORCHESTRATOR_AGENT_ROLE_H

#include "orchestrator/agent/roles.h"

/* One role at work on one node. */
struct shift {
    const struct briefing *b;
    const struct assignment *a;
    enum role role;
    const char *idea, *change;
    struct buf system, user; /* the prompts */
    struct buf last;         /* the reply that is to be repaired; empty: none */
    struct buf problems;     /* with it */
    const char *format;      /* how to answer */
    int attempt;             /* the last one, from 1 */
};

/* Appends a prompt with all the values there are. */
int shift_render(const struct shift *s, enum prompt which, struct buf *out, struct error *err);
int shift_begin(struct shift *s, enum prompt which, struct error *err);
void shift_clear(struct shift *s);
#define _cleanup_shift_ __attribute__((cleanup(shift_clear)))

/* The next attempt: true and the reply, or false when none is left. A failed reply
 * is dealt with here: what comes out is one whose text is to be judged. */
int shift_ask(struct shift *s, char **reply, bool *more, struct error *err);
/* The reply was no good: what to tell the model, a line or several. */
int shift_reject(struct shift *s, const char *reply, const char *problems, struct error *err);
/* Why it came to nothing, in one line of fresh memory. */
char *shift_failure(const struct shift *s);

#endif
