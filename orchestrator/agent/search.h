/*
 * The search: which version is made next. A pure function of the settings and
 * of the nodes so far, so that whoever asks again gets the same answer: an agent
 * that was killed replays the nodes it finds and reaches the same tree.
 *
 * A search goes in iterations. Each makes one batch of nodes below one parent:
 *
 *   iteration 0          N0 drafts below the root
 *   then, with chance p  one debug node below a random buggy leaf whose bug depth
 *                        is at most D, if there is one
 *   else                 N nodes below the best node so far
 *
 * until there are M nodes; the last batch is cut. An iteration is decided when
 * all nodes before it are over, and on nothing else. What is random is a hash of
 * seed and iteration. See docs/explanation/search.md.
 */
#ifndef PADDOCK_ORCHESTRATOR_AGENT_SEARCH_H
#define PADDOCK_ORCHESTRATOR_AGENT_SEARCH_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEARCH_NODES_MAX 10000

enum search_policy {
    SEARCH_BEST,   /* the best is the best value */
    SEARCH_GREEDY, /* a new node takes its place only when it is better beyond noise */
};

struct search_settings {
    int64_t n0; /* drafts of iteration 0 */
    int64_t n;  /* nodes of an iteration that improves; 0: there is only iteration 0 */
    double debug_p;
    int64_t debug_depth;
    int64_t nodes; /* M, the root not counted */
    enum search_policy policy;
    double noise; /* of greedy: relative margin */
    uint64_t seed;
    bool higher_is_better;
};

/* The settings of flat, tree, forest, aide, multi-aide or greedy; `nodes` is M,
 * 0: the search's own, which is 20. Leaves seed and higher_is_better alone. */
int search_named(const char *name, int64_t nodes, struct search_settings *out, struct error *err);

enum search_state {
    SEARCH_PENDING,   /* submitted, not over */
    SEARCH_GOOD,      /* valid; it has a value */
    SEARCH_BUGGY,     /* over, and not valid */
    SEARCH_ABANDONED, /* over, and nothing was run: neither good nor to be debugged */
};

/* In order of submission; node 0 is the root, whose state is SEARCH_GOOD. */
struct search_node {
    size_t parent; /* an earlier node; of the root: 0 */
    enum search_state state;
    double value; /* of a good one; NAN: not known, worse than any that is */
};

enum search_kind { SEARCH_DRAFT, SEARCH_IMPROVE, SEARCH_DEBUG };
extern const char *const search_kind_names[]; /* "draft", "improve", "debug", NULL */

enum search_answer {
    SEARCH_EXPAND, /* submit the nodes that the decision names */
    SEARCH_WAIT,   /* some node that the next decision needs is pending */
    SEARCH_DONE,
};

struct search_decision {
    enum search_answer answer;
    int64_t iteration;
    enum search_kind kind;
    size_t parent;
    size_t first; /* the batch's first node, by number */
    size_t batch; /* how many nodes it has; those from `count` on are yet to be made */
    size_t best;  /* the best node when the iteration was decided */
};

/* What is next. An error: nodes that these settings cannot have led to. */
int search_next(const struct search_settings *s, const struct search_node *nodes, size_t count,
                struct search_decision *out, struct error *err);

/* The best of the first `count` nodes; the root when nothing is better. */
size_t search_best(const struct search_settings *s, const struct search_node *nodes, size_t count);

/* How many buggy nodes in a row end in this one; 0 of one that is not buggy. */
int64_t search_bug_depth(const struct search_node *nodes, size_t node);

#endif
