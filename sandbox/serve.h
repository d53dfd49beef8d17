/*
 * A resident launcher: keeps a few launchers ready, each with an init that has its
 * namespaces, ids and network already, and gives each to one request. Nothing is
 * ever used twice.
 */
#ifndef PADDOCK_SANDBOX_SERVE_H
#define PADDOCK_SANDBOX_SERVE_H

#include "common/error.h"

/* What a launcher does with its request: `spec_fd` and `dir_fd` are its own, 0, 1
 * and 2 are the caller's, who waits at the other end of `caller`. The exit status,
 * which the caller is told if launch_run() has not done so. */
struct launch;
struct fence_page;
typedef int serve_run(struct launch *l, struct fence_page *page, int spec_fd, int dir_fd,
                      int caller);

/* Listens on `path` (mode 0600, replaced when nobody listens there) until SIGTERM
 * or SIGINT; runs under way go on. 0, or -1. */
int serve(const char *path, int ready, serve_run *run, struct error *err);

#endif
