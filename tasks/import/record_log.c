#include "tasks/import/record_log.h"

#include "common/buf.h"
#include "common/cleanup.h"

#include <string.h>

enum { RULE_SIGNS = 60, MODULE_SIGNS = 40 };

/* One line of a text: [from, to) without its end, and where the next begins. */
struct line {
    size_t from, to, next;
};

static bool next_line(const char *text, size_t len, size_t at, struct line *out) {
    if (at >= len) return false;
    const char *end = memchr(text + at, '\n', len - at);
    size_t to = end ? (size_t)(end - text) : len;
    *out = (struct line){at, to, end ? to + 1 : len};
    if (to > at && text[to - 1] == '\r') out->to--;
    return true;
}

static bool all_of(const char *text, const struct line *l, char sign, size_t least) {
    if (l->to - l->from < least) return false;
    for (size_t i = l->from; i < l->to; i++)
        if (text[i] != sign) return false;
    return true;
}

static bool is_word(char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Whether any line imports something: what has none is no program of ours. */
static bool is_python(const char *text, size_t len) {
    struct line l;
    for (size_t at = 0; next_line(text, len, at, &l); at = l.next) {
        const char *s = text + l.from;
        size_t n = l.to - l.from;
        if ((n > 7 && memcmp(s, "import ", 7) == 0) || (n > 5 && memcmp(s, "from ", 5) == 0))
            return true;
    }
    return false;
}

/* "# name.py" → the name; false when the line says something else. */
static bool module_name(const char *text, const struct line *l, char out[RECORD_LOG_NAME]) {
    const char *s = text + l->from;
    size_t n = l->to - l->from;
    if (n < 6 || n - 2 >= RECORD_LOG_NAME || memcmp(s, "# ", 2) != 0) return false;
    if (memcmp(s + n - 3, ".py", 3) != 0) return false;
    for (size_t i = 2; i < n - 3; i++)
        if (!is_word(s[i])) return false;
    memcpy(out, s + 2, n - 2);
    out[n - 2] = '\0';
    return true;
}

/* Whether a module's three lines begin at `first`; where its text begins. */
static bool module_head(const char *text, size_t len, const struct line *first, size_t *begin,
                        char name[RECORD_LOG_NAME]) {
    struct line middle, last;
    if (!all_of(text, first, '-', MODULE_SIGNS) || !next_line(text, len, first->next, &middle) ||
        !next_line(text, len, middle.next, &last) || !all_of(text, &last, '-', MODULE_SIGNS) ||
        !module_name(text, &middle, name))
        return false;
    *begin = last.next;
    return true;
}

/* Ends the newest source before `to`; the blank lines between are the log's. */
static void end_source(struct record_log *out, const char *text, size_t to) {
    struct record_source *s = &out->sources[out->count - 1];
    s->len = (size_t)(text + to - s->text);
    while (s->len > 1 && s->text[s->len - 1] == '\n' && s->text[s->len - 2] == '\n') s->len--;
}

static bool split_sources(const char *text, size_t from, size_t to, struct record_log *out) {
    struct line l;
    *out = (struct record_log){.count = 1};
    out->sources[0].text = text + from;
    for (size_t at = from; next_line(text, to, at, &l); at = l.next) {
        size_t begin = 0;
        char name[RECORD_LOG_NAME];
        if (!module_head(text, to, &l, &begin, name)) continue;
        if (out->count > RECORD_LOG_MODULES) return false;
        end_source(out, text, l.from);
        struct record_source *s = &out->sources[out->count++];
        memcpy(s->name, name, sizeof name);
        s->text = text + begin;
        l.next = begin;
    }
    end_source(out, text, to);
    for (size_t i = 0; i < out->count; i++)
        for (size_t k = i + 1; k < out->count; k++)
            if (strcmp(out->sources[i].name, out->sources[k].name) == 0) return false;
    return is_python(out->sources[0].text, out->sources[0].len);
}

bool record_log_split(const char *text, size_t len, struct record_log *out) {
    struct line l;
    size_t from = 0;
    for (size_t at = 0; next_line(text, len, at, &l); at = l.next) {
        if (!all_of(text, &l, '=', RULE_SIGNS)) continue;
        if (l.from == 0) from = l.next;
        else return split_sources(text, from, l.from, out);
    }
    return false;
}

static bool has(char *const *list, const char *word) {
    for (; list && *list; list++)
        if (strcmp(*list, word) == 0) return true;
    return false;
}

static size_t skip_blanks(const char *s, size_t i, size_t n) {
    while (i < n && (s[i] == ' ' || s[i] == '\t')) i++;
    return i;
}

/* Takes the first word of a dotted name at `i`; where the name ends. */
static size_t take_module(const char *s, size_t i, size_t n, char ***list, bool *failed) {
    size_t from = i;
    while (i < n && is_word(s[i])) i++;
    size_t words = i - from;
    while (i < n && (is_word(s[i]) || s[i] == '.')) i++;
    if (!words || words >= RECORD_LOG_NAME - 3 || strv_len(*list) == PYTHON_IMPORTS) return i;
    _cleanup_free_ char *word = strndup(s + from, words);
    if (!word || (!has(*list, word) && strv_push(list, word) < 0)) *failed = true;
    return i;
}

static void take_imports(const char *s, size_t n, char ***list, bool *failed) {
    size_t i = skip_blanks(s, 0, n);
    if (n - i > 5 && memcmp(s + i, "from ", 5) == 0) {
        i = skip_blanks(s, i + 5, n);
        while (i < n && s[i] == '.') i++;
        take_module(s, i, n, list, failed);
    }
    if (n - i <= 7 || memcmp(s + i, "import ", 7) != 0) return;
    for (i += 7; i < n; i++) {
        i = take_module(s, skip_blanks(s, i, n), n, list, failed);
        while (i < n && s[i] != ',') i++; /* "as name" */
    }
}

char **python_imports(const char *text, size_t len) {
    _cleanup_strv_ char **list = calloc(1, sizeof *list);
    bool failed = !list;
    struct line l;
    for (size_t at = 0; !failed && next_line(text, len, at, &l); at = l.next)
        take_imports(text + l.from, l.to - l.from, &list, &failed);
    return failed ? NULL : steal_ptr(&list);
}
