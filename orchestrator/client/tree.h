/*
 * The tree of an experiment's versions, laid out as lines.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_TREE_H
#define PADDOCK_ORCHESTRATOR_CLIENT_TREE_H

#include "common/error.h"
#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>

struct tree_line {
    const struct json *version; /* borrowed from the answer */
    char *label;                /* "│  └─ v7" */
};

struct tree {
    struct tree_line *lines; /* each version behind its parent, siblings by number */
    size_t count;
};

/* Lays out the array `versions` of an experiment as the API shows it. Versions
 * whose parent is not there are roots. Without `with_root` the root itself is
 * left out and its children stand at the margin. */
int tree_layout(const struct json *experiment, bool with_root, struct tree *out, struct error *err);
void tree_clear(struct tree *t);
#define _cleanup_tree_ __attribute__((cleanup(tree_clear)))

/* The number of an id: 12 for "v12"; 0 when it is none. */
int64_t tree_number(const struct json *version, const char *key);

#endif
