/* One call of a server: attempts, pauses, and what they cost together. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/model/model_inside.h"
#include "orchestrator/model/protocol.h"

#include <string.h>
#include <time.h>

#define SHOWN_MAX    600 /* bytes of a server's own words that an error repeats */
#define PAID_RETRIES 2   /* answers that came whole and were of no use cost as well */
#define SLICE_NS     (100 * NS_PER_MS)

static int encode(const struct model *m, const struct model_request *rq, struct buf *out,
                  struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    size_t len = 0;
    if (!w) return error_sys(err, ENOMEM, "model %s", m->config.label);
    json_open_object(w, NULL);
    m->config.protocol->body(&m->config, rq, w);
    json_close_object(w);
    const char *text = json_writer_text(w, &len);
    if (text) buf_append(out, text, len);
    return text && !buf_failed(out) ? 0 : error_sys(err, ENOMEM, "model %s", m->config.label);
}

/* Servers may repeat the key in what they say. */
bool answer_clean(struct answer *a, const struct secrets *s) {
    bool ok = secrets_remove_buf(s, &a->text);
    ok &= secrets_remove_buf(s, &a->reasoning);
    ok &= secrets_remove_buf(s, &a->refusal);
    ok &= secrets_remove(s, &a->model);
    ok &= secrets_remove(s, &a->id);
    ok &= secrets_remove(s, &a->fault.text);
    return ok;
}

/* After cleaning, so that no part of a key is left where the text is cut. */
static char *shown(const char *text) {
    size_t len = text ? strlen(text) : 0;
    return str_printable(text ? text : "", len < SHOWN_MAX ? len : SHOWN_MAX);
}

static int attempt(struct model *m, const char *url, const struct buf *body, struct answer *a,
                   int64_t *hint_ns, struct error *err) {
    _cleanup_(receive_clear) struct receive r = {
        .protocol = m->config.protocol, .answer = a, .max = (size_t)m->config.answer_bytes};
    int status = transport_post(m->transport, url, m->headers, buf_text(body), body->len,
                                m->options.abort, &r, err);
    *hint_ns = hints_wait(&r.hints);
    if (*hint_ns == 0) *hint_ns = a->fault.wait_ns;
    if (!answer_clean(a, &m->secrets)) return error_sys(err, ENOMEM, "model %s", m->config.label);
    return status < 0 ? -1 : 0;
}

static bool is_aborted(const struct model *m) {
    return m->options.abort && *m->options.abort;
}

void call_pause(const struct model *m, int64_t ns) {
    if (m->options.pause) {
        m->options.pause(m->options.pause_arg, ns);
        return;
    }
    int64_t until = clock_mono_ns() + ns;
    for (int64_t left = ns; left > 0 && !is_aborted(m); left = until - clock_mono_ns()) {
        int64_t slice = left < SLICE_NS ? left : SLICE_NS;
        const struct timespec t = {.tv_sec = slice / NS_PER_SEC, .tv_nsec = slice % NS_PER_SEC};
        nanosleep(&t, NULL);
    }
}

static void take_over(struct answer *a, struct model_reply *out) {
    buf_puts(&a->text, "");
    buf_puts(&a->reasoning, "");
    out->text = buf_steal(&a->text);
    out->reasoning = buf_steal(&a->reasoning);
    if (a->stop == MODEL_STOP_REFUSED) {
        buf_puts(&a->refusal, "");
        out->refusal = shown(buf_text(&a->refusal));
    }
    out->model = shown(a->model ? a->model : "");
    out->request_id = shown(a->id ? a->id : "");
    if (!a->model) free(steal_ptr(&out->model));
    if (!a->id) free(steal_ptr(&out->request_id));
    out->stop = a->stop;
}

static int fail(const struct model *m, const struct answer *a, int retries, const char *more,
                struct error *err) {
    _cleanup_free_ char *text = shown(a->fault.text);
    _cleanup_buf_ struct buf behind = {0};
    if (more) buf_printf(&behind, "; %s", more);
    if (retries) buf_printf(&behind, " (after %d %s)", retries, retries == 1 ? "retry" : "retries");
    return error_set(err, a->fault.kind ? a->fault.kind : ERROR_SYSTEM, "model %s: %s%s",
                     m->config.label, text ? text : "out of memory", buf_text(&behind));
}

/* Whether there is to be another attempt; waits before it. -1: no, and why. */
static int next_attempt(struct model *m, const struct answer *a, int *paid, int64_t hint_ns,
                        const struct model_reply *out, struct error *err) {
    if (!a->fault.retry || out->retries >= m->config.retries)
        return fail(m, a, out->retries, NULL, err);
    if (a->fault.paid && ++*paid > PAID_RETRIES) return fail(m, a, out->retries, NULL, err);
    int64_t pause = retry_pause(&m->retry, out->retries, hint_ns);
    if (pause < 0) {
        _cleanup_free_ char *asks =
            str_printf("it asks for a pause of %ld s, longer than %ld s",
                       (long)(hint_ns / NS_PER_SEC), (long)m->config.longest_pause_s);
        return fail(m, a, out->retries, asks, err);
    }
    call_pause(m, pause);
    return is_aborted(m) ? error_set(err, ERROR_CANCELLED, "cancelled") : 0;
}

int call_server(struct model *m, const struct model_request *rq, struct model_reply *out,
                struct error *err) {
    _cleanup_buf_ struct buf body = {0}, url = {0};
    int paid = 0;
    if (encode(m, rq, &body, err) < 0) return -1;
    m->config.protocol->url(&m->config, &url);
    if (buf_failed(&url)) return error_sys(err, ENOMEM, "model %s", m->config.label);
    for (;; out->retries++) {
        _cleanup_answer_ struct answer a = {0};
        int64_t hint_ns = 0;
        int status = attempt(m, buf_text(&url), &body, &a, &hint_ns, err);
        usage_add(&out->usage, &a.usage);
        if (status < 0) return -1;
        if (!a.fault.set || a.fault.filtered) {
            take_over(&a, out);
            return out->text && out->reasoning ? 0 : error_sys(err, ENOMEM, "model");
        }
        if (next_attempt(m, &a, &paid, hint_ns, out, err) < 0) return -1;
    }
}
