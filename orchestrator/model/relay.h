/*
 * Relaying: a request that somebody else wrote, in the protocol of a model, is sent to
 * that model's server with what only we may add, and its answer comes back whole, with
 * what it cost. For programs that speak to a model by themselves and must have neither
 * its key nor more of it than they are allowed (orchestrator/proxy).
 *
 * The request is untrusted. Of its members those that are known to shape an answer are
 * kept, all others dropped; the model's name is the config's; the tokens of the answer
 * are capped to what is left. What would make the server fetch something or run
 * something (its own search, connectors, files and pictures by address) is refused: a
 * model's server is no way to the network.
 */
#ifndef PADDOCK_ORCHESTRATOR_MODEL_RELAY_H
#define PADDOCK_ORCHESTRATOR_MODEL_RELAY_H

#include "common/buf.h"
#include "common/json.h"
#include "orchestrator/model/model.h"

#define RELAY_REQUEST_MAX ((size_t)8 << 20)
#define RELAY_ANSWER_MAX  ((size_t)32 << 20)

/* What may still be spent; negative: no limit. */
struct relay_left {
    int64_t tokens;
    double cost; /* USD */
};

struct relay_request {
    struct buf body;         /* as it is sent */
    char sha256[DIGEST_HEX]; /* of that */
    char *beta;              /* a header more, or NULL */
    bool stream, over;       /* over: refused, since too little is left */
    int64_t input, output;   /* bounds of its tokens: of the prompt, of the answer */
};

struct relay_reply {
    long status;              /* what the caller is to be told; 200: `body` is the answer */
    char type[64];            /* of the body */
    struct buf body;          /* cleaned of secrets; empty: there is only `failure` */
    char *failure;            /* in one line; NULL: answered */
    int64_t wait_ns;          /* when the server says to come back; 0: it does not */
    struct model_reply reply; /* what the answer says, and what all attempts cost */
};

/* "openai", "anthropic", "gemini": what its server speaks. */
const char *relay_protocol(const struct model *m);
/* The name that the server knows it by. */
const char *relay_name(const struct model *m);
/* Whether the file that its key comes from lies below `dir` (absolute, real). */
bool relay_key_lies_below(const struct model *m, const char *dir);

/* Reads a request and makes what is sent of it. `stream`: asked for otherwise than by the
 * body (Gemini's path). `beta` is the caller's header of that name, or NULL. On error
 * ERROR_INVALID (unreadable), ERROR_DENIED (refused), or ERROR_LIMIT with `over`. */
int relay_prepare(const struct model *m, bool stream, const char *beta, const char *text,
                  size_t len, const struct relay_left *left, struct relay_request *out,
                  struct error *err);
void relay_request_clear(struct relay_request *r);
#define _cleanup_relay_request_ __attribute__((cleanup(relay_request_clear)))

/* One exchange with its retries, none of which the caller sees. -1 only when cancelled
 * (model_options.abort) or out of memory; `out` has then what was spent until there. */
int relay_call(struct model *m, const struct relay_request *rq, struct relay_reply *out,
               struct error *err);
void relay_reply_clear(struct relay_reply *r);
#define _cleanup_relay_reply_ __attribute__((cleanup(relay_reply_clear)))

/* An error in the form of a protocol: what its clients expect beside a status. */
void relay_error(const char *protocol, long status, const char *message, struct buf *out);

#endif
