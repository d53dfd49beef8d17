/* Between live.c (entries) and live_dir.c (the folder). */
#ifndef PADDOCK_SANDBOX_LIVE_INTERNAL_H
#define PADDOCK_SANDBOX_LIVE_INTERNAL_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

/* Opens the registry's folder, making it and `ids` below; -1 on error. */
int live_dir_open(struct error *err);

/* Opens `name` in dir and takes its lock at once. The descriptor, or -1 with
 * errno: EWOULDBLOCK when somebody holds it, ENOENT when it is not there. The
 * name still leads to the file that was locked. */
int live_lock(int dir, const char *name, bool create);

/* What lease.c needs of an entry: the registry's folder, the entry's file, its name. */
struct live;
int live_folder(const struct live *l);
int live_file(const struct live *l);
const char *live_name(const struct live *l);

/* The registry's folder as a path, not looked at; -1 when it is too long. */
int live_dir_path(char *out, size_t size);

/* Whether a name in the registry's folder is that of an entry. */
bool live_is_entry(const char *name);

/* In the registry's folder: the leases of timed runs (lease.h). There only while
 * there are any; no sandbox can have this name. */
#define LEASE_FOLDER ".lanes"

#endif
