/*
 * What Debian's archives of yajl, nettle and libseccomp want of glibc and musl
 * does not have: the checking variants that _FORTIFY_SOURCE puts in the place of
 * four functions (see "Linux Standard Base", __sprintf_chk and its like).
 *
 * And memcpy: musl's is one "rep movsq", whose start costs more than copying the
 * few bytes at a time that JSON is written in (0.1 ms a launch).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int __fprintf_chk(FILE *f, int flag, const char *fmt, ...);
int __sprintf_chk(char *out, int flag, size_t size, const char *fmt, ...);
int __snprintf_chk(char *out, size_t most, int flag, size_t size, const char *fmt, ...);
void *__memcpy_chk(void *to, const void *from, size_t n, size_t size);
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);

int __fprintf_chk(FILE *f, int flag, const char *fmt, ...) {
    va_list ap;
    (void)flag;
    va_start(ap, fmt);
    int n = vfprintf(f, fmt, ap);
    va_end(ap);
    return n;
}

int __sprintf_chk(char *out, int flag, size_t size, const char *fmt, ...) {
    va_list ap;
    (void)flag;
    va_start(ap, fmt);
    int n = vsnprintf(out, size, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n >= size) abort(); /* it would not have fitted */
    return n;
}

int __snprintf_chk(char *out, size_t most, int flag, size_t size, const char *fmt, ...) {
    va_list ap;
    (void)flag;
    if (most > size) abort();
    va_start(ap, fmt);
    int n = vsnprintf(out, most, fmt, ap);
    va_end(ap);
    return n;
}

void *__memcpy_chk(void *to, const void *from, size_t n, size_t size) {
    if (n > size) abort();
    return memcpy(to, from, n);
}

/* Not to be recognised and turned into a call of itself. */
__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *
memcpy(void *restrict to, const void *restrict from, size_t n) {
    typedef unsigned long __attribute__((may_alias, aligned(1))) word;
    char *d = to;
    const char *s = from;
    if (n >= 256) { /* long enough for the processor's own way */
        void *end = d;
        __asm__ volatile("rep movsb" : "+D"(end), "+S"(s), "+c"(n) : : "memory");
        return to;
    }
    for (; n >= sizeof(word); n -= sizeof(word), d += sizeof(word), s += sizeof(word))
        *(word *)d = *(const word *)s;
    while (n--) *d++ = *s++;
    return to;
}

/* musl's own leans on its memcpy, so the two go together. */
__attribute__((optimize("no-tree-loop-distribute-patterns"))) void *
memmove(void *to, const void *from, size_t n) {
    char *d = to;
    const char *s = from;
    if ((size_t)(d - s) >= n && (size_t)(s - d) >= n) return memcpy(to, from, n);
    if (d < s)
        for (size_t i = 0; i < n; i++) d[i] = s[i];
    else
        while (n--) d[n] = s[n];
    return to;
}
