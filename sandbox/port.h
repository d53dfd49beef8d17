/*
 * The port: one TCP socket that listens on the loopback of a sandbox and is accepted
 * from outside of it, so that a program may reach the one server that its launcher's
 * caller means it to reach, and no network.
 *
 * Init makes it in the sandbox's own network namespace, before the program starts,
 * and only under a policy that says "listen". It goes to the launcher with the
 * handles of the mounts, and from there to the caller, over a Unix socket that was
 * named on the launcher's command line: a spec, which is data, cannot name one. No
 * process relays, no route leads anywhere: connections are made inside and accepted by
 * whoever holds the socket.
 */
#ifndef PADDOCK_SANDBOX_PORT_H
#define PADDOCK_SANDBOX_PORT_H

#include "common/error.h"

#include <stdint.h>

struct run;

/* In init, whose network namespace has its loopback up: a socket that listens on
 * 127.0.0.1 alone, or -1. */
int port_listen(int64_t port, struct error *err);

/* In the launcher. Before anything is built: whether what the spec asks for and what
 * the caller offers (r->port_to, a Unix socket, or -1) go together. */
int port_check(const struct run *r, struct error *err);
/* Once it has come from init: to the caller with it; keeps neither. */
int port_hand_out(struct run *r, struct error *err);

#endif
