/*
 * A folder of source files (a record, an examiner) as a sorted list with
 * digests. Only regular files and folders may be in it.
 */
#ifndef PADDOCK_TASKS_SOURCE_TREE_H
#define PADDOCK_TASKS_SOURCE_TREE_H

#include "common/digest.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct source_file {
    char *path; /* below the folder */
    int64_t bytes;
    bool executable;
    char sha256[DIGEST_HEX];
};

struct source_tree {
    struct source_file *files; /* sorted by path, bytewise */
    size_t count;
    int64_t bytes;
    char digest[DIGEST_HEX]; /* over "<644|755> <sha256> <path>\n" of each file: of a mode only
                                whether it may be executed, since a umask changes the rest */
};

/* Reads a tree of at most 10,000 files, 16 folders deep. Zero `out` before,
 * source_tree_clear() after. */
int source_tree_read(const char *dir, struct source_tree *out, struct error *err);
void source_tree_clear(struct source_tree *t);
#define _cleanup_source_tree_ __attribute__((cleanup(source_tree_clear)))

#endif
