/*
 * Babble: text that is drawn byte by byte, each from what follows the one or two
 * bytes before it in a real text. It has that text's look, and unlike a real text
 * its true probabilities are known: on average nobody can predict it better than
 * whoever knows them, and one who does by d bits over the whole of it is as lucky
 * as 2 to the −d.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_BABBLE_H
#define PADDOCK_ORCHESTRATOR_JUDGE_BABBLE_H

#include "common/error.h"
#include "orchestrator/judge/draw.h"

#include <stddef.h>
#include <stdint.h>

enum { BABBLE_ORDER_MAX = 2 };

struct babble;

/* What follows what in the text, its beginning behind its end; `order` bytes, 1 or
 * 2, choose the next. The text, longer than that, must outlive it. */
int babble_learn(const uint8_t *text, size_t len, int order, struct babble **out,
                 struct error *err);
void babble_free(struct babble **b);
#define _cleanup_babble_ __attribute__((cleanup(babble_free)))

/* Draws `len` bytes; returns the bits per byte that they cost under the true
 * probabilities. */
double babble_draw(const struct babble *b, struct draw *d, uint8_t *out, size_t len);

#endif
