/*
 * The history of the tree as the roles are told it: the nodes above the parent and
 * those that were already tried below it, each with its idea and what became of
 * it, in order of their numbers. A node is called n1, n2, … and not by its
 * version's id, so that what a model reads is the same in every installation.
 */
#ifndef PADDOCK_ORCHESTRATOR_AGENT_HISTORY_H
#define PADDOCK_ORCHESTRATOR_AGENT_HISTORY_H

#include "common/buf.h"
#include "orchestrator/agent/search.h"

#include <stddef.h>
#include <stdint.h>

/* One node; strings borrowed, NULL: nothing. */
struct tale {
    int64_t iteration;
    const char *kind;    /* "draft", "improve", "debug" */
    const char *idea;    /* what it was to try */
    const char *change;  /* what the coder says it did */
    const char *outcome; /* "valid", "timeout", … */
    const char *reason;
    const char *result;  /* "8.92 s", …; of a valid one */
    const char *summary; /* the analyst's */
};

#define HISTORY_ABOVE 8  /* nodes above the parent that are told */
#define HISTORY_BELOW 12 /* earlier nodes below it */

/* "n4", or "the record". */
void history_name(size_t node, struct buf *out);

/* `tales` goes with `nodes`, which are those before the iteration; the root has none. */
void history_tell(const struct search_node *nodes, const struct tale *tales, size_t count,
                  size_t parent, size_t best, struct buf *out);

/* The ideas of the nodes of one batch that came before: `first` up to `end`. */
void history_siblings(const struct tale *tales, size_t first, size_t end, struct buf *out);

#endif
