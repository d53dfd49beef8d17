/*
 * The bytes of a tar out of a file that may be compressed once: the inside of
 * archive_unpack().
 *
 * Decompression is a stage of its own, so that every byte that comes out of it
 * is counted, whatever the tar reader then does with it: skips it, repeats it
 * or searches it for a header. One filter only, chosen by the first bytes: a
 * chain of them could spin on nothing but empty members.
 */
#ifndef PADDOCK_IMAGES_ARCHIVE_STREAM_H
#define PADDOCK_IMAGES_ARCHIVE_STREAM_H

#include "common/digest.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct archive_stream;

/* Reads from fd; more than `max` bytes after decompression is an ERROR_LIMIT. */
struct archive_stream *archive_stream_open(int fd, uint64_t max, struct error *err);
/* The next block, valid until the next call. Its length, 0 at the end, -1 on
 * error (which stays: every later call gives it again). */
ptrdiff_t archive_stream_next(struct archive_stream *s, const void **block, struct error *err);
/* Whether the end was reached and the last 512 bytes before it were not zero,
 * as those of a whole tar are. */
bool archive_stream_ended_early(const struct archive_stream *s);
/* Reads both the tar and the file to their ends; the digest is the file's. */
int archive_stream_finish(struct archive_stream *s, char sha256[DIGEST_HEX], struct error *err);
void archive_stream_free(struct archive_stream *s);

#endif
