#include "common/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *buf_reserve(struct buf *b, size_t len) {
    if (b->failed) return NULL;
    if (len > SIZE_MAX / 2 - b->len) {
        b->failed = true;
        return NULL;
    }
    size_t need = b->len + len + 1;
    if (need > b->cap) {
        size_t cap = b->cap ? b->cap : 64;
        while (cap < need) cap *= 2;
        char *data = realloc(b->data, cap);
        if (!data) {
            b->failed = true;
            return NULL;
        }
        b->data = data;
        b->cap = cap;
    }
    return b->data + b->len;
}

void buf_append(struct buf *b, const void *data, size_t len) {
    char *to = buf_reserve(b, len);
    if (!to) return;
    if (len) memcpy(to, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s) {
    buf_append(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c) {
    buf_append(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap) {
    va_list again;
    va_copy(again, ap);
    int len = vsnprintf(NULL, 0, fmt, ap);
    char *to = len < 0 ? NULL : buf_reserve(b, (size_t)len);
    if (to) {
        vsnprintf(to, (size_t)len + 1, fmt, again);
        b->len += (size_t)len;
    } else {
        b->failed = true;
    }
    va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(b, fmt, ap);
    va_end(ap);
}

bool buf_failed(const struct buf *b) {
    return b->failed;
}

const char *buf_text(const struct buf *b) {
    return b->data ? b->data : "";
}

char *buf_steal(struct buf *b) {
    if (!b->failed && !b->data) buf_append(b, "", 0);
    char *data = b->failed ? NULL : b->data;
    if (!data) free(b->data);
    *b = (struct buf){0};
    return data;
}

void buf_free(struct buf *b) {
    free(b->data);
    *b = (struct buf){0};
}

char *str_printf(const char *fmt, ...) {
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    int r = vasprintf(&text, fmt, ap);
    va_end(ap);
    return r < 0 ? NULL : text;
}

bool str_eq(const char *a, const char *b) {
    if (!a || !b) return a == b;
    return strcmp(a, b) == 0;
}

bool str_starts(const char *s, const char *prefix) {
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix) {
    size_t n = strlen(s), m = strlen(suffix);
    return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

static bool is_name_char(unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool str_is_name(const char *s) {
    if (!s) return false;
    size_t n = strnlen(s, 65);
    if (n == 0 || n > 64 || !is_name_char((unsigned char)s[0]) || strchr("._-", s[0])) return false;
    for (size_t i = 0; i < n; i++)
        if (!is_name_char((unsigned char)s[i])) return false;
    return true;
}

size_t utf8_sequence(const unsigned char *p, size_t left) {
    if (p[0] < 0x80) return 1;
    size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < n) return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)) return 0;
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) return 0;
    return n;
}

bool utf8_is_text(const char *text, size_t len) {
    for (size_t i = 0; i < len;) {
        size_t n = text[i] ? utf8_sequence((const unsigned char *)text + i, len - i) : 0;
        if (n == 0) return false;
        i += n;
    }
    return true;
}

/* Characters that reorder what a terminal shows (UAX #9): a reader would see
 * another text than the bytes say. */
static bool is_reordering(const unsigned char *p, size_t n) {
    if (n == 2) return p[0] == 0xd8 && p[1] == 0x9c; /* U+061C */
    if (n != 3 || p[0] != 0xe2) return false;
    return (p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xaa && p[2] <= 0xae))) ||
           (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9);
}

char *str_printable(const char *bytes, size_t len) {
    struct buf out = {0};
    const unsigned char *p = (const unsigned char *)bytes;
    for (size_t i = 0; i < len;) {
        size_t n = utf8_sequence(p + i, len - i);
        /* C1 controls (U+0080–U+009F) drive terminals as well as C0 does. */
        bool c1 = n == 2 && p[i] == 0xc2 && p[i + 1] < 0xa0;
        if (n == 0 || c1 || is_reordering(p + i, n) || (n == 1 && (p[i] < 0x20 || p[i] == 0x7f))) {
            buf_printf(&out, "\\x%02x", p[i]);
            i++;
        } else {
            buf_append(&out, p + i, n);
            i += n;
        }
    }
    return buf_steal(&out);
}

size_t strv_len(char *const *v) {
    size_t n = 0;
    while (v && v[n]) n++;
    return n;
}

int strv_push(char ***v, const char *s) {
    size_t n = strv_len(*v);
    char *copy = strdup(s);
    char **grown = copy ? realloc(*v, (n + 2) * sizeof(char *)) : NULL;
    if (!grown) {
        free(copy);
        return -1;
    }
    grown[n] = copy;
    grown[n + 1] = NULL;
    *v = grown;
    return 0;
}

char **strv_copy(char *const *v) {
    char **copy = calloc(strv_len(v) + 1, sizeof(char *));
    for (size_t i = 0; copy && v && v[i]; i++) {
        copy[i] = strdup(v[i]);
        if (!copy[i]) {
            strv_free(copy);
            return NULL;
        }
    }
    return copy;
}

static int compare_strings(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(char **v) {
    if (v) qsort(v, strv_len(v), sizeof *v, compare_strings);
}

void strv_free(char **v) {
    for (size_t i = 0; v && v[i]; i++) free(v[i]);
    free(v);
}

void cleanup_strv(char ***v) {
    strv_free(*v);
    *v = NULL;
}
