/*
 * Following the daemon's events by long polling.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_FOLLOW_H
#define PADDOCK_ORCHESTRATOR_CLIENT_FOLLOW_H

#include "common/error.h"
#include "common/json.h"
#include "orchestrator/client/http.h"

#include <stdint.h>

struct follow {
    struct http *http; /* borrowed */
    int64_t after;     /* the last event seen */
};

/* Starts behind the newest event there is: call it before the thing to be
 * followed is asked for. */
int follow_start(struct follow *f, struct http *http, struct error *err);
/* The next events, oldest first, waiting up to wait_ms for one. *out is the
 * daemon's answer, {"events": […]}, possibly with none; json_free() it. */
int follow_next(struct follow *f, int64_t wait_ms, struct json **out, struct error *err);

#endif
