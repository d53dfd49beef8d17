/*
 * Reaching a daemon: the one that answers on the socket, or a private one that
 * is started when none does, so that a newcomer needs no set-up.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_AUTOSTART_H
#define PADDOCK_ORCHESTRATOR_CLIENT_AUTOSTART_H

#include "common/error.h"
#include "orchestrator/client/http.h"

#include <stdbool.h>

/* A connection to a daemon that answered. With `may_start` a missing daemon is
 * started (`paddockd --stay-root --idle-exit 600`, in a session of its own, log
 * in <state>/paddockd.log) and waited for, 10 s at most; if it ends instead,
 * the error has the last lines of its log. */
struct http *autostart_connect(bool may_start, struct error *err);

/* For http_set_revive(): starts a private daemon again when none answers any more. A
 * daemon of the system is its administrator's matter. */
void autostart_revive(void);

/* Whether a daemon answers, without starting one: the connection, or NULL with
 * ERROR_NOT_FOUND. */
struct http *autostart_existing(struct error *err);

/* The last `lines` lines of a text, made printable, each after two blanks. */
void autostart_tail(const char *text, size_t len, int lines, struct buf *out);

#endif
