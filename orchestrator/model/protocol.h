/*
 * A protocol: how a request is written and an answer read. Pure functions over
 * buffers; sending is transport.c's matter.
 */
#ifndef PADDOCK_ORCHESTRATOR_MODEL_PROTOCOL_H
#define PADDOCK_ORCHESTRATOR_MODEL_PROTOCOL_H

#include "common/buf.h"
#include "common/json.h"
#include "orchestrator/model/answer.h"
#include "orchestrator/model/model.h"

struct model_config;

struct protocol {
    const char *name;
    const char *base_url; /* where it is served by default; NULL: the config must say */
    /* The URL to post to. */
    void (*url)(const struct model_config *c, struct buf *out);
    /* The header that carries a key; both parts in one line. */
    void (*auth)(const struct model_config *c, const char *key, struct buf *out);
    const char *const *headers; /* what else it wants; NULL-terminated */
    /* Writes the members of the body; the object is open. */
    void (*body)(const struct model_config *c, const struct model_request *rq,
                 struct json_writer *w);
    /* An answer that came whole. */
    void (*whole)(const struct json *doc, struct answer *a);
    /* One event of a stream; `event` is its name, "" when it has none. */
    void (*event)(const char *event, const struct json *doc, struct answer *a);
    /* Data of a stream that is no JSON and says that it is over; NULL: none. */
    const char *end_mark;
    /* Names of parameters of the config that it has no use for; NULL-terminated. */
    const char *const *unused;
    const char *const *owned; /* members of the body that "extra" may not have */
};

extern const struct protocol protocol_openai, protocol_anthropic, protocol_gemini;

/* The least budget for thinking that Anthropic's servers take. */
#define THINKING_LEAST 1024

/* NULL: no such. */
const struct protocol *protocol_named(const char *name);

/* How many tokens this request's answer may have. */
int64_t protocol_max_tokens(const struct model_config *c, const struct model_request *rq);
/* What the body's object has in addition: the config's "extra". */
void protocol_extra(const struct model_config *c, struct json_writer *w);
/* What OpenAI's protocol calls the most tokens of an answer, on this server. */
const char *openai_max_tokens_field(const struct model_config *c);
/* Percent-encodes one segment of a path. */
void protocol_escape(const char *text, struct buf *out);
/* The system messages as one text; empty: there are none. */
void protocol_system(const struct model_request *rq, struct buf *out);

#endif
