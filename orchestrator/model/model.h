/*
 * One call of a language model: messages in, a reply out, whatever protocol its
 * server speaks, with retries, the tokens and money of all attempts, and a cassette
 * that records calls or plays them back.
 *
 * A model is one file, models/NAME.json of the config folder (docs/reference/models.md).
 * Replies are untrusted: bounded here, and of no meaning beyond their text. A model's
 * key leaves this library in the header of a request alone: it is taken out of every
 * text that servers send and that goes on into replies, errors or cassettes.
 *
 * Not for use by several threads at once; open it once a thread.
 */
#ifndef PADDOCK_ORCHESTRATOR_MODEL_MODEL_H
#define PADDOCK_ORCHESTRATOR_MODEL_MODEL_H

#include "common/digest.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum model_role { MODEL_SYSTEM, MODEL_USER, MODEL_ASSISTANT };

struct model_message {
    enum model_role role;
    const char *text;
};

struct model_request {
    const struct model_message *messages;
    size_t count;
    int64_t max_tokens; /* 0: the config's */
    const char *key;    /* names the call in a cassette and the ledger: "n3/coder/1"; NULL: "" */
};

/* The one form that the protocols' different counts are brought into: `input` is all
 * of the prompt, `cached_input` the part of it that came from a cache, `cache_write`
 * the part that was put into one; `output` is all that was generated, `reasoning` the
 * part of it that was thought (0 where a server does not tell it apart). */
struct model_usage {
    int64_t input, cached_input, cache_write, output, reasoning;
    bool known;  /* the answer that counts came with its usage */
    double cost; /* USD by the config's prices; 0 without prices */
};

enum model_stop { MODEL_STOP_END, MODEL_STOP_LENGTH, MODEL_STOP_REFUSED, MODEL_STOP_OTHER };
/* "end", "length", "refused", "other". */
const char *model_stop_name(enum model_stop stop);

struct model_reply {
    char *text, *reasoning;   /* never NULL after a success; may be "" */
    char *refusal;            /* why, in the server's words; NULL unless MODEL_STOP_REFUSED */
    char *model, *request_id; /* as echoed; NULL: the server did not say */
    enum model_stop stop;
    struct model_usage usage;        /* of all attempts together, as far as servers told */
    char request_sha256[DIGEST_HEX]; /* of model_request_text() */
    int retries;
    int64_t latency_ns; /* of all attempts and the pauses between them */
    bool differs;       /* replayed, but recorded for another request_sha256 */
};

#define _cleanup_model_reply_ __attribute__((cleanup(model_reply_clear)))
void model_reply_clear(struct model_reply *r);

/* The canonical form of a request, as JSON: {"messages": [{"role", "text"}…],
 * "max_tokens"?}. It holds what the caller chose and nothing of the config (see
 * model_settings()), so that a cassette can be played without one. NULL: out of memory. */
char *model_request_text(const struct model_request *rq);

struct model; /* config, connection, cassette */

struct model_options {
    const char *record;         /* append every call to this cassette; NULL:
                                 * $PADDOCK_CASSETTE_RECORD, if set */
    const volatile bool *abort; /* becomes true: the call ends with ERROR_CANCELLED */
    uint64_t seed;              /* of the jitter; 0: from the kernel */
    /* How to wait between attempts; NULL: really, looking at `abort`. */
    void (*pause)(void *arg, int64_t ns);
    void *pause_arg;
};

/* `name` is the NAME of models/NAME.json, or the path of such a file (it has a slash),
 * or "replay:FILE": a cassette alone, which answers by key and reports a request that
 * was not the recorded one as `differs`; "replay-strict:FILE" makes an error of it. */
int model_open(const char *name, struct model **out, struct error *err);
int model_open_with(const char *name, const struct model_options *options, struct model **out,
                    struct error *err);
void model_close(struct model *m);
void cleanup_model(struct model **m);
#define _cleanup_model_ __attribute__((cleanup(cleanup_model)))

/* NAME; of a path its last part without ".json"; of a cassette the recorded name. */
const char *model_name(const struct model *m);
/* The config without its secrets, as JSON: protocol, url, name, parameters, prices…
 * "{}" of a cassette. NULL: out of memory. */
char *model_settings(const struct model *m);
/* How many tokens prompt and answer may have together; 0: the config does not say. */
int64_t model_context(const struct model *m);

/* Upper bounds of one attempt, for a budget check before it is made: tokens of the
 * prompt (estimated so that they are not too few) and max_tokens; and their cost. Of a
 * cassette: what was recorded. */
void model_bound(const struct model *m, const struct model_request *rq, int64_t *tokens,
                 double *cost);

/* One call with its retries. On error `out` still has usage, retries, latency and
 * digest, for failed attempts may have cost. Clear `out` either way. A refused or
 * blocked prompt is a success with MODEL_STOP_REFUSED. */
int model_call(struct model *m, const struct model_request *rq, struct model_reply *out,
               struct error *err);

#endif
