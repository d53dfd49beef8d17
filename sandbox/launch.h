/*
 * One run from spec to result: prepares what the fence needs on the host,
 * clones init, waits, releases, supervises, collects and gives everything back.
 */
#ifndef PADDOCK_SANDBOX_LAUNCH_H
#define PADDOCK_SANDBOX_LAUNCH_H

#include "sandbox/fence.h"
#include "sandbox/result.h"
#include "sandbox/spec.h"

/* Runs `spec`. `dir_fd` is the run folder or -1, `page` fresh from
 * fence_page_new(). Whatever goes wrong with the
 * run itself is in the result (setup-error). Delivers the result (run_folder.h)
 * as soon as nothing of the program is left, then gives back what the run took;
 * -1 when there could be no result, or it could not be written. */
int launch_run(const struct spec *spec, int dir_fd, bool print, struct fence_page *page,
               struct result *result, struct error *err);

#endif
