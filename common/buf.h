/*
 * A growable byte buffer, always NUL-terminated behind its length, and small
 * string helpers.
 *
 * Allocation failure is sticky: after it, appends do nothing and buf_failed()
 * is true, so that a caller checks once at the end.
 */
#ifndef PADDOCK_COMMON_BUF_H
#define PADDOCK_COMMON_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
    char *data; /* NULL until the first append; else NUL-terminated */
    size_t len; /* bytes in use, without the NUL */
    size_t cap;
    bool failed;
};

#define _cleanup_buf_ __attribute__((cleanup(buf_free)))

void buf_append(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* Makes room for `len` further bytes and returns where they start, or NULL. */
char *buf_reserve(struct buf *b, size_t len);
bool buf_failed(const struct buf *b);
/* The text so far, "" when empty. Owned by the buffer. */
const char *buf_text(const struct buf *b);
/* Hands the bytes over (NUL-terminated; free() them) and empties the buffer.
 * NULL after an allocation failure. */
char *buf_steal(struct buf *b);
void buf_free(struct buf *b);

/* printf into fresh memory; NULL when out of memory. */
char *str_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
bool str_eq(const char *a, const char *b); /* NULL equals only NULL */
bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);

/* Whether `s` is a name we accept as identifier: 1–64 of [a-z0-9._-], first
 * one a letter or digit. Such a name is safe as a file name. */
bool str_is_name(const char *s);

/* The length of the valid UTF-8 sequence at p, of which `left` > 0 bytes can be
 * read, or 0 (RFC 3629: no overlong forms, no surrogates, nothing above
 * U+10FFFF). */
size_t utf8_sequence(const unsigned char *p, size_t left);

/* Whether all of it is valid UTF-8 without a NUL. */
bool utf8_is_text(const char *text, size_t len);

/* A copy of `bytes` fit for a terminal or a log: control bytes, invalid UTF-8,
 * DEL and what reorders text (U+202E and its kin) become \xNN. NULL when out of memory. */
char *str_printable(const char *bytes, size_t len);

/* A NULL-terminated list of strings, as argv is. */
char **strv_copy(char *const *v);
size_t strv_len(char *const *v);
/* Appends a copy; returns 0, or -1 when out of memory (list unchanged). */
int strv_push(char ***v, const char *s);
/* By bytes; NULL is an empty list. */
void strv_sort(char **v);
void strv_free(char **v);
void cleanup_strv(char ***v);
#define _cleanup_strv_ __attribute__((cleanup(cleanup_strv)))

#endif
