#include "orchestrator/report/similarity.h"

#include "common/cleanup.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

struct word {
    const char *at;
    size_t len;
    char sign; /* '+' or '-' */
};

struct bag {
    struct word *words;
    size_t count, room;
};

static void bag_clear(struct bag *b) {
    free(b->words);
}

static int add_word(struct bag *b, const char *at, size_t len, char sign) {
    if (b->count == b->room) {
        size_t room = b->room ? 2 * b->room : 256;
        struct word *more = reallocarray(b->words, room, sizeof *more);
        if (!more) return -1;
        b->words = more;
        b->room = room;
    }
    b->words[b->count++] = (struct word){at, len, sign};
    return 0;
}

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Bytes above ASCII are parts of letters. */
static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

static int add_line(struct bag *b, const char *line, size_t len) {
    for (size_t i = 1, from; i < len;) {
        from = i++;
        if (is_space(line[from])) continue;
        while (is_word(line[from]) && i < len && is_word(line[i])) i++;
        if (add_word(b, line + from, i - from, line[0]) < 0) return -1;
    }
    return 0;
}

static size_t read_number(const char **p, const char *end) {
    size_t n = 0;
    for (; *p < end && **p >= '0' && **p <= '9'; ++*p)
        if (n < SIMILARITY_DIFF_MAX) n = 10 * n + (size_t)(**p - '0');
    return n;
}

/* "12,3" or "12": how many lines. */
static size_t read_range(const char **p, const char *end) {
    read_number(p, end);
    if (*p == end || **p != ',') return 1;
    ++*p;
    return read_number(p, end);
}

/* "@@ -1,2 +1,3 @@": how many lines of either side follow. */
static bool read_hunk(const char *line, size_t len, size_t *old, size_t *new) {
    const char *p = line + 4, *end = line + len;
    if (len < 8 || memcmp(line, "@@ -", 4) != 0) return false;
    *old = read_range(&p, end);
    if (end - p < 2 || p[0] != ' ' || p[1] != '+') return false;
    p += 2;
    *new = read_range(&p, end);
    return true;
}

/* Counts lines as the hunk's head says, so that a removed "-- x" is no file name. */
static int read_diff(const char *text, size_t len, struct bag *out) {
    size_t old = 0, new = 0;
    for (size_t from = 0, n; from < len; from += n + 1) {
        const char *line = text + from;
        const char *end = memchr(line, '\n', len - from);
        n = end ? (size_t)(end - line) : len - from;
        if (old + new == 0) {
            if (!read_hunk(line, n, &old, &new)) old = new = 0;
            continue;
        }
        char sign = n ? line[0] : ' ';
        if (sign == '\\') continue;
        if (sign != '+' && old) old--;
        if (sign != '-' && new) new --;
        if ((sign == '+' || sign == '-') && add_line(out, line, n) < 0) return -1;
    }
    return 0;
}

static int compare(const void *a, const void *b) {
    const struct word *x = a, *y = b;
    if (x->sign != y->sign) return x->sign < y->sign ? -1 : 1;
    int order = memcmp(x->at, y->at, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static size_t common_words(const struct bag *a, const struct bag *b) {
    size_t common = 0;
    for (size_t i = 0, j = 0; i < a->count && j < b->count;) {
        int order = compare(&a->words[i], &b->words[j]);
        common += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    return common;
}

static double share(size_t part, size_t whole) {
    return whole ? (double)part / (double)whole : NAN;
}

int similarity_of_diffs(const char *ours, size_t ours_len, const char *known, size_t known_len,
                        struct similarity *out, struct error *err) {
    _cleanup_(bag_clear) struct bag a = {0};
    _cleanup_(bag_clear) struct bag b = {0};
    if (ours_len > SIMILARITY_DIFF_MAX || known_len > SIMILARITY_DIFF_MAX)
        return error_set(err, ERROR_LIMIT, "a diff is longer than %zu bytes", SIMILARITY_DIFF_MAX);
    if (read_diff(ours, ours_len, &a) < 0 || read_diff(known, known_len, &b) < 0)
        return error_sys(err, ENOMEM, "similarity");
    if (a.count) qsort(a.words, a.count, sizeof *a.words, compare);
    if (b.count) qsort(b.words, b.count, sizeof *b.words, compare);
    size_t common = common_words(&a, &b);
    *out = (struct similarity){.ours = a.count,
                               .known = b.count,
                               .common = common,
                               .precision = share(common, a.count),
                               .recall = share(common, b.count),
                               .f1 = share(2 * common, a.count + b.count)};
    return 0;
}
