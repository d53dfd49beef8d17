/*
 * Talking to models on behalf of an experiment: what is in the ledger already is not
 * asked again, what the budget does not cover is not asked at all, and what is asked
 * is in the ledger before its reply is used.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_AGENT_TALK_H
#define PADDOCK_ORCHESTRATOR_CLIENT_AGENT_TALK_H

#include "common/json.h"
#include "orchestrator/agent/config.h"
#include "orchestrator/agent/roles.h"
#include "orchestrator/client/http.h"
#include "orchestrator/model/model.h"

struct said; /* a call that the ledger has an answer to */

struct agent_talk {
    struct http *http;
    const char *experiment;
    const struct agent_config *config;
    const char *version;              /* the next calls are about this one; NULL: none yet */
    struct model *models[ROLE_COUNT]; /* opened when first needed */
    struct said *said;
    size_t said_count;
    int64_t tokens; /* spent so far */
    double cost;
    int64_t created_ns; /* when the experiment was made, real time */
    char *over;         /* which budget is spent; NULL: none */
    bool passing;       /* the last error is of a kind that passes */
    int64_t unknown;    /* tokens that calls of others may have taken without a server's word */
};

/* `experiment` as the API shows it; it must outlive the talk, as must config. */
int agent_talk_open(struct agent_talk *t, struct http *http, const struct json *experiment,
                    const struct agent_config *config, struct error *err);
void agent_talk_clear(struct agent_talk *t);

/* For struct talk: `context` is the agent_talk. Fails with ERROR_LIMIT and t->over set
 * when a budget is spent, with t->passing when a server cannot be reached for now. */
int agent_talk_call(void *context, enum role role, const char *key, const struct turn *turns,
                    size_t count, struct role_answer *out, struct error *err);

/* Whether the wall time of the experiment is spent; `run_s` is what its runs have taken
 * so far. ERROR_LIMIT with t->over set when one of the two is. */
int agent_talk_check_time(struct agent_talk *t, double run_s, struct error *err);

/* What is left of the budgets, for calls that somebody else makes; negative: no limit.
 * ERROR_LIMIT as above where one is spent. */
int agent_talk_left(struct agent_talk *t, int64_t *tokens, double *cost, struct error *err);
/* A budget is spent, by the word of who found out. Always -1. */
int agent_talk_over(struct agent_talk *t, const char *why, struct error *err);

#endif
