/*
 * Files: whole reads with a cap, atomic writes, trees made and removed without
 * ever following a symbolic link.
 */
#ifndef PADDOCK_COMMON_FILE_H
#define PADDOCK_COMMON_FILE_H

#include "common/buf.h"
#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Reads a whole regular file (or pipe) of at most `max` bytes. */
int file_read(const char *path, size_t max, struct buf *out, struct error *err);
int file_read_at(int dirfd, const char *path, size_t max, struct buf *out, struct error *err);
/* Reads fd to its end; more than `max` bytes is an ERROR_LIMIT. */
int file_read_fd(int fd, size_t max, struct buf *out, struct error *err);

/* Writes all bytes, retrying short writes and EINTR. 0, or -1 with errno. */
int write_all(int fd, const void *data, size_t len);
/* Copies what is left to read, adding to *bytes. 0, or -1 with errno. */
int copy_all(int in, int out, uint64_t *bytes);

/* Replaces `name` in dirfd so that after a crash either the old or the new
 * content is there, whole: temporary file, fsync, rename, fsync of the folder. */
int file_write_atomic_at(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
                         struct error *err);
int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode,
                      struct error *err);

/* Makes a folder and its parents (mode 0755 & ~umask for parents). */
int dir_make(const char *path, mode_t mode, struct error *err);
/* Opens a folder: O_PATH-less, O_DIRECTORY | O_CLOEXEC. -1 on error. */
int dir_open(const char *path, struct error *err);
/* Removes a tree, following no link, whatever its depth (iterative) and
 * permissions as far as ours allow. A missing tree is no error. */
int tree_remove(const char *path, struct error *err);
int tree_remove_at(int dirfd, const char *name, struct error *err);

/* What a trusted copy did. */
struct tree_stats {
    uint64_t files;
    uint64_t bytes;
};
/* Copies the regular files, folders and symbolic links (as links) of one tree
 * into an existing folder, in which folders of the same names may exist already
 * (and keep their modes; one on another device, a mount point, is left alone
 * with what it holds). Other types are an error. Modes keep only
 * their rwx bits. For trees that we trust not to change meanwhile. */
int tree_copy(int from_dirfd, int to_dirfd, struct tree_stats *stats, struct error *err);

/* renameat2(2) that never replaces: 0, or -1 and errno (EEXIST). */
int rename_exclusive(int from_dir, const char *from, int to_dir, const char *to);
/* openat2(2) that stays beneath dirfd and follows no link at all; -1 and errno. */
int open_beneath(int dirfd, const char *path, int flags, mode_t mode);

/* Whether a relative path is safe to use below a folder: not empty, not
 * absolute, no "", "." or ".." component, no NUL, at most PATH_MAX - 1 bytes. */
bool path_is_confined(const char *path);
/* The same of an absolute path: confined behind its first slash. "/" alone is not. */
bool path_is_rooted(const char *path);

/* "a/b" from "a" and "b" in fresh memory; NULL when out of memory. */
char *path_join(const char *a, const char *b);

/* The folder that the running program lies in (/proc/self/exe), in fresh memory. */
char *program_dir(struct error *err);

#endif
