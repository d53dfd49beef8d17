/*
 * What the sources of the agent share, and nobody else needs.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_AGENT_INSIDE_H
#define PADDOCK_ORCHESTRATOR_CLIENT_AGENT_INSIDE_H

#include "orchestrator/client/agent.h"
#include "orchestrator/client/follow.h"

/* An agent at work on its experiment. */
struct agent {
    struct http *http;
    const struct agent_kind *kind;
    void *state;
    const char *experiment; /* its id */
    struct json *task;      /* GET /v1/tasks/{task} */
    struct follow follow;
    bool quiet;
};

/* How a kind that plays by itself came to its end. */
struct agent_ending {
    char *reason;    /* why it is done before its time; owned; NULL: it was not */
    bool stays_open; /* on error: what failed may be well again when it is resumed */
};

bool agent_is_over(const struct json *version);
/* Reads one version until it is over; *doc is the last reading. */
int agent_wait(struct agent *a, const char *id, struct json **doc, struct error *err);
/* Says a version on stdout, unless quiet. */
void agent_say(const struct agent *a, const struct json *version);

#endif
