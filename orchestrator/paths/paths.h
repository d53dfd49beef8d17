/*
 * Where things of one installation lie: the state folder, the socket, and the
 * programs that belong together (docs/architecture.md, "State on disk").
 *
 * The rules are shared by the daemon and its clients, so that a client started
 * by the same user finds the daemon without being told. Every result is an
 * absolute path in fresh memory, NULL on error.
 */
#ifndef PADDOCK_ORCHESTRATOR_PATHS_PATHS_H
#define PADDOCK_ORCHESTRATOR_PATHS_PATHS_H

#include "common/error.h"

enum paths_scope {
    PATHS_PRIVATE, /* a daemon of one user, started by hand or by `paddock` */
    PATHS_SERVICE, /* the daemon of the machine, run by its own account */
};

/* $PADDOCK_STATE, else by scope /var/lib/paddock, or $XDG_STATE_HOME/paddock or
 * ~/.local/state/paddock. A relative setting is taken from the current folder. */
char *paths_state(enum paths_scope scope, struct error *err);

/* $PADDOCK_SOCKET, else by scope /run/paddock/paddockd.sock, or
 * $XDG_RUNTIME_DIR/paddock/paddockd.sock or /tmp/paddock-<uid>/paddockd.sock. */
char *paths_socket(enum paths_scope scope, struct error *err);

/* The socket a client should try: $PADDOCK_SOCKET, else the service's if this
 * user may write to it, else the private one. */
char *paths_socket_client(struct error *err);

/* Where the daemon that serves `socket` has its resident launcher listen
 * (sandbox/serve.h). */
char *paths_resident(const char *socket, struct error *err);

/* A program of ours: in $PADDOCK_BIN, else in the folder of /proc/self/exe.
 * ERROR_NOT_FOUND when it is not there or not executable. */
char *paths_program(const char *name, struct error *err);

/* What is shipped beside the programs: the folder share/paddock/<installed>, or
 * <source> of a build within its source tree; with a name, that file in it.
 * ERROR_NOT_FOUND when it is in neither. */
char *paths_shipped(const char *installed, const char *source, const char *name, struct error *err);

/* The folders that hold what users configure, the one that counts first: $PADDOCK_CONFIG
 * alone, else $XDG_CONFIG_HOME/paddock or ~/.config/paddock, then /etc/paddock. A
 * NULL-terminated list (strv_free()); none of them needs to exist. */
char **paths_config(struct error *err);

/* `path` itself when absolute, else below the current folder. Lexical: nothing
 * needs to exist. */
char *paths_absolute(const char *path, struct error *err);

#endif
