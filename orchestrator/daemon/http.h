/*
 * HTTP over libmicrohttpd: the listening socket, requests and responses.
 * Handlers (api.h) see neither sockets nor the library.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_HTTP_H
#define PADDOCK_ORCHESTRATOR_DAEMON_HTTP_H

#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"
#include "orchestrator/daemon/route.h"

#include <stdint.h>
#include <sys/types.h>

#define HTTP_BODY_MAX        (8u << 20)
#define HTTP_CONNECTIONS     64
#define HTTP_TIMEOUT_SECONDS 60
#define HTTP_WAIT_MAX_MS     30000

struct MHD_Connection;

struct request {
    char *const *params;     /* what stood for the pattern's {…} */
    const struct json *body; /* an object; NULL when none was sent */
    struct MHD_Connection *connection;
};

struct response {
    int status;               /* 200 unless set */
    const char *content_type; /* application/json unless set; static */
    struct buf body;
    int fd;                  /* −1, or a file to send in place of the body */
    const char *header_name; /* one further header; static; NULL: none */
    char *header_value;      /* owned */
};

/* A query argument, decoded, in fresh memory; *out is NULL when absent. */
int request_query(const struct request *q, const char *name, char **out, struct error *err);
/* The same as a number within bounds; *out stays when absent. */
int request_query_int(const struct request *q, const char *name, int64_t min, int64_t max,
                      int64_t *out, struct error *err);
/* Refuses query arguments that are not in the NULL-terminated list. */
int request_query_known(const struct request *q, const char *const *names, struct error *err);
/* Puts the writer's document into the response. */
int response_json(struct response *p, struct json_writer *w, struct error *err);

/* Makes the folder (0700) and the listening socket (0600). A stale socket is
 * replaced: who calls this holds the lock of the installation. */
int http_listen(const char *path, struct error *err);

struct http_server;
/* Serves the routes on the listening socket, which it takes over. Only peers
 * with our uid, or root, are served. */
int http_start(int listen_fd, const struct route *routes, struct daemon *d,
               struct http_server **out, struct error *err);
/* No new connections from now on. */
void http_refuse_new(struct http_server *s);
/* Waits a little for the answers under way, and ends the server. */
void http_stop(struct http_server *s);
/* Requests being handled now. */
int http_active(const struct http_server *s);
/* Monotonic ns of the last request's end. */
int64_t http_last_request_ns(const struct http_server *s);

#endif
