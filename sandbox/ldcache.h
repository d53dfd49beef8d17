/*
 * /etc/ld.so.cache, as ldconfig(8) writes it, in the new format, the old one, and the
 * new behind the old. The file is root's, but nothing in it is believed: offsets are
 * checked, strings must end, and what a path leads to is the caller's to look at.
 */
#ifndef PADDOCK_SANDBOX_LDCACHE_H
#define PADDOCK_SANDBOX_LDCACHE_H

#include "common/error.h"

#include <stddef.h>

/* One library of this machine's architecture; not 0 ends the walk. */
typedef int ldcache_visit(void *context, const char *name, const char *path);

/* Visits all libraries. `source` names the file in errors. Returns what ended it, 0 at
 * the end; -1 and the error for a file that ldconfig did not write. */
int ldcache_walk(const char *source, const void *data, size_t len, ldcache_visit *visit,
                 void *context, struct error *err);

#endif
