#include "orchestrator/agent/format.h"

#include "common/cleanup.h"
#include "orchestrator/agent/format_lines.h"

#include <string.h>
#include <strings.h>

const char *const format_names[] = {"whole", "blocks", "diff", NULL};

bool reader_peek(const struct reader *r, struct line *out) {
    if (r->at >= r->end) return false;
    const char *end = memchr(r->at, '\n', (size_t)(r->end - r->at));
    out->text = r->at;
    out->len = (size_t)((end ? end : r->end) - r->at);
    out->next = end ? end + 1 : r->end;
    return true;
}

bool reader_next(struct reader *r, struct line *out) {
    if (!reader_peek(r, out)) return false;
    r->at = out->next;
    r->number++;
    return true;
}

static size_t trimmed(const struct line *l) {
    size_t len = l->len;
    while (len > 0 && strchr(" \t\r", l->text[len - 1])) len--;
    return len;
}

bool line_is(const struct line *l, const char *text) {
    size_t len = trimmed(l);
    return len == strlen(text) && memcmp(l->text, text, len) == 0;
}

bool line_starts(const struct line *l, const char *prefix) {
    size_t len = strlen(prefix);
    return l->len >= len && memcmp(l->text, prefix, len) == 0;
}

bool line_is_blank(const struct line *l) {
    return trimmed(l) == 0;
}

size_t line_fence(const struct line *l, char *mark) {
    size_t indent = 0, n = 0;
    while (indent < l->len && indent < 3 && l->text[indent] == ' ') indent++;
    if (indent == l->len) return 0;
    *mark = l->text[indent];
    if (*mark != '`' && *mark != '~') return 0;
    while (indent + n < l->len && l->text[indent + n] == *mark) n++;
    /* Behind an opening fence may stand a word, but no further backtick. */
    bool inline_code = memchr(l->text + indent + n, '`', l->len - indent - n);
    return n >= 3 && !inline_code ? n : 0;
}

bool line_closes(const struct line *l, char mark, size_t count) {
    char found = 0;
    size_t n = line_fence(l, &found), len = trimmed(l);
    return n >= count && found == mark && len > 0 && l->text[len - 1] == mark &&
           !memchr(l->text, mark == '`' ? '~' : '`', len);
}

static bool is_dress(char c) {
    return strchr(" \t\r#*`", c);
}

char *line_value(const struct line *l, const char *word) {
    size_t at = 0, end = l->len, len = strlen(word);
    while (at < end && is_dress(l->text[at])) at++;
    if (end - at < len + 1 || strncasecmp(l->text + at, word, len) != 0) return NULL;
    at += len;
    while (at < end && strchr("*`", l->text[at])) at++;
    if (at == end || l->text[at] != ':') return NULL;
    at++;
    while (at < end && is_dress(l->text[at])) at++;
    while (end > at && is_dress(l->text[end - 1])) end--;
    return strndup(l->text + at, end - at);
}

int format_read(enum format f, const char *reply, struct patch *p, struct error *err) {
    static void (*const parsers[])(struct reader *, struct patch *) = {format_whole, format_blocks,
                                                                       format_diff};
    size_t len = strlen(reply);
    struct reader r = {.at = reply, .end = reply + len};
    if (len > FORMAT_REPLY_MAX) patch_problem(p, "the reply has %zu bytes, which is too long", len);
    else parsers[f](&r, p);
    patch_finish(p);
    return p->failed ? error_sys(err, ENOMEM, "reply") : 0;
}

char *format_summary(const char *reply) {
    struct reader r = {.at = reply, .end = reply + strlen(reply)};
    struct line l;
    while (reader_next(&r, &l)) {
        char mark;
        if (line_fence(&l, &mark) || line_starts(&l, "<<<<<<< ") || line_starts(&l, "--- ")) break;
        char *value = line_value(&l, "SUMMARY");
        if (value) return value;
    }
    return strdup("");
}
