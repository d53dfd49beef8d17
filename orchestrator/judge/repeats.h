/*
 * Repeats: in which order the segments of an examination are asked about, some of
 * them twice.
 *
 * A round is one segment for each stream. One round more is run than the
 * examination has segments for; its places are spread over all rounds but the
 * first, and filled with segments of earlier rounds. Where they are follows from
 * the seed: the program sees a repeat for one only when it has read a part of it.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_REPEATS_H
#define PADDOCK_ORCHESTRATOR_JUDGE_REPEATS_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

struct repeats {
    size_t *order; /* (rounds + 1) × streams indices of segments, round by round */
};

/* Of streams × rounds segments, each is asked once, and `streams` times one is
 * asked again. `out` must be given to repeats_clear(), also on failure. */
int repeats_draw(uint32_t streams, uint32_t rounds, uint64_t seed, struct repeats *out,
                 struct error *err);
void repeats_clear(struct repeats *r);

#endif
