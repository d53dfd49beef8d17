/* Between live.c (entries) and live_dir.c (the folder). */
#ifndef PADDOCK_SANDBOX_LIVE_INTERNAL_H
#define PADDOCK_SANDBOX_LIVE_INTERNAL_H

#include "common/error.h"

#include <stdbool.h>

/* Opens the registry's folder, making it and `ids` below; -1 on error. */
int live_dir_open(struct error *err);

/* Opens `name` in dir and takes its lock at once. The descriptor, or -1 with
 * errno: EWOULDBLOCK when somebody holds it, ENOENT when it is not there. The
 * name still leads to the file that was locked. */
int live_lock(int dir, const char *name, bool create);

#endif
