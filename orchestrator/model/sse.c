#include "orchestrator/model/sse.h"

#include <stdio.h>
#include <string.h>

void sse_clear(struct sse *s) {
    buf_free(&s->line);
    buf_free(&s->data);
}

static enum sse_result dispatch(struct sse *s) {
    bool go_on = true;
    if (s->has_data) go_on = s->handler(s->arg, s->event, buf_text(&s->data), s->data.len);
    s->data.len = 0;
    s->has_data = false;
    s->event[0] = '\0';
    return go_on ? SSE_OK : SSE_STOPPED;
}

/* "field: value", where the one blank is not part of the value. */
static enum sse_result take_line(struct sse *s) {
    const char *line = buf_text(&s->line);
    size_t len = s->line.len;
    if (!s->begun && len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) line += 3, len -= 3;
    s->begun = true;
    if (len == 0) return dispatch(s);
    const char *colon = memchr(line, ':', len);
    size_t name = colon ? (size_t)(colon - line) : len;
    const char *value = colon ? colon + 1 : line + len;
    if (colon && value < line + len && *value == ' ') value++;
    size_t value_len = (size_t)(line + len - value);
    if (name == 4 && memcmp(line, "data", 4) == 0) {
        if (s->has_data) buf_putc(&s->data, '\n');
        buf_append(&s->data, value, value_len);
        s->has_data = true;
    } else if (name == 5 && memcmp(line, "event", 5) == 0) {
        snprintf(s->event, sizeof s->event, "%.*s",
                 (int)(value_len < sizeof s->event ? value_len : sizeof s->event), value);
    } /* comments (an empty name), id, retry */
    return SSE_OK;
}

static enum sse_result end_line(struct sse *s) {
    enum sse_result result = take_line(s);
    s->line.len = 0;
    return result;
}

enum sse_result sse_feed(struct sse *s, const char *bytes, size_t len) {
    const char *end = bytes + len;
    while (bytes < end) {
        if (s->after_cr && *bytes == '\n') bytes++;
        s->after_cr = false;
        const char *stop = bytes;
        while (stop < end && *stop != '\n' && *stop != '\r') stop++;
        if (s->line.len + s->data.len + (size_t)(stop - bytes) > s->max) return SSE_TOO_LARGE;
        buf_append(&s->line, bytes, (size_t)(stop - bytes));
        if (stop == end) break;
        s->after_cr = *stop == '\r';
        enum sse_result result = end_line(s);
        if (result != SSE_OK) return result;
        bytes = stop + 1;
    }
    return SSE_OK;
}

enum sse_result sse_finish(struct sse *s) {
    enum sse_result result = s->line.len ? end_line(s) : SSE_OK;
    return result == SSE_OK ? dispatch(s) : result;
}
