/*
 * The tree of an experiment as the search and the roles see it: nodes n1, n2, … out of
 * the versions that have these keys.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_AGENT_TREE_H
#define PADDOCK_ORCHESTRATOR_CLIENT_AGENT_TREE_H

#include "orchestrator/agent/history.h"
#include "orchestrator/agent/search.h"
#include "orchestrator/client/agent_inside.h"

#define AGENT_BASELINE_KEY "baseline" /* of the version that is the record, run once */
#define AGENT_START_KEY    "start"    /* of one in the record's place: the tree grows from it */

struct agent_tree {
    struct json *experiment; /* everything below borrows from it */
    struct search_node *nodes;
    struct tale *tales;
    const struct json **versions; /* of each node; the root's is the record, or the start */
    size_t count;
};

/* Reads it from the daemon. `root` is the record's value, NAN when it is not known. An
 * error: versions that no agent of this kind made. */
int agent_tree_load(struct agent *a, double root, struct agent_tree *out, struct error *err);
void agent_tree_clear(struct agent_tree *t);
#define _cleanup_agent_tree_ __attribute__((cleanup(agent_tree_clear)))

const char *agent_tree_id(const struct agent_tree *t, size_t node);
/* What the search looks at: seconds of a race, else the metric; NAN when not valid. */
double agent_tree_value(const struct json *task, const struct json *version);

#endif
