/*
 * Server-sent events: a stream of bytes, in pieces of any size, into events.
 */
#ifndef PADDOCK_ORCHESTRATOR_MODEL_SSE_H
#define PADDOCK_ORCHESTRATOR_MODEL_SSE_H

#include "common/buf.h"

#include <stdbool.h>

/* `event` is "" when it has no name; `data` is NUL-terminated. False: stop. */
typedef bool sse_handler(void *arg, const char *event, const char *data, size_t len);

struct sse {
    size_t max; /* bytes of one event */
    sse_handler *handler;
    void *arg;
    /* ---- its own ---- */
    struct buf line, data;
    char event[64];
    bool has_data, after_cr, begun;
};

enum sse_result { SSE_OK, SSE_STOPPED, SSE_TOO_LARGE };

enum sse_result sse_feed(struct sse *s, const char *bytes, size_t len);
/* The stream is over: hands on an event that the last blank line is missing of. */
enum sse_result sse_finish(struct sse *s);
void sse_clear(struct sse *s);

#endif
