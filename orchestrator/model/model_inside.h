/* The inside of a model, shared by model.c, request.c, call.c, bound.c and relay*.c only. */
#ifndef PADDOCK_ORCHESTRATOR_MODEL_MODEL_INSIDE_H
#define PADDOCK_ORCHESTRATOR_MODEL_MODEL_INSIDE_H

#include "orchestrator/model/cassette.h"
#include "orchestrator/model/config.h"
#include "orchestrator/model/model.h"
#include "orchestrator/model/retry.h"
#include "orchestrator/model/transport.h"

struct model {
    struct model_config config;
    struct transport *transport; /* NULL of a cassette */
    char **headers;              /* the key's among them */
    struct secrets secrets;
    struct retry retry;
    struct model_options options; /* `record` is a copy */
    struct cassette *cassette;    /* played; NULL: none */
    bool strict;
};

/* The exchange of call.c: everything but digest, cassette and checks. */
int call_server(struct model *m, const struct model_request *rq, struct model_reply *out,
                struct error *err);
/* The price of what was used. */
double price_of(const struct model_config *c, const struct model_usage *u);
/* Of the prices of a token of a prompt the one that is never too low. */
double highest_input_price(const struct model_config *c);
/* How many tokens a text may have at most. */
int64_t tokens_of_bytes(const char *text, size_t len);
/* Takes a model's secrets out of an answer; false: out of memory. */
bool answer_clean(struct answer *a, const struct secrets *s);
/* Waits between two attempts, looking at `abort`. */
void call_pause(const struct model *m, int64_t ns);

#endif
