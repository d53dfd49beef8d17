/*
 * A workspace as the API shows it: its files with size, mode and digest, and
 * the bytes of one of them. The digest of a whole tree is tree_digest()
 * (images/listing.h).
 */
#ifndef PADDOCK_ORCHESTRATOR_VERSION_WORKSPACE_H
#define PADDOCK_ORCHESTRATOR_VERSION_WORKSPACE_H

#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"
#include "images/listing.h"

#define WORKSPACE_ENTRIES_MAX 20000

/* The files and links (no folders) with digests, sorted by path. */
int workspace_list(int dirfd, struct listing *out, struct error *err);
/* [{"path", "bytes", "mode": "100644", "sha256"}] under `key`; modes as git has
 * them: 100644, 100755, 120000 (a link, whose bytes are its text). */
void workspace_encode(const struct listing *files, struct json_writer *w, const char *key);
/* The bytes of one file. A path that leaves the folder, a link, or more than
 * `max` bytes is an error. */
int workspace_read(int dirfd, const char *path, size_t max, struct buf *out, struct error *err);

#endif
