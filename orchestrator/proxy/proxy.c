/* The server in front of the calls (declared in proxy.h). */
#include "orchestrator/proxy/proxy.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/proxy/inside.h"

#include <inttypes.h>
#include <microhttpd.h>
#include <string.h>

#define CONNECTIONS  32
#define COMMENT_NS   (10 * NS_PER_SEC) /* how often a waiting stream is sent one */
#define WAIT_NS      (3600 * NS_PER_SEC)
#define BYTES_TOKENS 4 /* of an estimate that nothing depends on */

static const char comment[] = ": the model is at work\n\n";

struct incoming {
    struct buf body;
    size_t received;
};

/* ---- answers ---- */

static enum MHD_Result reply(struct MHD_Connection *c, struct verdict *v) {
    size_t len = v->body.len;
    char *bytes = len ? buf_steal(&v->body) : NULL;
    struct MHD_Response *r = MHD_create_response_from_buffer(
        len, len ? bytes : "", len ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT);
    if (!r) {
        free(bytes);
        return MHD_NO;
    }
    MHD_add_response_header(r, "Content-Type", v->type[0] ? v->type : "application/json");
    if (v->wait_ns > 0) {
        char seconds[32];
        snprintf(seconds, sizeof seconds, "%" PRId64, v->wait_ns / NS_PER_SEC + 1);
        MHD_add_response_header(r, "Retry-After", seconds);
    }
    enum MHD_Result rc = MHD_queue_response(c, v->status, r);
    MHD_destroy_response(r);
    return rc;
}

static enum MHD_Result send_error(struct proxy *p, struct MHD_Connection *c, unsigned status,
                                  const char *message) {
    struct verdict v = {0};
    verdict_error(p, &v, status, message);
    enum MHD_Result rc = reply(c, &v);
    verdict_clear(&v);
    return rc;
}

/* ---- answers that are waited for ---- */

struct waiting {
    struct exchange *exchange;
    int64_t every_ns;
    bool done;
    size_t sent;
};

/* 200 was said already: an error comes as an event of the stream. */
static void as_event(struct verdict *v) {
    if (v->status == 200) return;
    _cleanup_buf_ struct buf event = {0};
    buf_printf(&event, "event: error\ndata: %s\n\n", buf_text(&v->body));
    buf_free(&v->body);
    v->body = event;
    event = (struct buf){0};
}

static ssize_t read_waiting(void *cls, uint64_t at, char *out, size_t max) {
    (void)at;
    struct waiting *w = cls;
    if (!w->done && !exchange_wait(w->exchange, w->every_ns)) {
        const size_t len = sizeof comment - 1;
        if (max < len) return MHD_CONTENT_READER_END_WITH_ERROR;
        memcpy(out, comment, len);
        return (ssize_t)len;
    }
    struct verdict *v = exchange_verdict(w->exchange);
    if (!w->done) as_event(v);
    w->done = true;
    size_t left = v->body.len - w->sent;
    if (left == 0) return MHD_CONTENT_READER_END_OF_STREAM;
    if (left > max) left = max;
    memcpy(out, buf_text(&v->body) + w->sent, left);
    w->sent += left;
    return (ssize_t)left;
}

static void free_waiting(void *cls) {
    struct waiting *w = cls;
    exchange_free(w->exchange);
    free(w);
}

static enum MHD_Result send_waiting(struct proxy *p, struct MHD_Connection *c, struct exchange *x) {
    struct waiting *w = calloc(1, sizeof *w);
    struct MHD_Response *r = NULL;
    if (w) {
        w->exchange = x;
        w->every_ns = p->host.comment_ns;
        r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 65536, read_waiting, w,
                                              free_waiting);
    }
    if (!r) {
        free(w);
        exchange_free(x);
        return MHD_NO;
    }
    MHD_add_response_header(r, "Content-Type", "text/event-stream");
    enum MHD_Result rc = MHD_queue_response(c, 200, r);
    MHD_destroy_response(r);
    return rc;
}

static enum MHD_Result call(struct proxy *p, struct MHD_Connection *c, bool stream,
                            struct buf *body) {
    const char *beta = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "anthropic-beta");
    struct exchange *x = exchange_new(p, stream, beta, body);
    if (!x) return MHD_NO;
    bool commented = exchange_is_stream(x);
    if (!exchange_begin(x)) {
        exchange_free(x);
        return send_error(p, c, 503, "no thread for this call");
    }
    if (!exchange_wait(x, commented ? p->host.comment_ns : WAIT_NS)) {
        if (commented) return send_waiting(p, c, x);
        exchange_wait(x, WAIT_NS);
    }
    enum MHD_Result rc = reply(c, exchange_verdict(x));
    exchange_free(x);
    return rc;
}

/* ---- what needs no model ---- */

static void put_one_model(const char *protocol, const char *name, struct json_writer *w) {
    bool gemini = strcmp(protocol, "gemini") == 0;
    _cleanup_free_ char *path = str_printf("models/%s", name);
    json_open_array(w, gemini ? "models" : "data");
    json_open_object(w, NULL);
    if (gemini) json_put_string(w, "name", path);
    else json_put_string(w, "id", name);
    if (strcmp(protocol, "openai") == 0) json_put_string(w, "object", "model");
    if (strcmp(protocol, "anthropic") == 0) json_put_string(w, "type", "model");
    json_close_object(w);
    json_close_array(w);
}

static enum MHD_Result send_document(struct proxy *p, struct MHD_Connection *c, enum proxy_ask ask,
                                     size_t bytes) {
    const char *protocol = relay_protocol(p->model);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    struct verdict v = {.status = 200};
    size_t len = 0;
    if (!w) return MHD_NO;
    json_open_object(w, NULL);
    if (ask == ASK_MODELS) put_one_model(protocol, relay_name(p->model), w);
    if (ask == ASK_COUNT)
        json_put_int(w, strcmp(protocol, "gemini") == 0 ? "totalTokens" : "input_tokens",
                     (int64_t)(bytes / BYTES_TOKENS));
    json_close_object(w);
    const char *text = json_writer_text(w, &len);
    buf_append(&v.body, text, text ? len : 0);
    enum MHD_Result rc = reply(c, &v);
    verdict_clear(&v);
    return rc;
}

static enum MHD_Result no_path(struct proxy *p, struct MHD_Connection *c, const char *path) {
    _cleanup_free_ char *shown = str_printable(path, strnlen(path, 200));
    _cleanup_free_ char *why =
        str_printf("%s: this model is asked by /v1/chat/completions, /v1/messages or "
                   "/v1beta/models/NAME:generateContent, the one that its protocol (%s) has",
                   shown ? shown : "?", relay_protocol(p->model));
    return send_error(p, c, 404, why ? why : "no such path");
}

static enum MHD_Result answer(struct proxy *p, struct MHD_Connection *c, const char *method,
                              const char *path, struct incoming *in) {
    struct proxy_path asked = proxy_path(method, path);
    const char *protocol = relay_protocol(p->model);
    if (in->received > RELAY_REQUEST_MAX) return send_error(p, c, 413, "more than 8 MiB");
    if (asked.ask == ASK_NOTHING) return no_path(p, c, path);
    if (asked.protocol && strcmp(asked.protocol, protocol) != 0) return no_path(p, c, path);
    if (asked.ask != ASK_CALL) return send_document(p, c, asked.ask, in->received);
    return call(p, c, asked.stream, &in->body);
}

/* ---- the server ---- */

static enum MHD_Result take(struct incoming *in, const char *data, size_t *len) {
    in->received += *len;
    if (in->received <= RELAY_REQUEST_MAX) buf_append(&in->body, data, *len);
    *len = 0;
    /* Who sends much more than is allowed does not wait for the answer. */
    return in->received > 4 * RELAY_REQUEST_MAX || buf_failed(&in->body) ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *path,
                                  const char *method, const char *version, const char *data,
                                  size_t *len, void **state) {
    (void)version;
    struct incoming *in = *state;
    if (!in) {
        *state = calloc(1, sizeof *in);
        return *state ? MHD_YES : MHD_NO;
    }
    if (*len > 0) return take(in, data, len);
    return answer(cls, c, method, path, in);
}

static void on_completed(void *cls, struct MHD_Connection *c, void **state,
                         enum MHD_RequestTerminationCode code) {
    (void)cls, (void)c, (void)code;
    struct incoming *in = *state;
    if (!in) return;
    buf_free(&in->body);
    free(in);
    *state = NULL;
}

void proxy_totals_clear(struct proxy_totals *t) {
    free(t->over);
    free(t->refusal);
    free(t->failure);
    *t = (struct proxy_totals){0};
}

static void proxy_free(struct proxy *p) {
    model_close(p->model);
    pthread_mutex_destroy(&p->turn);
    proxy_totals_clear(&p->totals);
    free(p);
}

static int serve(struct proxy *p, int *listening, struct error *err) {
    p->mhd = MHD_start_daemon(
        MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_ITC, 0, NULL,
        NULL, on_request, p, MHD_OPTION_LISTEN_SOCKET, *listening, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, NULL, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, MHD_OPTION_END);
    if (!p->mhd) return error_set(err, ERROR_SYSTEM, "the proxy cannot be started");
    *listening = -1; /* libmicrohttpd closes it */
    return 0;
}

int proxy_start(int listening, const char *model, const struct proxy_host *host, struct proxy **out,
                struct error *err) {
    _cleanup_close_ int socket = listening;
    struct proxy *p = calloc(1, sizeof *p);
    if (!p) return error_sys(err, ENOMEM, "proxy");
    pthread_mutex_init(&p->turn, NULL);
    p->host = *host;
    if (p->host.comment_ns <= 0) p->host.comment_ns = COMMENT_NS;
    const struct model_options options = {.abort = &p->stop};
    if (model_open_with(model, &options, &p->model, err) < 0 || serve(p, &socket, err) < 0) {
        proxy_free(p);
        return error_wrap(err, "proxy");
    }
    *out = p;
    return 0;
}

const struct model *proxy_model(const struct proxy *p) {
    return p->model;
}

bool proxy_is_broken(const struct proxy *p) {
    return p->broken;
}

void proxy_stop(struct proxy *p, struct proxy_totals *totals) {
    if (!p) return;
    p->stop = true;
    MHD_stop_daemon(p->mhd);
    if (totals) {
        *totals = p->totals;
        p->totals = (struct proxy_totals){0};
    }
    proxy_free(p);
}
