/*
 * One run from spec to result: prepares what the fence needs on the host,
 * clones init, waits, releases, supervises, collects and gives everything back.
 */
#ifndef PADDOCK_SANDBOX_LAUNCH_H
#define PADDOCK_SANDBOX_LAUNCH_H

#include "sandbox/fence.h"
#include "sandbox/result.h"
#include "sandbox/spec.h"

struct launch;

/* Clones an init that begins with what every run needs; `page` is fresh from
 * fence_page_new(). From here on SIGTERM, SIGINT and SIGHUP cancel. */
struct launch *launch_open(struct fence_page *page, struct error *err);
/* Ends one that will not be used. */
void launch_drop(struct launch *l);
static inline void launch_dropp(struct launch **l) {
    launch_drop(*l);
}
#define _cleanup_launch_ __attribute__((cleanup(launch_dropp)))

/* Runs `spec`, and is done with `l`. `dir_fd` is the run folder or -1. Whatever
 * goes wrong with the run itself is in the result (setup-error). Delivers the
 * result (run_folder.h) as soon as nothing of the program is left, then gives
 * back what the run took; -1 when there could be no result, or it could not be
 * written. */
int launch_run(struct launch *l, const struct spec *spec, int dir_fd, bool print,
               struct result *result, struct error *err);

#endif
