/*
 * A listing of a tree of files, sorted bytewise by path, read from a folder
 * descriptor without ever following a link, and the digest of a tree.
 *
 * A tree may hold regular files, folders and symbolic links that are relative
 * and stay inside it; anything else is refused by its path.
 */
#ifndef PADDOCK_IMAGES_LISTING_H
#define PADDOCK_IMAGES_LISTING_H

#include "common/digest.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LISTING_DEPTH_MAX 64 /* components of a path */

enum listing_type { LISTING_FILE, LISTING_FOLDER, LISTING_LINK };

struct listing_entry {
    char *path; /* relative to the tree, path_is_confined() */
    enum listing_type type;
    unsigned mode;           /* 0644 or 0755 (any x bit); folders 0755, links 0777 */
    uint64_t bytes;          /* of a file, or of the text of a link */
    char *target;            /* of a link */
    char sha256[DIGEST_HEX]; /* of a file or the text of a link, when asked for; else "" */
};

struct listing {
    struct listing_entry *entries; /* a folder comes before what it holds */
    size_t count;
    size_t cap;
    uint64_t files; /* files and links */
    uint64_t bytes; /* of all files */
};

/* Lists what dirfd (a folder opened for reading) holds. More than `entries_max`
 * entries is an ERROR_LIMIT. `out` is to be zero before; listing_free() it after,
 * on success or failure. */
int listing_read(int dirfd, uint64_t entries_max, bool digests, struct listing *out,
                 struct error *err);
/* The entry of this path, or NULL. */
const struct listing_entry *listing_find(const struct listing *l, const char *path);
/* As git has it: 0100644, 0100755, or 0120000 of a link. */
unsigned listing_git_mode(const struct listing_entry *e);
void listing_free(struct listing *l);
#define _cleanup_listing_ __attribute__((cleanup(listing_free)))

/* Whether a link at `path` with this text is relative and, read component by
 * component, never leaves the tree. */
bool link_stays_inside(const char *path, const char *target);

/* Whether a tree may hold this link: NULL when so, else the reason. Both who
 * unpacks and who lists ask it, so that what was let in can be listed. */
const char *link_objection(const char *path, const char *target);

/* Whether bytes from outside may become a path below a folder of ours: as
 * path_is_confined(), and UTF-8 without control characters, at most
 * LISTING_DEPTH_MAX components. NULL when so, else the reason ("is absolute"). */
const char *path_objection(const char *path);

/* The digest of a tree: SHA-256 over "<mode> <path>\0<bytes>\0<sha256>\n" for
 * each file and link in order of path, where mode is 100644, 100755 or 120000.
 * Empty folders, times and owners do not count. */
int tree_digest(int dirfd, uint64_t entries_max, char hex[DIGEST_HEX], struct error *err);
/* The same from a listing that was read with digests. */
int listing_digest(const struct listing *l, char hex[DIGEST_HEX], struct error *err);

#endif
