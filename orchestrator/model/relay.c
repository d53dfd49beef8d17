#include "orchestrator/model/relay.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "orchestrator/model/model_inside.h"
#include "orchestrator/model/protocol.h"

#include <string.h>

#define SHOWN_MAX    600
#define PAID_RETRIES 2

const char *relay_protocol(const struct model *m) {
    return m->cassette ? "none" : m->config.protocol->name;
}

const char *relay_name(const struct model *m) {
    return m->cassette ? "" : m->config.name;
}

bool relay_key_lies_below(const struct model *m, const char *dir) {
    size_t len = strlen(dir);
    bool below = false;
    for (size_t i = 0; i <= m->config.header_count; i++) {
        const struct secret_source *s =
            i < m->config.header_count ? &m->config.headers[i].from : &m->config.key;
        _cleanup_free_ char *real = s->file ? realpath(s->file, NULL) : NULL;
        const char *path = real ? real : s->file;
        below |= path && strncmp(path, dir, len) == 0 && (path[len] == '/' || path[len] == '\0');
    }
    return below;
}

void relay_reply_clear(struct relay_reply *r) {
    buf_free(&r->body);
    free(r->failure);
    model_reply_clear(&r->reply);
    *r = (struct relay_reply){0};
}

/* ---- errors in each protocol's form ---- */

static const char *kind_of(const char *protocol, long status) {
    bool gemini = strcmp(protocol, "gemini") == 0;
    switch (status) {
    case 400: return gemini ? "INVALID_ARGUMENT" : "invalid_request_error";
    case 402: return gemini ? "RESOURCE_EXHAUSTED" : "billing_error";
    case 403: return gemini ? "PERMISSION_DENIED" : "permission_error";
    case 404: return gemini ? "NOT_FOUND" : "not_found_error";
    case 413: return gemini ? "INVALID_ARGUMENT" : "request_too_large";
    case 429: return gemini ? "RESOURCE_EXHAUSTED" : "rate_limit_error";
    default: return gemini ? "UNAVAILABLE" : "api_error";
    }
}

void relay_error(const char *protocol, long status, const char *message, struct buf *out) {
    bool gemini = strcmp(protocol, "gemini") == 0, openai = strcmp(protocol, "openai") == 0;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return;
    json_open_object(w, NULL);
    if (!gemini && !openai) json_put_string(w, "type", "error");
    json_open_object(w, "error");
    if (gemini) json_put_int(w, "code", status);
    json_put_string(w, gemini ? "status" : "type", kind_of(protocol, status));
    json_put_string(w, "message", message);
    if (openai) json_put_string(w, "code", status == 402 ? "insufficient_quota" : NULL);
    json_close_object(w);
    json_close_object(w);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    if (text) buf_append(out, text, len);
}

/* ---- one attempt ---- */

static char **all_headers(const struct model *m, const struct relay_request *rq) {
    size_t n = strv_len(m->headers);
    char **list = calloc(n + 2, sizeof *list);
    if (!list) return NULL;
    for (size_t i = 0; i < n; i++) list[i] = m->headers[i];
    list[n] = rq->beta;
    return list;
}

/* Where the body goes: the config's own URL. */
static void put_url(const struct model *m, bool stream, struct buf *url) {
    struct model_config c = m->config;
    c.stream = stream;
    c.protocol->url(&c, url);
}

static int clean(const struct model *m, struct answer *a, struct buf *body, struct error *err) {
    const struct secrets *s = &m->secrets;
    bool ok = answer_clean(a, s) && (body->len == 0 || secrets_remove_buf(s, body));
    return ok ? 0 : error_sys(err, ENOMEM, "model %s", m->config.label);
}

static int attempt(struct model *m, const struct relay_request *rq, struct answer *a,
                   struct relay_reply *out, struct error *err) {
    size_t max = (size_t)m->config.answer_bytes;
    _cleanup_(receive_clear) struct receive r = {.protocol = m->config.protocol,
                                                 .answer = a,
                                                 .max = max < RELAY_ANSWER_MAX ? max
                                                                               : RELAY_ANSWER_MAX,
                                                 .raw = &out->body};
    _cleanup_buf_ struct buf url = {0};
    _cleanup_free_ char **headers = all_headers(m, rq);
    out->body.len = 0;
    put_url(m, rq->stream, &url);
    if (!headers || buf_failed(&url)) return error_sys(err, ENOMEM, "request");
    int rc = transport_post(m->transport, buf_text(&url), headers, buf_text(&rq->body),
                            rq->body.len, m->options.abort, &r, err);
    out->status = r.status;
    out->wait_ns = hints_wait(&r.hints);
    if (out->wait_ns == 0) out->wait_ns = a->fault.wait_ns;
    memcpy(out->type, r.type, sizeof out->type);
    return clean(m, a, &out->body, err) < 0 ? -1 : rc;
}

/* ---- all of them ---- */

static bool is_json(const char *type) {
    return strcasestr(type, "json");
}

/* What comes back is the server's own where that is something a client of it can read:
 * an answer, or an error in its form. Else the body is dropped and only `failure` left. */
static void settle(const struct answer *a, struct relay_reply *out) {
    bool good = out->status >= 200 && out->status <= 299;
    size_t len = a->fault.text ? strlen(a->fault.text) : 0;
    if (!a->fault.set) return;
    out->failure =
        str_printable(a->fault.text ? a->fault.text : "", len < SHOWN_MAX ? len : SHOWN_MAX);
    if (!good && out->status >= 400 && is_json(out->type)) return;
    /* An error inside a stream or a document, whole as the server said it. */
    if (good && !a->fault.retry && a->fault.kind != ERROR_LIMIT) return;
    out->body.len = 0;
    if (good || out->status < 400) out->status = 502;
}

static void take_over(struct answer *a, struct model_reply *out) {
    buf_puts(&a->text, "");
    buf_puts(&a->reasoning, "");
    out->text = buf_steal(&a->text);
    out->reasoning = buf_steal(&a->reasoning);
    if (a->refusal.len) out->refusal = buf_steal(&a->refusal);
    if (a->model) out->model = str_printable(a->model, strnlen(a->model, SHOWN_MAX));
    if (a->id) out->request_id = str_printable(a->id, strnlen(a->id, SHOWN_MAX));
    out->stop = a->stop;
}

/* Whether to try again; waits before it. */
static bool again(struct model *m, const struct answer *a, int64_t hint_ns, int *paid,
                  const struct relay_reply *out) {
    if (!a->fault.set || !a->fault.retry || out->reply.retries >= m->config.retries) return false;
    if (a->fault.paid && ++*paid > PAID_RETRIES) return false;
    int64_t pause = retry_pause(&m->retry, out->reply.retries, hint_ns);
    if (pause < 0) return false;
    call_pause(m, pause);
    return true;
}

int relay_call(struct model *m, const struct relay_request *rq, struct relay_reply *out,
               struct error *err) {
    int64_t begin = clock_mono_ns();
    int paid = 0, rc = 0;
    memcpy(out->reply.request_sha256, rq->sha256, DIGEST_HEX);
    for (;; out->reply.retries++) {
        _cleanup_answer_ struct answer a = {0};
        rc = attempt(m, rq, &a, out, err);
        usage_add(&out->reply.usage, &a.usage);
        if (rc == 0 && again(m, &a, out->wait_ns, &paid, out)) continue;
        if (rc == 0) settle(&a, out);
        take_over(&a, &out->reply);
        break;
    }
    out->reply.latency_ns = clock_mono_ns() - begin;
    out->reply.usage.cost = price_of(&m->config, &out->reply.usage);
    if (rc == 0 && (!out->reply.text || !out->reply.reasoning))
        rc = error_sys(err, ENOMEM, "reply");
    return rc;
}
