/* The daemon itself: health, machine, events, gc, shutdown. */
#include "common/cleanup.h"
#include "orchestrator/daemon/api.h"
#include "orchestrator/daemon/gc.h"
#include "orchestrator/daemon/view.h"

#define EVENTS_DEFAULT 200
#define EVENTS_MAX     1000
#define GC_AGE_S       INT64_C(86400)
#define GC_AGE_MAX_S   (INT64_C(1) << 33) /* 272 years: its ns still fit 64 bits */

int api_health(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    (void)q;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "health");
    json_open_object(w, NULL);
    json_put_string(w, "status", "ok");
    json_put_string(w, "version", PADDOCK_VERSION);
    json_put_int(w, "pid", getpid());
    json_put_string(w, "state", d->state);
    json_close_object(w);
    return response_json(p, w, err);
}

int api_machine(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    (void)q;
    if (!d->machine)
        return error_set(err, ERROR_SYSTEM, "machine: the probe failed when paddockd started");
    buf_puts(&p->body, d->machine);
    return buf_failed(&p->body) ? error_sys(err, ENOMEM, "machine") : 0;
}

int api_events(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    static const char *const known[] = {"after", "wait_ms", "limit", NULL};
    int64_t after = 0, wait_ms = 0, limit = EVENTS_DEFAULT;
    if (request_query_known(q, known, err) < 0 ||
        request_query_int(q, "after", 0, INT64_MAX, &after, err) < 0 ||
        request_query_int(q, "wait_ms", 0, INT64_MAX, &wait_ms, err) < 0 ||
        request_query_int(q, "limit", 1, EVENTS_MAX, &limit, err) < 0)
        return -1;
    if (wait_ms > HTTP_WAIT_MAX_MS) wait_ms = HTTP_WAIT_MAX_MS;
    struct event_list events = {0};
    int rc = store_events(d->store, after, wait_ms, limit, &events, err);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (rc == 0 && w) {
        json_open_object(w, NULL);
        json_open_array(w, "events");
        for (size_t i = 0; i < events.count; i++) view_event(w, &events.items[i]);
        json_close_array(w);
        json_put_int(w, "last", events.last);
        json_close_object(w);
        rc = response_json(p, w, err);
    }
    event_list_clear(&events);
    return w ? rc : error_sys(err, ENOMEM, "events");
}

int api_gc(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    int64_t age = GC_AGE_S;
    if (q->body) {
        struct json_reader r;
        json_object(&r, q->body, err);
        json_get_int(&r, "age_s", JSON_OPTIONAL, 0, GC_AGE_MAX_S, &age);
        if (json_object_end(&r) < 0) return -1;
    }
    struct gc_stats stats = {0};
    if (gc_run(d, age, &stats, err) < 0) return -1;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "gc");
    json_open_object(w, NULL);
    json_open_object(w, "removed");
    json_put_int(w, "runs", stats.runs);
    json_put_int(w, "built", stats.built);
    json_put_int(w, "snapshots", stats.snapshots);
    json_close_object(w);
    json_put_int(w, "bytes", stats.bytes);
    json_close_object(w);
    return response_json(p, w, err);
}

int api_shutdown(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    bool now = false;
    if (q->body) {
        struct json_reader r;
        json_object(&r, q->body, err);
        json_get_bool(&r, "now", JSON_OPTIONAL, &now);
        if (json_object_end(&r) < 0) return -1;
    }
    daemon_request_stop(d, now ? STOP_NOW : STOP_WHEN_IDLE);
    buf_puts(&p->body, "{\"stopping\":true}");
    p->status = 202;
    return 0;
}
