/*
 * A race: several agents at once on one task, each a paddock-agent of its own,
 * followed by the daemon's events until all are done.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_RACE_H
#define PADDOCK_ORCHESTRATOR_CLIENT_RACE_H

#include "common/error.h"
#include "orchestrator/client/agent.h"
#include "orchestrator/client/follow.h"
#include "orchestrator/client/progress.h"

#include <stdbool.h>
#include <sys/types.h>

struct racer {
    const struct agent_kind *kind;
    char *dir;        /* of a replay; of models the config; absolute; NULL: none */
    char *experiment; /* its id */
    pid_t pid;        /* of its paddock-agent; 0: not running */
    bool failed;      /* it ended with another status than 0 */
    char **versions;  /* ids seen so far */
};

struct race {
    struct http *http;
    struct progress *progress;
    const char *metric;            /* what the task calls its metric */
    struct agent_coder_wish coder; /* of all agents of models */
    struct follow follow;
    struct racer *racers;
    size_t count;
    int64_t calls, tokens; /* of models, by all of them since race_start() */
    double cost;           /* USD */
};

/* Reads "reference", "replay:DIR", "model:CONFIG.json". */
int racer_parse(const char *spec, struct racer *out, struct error *err);
void race_clear(struct race *r);

/* Creates the experiments and starts the agents; `detached`: in sessions of
 * their own, to outlive us. */
int race_start(struct race *r, const char *task, const char *label, bool detached,
               struct error *err);
/* Follows until every agent ended. When *interrupted becomes true all are
 * stopped and the experiments cancelled: ERROR_CANCELLED. */
int race_follow(struct race *r, const volatile bool *interrupted, struct error *err);

/* Starts a program whose results nobody reads: stdin and stdout are /dev/null, stderr is
 * ours unless `detached`, which also gives it a session of its own. -1 on error. */
pid_t race_spawn(const char *program, char *const *argv, bool detached, struct error *err);

#endif
