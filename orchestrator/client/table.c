#include "orchestrator/client/table.h"

#include "common/cleanup.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#define COLUMNS_MAX 16

struct table {
    const char *heads[COLUMNS_MAX];
    bool right[COLUMNS_MAX];
    size_t columns;
    char **cells; /* row by row */
    bool failed;
};

struct table *table_new(const char *const *heads) {
    struct table *t = calloc(1, sizeof *t);
    for (; t && *heads && t->columns < COLUMNS_MAX; heads++) {
        t->right[t->columns] = **heads == '>';
        t->heads[t->columns] = *heads + (**heads == '>');
        t->columns++;
    }
    return t;
}

void table_free(struct table *t) {
    if (!t) return;
    strv_free(t->cells);
    free(t);
}

void cleanup_table(struct table **t) {
    table_free(*t);
}

void table_cell(struct table *t, const char *text) {
    if (!t) return;
    _cleanup_free_ char *clean = text ? str_printable(text, strlen(text)) : strdup("–");
    if (!clean || strv_push(&t->cells, clean) < 0) t->failed = true;
}

void table_cellf(struct table *t, const char *fmt, ...) {
    _cleanup_buf_ struct buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    table_cell(t, buf_text(&text));
}

size_t table_rows(const struct table *t) {
    return t && t->cells && t->columns ? strv_len(t->cells) / t->columns : 0;
}

size_t text_columns(const char *text) {
    size_t columns = 0;
    const unsigned char *p = (const unsigned char *)text;
    for (size_t left = strlen(text), n; left > 0; p += n, left -= n) {
        n = utf8_sequence(p, left);
        if (n == 0) n = 1;
        wchar_t wide = 0;
        int width = n > 1 && mbtowc(&wide, (const char *)p, n) == (int)n ? wcwidth(wide) : 1;
        columns += width < 0 ? 1 : (size_t)width;
    }
    return columns;
}

/* The cells of one row; no blanks at the end of a line. */
static void put_row(const struct table *t, const size_t *width, const char *const *cells,
                    struct buf *out) {
    int gap = 0;
    for (size_t c = 0; c < t->columns; c++) {
        size_t columns = text_columns(cells[c]);
        int pad = columns < width[c] ? (int)(width[c] - columns) : 0;
        if (columns > 0) {
            buf_printf(out, "%*s", gap + (t->right[c] ? pad : 0), "");
            buf_puts(out, cells[c]);
            gap = 0;
        }
        gap += columns > 0 ? (t->right[c] ? 0 : pad) : (int)width[c];
        gap += 2;
    }
}

int table_print(const struct table *t, bool bold, struct buf *out) {
    if (!t || t->failed || t->columns == 0) return -1;
    size_t width[COLUMNS_MAX] = {0};
    for (size_t c = 0; c < t->columns; c++) width[c] = text_columns(t->heads[c]);
    for (size_t i = 0; t->cells && t->cells[i]; i++) {
        size_t columns = text_columns(t->cells[i]);
        if (columns > width[i % t->columns]) width[i % t->columns] = columns;
    }
    if (bold) buf_puts(out, "\033[1m");
    put_row(t, width, t->heads, out);
    buf_puts(out, bold ? "\033[0m\n" : "\n");
    for (size_t row = 0; row < table_rows(t); row++) {
        put_row(t, width, (const char *const *)t->cells + row * t->columns, out);
        buf_putc(out, '\n');
    }
    return buf_failed(out) ? -1 : 0;
}
