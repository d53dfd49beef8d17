/*
 * Draws: numbers that are random to whoever lacks the key and always the same
 * for whoever has it. HMAC-SHA-256 of a counter, keyed by HMAC-SHA-256 of the
 * purpose, so that draws for different purposes tell nothing about each other.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_DRAW_H
#define PADDOCK_ORCHESTRATOR_JUDGE_DRAW_H

#include "common/digest.h"

#include <stddef.h>
#include <stdint.h>

struct draw {
    uint8_t key[DIGEST_BYTES];
    uint64_t counter;
};

/* `purpose` names what is drawn, with all that makes it this one and no other. */
void draw_init(struct draw *d, const void *secret, size_t len, const char *purpose);
uint64_t draw_u64(struct draw *d);
/* Uniform in 0 … n − 1; n > 0. */
uint64_t draw_below(struct draw *d, uint64_t n);
/* Shuffles an array in place (Fisher and Yates). */
void draw_shuffle(struct draw *d, size_t *items, size_t count);

#endif
