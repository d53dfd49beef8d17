/*
 * Snapshots: the files of a version as a deterministic tar.zst, named by its
 * own digest, in <state>/snapshots/.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_SNAPSHOT_H
#define PADDOCK_ORCHESTRATOR_DAEMON_SNAPSHOT_H

#include "common/digest.h"
#include "orchestrator/daemon/daemon.h"

/* Packs the folder; durable when it returns. One that exists is kept. */
int snapshot_put(struct daemon *d, const char *dir, char sha256[DIGEST_HEX], struct error *err);
/* The same, refused as ERROR_LIMIT when it packs to more than bytes_max (0: any). */
int snapshot_put_within(struct daemon *d, const char *dir, int64_t bytes_max,
                        char sha256[DIGEST_HEX], struct error *err);
/* Unpacks into a fresh temporary folder: daemon_tmp_remove() it. NULL on error.
 * A snapshot whose bytes no longer have its digest is an error. */
char *snapshot_checkout(struct daemon *d, const char *sha256, struct error *err);
/* Opens the archive for reading; −1 on error. */
int snapshot_open(struct daemon *d, const char *sha256, struct error *err);

/* Whether the text is 64 lower-case hex digits: safe as a file name. */
bool snapshot_is_name(const char *sha256);

#endif
