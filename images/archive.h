/*
 * Archives: trees of files to and from tar, the only module that touches
 * libarchive.
 *
 * Packing is deterministic: the same tree gives the same bytes (for one version
 * of libzstd), whatever its times, owners and order of creation. Unpacking
 * trusts nothing: names are confined, no link is ever followed, what libarchive
 * decompresses and what we write are capped, and no filter that would start a
 * program is enabled.
 */
#ifndef PADDOCK_IMAGES_ARCHIVE_H
#define PADDOCK_IMAGES_ARCHIVE_H

#include "common/digest.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct archive_limits {
    uint64_t bytes;       /* contents of all files together, holes counted as bytes */
    uint64_t file_bytes;  /* contents of one file */
    uint64_t entries;     /* files, folders and links */
    bool any_link_target; /* keep symbolic links that are absolute or leave the tree, as a
                             root filesystem needs; else they are refused */
    bool skip_special;    /* leave out devices, FIFOs and sockets; else they are refused */
};

/* Of a version or a submission: what an agent writes. */
#define ARCHIVE_LIMITS_SNAPSHOT \
    ((struct archive_limits){   \
        .bytes = UINT64_C(256) << 20, .file_bytes = UINT64_C(128) << 20, .entries = 20000})
/* Of a root filesystem. */
#define ARCHIVE_LIMITS_IMAGE                                   \
    ((struct archive_limits){.bytes = UINT64_C(64) << 30,      \
                             .file_bytes = UINT64_C(16) << 30, \
                             .entries = 2000000,               \
                             .any_link_target = true,          \
                             .skip_special = true})

struct archive_stats {
    uint64_t files; /* regular files and links */
    uint64_t folders;
    uint64_t bytes;          /* contents of files */
    uint64_t skipped;        /* special files left out */
    char sha256[DIGEST_HEX]; /* of the archive's own bytes, as read */
};

/* Writes the tree below dirfd as `tar.zst` to out_fd: entries sorted by path,
 * mtime 0, owner 0, modes 0644 or 0755. Files, folders and symbolic links that
 * stay inside; anything else is an error that names the path. `sha256` is that
 * of the bytes written. */
int archive_pack(int dirfd, int out_fd, const struct archive_limits *limits,
                 char sha256[DIGEST_HEX], struct error *err);
/* The same into a new file `name` of out_dirfd (mode 0644, synced); after an
 * error no file is left. */
int archive_pack_file(int dirfd, int out_dirfd, const char *name,
                      const struct archive_limits *limits, char sha256[DIGEST_HEX],
                      struct error *err);

/* Reads a tar (plain, gzip, zstd, xz or bzip2) from in_fd to its end and
 * creates what it holds below dirfd, an empty folder that nobody else changes.
 * Modes keep their rwx bits, owners always read and write; setuid, setgid,
 * sticky, owners, times, xattrs and ACLs are dropped. On error what was created
 * is left to the caller. `stats` may be NULL. */
int archive_unpack(int in_fd, int dirfd, const struct archive_limits *limits,
                   struct archive_stats *stats, struct error *err);

/* Unpacks into a folder `name` of parent_dirfd that must not exist: into a
 * temporary sibling first, which is renamed when all is well and removed
 * otherwise. ERROR_EXISTS when somebody else was first. */
int archive_unpack_into_new(int in_fd, int parent_dirfd, const char *name,
                            const struct archive_limits *limits, struct archive_stats *stats,
                            struct error *err);

#endif
