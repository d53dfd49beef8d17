/*
 * What Debian's archives of yajl, nettle and libseccomp want of glibc and musl
 * does not have: the checking variants that _FORTIFY_SOURCE puts in the place of
 * four functions (see "Linux Standard Base", __sprintf_chk and its like).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int __fprintf_chk(FILE *f, int flag, const char *fmt, ...);
int __sprintf_chk(char *out, int flag, size_t size, const char *fmt, ...);
int __snprintf_chk(char *out, size_t most, int flag, size_t size, const char *fmt, ...);
void *__memcpy_chk(void *to, const void *from, size_t n, size_t size);

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
