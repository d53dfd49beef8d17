/*
 * Routes: which handler a method and a path lead to. Pure; knows nothing of
 * sockets.
 *
 * A pattern such as "/v1/runs/{id}/output" matches segment by segment; what
 * stands for a {name} is handed on decoded, in order.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_ROUTE_H
#define PADDOCK_ORCHESTRATOR_DAEMON_ROUTE_H

#include "common/buf.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

#define ROUTE_PARAMS 4

struct request;
struct response;
struct daemon;

typedef int route_handler(struct daemon *d, struct request *q, struct response *p,
                          struct error *err);

enum route_body { BODY_NONE, BODY_OPTIONAL, BODY_REQUIRED };

struct route {
    const char *method; /* NULL ends a table */
    const char *pattern;
    enum route_body body;
    route_handler *handler;
};

enum route_found { ROUTE_FOUND, ROUTE_UNKNOWN, ROUTE_OTHER_METHOD };

struct route_match {
    const struct route *route;
    char *params[ROUTE_PARAMS]; /* owned */
    struct buf allow;           /* "GET, POST" when only the method was wrong */
};

/* `path` is as sent, percent-encoded, without the query. ERROR_INVALID (−1)
 * for a malformed encoding, else a route_found. */
int route_find(const struct route *routes, const char *method, const char *path,
               struct route_match *out, struct error *err);
void route_match_clear(struct route_match *m);

/* Decodes %XX; refuses malformed sequences, NUL and invalid UTF-8. */
char *url_decode(const char *text, size_t len, struct error *err);

#endif
