/*
 * The ledger as the agent uses it: which calls are answered, and one more.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_AGENT_LEDGER_H
#define PADDOCK_ORCHESTRATOR_CLIENT_AGENT_LEDGER_H

#include "common/buf.h"
#include "orchestrator/client/agent_talk.h"

/* A longer reply is a failed attempt: what would be in it could not be submitted. */
#define AGENT_REPLY_MAX ((size_t)1 << 20)

struct agent_call {
    const char *role, *model, *version;
    const char *key;
    const struct model_request *request; /* ours; NULL: */
    const struct buf *relayed;           /* somebody else's, as it was sent */
    const struct model_reply *reply;
    const struct error *failed; /* NULL: it was answered */
    int64_t began_ns;           /* real time */
};

/* Reads which keys have an answer. */
int agent_ledger_load(struct agent_talk *t, struct error *err);
void agent_ledger_clear(struct agent_talk *t);
/* The answer of before to a call with this key, if there is one: the same words, and
 * the same fault. */
int agent_ledger_answer(struct agent_talk *t, const struct model_request *rq,
                        struct role_answer *out, bool *found, struct error *err);
/* Takes a call down; *out is what agent_ledger_answer() will say of it (NULL: nobody asks). A reply
 * that is too large is an answer, a failed attempt; only a call that failed otherwise has none. */
int agent_ledger_add(struct agent_talk *t, const struct agent_call *call, struct role_answer *out,
                     bool *answered, struct error *err);

#endif
