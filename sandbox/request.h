/*
 * One request to a resident launcher (serve.h), on its socket: a message with the
 * descriptors of the spec, the run folder and what are to be 0, 1 and 2 of the
 * launcher; answered by the launcher's exit status when the result is there.
 */
#ifndef PADDOCK_SANDBOX_REQUEST_H
#define PADDOCK_SANDBOX_REQUEST_H

#include "common/error.h"

enum request_fd { REQUEST_SPEC, REQUEST_DIR, REQUEST_IN, REQUEST_OUT, REQUEST_ERR, REQUEST_FDS };

/* A connection, or -1: nobody listens there, or somebody else's. */
int request_connect(const char *socket, struct error *err);
/* Hands over the spec, the run folder and our 0, 1 and 2, and waits. The launcher's
 * status, or -1 when something cannot be opened or it went without one. */
int request_run(int connection, const char *spec_path, const char *dir, struct error *err);

/* The launcher's side. `fds` get fresh descriptors. ERROR_DENIED for a caller who
 * is neither this user nor root. */
int request_receive(int connection, int fds[REQUEST_FDS], struct error *err);
int request_answer(int connection, int status, struct error *err);

#endif
