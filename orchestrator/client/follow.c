#include "orchestrator/client/follow.h"

#include "common/cleanup.h"
#include "orchestrator/client/reply.h"

#define EVENTS_AT_ONCE 200

int follow_start(struct follow *f, struct http *http, struct error *err) {
    _cleanup_json_ struct json *doc = NULL;
    if (http_get(http, "/v1/events?after=0&wait_ms=0&limit=1", &doc, err) < 0) return -1;
    *f = (struct follow){.http = http, .after = reply_int(doc, "last", 0)};
    return 0;
}

int follow_next(struct follow *f, int64_t wait_ms, struct json **out, struct error *err) {
    *out = NULL;
    if (http_getf(f->http, out, err, "/v1/events?after=%lld&wait_ms=%lld&limit=%d",
                  (long long)f->after, (long long)wait_ms, EVENTS_AT_ONCE) < 0)
        return error_wrap(err, "follow the events");
    /* Not "last": that is the newest there is, and may lie behind the limit. */
    size_t count = reply_count(*out, "events");
    if (count > 0) f->after = reply_int(reply_at(*out, "events", count - 1), "seq", f->after);
    return 0;
}
