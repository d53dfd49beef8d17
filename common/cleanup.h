/*
 * Cleanup by attribute: a local marked with one of these gives back what it
 * holds when it goes out of scope, on every path. Initialise it at once
 * (`_cleanup_free_ char *s = NULL;`, `_cleanup_close_ int fd = -1;`).
 * To keep the thing, take it out: `return steal_ptr(&s);`.
 */
#ifndef PADDOCK_COMMON_CLEANUP_H
#define PADDOCK_COMMON_CLEANUP_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p) {
    free(*(void **)p);
}

static inline void cleanup_close(const int *fd) {
    int saved = errno;
    if (*fd >= 0) close(*fd);
    errno = saved;
}

static inline void cleanup_fclose(FILE **f) {
    if (*f) fclose(*f);
}

static inline void cleanup_closedir(DIR **d) {
    if (*d) closedir(*d);
}

#define _cleanup_(f)       __attribute__((cleanup(f)))
#define _cleanup_free_     _cleanup_(cleanup_free)
#define _cleanup_close_    _cleanup_(cleanup_close)
#define _cleanup_fclose_   _cleanup_(cleanup_fclose)
#define _cleanup_closedir_ _cleanup_(cleanup_closedir)

static inline int steal_fd(int *fd) {
    int taken = *fd;
    *fd = -1;
    return taken;
}

static inline void *steal_pointer(void *pp) {
    void **slot = pp;
    void *taken = *slot;
    *slot = NULL;
    return taken;
}

/* The typed form of steal_pointer. */
#define steal_ptr(pp) ((__typeof__(*(pp)))steal_pointer(pp))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
