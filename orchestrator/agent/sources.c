#include "orchestrator/agent/sources.h"

#include "common/cleanup.h"

#include <string.h>

int sources_add(struct sources *s, const char *path, const char *data, size_t len, bool editable,
                struct error *err) {
    if (s->count >= SOURCES_MAX)
        return error_set(err, ERROR_LIMIT, "more than %d files", SOURCES_MAX);
    struct source *grown = reallocarray(s->items, s->count + 1, sizeof *grown);
    if (!grown) return error_sys(err, ENOMEM, "%s", path);
    s->items = grown;
    struct source *one = &grown[s->count];
    *one = (struct source){.path = strdup(path), .editable = editable};
    if (!one->path) return error_sys(err, ENOMEM, "%s", path);
    s->count++;
    if (!data || len > SOURCE_TEXT_MAX || len > SOURCES_TEXT_MAX - s->bytes ||
        !utf8_is_text(data, len))
        return 0;
    one->text = strndup(data, len);
    if (!one->text) return error_sys(err, ENOMEM, "%s", path);
    one->len = len;
    s->bytes += len;
    return 0;
}

const struct source *sources_find(const struct sources *s, const char *path) {
    for (size_t i = 0; i < s->count; i++)
        if (str_eq(s->items[i].path, path)) return &s->items[i];
    return NULL;
}

void sources_clear(struct sources *s) {
    for (size_t i = 0; i < s->count; i++) {
        free(s->items[i].path);
        free(s->items[i].text);
    }
    free(s->items);
    *s = (struct sources){0};
}

/* The longest run of backticks. */
static size_t longest_fence(const char *text, size_t len) {
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < len; i++) {
        run = text[i] == '`' ? run + 1 : 0;
        if (run > longest) longest = run;
    }
    return longest;
}

void sources_fence(const char *text, size_t len, struct buf *out) {
    size_t ticks = longest_fence(text, len) + 1;
    if (ticks < 3) ticks = 3;
    for (size_t i = 0; i < ticks; i++) buf_putc(out, '`');
    buf_putc(out, '\n');
    buf_append(out, text, len);
    if (len > 0 && text[len - 1] != '\n') buf_putc(out, '\n');
    for (size_t i = 0; i < ticks; i++) buf_putc(out, '`');
    buf_putc(out, '\n');
}

void sources_show(const struct sources *s, struct buf *out) {
    for (size_t i = 0; i < s->count; i++) {
        const struct source *one = &s->items[i];
        buf_printf(out, "%s%s%s%s\n", out->len ? "\n" : "", one->path,
                   one->editable ? "" : " (may not be edited)",
                   one->text ? ":" : " (not shown: too large, or not text)");
        if (one->text) sources_fence(one->text, one->len, out);
    }
}
