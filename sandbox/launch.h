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

/* SIGTERM, SIGINT and SIGHUP become events, of the descriptor returned; a closed pipe
 * an errno. -1 on error. launch_open() does this itself. */
int launch_block_signals(struct error *err);
/* Clones an init that begins with what every run needs; `page` is fresh from
 * fence_page_new(); `ahead`: launch_ahead() comes next. From here on SIGTERM, SIGINT
 * and SIGHUP cancel. */
struct launch *launch_open(struct fence_page *page, bool ahead, struct error *err);
/* Takes from the host what no spec changes: a registry entry, for now of this
 * name, ids and their map. For a launcher that waits for its spec (serve.h). */
int launch_ahead(struct launch *l, const char *name, struct error *err);
/* Whether a launcher that prepared ahead will do for such a run: its groups were
 * made for limits of the common kinds. */
bool launch_fits(const struct spec *spec);
/* Who gets the port that the spec listens on (port.h): a Unix socket, taken over. */
void launch_port_to(struct launch *l, int socket);
/* Becomes readable when told to stop. Borrowed. */
int launch_signals(const struct launch *l);
/* Ends one that will not be used. */
void launch_drop(struct launch *l);
static inline void launch_dropp(struct launch **l) {
    launch_drop(*l);
}
#define _cleanup_launch_ __attribute__((cleanup(launch_dropp)))

enum { LAUNCH_LEAVE = 1 };
/* Runs `spec`, and is done with `l`. `dir_fd` is the run folder or -1. Whatever
 * goes wrong with the run itself is in the result (setup-error). Delivers the
 * result (run_folder.h), and tells a waiting `caller` (request.h; -1: none), as
 * soon as nothing of the program is left. 0 when what the run took was given back;
 * LAUNCH_LEAVE when the janitor does that as soon as this process ends; -1 when
 * there could be no result, or it could not be written. */
int launch_run(struct launch *l, const struct spec *spec, int dir_fd, bool print, int caller,
               struct result *result, struct error *err);

#endif
