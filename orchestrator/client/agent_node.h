/*
 * One node: from its place in the tree to its version, and from its run to its summary.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_AGENT_NODE_H
#define PADDOCK_ORCHESTRATOR_CLIENT_AGENT_NODE_H

#include "orchestrator/client/agent_brief.h"
#include "orchestrator/client/agent_talk.h"
#include "orchestrator/client/agent_tree.h"

/* What the work on a node needs. */
struct agent_shop {
    struct agent *agent;
    const struct agent_config *config;
    struct agent_brief brief;
    struct agent_talk talk;
    const char *task_dir; /* for a coder that is a command */
    char *over;           /* a budget that such a coder ran into; NULL: none */
};

/* Makes the next node of the decided batch and submits it: with edits, or as
 * abandoned when a role came to nothing. */
int agent_node_make(struct agent_shop *s, const struct agent_tree *t,
                    const struct search_decision *d, struct error *err);

/* Has the analyst sum up what happened to a node that is over, and notes it. */
int agent_node_analyse(struct agent_shop *s, const struct agent_tree *t, size_t node,
                       struct error *err);
/* Whether that is still to be done. */
bool agent_node_wants_analysis(const struct agent_tree *t, size_t node);

#endif
