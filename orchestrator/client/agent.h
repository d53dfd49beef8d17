/*
 * The agent: a client of the public API that grows a tree of versions.
 *
 * The loop is the same for all kinds: choose a parent and propose a hypothesis
 * with edits, submit, wait, learn the outcome. A kind is its `next`, which sees
 * everything the server knows of the experiment so far and nothing else; so an
 * agent that was killed is resumed by starting it again on the same experiment.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_AGENT_H
#define PADDOCK_ORCHESTRATOR_CLIENT_AGENT_H

#include "common/error.h"
#include "common/json.h"
#include "orchestrator/client/http.h"

#include <stdbool.h>
#include <stddef.h>

/* What a kind may look at. Everything is borrowed for the call. */
struct agent_view {
    const struct json *task;       /* GET /v1/tasks/{task} */
    const struct json *experiment; /* GET /v1/experiments/{id} */
    /* The versions as the API shows them, in order of submission: the first is
     * the root (the record started from), all of them are over. */
    const struct json *const *versions;
    size_t count;
    const char *refused; /* why the last proposal was not accepted; else NULL */
};

struct agent_proposal {
    char *parent;             /* id of a version; owned */
    char *hypothesis;         /* owned */
    const struct json *edits; /* an array, borrowed from the kind; NULL: none */
    const char *base;         /* "next-record" or NULL; static */
};
void agent_proposal_clear(struct agent_proposal *p);

struct agent_options {
    const char *replay_dir; /* of the kind `replay` */
};

struct agent;
struct agent_ending;

enum agent_step { AGENT_PROPOSES, AGENT_IS_DONE };

struct agent_kind {
    const char *name;
    const char *summary;
    bool takes_dir;    /* "NAME:DIR" */
    bool takes_config; /* "NAME:CONFIG.json", which becomes the experiment's */
    /* Instead of open and next: makes, submits and awaits versions itself, until there
     * is nothing more to do (agent_inside.h). `experiment` as the API shows it. */
    int (*play)(struct agent *a, const struct json *experiment, struct agent_ending *end,
                struct error *err);
    /* Makes the state; *state may stay NULL. */
    int (*open)(const struct agent_options *options, void **state, struct error *err);
    /* One step: a proposal, or the end. A kind that cannot go on after a
     * refusal gives it back as its error. */
    int (*next)(void *state, const struct agent_view *view, struct agent_proposal *out,
                enum agent_step *step, struct error *err);
    void (*close)(void *state);
};

extern const struct agent_kind agent_noop, agent_reference, agent_replay;

/* NULL and an error that lists what there is. */
const struct agent_kind *agent_find(const char *name, struct error *err);

/* What an experiment is made of; NULL: none. */
struct agent_wish {
    const char *task;  /* as in "tinygpt:1" */
    const char *agent; /* the kind's name */
    const char *label, *key, *sweep;
    const struct json *config; /* for kinds that take one */
};

/* The coder that an experiment has in place of its config's. */
struct agent_coder_wish {
    const char *coder;   /* NULL: the config's */
    char *const *mounts; /* folders that a command may read; NULL: the config's */
};

/* Creates an experiment, or finds the one of that key: *out as the API shows it. */
int agent_create(struct http *http, const struct agent_wish *wish, struct json **out,
                 struct error *err);

/* What an experiment is called whose agent works by a file or folder: the last part of
 * its path; NULL: it has none. */
const char *agent_label(const char *path);

/* Runs a kind on an experiment until it is done, and finishes the experiment:
 * "done", or "failed" with the error. ERROR_BUSY: something failed that may be well
 * again; the experiment stays open and can be resumed. `quiet` says nothing on
 * stdout. */
int agent_run(struct http *http, const struct agent_kind *kind, const struct agent_options *options,
              const char *experiment, bool quiet, struct error *err);

#endif
