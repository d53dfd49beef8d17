#include "orchestrator/client/agent_ledger.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/log.h"
#include "orchestrator/client/reply.h"

#include <inttypes.h>
#include <string.h>

#define PAGE         1000
#define REQUEST_MAX  ((size_t)2 << 20) /* a longer one is not kept; its digest is */
#define THOUGHTS_MAX ((size_t)256 << 10)
#define ERROR_MAX    ((size_t)4 << 10)

/* How the ledger says that a reply counts as a failed attempt for its size. */
#define STOP_TOO_LONG "too-long"

struct said {
    char *key;
    int64_t number;
};

static int add_said(struct agent_talk *t, const char *key, int64_t number, struct error *err) {
    struct said *grown = reallocarray(t->said, t->said_count + 1, sizeof *grown);
    if (!grown) return error_sys(err, ENOMEM, "ledger");
    t->said = grown;
    grown[t->said_count] = (struct said){.key = strdup(key), .number = number};
    if (!grown[t->said_count].key) return error_sys(err, ENOMEM, "ledger");
    t->said_count++;
    return 0;
}

/* A call without a stop was never answered. */
static int read_page(struct agent_talk *t, const struct json *doc, int64_t *after,
                     struct error *err) {
    for (size_t i = 0; i < reply_count(doc, "calls"); i++) {
        const struct json *call = reply_at(doc, "calls", i);
        *after = reply_int(call, "number", 0);
        if (!reply_text(call, "stop")) continue;
        if (add_said(t, reply_text_or(call, "key", ""), *after, err) < 0) return -1;
    }
    return 0;
}

int agent_ledger_load(struct agent_talk *t, struct error *err) {
    for (int64_t after = 0;;) {
        _cleanup_json_ struct json *doc = NULL;
        if (http_getf(t->http, &doc, err, "/v1/experiments/%s/calls?after=%" PRId64 "&limit=%d",
                      t->experiment, after, PAGE) < 0 ||
            read_page(t, doc, &after, err) < 0)
            return -1;
        if (reply_count(doc, "calls") < PAGE) return 0;
    }
}

void agent_ledger_clear(struct agent_talk *t) {
    for (size_t i = 0; i < t->said_count; i++) free(t->said[i].key);
    free(t->said);
    t->said = NULL;
    t->said_count = 0;
}

/* ---- answers of before ---- */

static int repeat(const struct json *call, struct role_answer *out, struct error *err) {
    const char *stop = reply_text_or(call, "stop", ""), *text = reply_text_or(call, "reply", "");
    const char *error = reply_text(call, "error");
    bool faulty = true;
    if (str_eq(stop, "length")) out->fault = strdup("was cut off: it was as long as it may be");
    else if (str_eq(stop, "refused"))
        out->fault = str_printf("is a refusal%s%s", error ? ": " : "", error ? error : "");
    else if (str_eq(stop, STOP_TOO_LONG))
        out->fault = error ? str_printf("could not be taken: %s", error)
                           : str_printf("is too long: more than %zu bytes", AGENT_REPLY_MAX);
    else faulty = false;
    if (faulty && !out->fault) return error_sys(err, ENOMEM, "reply");
    if (str_eq(stop, STOP_TOO_LONG)) return 0;
    out->text = strdup(text);
    return out->text ? 0 : error_sys(err, ENOMEM, "reply");
}

/* Its prompt may be another by now: other prompts, another release. What was said to
 * this step stays said, or the tree would be another than the one that is there. */
static void compare(const struct model_request *rq, const struct json *call) {
    char sha[DIGEST_HEX];
    _cleanup_free_ char *text = model_request_text(rq);
    if (!text) return;
    digest_hex_of(text, strlen(text), sha);
    if (!str_eq(sha, reply_text_or(call, "request_sha256", "")))
        log_warn("call %s was made with another prompt; its reply of then is used", rq->key);
}

int agent_ledger_answer(struct agent_talk *t, const struct model_request *rq,
                        struct role_answer *out, bool *found, struct error *err) {
    *found = false;
    for (size_t i = 0; i < t->said_count; i++) {
        if (!str_eq(t->said[i].key, rq->key)) continue;
        _cleanup_json_ struct json *call = NULL;
        if (http_getf(t->http, &call, err, "/v1/experiments/%s/calls/%" PRId64, t->experiment,
                      t->said[i].number) < 0)
            return -1;
        compare(rq, call);
        *found = true;
        return repeat(call, out, err);
    }
    return 0;
}

/* ---- one more ---- */

static int put_request(struct json_writer *w, const struct agent_call *c, struct error *err) {
    _cleanup_free_ char *text =
        c->request ? model_request_text(c->request) : strdup(buf_text(c->relayed));
    if (!text) return error_sys(err, ENOMEM, "request");
    if (strlen(text) > REQUEST_MAX) {
        json_open_object(w, "request");
        json_put_int(w, "omitted_bytes", (int64_t)strlen(text));
        json_close_object(w);
        return 0;
    }
    _cleanup_json_ struct json *doc = json_parse("request", text, strlen(text), err);
    if (!doc) return -1;
    json_put_value(w, "request", doc);
    return 0;
}

static void put_cut(struct json_writer *w, const char *key, const char *text, size_t max) {
    size_t len = strlen(text);
    if (len > max)
        for (len = max; len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80;) len--;
    json_put_bytes(w, key, text, len);
}

static void put_reply(struct json_writer *w, const struct agent_call *c) {
    const struct model_reply *r = c->reply;
    bool too_long = c->failed ? c->failed->kind == ERROR_LIMIT
                              : strlen(r->text) > AGENT_REPLY_MAX && r->stop == MODEL_STOP_END;
    if (c->failed) {
        put_cut(w, "error", error_text(c->failed), ERROR_MAX);
        if (too_long) json_put_string(w, "reply", "");
    } else {
        put_cut(w, "reply", r->text, AGENT_REPLY_MAX);
        if (r->reasoning && *r->reasoning) put_cut(w, "reasoning", r->reasoning, THOUGHTS_MAX);
        if (r->refusal && *r->refusal) put_cut(w, "error", r->refusal, ERROR_MAX);
    }
    if (too_long) json_put_string(w, "stop", STOP_TOO_LONG);
    else if (!c->failed) json_put_string(w, "stop", model_stop_name(r->stop));
}

static int put_call(struct json_writer *w, const struct agent_call *c, struct error *err) {
    const struct model_reply *r = c->reply;
    char began[32];
    clock_format_utc(c->began_ns, began);
    json_open_object(w, NULL);
    json_put_string(w, "key", c->key);
    json_put_string(w, "role", c->role);
    if (c->version) json_put_string(w, "version", c->version);
    json_put_string(w, "model", c->model);
    if (r->model && *r->model) put_cut(w, "echoed", r->model, 200);
    json_put_string(w, "request_sha256", r->request_sha256);
    if (put_request(w, c, err) < 0) return -1;
    put_reply(w, c);
    json_put_int(w, "input_tokens", r->usage.input);
    json_put_int(w, "cached_tokens", r->usage.cached_input);
    json_put_int(w, "output_tokens", r->usage.output);
    json_put_int(w, "reasoning_tokens", r->usage.reasoning);
    json_put_double(w, "cost", r->usage.cost);
    json_put_int(w, "latency_ms", r->latency_ns / NS_PER_MS);
    json_put_int(w, "retries", r->retries);
    json_put_string(w, "began", began);
    json_close_object(w);
    return 0;
}

int agent_ledger_add(struct agent_talk *t, const struct agent_call *call, struct role_answer *out,
                     bool *answered, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    _cleanup_json_ struct json *made = NULL;
    if (!w) return error_sys(err, ENOMEM, "ledger");
    if (put_call(w, call, err) < 0 ||
        http_postf(t->http, w, &made, err, "/v1/experiments/%s/calls", t->experiment) < 0)
        return error_wrap(err, "ledger, call %s", call->key);
    bool said = reply_text(made, "stop") != NULL;
    if (answered) *answered = said;
    if (!said) return 0;
    if (add_said(t, call->key, reply_int(made, "number", 0), err) < 0) return -1;
    return out ? repeat(made, out, err) : 0;
}
