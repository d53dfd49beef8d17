/*
 * A clone of the user's, read as data: the objects of one commit and nothing else. No
 * checkout, hook, filter or configuration, no working tree, no owner to be trusted.
 *
 * The clone is a stranger's: every size is known before bytes are read, trees, depth
 * and counts are bounded, and only regular files are files.
 */
#ifndef PADDOCK_TASKS_IMPORT_CLONE_H
#define PADDOCK_TASKS_IMPORT_CLONE_H

#include "common/buf.h"
#include "common/error.h"

#include <stddef.h>

struct clone;

enum {
    CLONE_DEPTH = 16,
    CLONE_FILES = 10000,   /* of one listing */
    CLONE_ENTRIES = 20000, /* of one folder */
    CLONE_BLOB = 4 << 20,  /* bytes of a file */
    CLONE_TREE = 4 << 20,  /* bytes of a folder */
};

/* Opens a clone (bare or not) and the commit that HEAD names. */
struct clone *clone_open(const char *dir, struct error *err);
void clone_close(struct clone *c);
void cleanup_clone(struct clone **c);
#define _cleanup_clone_ __attribute__((cleanup(cleanup_clone)))

const char *clone_commit(const struct clone *c); /* 40 digits */

enum clone_kind { CLONE_NOTHING, CLONE_FILE, CLONE_FOLDER, CLONE_LINK, CLONE_MODULE };
/* What is at a path of the commit. -1: an object is missing or malformed. */
int clone_look(struct clone *c, const char *path, enum clone_kind *out, struct error *err);

/* A regular file of at most CLONE_BLOB bytes; anything else is an error that says what
 * it is instead. */
int clone_read(struct clone *c, const char *path, struct buf *out, struct error *err);
/* The same of a text: ERROR_INVALID when it is empty or no UTF-8. */
int clone_read_text(struct clone *c, const char *path, struct buf *out, struct error *err);

/* The regular files below a folder, as paths of the commit, in order of name with a
 * folder's own files before those of its folders; NULL-terminated. What has an odd name
 * or is no regular file is left out. */
int clone_list(struct clone *c, const char *dir, char ***out, struct error *err);

#endif
