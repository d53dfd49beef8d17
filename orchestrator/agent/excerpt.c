#include "orchestrator/agent/excerpt.h"

#include <string.h>

/* Copies whole characters until one does not fit; where it stopped. */
static size_t copy(const char *text, size_t len, size_t max, struct buf *out) {
    size_t begin = out->len, i = 0;
    while (i < len) {
        size_t n = utf8_sequence((const unsigned char *)text + i, len - i);
        bool plain = n > 1 || text[i] == '\n' || text[i] == '\t' ||
                     (n == 1 && (unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
        size_t takes = plain ? n : 4;
        if (out->len - begin + takes > max) break;
        if (plain) buf_append(out, text + i, n);
        else buf_printf(out, "\\x%02x", (unsigned char)text[i]);
        i += plain ? n : 1;
        if (buf_failed(out)) break;
    }
    return i;
}

void excerpt_cut(const char *text, size_t len, size_t max, struct buf *out) {
    if (copy(text, len, max, out) < len) buf_puts(out, "…");
}

void excerpt_line(const char *text, size_t max, struct buf *out) {
    size_t begin = out->len;
    excerpt_cut(text, strlen(text), max, out);
    if (buf_failed(out)) return;
    for (size_t i = begin; i < out->len; i++)
        if (out->data[i] == '\n') out->data[i] = ' ';
}

void excerpt_add(struct excerpt *e, const char *data, size_t len) {
    size_t room = e->head.len < e->head_max ? e->head_max - e->head.len : 0;
    size_t n = len < room ? len : room;
    buf_append(&e->head, data, n);
    data += n;
    len -= n;
    if (len >= e->tail_max) {
        e->skipped += e->tail.len + len - e->tail_max;
        e->tail.len = 0;
        buf_append(&e->tail, data + len - e->tail_max, e->tail_max);
        return;
    }
    buf_append(&e->tail, data, len);
    if (e->tail.len <= e->tail_max || buf_failed(&e->tail)) return;
    size_t over = e->tail.len - e->tail_max;
    memmove(e->tail.data, e->tail.data + over, e->tail_max + 1);
    e->tail.len = e->tail_max;
    e->skipped += over;
}

void excerpt_show(const struct excerpt *e, struct buf *out) {
    const size_t any = (size_t)-1;
    copy(buf_text(&e->head), e->head.len, any, out);
    if (e->skipped) buf_printf(out, "\n[… %zu bytes are left out here …]\n", e->skipped);
    copy(buf_text(&e->tail), e->tail.len, any, out);
    if (buf_failed(&e->head) || buf_failed(&e->tail)) out->failed = true;
}

void excerpt_clear(struct excerpt *e) {
    buf_free(&e->head);
    buf_free(&e->tail);
    *e = (struct excerpt){0};
}
