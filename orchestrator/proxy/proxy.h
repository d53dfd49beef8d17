/*
 * The proxy: the one server that a coding agent in its sandbox can reach. It speaks the
 * protocol of one model on a socket that it is given, asks before each call what may
 * still be spent, sends the request on with the model's key, has it taken down in the
 * ledger, and only then gives the answer. The key, and any other server, stay outside.
 *
 * One call at a time; who waits for one that was asked for as a stream is sent comments,
 * so that it does not give up. Answers are passed on whole: what the server says is
 * cleaned of secrets, and taken down, before a byte of it is inside.
 *
 * All that comes in is hostile: libmicrohttpd parses it, requests are bounded, and of
 * their headers one is read (orchestrator/model/relay.h says what of a body goes on).
 */
#ifndef PADDOCK_ORCHESTRATOR_PROXY_PROXY_H
#define PADDOCK_ORCHESTRATOR_PROXY_PROXY_H

#include "common/error.h"
#include "orchestrator/model/relay.h"

#include <stdbool.h>

struct proxy_call {
    const struct relay_request *request;
    const struct relay_reply *reply;
    const char *error; /* NULL: answered */
    int64_t began_ns;  /* real time */
};

/* Called by threads of the proxy, never by two at once. */
struct proxy_host {
    void *context;
    /* What may still be spent. ERROR_LIMIT: nothing, and why. */
    int (*left)(void *context, struct relay_left *left, struct error *err);
    /* Takes a call down, whatever came of it. On error its answer is not given, and
     * nothing is called any more. */
    int (*record)(void *context, const struct proxy_call *call, struct error *err);
    int64_t comment_ns; /* how often who waits for a stream is told so; 0: 10 s */
};

struct proxy_totals {
    int64_t calls;   /* sent on */
    int64_t refused; /* for what they asked for, or since the budget is spent */
    char *over;      /* why a call was refused for the budget, the first time; NULL: none */
    char *refusal;   /* the last other refusal, in one line; NULL: none */
    char *failure;   /* of `record`; NULL: none */
};
void proxy_totals_clear(struct proxy_totals *t);

struct proxy;

/* Serves on `listening`, taken over, until proxy_stop(). `model` as for model_open(); no
 * cassette. */
int proxy_start(int listening, const char *model, const struct proxy_host *host, struct proxy **out,
                struct error *err);
/* For looking at what it serves (relay.h); not for calls. */
const struct model *proxy_model(const struct proxy *p);
/* Whether a call could not be taken down: nothing is called any more. */
bool proxy_is_broken(const struct proxy *p);
/* Breaks off the call in flight, which is taken down, and ends. `totals` may be NULL. */
void proxy_stop(struct proxy *p, struct proxy_totals *totals);

/* What a path asks for. Pure. */
enum proxy_ask { ASK_NOTHING, ASK_ALIVE, ASK_MODELS, ASK_COUNT, ASK_CALL };
struct proxy_path {
    enum proxy_ask ask;
    const char *protocol; /* static; NULL: any */
    bool stream;
};
struct proxy_path proxy_path(const char *method, const char *path);

#endif
