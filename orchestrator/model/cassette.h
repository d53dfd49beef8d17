/*
 * A cassette: calls of models as lines of a file, each one JSON object, in the words
 * of the ledger. Written line by line, each on the disk before the call is over; read
 * whole. A last line that a crash cut off is no call.
 */
#ifndef PADDOCK_ORCHESTRATOR_MODEL_CASSETTE_H
#define PADDOCK_ORCHESTRATOR_MODEL_CASSETTE_H

#include "orchestrator/model/model.h"

struct cassette_call {
    char *key, *model; /* model: the config's name; "" when the line has none */
    struct model_reply reply;
    char *error; /* what the call ended with; NULL: it did not fail */
    enum error_kind kind;
    int64_t bound_tokens; /* of model_bound(); -1: the line has none */
    double bound_cost;
};

/* Appends one call; the file is made when it is not there. Several processes may. */
int cassette_append(const char *path, const struct cassette_call *call, struct error *err);

struct cassette;

/* NULL on error, which names file, line and key. */
struct cassette *cassette_load(const char *path, struct error *err);
void cassette_free(struct cassette *c);
const char *cassette_model(const struct cassette *c); /* of the first call; "replay" */
const char *cassette_path(const struct cassette *c);
/* The call of that key: the last one of that digest, else the last one. NULL: none. */
const struct cassette_call *cassette_find(const struct cassette *c, const char *key,
                                          const char *sha256);

#endif
