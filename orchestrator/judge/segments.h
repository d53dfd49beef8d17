/*
 * Segments: which pieces of the held-out text an examination asks about.
 *
 * The text is a row of blocks that were cut out of a longer one, so a segment
 * never crosses from one block into the next. Each block is cut, from an offset
 * drawn for it, into segments that do not overlap; they are taken block by block
 * in a drawn order, so that an examination spreads evenly over the text.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_SEGMENTS_H
#define PADDOCK_ORCHESTRATOR_JUDGE_SEGMENTS_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

/* Draws `count` different segments of `length` bytes from `len` bytes of text in
 * blocks of `block_bytes` (the last may be shorter) into starts[0 … count − 1].
 * ERROR_INVALID when the text has not that many. */
int segments_draw(size_t len, size_t block_bytes, size_t length, uint64_t seed, size_t count,
                  size_t *starts, struct error *err);

#endif
