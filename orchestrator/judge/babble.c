#include "orchestrator/judge/babble.h"

#include "common/cleanup.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXTS = 1 << 16, BYTES = 256 };

struct row {
    uint32_t total, counts[BYTES]; /* what followed, how often */
};

struct babble {
    const uint8_t *text;
    size_t len, order;
    uint32_t row_of[CONTEXTS]; /* 1 more than the index; 0: never seen */
    struct row *rows;
};

static size_t context(const struct babble *b, const uint8_t *before) {
    return b->order == 1 ? before[0] : (size_t)before[0] << 8 | before[1];
}

/* The context of the byte at `i` when the text is a ring. */
static size_t context_in_ring(const struct babble *b, size_t i) {
    uint8_t before[BABBLE_ORDER_MAX];
    for (size_t k = 0; k < b->order; k++) before[k] = b->text[(i + b->len - b->order + k) % b->len];
    return context(b, before);
}

static int count(struct babble *b, struct error *err) {
    uint32_t rows = 0;
    for (size_t i = 0; i < b->len; i++) {
        size_t c = context_in_ring(b, i);
        if (!b->row_of[c]) b->row_of[c] = ++rows;
    }
    b->rows = calloc((size_t)rows + 1, sizeof *b->rows);
    if (!b->rows) return error_sys(err, ENOMEM, "babble");
    for (size_t i = 0; i < b->len; i++) {
        struct row *row = &b->rows[b->row_of[context_in_ring(b, i)] - 1];
        row->counts[b->text[i]]++;
        row->total++;
    }
    return 0;
}

int babble_learn(const uint8_t *text, size_t len, int order, struct babble **out,
                 struct error *err) {
    if (order < 1 || order > BABBLE_ORDER_MAX || len <= (size_t)order || len > UINT32_MAX)
        return error_set(err, ERROR_INVALID, "babble of order %d from %zu bytes", order, len);
    _cleanup_babble_ struct babble *b = calloc(1, sizeof *b);
    if (!b) return error_sys(err, ENOMEM, "babble");
    b->text = text;
    b->len = len;
    b->order = (size_t)order;
    if (count(b, err) < 0) return -1;
    *out = steal_ptr(&b);
    return 0;
}

void babble_free(struct babble **b) {
    if (*b) free((*b)->rows);
    free(*b);
    *b = NULL;
}

double babble_draw(const struct babble *b, struct draw *d, uint8_t *out, size_t len) {
    double bits = 0;
    size_t begin = (size_t)draw_below(d, b->len - b->order + 1);
    for (size_t i = 0; i < len && i < b->order; i++) out[i] = b->text[begin + i];
    for (size_t i = b->order; i < len; i++) {
        const struct row *row = &b->rows[b->row_of[context(b, out + i - b->order)] - 1];
        uint64_t left = draw_below(d, row->total);
        size_t next = 0;
        while (left >= row->counts[next]) left -= row->counts[next++];
        out[i] = (uint8_t)next;
        bits -= log2((double)row->counts[next] / row->total);
    }
    return len ? bits / (double)len : 0;
}
