#include "orchestrator/agent/patch_match.h"

#include "common/cleanup.h"

#include <stdlib.h>
#include <string.h>

#define LINE_SHOWN   120
#define COMPARES_MAX 2000000 /* lines compared for a hint */

/* How many bytes at `at` the old lines take, 0 when they are not there. */
static size_t fits(const char *text, size_t len, size_t at, const struct patch_lines *l) {
    size_t left = len - at;
    if (left >= l->old_len) return memcmp(text + at, l->old, l->old_len) == 0 ? l->old_len : 0;
    bool fits_short = left + 1 == l->old_len && left > 0 && text[len - 1] != '\n' &&
                      l->old[left] == '\n' && memcmp(text + at, l->old, left) == 0;
    return fits_short ? left : 0;
}

static size_t distance(size_t a, size_t b) {
    return a > b ? a - b : b - a;
}

int match_lines(const char *text, size_t len, const struct patch_lines *l, struct match *out) {
    int found = 0;
    size_t nearest = SIZE_MAX, line = 1;
    for (size_t at = 0; at < len; line++) {
        size_t n = fits(text, len, at, l);
        size_t far = l->line ? distance(line, l->line) : 0;
        if (n && (found == 0 || far < nearest)) {
            *out = (struct match){.at = at, .len = n};
            nearest = far;
            found = 1;
        } else if (n && far == nearest) {
            found = 2; /* as near as the other, or no line to be near to */
        }
        const char *end = memchr(text + at, '\n', len - at);
        at = end ? (size_t)(end - text) + 1 : len;
    }
    return found;
}

bool match_is_unique(const char *text, size_t len, size_t at, size_t n) {
    const char *first = memmem(text, len, text + at, n);
    if (first != text + at) return false;
    return !memmem(first + 1, len - at - 1, text + at, n);
}

static const char *last_line(const char *text, size_t len, size_t *n) {
    size_t end = len > 0 && text[len - 1] == '\n' ? len - 1 : len;
    const char *before = end > 0 ? memrchr(text, '\n', end) : NULL;
    const char *start = before ? before + 1 : text;
    *n = (size_t)(text + end - start);
    return start;
}

bool match_last_line_is_same(const struct patch_lines *l) {
    size_t a = 0, b = 0;
    const char *x = last_line(l->old, l->old_len, &a), *y = last_line(l->new, l->new_len, &b);
    return a == b && memcmp(x, y, a) == 0;
}

/* ---- the nearest place ---- */

struct lines {
    const char **start;
    size_t *len;
    size_t count;
};

static void lines_clear(struct lines *l) {
    free(l->start);
    free(l->len);
}

static bool lines_split(const char *text, size_t len, struct lines *out) {
    size_t most = 1;
    for (size_t i = 0; i < len; i++) most += text[i] == '\n';
    out->start = calloc(most, sizeof *out->start);
    out->len = calloc(most, sizeof *out->len);
    if (!out->start || !out->len) return false;
    for (size_t at = 0; at < len; out->count++) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - text) - at : len - at;
        out->start[out->count] = text + at;
        out->len[out->count] = n;
        at += n + 1;
    }
    return true;
}

static bool is_same(const struct lines *a, size_t i, const struct lines *b, size_t k) {
    return a->len[i] == b->len[k] && memcmp(a->start[i], b->start[k], a->len[i]) == 0;
}

static void show_line(const struct lines *l, size_t i, struct buf *out) {
    size_t n = l->len[i] < LINE_SHOWN ? l->len[i] : LINE_SHOWN;
    while (n > 0 && n < l->len[i] && ((unsigned char)l->start[i][n] & 0xc0) == 0x80) n--;
    _cleanup_free_ char *shown = str_printable(l->start[i], n);
    buf_printf(out, "“%s%s”", shown ? shown : "?", n < l->len[i] ? "…" : "");
}

/* The first line at which the best place differs. */
static void say(const struct lines *have, const struct lines *want, size_t best, struct buf *out) {
    size_t k = 0;
    while (k < want->count && best + k < have->count && is_same(have, best + k, want, k)) k++;
    buf_printf(out, "The nearest place begins in line %zu; ", best + 1);
    if (k == want->count) {
        buf_puts(out, "it is almost the same.");
        return;
    }
    if (best + k < have->count) {
        buf_printf(out, "its line %zu is ", best + k + 1);
        show_line(have, best + k, out);
    } else {
        buf_printf(out, "the file ends before line %zu", best + k + 1);
    }
    buf_puts(out, " where the reply has ");
    show_line(want, k, out);
    buf_putc(out, '.');
}

void match_nearest(const char *text, size_t len, const struct patch_lines *l, struct buf *out) {
    _cleanup_(lines_clear) struct lines have = {0}, want = {0};
    if (!lines_split(text, len, &have) || !lines_split(l->old, l->old_len, &want)) return;
    if (want.count == 0 || have.count == 0 || have.count > COMPARES_MAX / want.count) return;
    size_t best = 0, most = 0;
    for (size_t i = 0; i < have.count; i++) {
        size_t same = 0;
        for (size_t k = 0; k < want.count && i + k < have.count; k++)
            same += want.len[k] > 0 && is_same(&have, i + k, &want, k);
        if (same > most) {
            most = same;
            best = i;
        }
    }
    if (most > 0) say(&have, &want, best, out);
    else if (want.count > 0) {
        buf_puts(out, "No line of it is there; its first is ");
        show_line(&want, 0, out);
        buf_putc(out, '.');
    }
}
