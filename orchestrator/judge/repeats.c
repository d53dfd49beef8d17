#include "orchestrator/judge/repeats.h"

#include "common/cleanup.h"
#include "orchestrator/judge/draw.h"

#include <errno.h>

int repeats_draw(uint32_t streams, uint32_t rounds, uint64_t seed, struct repeats *out,
                 struct error *err) {
    size_t fresh = (size_t)streams * rounds, places = fresh + streams;
    out->order = calloc(places, sizeof *out->order);
    if (!out->order) return error_sys(err, ENOMEM, "repeats");
    struct draw d;
    draw_init(&d, &seed, sizeof seed, "repeats");
    /* Each place behind the first round is a repeat with the chance that leaves
     * exactly `streams` of them. */
    size_t left = streams, next = 0;
    for (size_t at = 0; at < places; at++) {
        bool again = at >= streams && draw_below(&d, places - at) < left;
        size_t before = at - at % streams; /* places of earlier rounds */
        out->order[at] = again ? out->order[draw_below(&d, before)] : next++;
        left -= again;
    }
    return 0;
}

void repeats_clear(struct repeats *r) {
    free(r->order);
    r->order = NULL;
}
