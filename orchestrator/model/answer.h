/*
 * What one attempt brought in, whichever protocol it spoke: filled by a protocol's
 * decoder, from a whole document or event by event.
 */
#ifndef PADDOCK_ORCHESTRATOR_MODEL_ANSWER_H
#define PADDOCK_ORCHESTRATOR_MODEL_ANSWER_H

#include "common/buf.h"
#include "orchestrator/model/fault.h"
#include "orchestrator/model/model.h"

struct answer {
    struct buf text, reasoning, refusal;
    char *model, *id;
    enum model_stop stop;
    bool stopped;             /* the server said why it stopped */
    bool done;                /* the stream said that it is over */
    struct model_usage usage; /* in the one form; `known`: input and output were told */
    struct fault fault;
};

#define _cleanup_answer_ __attribute__((cleanup(answer_clear)))
void answer_clear(struct answer *a);

/* The reason to stop, in the words of any of the protocols. */
void answer_stop(struct answer *a, const char *reason);
/* The prompt was refused or blocked; `why` may be NULL. */
void answer_refuse(struct answer *a, const char *why);

/* Moves inline reasoning out of a text that no structured field came with: a leading
 * <think>…</think> (unclosed: all of it), or what stands before a </think> that has a
 * line of its own (templates that open the tag themselves). */
void answer_split_think(struct answer *a);

/* Whether a whole answer can be used: sets a fault where it has neither text nor
 * reason. */
void answer_check(struct answer *a);

/* ---- counts into the one form; each leaves *u alone where nothing is told ---- */

void usage_openai(struct model_usage *u, const struct json *usage);
void usage_anthropic(struct model_usage *u, const struct json *usage);
void usage_gemini(struct model_usage *u, const struct json *usage);
/* Adds the counts (not the cost) of an attempt; `known` becomes the attempt's. */
void usage_add(struct model_usage *sum, const struct model_usage *u);

#endif
