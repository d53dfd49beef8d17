/*
 * Unified diffs in git's format, of two texts or of two trees, in order of
 * path: what `git apply` and `patch -p1` take, except for binary files, which
 * are only said to differ.
 */
#ifndef PADDOCK_ORCHESTRATOR_VERSION_DIFF_H
#define PADDOCK_ORCHESTRATOR_VERSION_DIFF_H

#include "common/buf.h"
#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

#define DIFF_FILE_MAX (UINT64_C(2) << 20)  /* a larger file is treated as binary */
#define DIFF_MAX      (UINT64_C(16) << 20) /* bytes of a whole diff; beyond: ERROR_LIMIT */

/* One side of one file; data NULL: the file is not there. */
struct diff_side {
    const char *data;
    size_t len;
    unsigned mode; /* as git has it (listing_git_mode()); 0 means 0100644 */
};

/* Appends the diff of one file; nothing when both sides are the same. */
int diff_texts(const char *path, const struct diff_side *old, const struct diff_side *new,
               struct buf *out, struct error *err);

/* Appends the diff of two trees. */
int diff_trees(int old_dirfd, int new_dirfd, struct buf *out, struct error *err);

#endif
