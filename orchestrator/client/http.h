/*
 * HTTP to paddockd: JSON and bytes over a unix socket, with libcurl.
 *
 * An answer that is a problem document becomes an error of the kind it names,
 * with the daemon's own words. No daemon on the socket is ERROR_NOT_FOUND from
 * http_probe(); see client/autostart.h for what is done about it.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_HTTP_H
#define PADDOCK_ORCHESTRATOR_CLIENT_HTTP_H

#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"

#include <stdbool.h>
#include <stdint.h>

struct http; /* one keep-alive connection; not for use by several threads */

struct http *http_new(const char *socket_path, struct error *err);
void http_free(struct http *h);
void cleanup_http(struct http **h);
#define _cleanup_http_ __attribute__((cleanup(cleanup_http)))

/* From now on a daemon that went away is waited for, this long for each
 * request: a read is tried again whatever happened to it, a write only when it
 * cannot have arrived. */
void http_set_patience(struct http *h, int seconds);

/* From now on a POST of which it is not known whether it arrived is made again, too: for
 * a client whose requests have keys, so that made twice they are made once. */
void http_set_repeatable(struct http *h, bool repeatable);
/* While a daemon that went away is waited for, `revive` is called between the tries; it
 * may start one. */
void http_set_revive(struct http *h, void (*revive)(void));

/* `path` is what stands behind the host: "/v1/runs?limit=3". The parsed answer
 * is the caller's. A NULL `body` is sent as {}. */
int http_get(struct http *h, const char *path, struct json **out, struct error *err);
int http_post(struct http *h, const char *path, struct json_writer *body, struct json **out,
              struct error *err);
/* The same from printf pieces; ids and names are to be checked or escaped. */
int http_getf(struct http *h, struct json **out, struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
int http_postf(struct http *h, struct json_writer *body, struct json **out, struct error *err,
               const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The bytes of an answer, at most 64 MiB. `run_state` may be NULL; else it
 * gets the header Paddock-Run-State ("" when absent). */
int http_bytes(struct http *h, const char *path, struct buf *out, char run_state[32],
               struct error *err);
/* Streams an answer to a descriptor. On error part of it may be written. */
int http_download(struct http *h, const char *path, int fd, struct error *err);

/* GET /v1/health. ERROR_NOT_FOUND when nobody listens. */
int http_probe(struct http *h, struct json **out, struct error *err);

/* Percent-encodes one path segment or query value; NULL when out of memory. */
char *http_escape(const char *text);

/* The task of an experiment as one segment of a path: its folder, since it may be in no
 * catalogue. NULL when out of memory. */
char *http_task_path(const struct json *experiment);

/* The error that an answer stands for: fills `err` from a problem document, or
 * from the bare status when the body is none. `what` is "GET /v1/…". */
int http_problem(long status, const char *what, const char *body, size_t len, struct error *err);

#endif
