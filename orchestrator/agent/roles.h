/*
 * The roles: ideator, coder, analyst. Each is a prompt, a model and a validator
 * with a bounded number of attempts; none ever reads a metric out of a text.
 *
 * How a model is reached is not their matter: they are given a `talk`.
 */
#ifndef PADDOCK_ORCHESTRATOR_AGENT_ROLES_H
#define PADDOCK_ORCHESTRATOR_AGENT_ROLES_H

#include "common/error.h"
#include "orchestrator/agent/config.h"
#include "orchestrator/agent/format.h"
#include "orchestrator/agent/prompt.h"
#include "orchestrator/agent/sources.h"

#include <stddef.h>
#include <stdint.h>

#define IDEA_BYTES_MAX    ((size_t)16 << 10)
#define SUMMARY_BYTES_MAX ((size_t)4 << 10)

enum speaker { SPEAKER_SYSTEM, SPEAKER_USER, SPEAKER_MODEL };
struct turn {
    enum speaker speaker;
    const char *text;
};

struct role_answer {
    char *text; /* owned; may be NULL with a fault */
    char *fault; /* owned: why it counts as a failed attempt ("was cut off …"); NULL: it does not */
};
void role_answer_clear(struct role_answer *a);

struct talk {
    /* One call; `key` names it ("n3/coder/1"). An error ends the agent's work; what
     * merely fails this attempt is a fault of the answer. */
    int (*call)(void *context, enum role role, const char *key, const struct turn *turns,
                size_t count, struct role_answer *out, struct error *err);
    void *context;
};

/* What all nodes of an experiment share. */
struct briefing {
    const struct talk *talk;
    const struct prompts *prompts;
    const char *system; /* in place of the prompt "system"; NULL: that */
    int64_t repairs;
    enum format format;
    const char *place;     /* where the files lie, for a coder that reads them itself; NULL: they
                              are part of the prompt */
    char *const *editable; /* the task's patterns */
    const char *title, *statement, *goal, *limits, *hints, *knowledge;
};

/* What is to be done for one node. Texts may be NULL. */
struct assignment {
    size_t number; /* of the node: n3 */
    bool debug;
    const struct sources *sources; /* of its parent */
    const char *parent;            /* "n2" or "the record" */
    const char *history, *siblings;
    const char *summary, *outcome, *reason, *log; /* the parent's own */
};

/* An idea for the node in fresh memory, or NULL and in *why (fresh) what was wrong
 * with the last attempt. */
int ideator_ask(const struct briefing *b, const struct assignment *a, char **idea, char **why,
                struct error *err);

/* Takes a patch that applies; *refused (fresh) says why it was not accepted, so that
 * the model may repair it. */
typedef int (*coder_accept)(void *context, const struct patch *p, const char *change,
                            char **refused, struct error *err);

/* The node's code. *done: it was accepted; else *why as above. `idea` may be NULL. */
int coder_ask(const struct briefing *b, const struct assignment *a, const char *idea,
              coder_accept accept, void *context, bool *done, char **why, struct error *err);

/* The same for a coder that is a command: the whole of what it is told, in fresh memory. */
char *coder_order(const struct briefing *b, const struct assignment *a, const char *idea,
                  struct error *err);

/* What happened with a node: its idea and change, outcome, reason and log as in `a`,
 * in which the node itself stands in the parent's place. NULL and *why as above. */
int analyst_ask(const struct briefing *b, const struct assignment *a, const char *idea,
                const char *change, char **summary, char **why, struct error *err);

#endif
