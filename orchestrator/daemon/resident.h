/*
 * The daemon's resident launcher (sandbox/serve.h): for runs that users ask for
 * directly (`paddock exec --resident`), with the daemon's own rights. The daemon's
 * runs do not go through it: a launcher of one's own outlives its daemon.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_RESIDENT_H
#define PADDOCK_ORCHESTRATOR_DAEMON_RESIDENT_H

#include "common/error.h"

#include <sys/types.h>

/* Starts it beside `socket`, from the main thread, with which it dies. Its pid, or
 * -1. */
pid_t resident_start(const char *socket, struct error *err);
/* Ends it; runs under way go on. */
void resident_stop(pid_t pid);

#endif
