#include "orchestrator/judge/segments.h"

#include "common/cleanup.h"
#include "orchestrator/judge/draw.h"

#include <inttypes.h>

struct block {
    size_t start;  /* of its first segment */
    size_t count;  /* segments in it */
    size_t *order; /* in which they are taken */
};

struct plan {
    struct block *blocks;
    size_t *turn; /* the blocks, in the order of this turn */
    size_t *space;
    size_t block_count;
};

static void plan_clear(struct plan *p) {
    free(p->blocks);
    free(p->turn);
    free(p->space);
}

static int plan_allocate(struct plan *p, size_t len, size_t block_bytes, size_t length,
                         struct error *err) {
    p->block_count = (len + block_bytes - 1) / block_bytes;
    p->blocks = calloc(p->block_count + 1, sizeof *p->blocks);
    p->turn = calloc(p->block_count + 1, sizeof *p->turn);
    p->space = calloc(len / length + 1, sizeof *p->space);
    return p->blocks && p->turn && p->space ? 0 : error_sys(err, ENOMEM, "segments");
}

/* Cuts every block; returns how many segments there are. */
static size_t cut(struct plan *p, struct draw *d, size_t len, size_t block_bytes, size_t length) {
    size_t total = 0;
    for (size_t b = 0; b < p->block_count; b++) {
        size_t left = len - b * block_bytes, size = left < block_bytes ? left : block_bytes;
        struct block *block = &p->blocks[b];
        block->count = size / length;
        block->order = p->space + total;
        block->start = b * block_bytes + (size_t)draw_below(d, size - block->count * length + 1);
        for (size_t i = 0; i < block->count; i++) block->order[i] = i;
        draw_shuffle(d, block->order, block->count);
        p->turn[b] = b;
        total += block->count;
    }
    return total;
}

int segments_draw(size_t len, size_t block_bytes, size_t length, uint64_t seed, size_t count,
                  size_t *starts, struct error *err) {
    if (length == 0 || length > block_bytes)
        return error_set(err, ERROR_INVALID, "a segment of %zu bytes does not fit a block of %zu",
                         length, block_bytes);
    _cleanup_(plan_clear) struct plan p = {0};
    if (plan_allocate(&p, len, block_bytes, length, err) < 0) return -1;
    struct draw d;
    draw_init(&d, &seed, sizeof seed, "segments");
    size_t total = cut(&p, &d, len, block_bytes, length), taken = 0;
    if (count > total)
        return error_set(err, ERROR_INVALID,
                         "the held-out text has %zu segments of %zu bytes, the examination asks "
                         "for %zu",
                         total, length, count);
    for (size_t turn = 0; taken < count; turn++) {
        draw_shuffle(&d, p.turn, p.block_count);
        for (size_t i = 0; i < p.block_count && taken < count; i++) {
            const struct block *block = &p.blocks[p.turn[i]];
            if (turn < block->count) starts[taken++] = block->start + block->order[turn] * length;
        }
    }
    return 0;
}
