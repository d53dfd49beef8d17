/*
 * The format "diff": unified diffs. Counts in hunk headers are not relied upon,
 * since models count badly: a hunk ends where its lines do. Trailing blanks that a
 * model dropped from an empty context line are understood; nothing else is.
 */
#include "common/cleanup.h"
#include "orchestrator/agent/format_lines.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct diff {
    struct reader *r;
    struct patch *p;
    char *old, *new; /* paths of the file at hand; NULL: /dev/null */
    bool open;       /* there is a file at hand */
    bool whole;      /* it was deleted or created: no further hunk is taken */
    int64_t drift;   /* how far lines have moved: by earlier hunks of the file */
};

struct hunk {
    struct buf old, new;
    int64_t old_start, old_count, new_count; /* −1: the header does not say */
    int64_t olds, news;                      /* as they are */
    bool no_newline;                         /* of the last new line */
    char last;                               /* the kind of the last line */
};

static void hunk_clear(struct hunk *h) {
    buf_free(&h->old);
    buf_free(&h->new);
}

/* The path of a "--- " or "+++ " line; NULL: /dev/null. */
static char *header_path(const struct line *l, const char *prefix) {
    const char *text = l->text + 4;
    size_t len = l->len - 4;
    const char *tab = memchr(text, '\t', len);
    if (tab) len = (size_t)(tab - text);
    while (len > 0 && strchr(" \r", text[len - 1])) len--;
    if (len == 9 && memcmp(text, "/dev/null", 9) == 0) return NULL;
    if (len > 2 && memcmp(text, prefix, 2) == 0) return strndup(text + 2, len - 2);
    return strndup(text, len);
}

static bool is_hunk_line(const struct line *l) {
    return l->len > 0 && strchr(" +-\\", l->text[0]);
}

/* A file's header: "--- " and "+++ ", one after the other, before a hunk or the end. */
static bool is_header(const struct diff *d, const struct line *first) {
    struct reader ahead = {.at = first->next, .end = d->r->end};
    struct line l;
    if (!line_starts(first, "--- ") || !reader_next(&ahead, &l) || !line_starts(&l, "+++ "))
        return false;
    return !reader_next(&ahead, &l) || line_starts(&l, "@@") || !is_hunk_line(&l);
}

static void begin_file(struct diff *d, const struct line *first) {
    struct line second;
    size_t number = d->r->number;
    free(d->old);
    free(d->new);
    (void)reader_next(d->r, &second);
    d->old = header_path(first, "a/");
    d->new = header_path(&second, "b/");
    d->open = d->old || d->new;
    d->whole = false;
    d->drift = 0;
    _cleanup_free_ char *where = str_printf("the diff in line %zu", number);
    if (!where) d->p->failed = true;
    else if (!d->open) patch_problem(d->p, "%s names no file", where);
    else if (!d->new) {
        patch_delete(d->p, where, d->old);
        d->whole = true;
    } else if (d->old && !str_eq(d->old, d->new)) {
        patch_problem(d->p, "%s renames a file; delete the one and create the other", where);
        d->open = false;
    }
}

/* Up to nine digits. */
static bool take_number(const char **at, int64_t *out) {
    size_t digits = strspn(*at, "0123456789");
    if (digits == 0 || digits > 9) return false;
    *out = strtoll(*at, NULL, 10);
    *at += digits;
    return true;
}

/* "12,3", or "12": one line. */
static bool take_range(const char **at, int64_t *start, int64_t *count) {
    *count = 1;
    if (!take_number(at, start)) return false;
    if (**at != ',') return true;
    ++*at;
    return take_number(at, count);
}

/* "@@ -12,3 +14,4 @@" */
static void read_numbers(const struct line *l, struct hunk *h) {
    char text[96];
    size_t len = l->len < sizeof text - 1 ? l->len : sizeof text - 1;
    memcpy(text, l->text, len);
    text[len] = '\0';
    h->old_start = h->old_count = h->new_count = -1;
    int64_t start = 0, old = 1, other = 0, new = 1;
    const char *at = text;
    if (!str_starts(at, "@@ -")) return;
    at += strlen("@@ -");
    if (!take_range(&at, &start, &old)) return;
    at += strspn(at, " ");
    if (*at++ != '+' || !take_range(&at, &other, &new)) return;
    h->old_start = start;
    h->old_count = old;
    h->new_count = new;
}

static void add_line(struct buf *b, const struct line *l) {
    buf_append(b, l->text + (l->len > 0), l->len - (l->len > 0));
    buf_putc(b, '\n');
}

static bool is_complete(const struct hunk *h) {
    return h->old_start < 0 || (h->olds >= h->old_count && h->news >= h->new_count);
}

/* Whether an empty line is one of context that lost its blank: more of the hunk
 * comes behind it. */
static bool is_context(const struct diff *d, const struct hunk *h, const struct line *empty) {
    if (h->old_start >= 0 && is_complete(h)) return false;
    struct reader ahead = {.at = empty->next, .end = d->r->end};
    struct line l;
    while (reader_next(&ahead, &l))
        if (l.len > 0) return is_hunk_line(&l) && !is_header(d, &l);
    return false;
}

/* Takes one line of a hunk; false where it ends. */
static bool take_line(const struct diff *d, struct hunk *h, const struct line *l) {
    char kind = l->len ? l->text[0] : ' ';
    if (l->len == 0 && !is_context(d, h, l)) return false;
    if (kind == '\\') {
        h->no_newline |= h->last != '-';
        return true;
    }
    if (!strchr(" +-", kind) || is_header(d, l)) return false;
    if (kind != '+') add_line(&h->old, l);
    if (kind != '-') add_line(&h->new, l);
    h->olds += kind != '+';
    h->news += kind != '-';
    h->last = kind;
    return true;
}

/* Whether a line may come behind a hunk whose header promised more. */
static bool may_follow(const struct diff *d, const struct line *l) {
    char mark;
    return line_starts(l, "@@") || line_starts(l, "diff ") || line_fence(l, &mark) ||
           is_header(d, l) || line_is_blank(l);
}

static void apply_hunk(struct diff *d, struct hunk *h, const char *where) {
    int64_t line = h->old_start < 1 ? 0 : h->old_start + d->drift;
    const struct patch_lines lines = {.old = buf_text(&h->old),
                                      .new = buf_text(&h->new),
                                      .old_len = h->old.len,
                                      .new_len = h->new.len,
                                      .line = line > 0 ? (size_t)line : h->old_start > 0,
                                      .creates = !d->old,
                                      .no_newline = h->no_newline};
    if (!d->old && h->old.len > 0)
        patch_problem(d->p, "%s: a new file can only have lines that begin with +", where);
    else if (h->old.len == 0 && h->new.len == 0) patch_problem(d->p, "%s is empty", where);
    else patch_replace(d->p, where, d->new, &lines);
    d->drift += h->news - h->olds;
    d->whole |= !d->old;
}

static void take_hunk(struct diff *d, const struct line *first) {
    _cleanup_(hunk_clear) struct hunk h = {0};
    _cleanup_free_ char *where = str_printf("the hunk in line %zu", d->r->number);
    struct line l = {0};
    bool more = false;
    read_numbers(first, &h);
    while ((more = reader_peek(d->r, &l)) && take_line(d, &h, &l)) (void)reader_next(d->r, &l);
    if (!where || buf_failed(&h.old) || buf_failed(&h.new)) d->p->failed = true;
    else if (more && !is_complete(&h) && !may_follow(d, &l))
        patch_problem(d->p, "%s: its line %zu begins with none of “ ”, “+”, “-”", where,
                      d->r->number + 1);
    else if (!d->open) patch_problem(d->p, "%s belongs to no file", where);
    else if (d->whole && !d->new) return; /* of a deleted file */
    else if (d->whole) patch_problem(d->p, "%s: a new file has one hunk", where);
    else apply_hunk(d, &h, where);
}

static void diff_clear(struct diff *d) {
    free(d->old);
    free(d->new);
}

void format_diff(struct reader *r, struct patch *p) {
    _cleanup_(diff_clear) struct diff d = {.r = r, .p = p};
    struct line l;
    while (reader_next(r, &l)) {
        if (is_header(&d, &l)) begin_file(&d, &l);
        else if (line_starts(&l, "@@")) take_hunk(&d, &l);
        else if (line_starts(&l, "rename from ") || line_starts(&l, "GIT binary patch"))
            patch_problem(p, "line %zu: only changes of text can be read", r->number);
    }
}
