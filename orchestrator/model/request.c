/* A call as its caller sees it: checked, digested, made or replayed, recorded (declared
 * in model.h). */
#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/model/model_inside.h"

#include <string.h>

#define MESSAGES_MAX 4096
#define PROMPT_MAX   ((size_t)64 << 20)
#define KEY_MAX      200

const char *model_stop_name(enum model_stop stop) {
    static const char *const names[] = {"end", "length", "refused", "other"};
    return names[stop];
}

void model_reply_clear(struct model_reply *r) {
    free(r->text);
    free(r->reasoning);
    free(r->refusal);
    free(r->model);
    free(r->request_id);
    *r = (struct model_reply){0};
}

char *model_request_text(const struct model_request *rq) {
    static const char *const roles[] = {"system", "user", "assistant"};
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return NULL;
    json_open_object(w, NULL);
    json_open_array(w, "messages");
    for (size_t i = 0; i < rq->count; i++) {
        json_open_object(w, NULL);
        json_put_string(w, "role", roles[rq->messages[i].role]);
        json_put_string(w, "text", rq->messages[i].text);
        json_close_object(w);
    }
    json_close_array(w);
    if (rq->max_tokens > 0) json_put_int(w, "max_tokens", rq->max_tokens);
    json_close_object(w);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    return text ? strndup(text, len) : NULL;
}

static int check_request(const struct model_request *rq, struct error *err) {
    size_t bytes = 0;
    bool asks = false;
    if (rq->count > MESSAGES_MAX)
        return error_set(err, ERROR_LIMIT, "more than %d messages", MESSAGES_MAX);
    for (size_t i = 0; i < rq->count; i++) {
        bytes += strlen(rq->messages[i].text);
        asks |= rq->messages[i].role == MODEL_USER;
    }
    if (bytes > PROMPT_MAX)
        return error_set(err, ERROR_LIMIT, "the prompt has more than %zu bytes", PROMPT_MAX);
    if (rq->key && strlen(rq->key) > KEY_MAX)
        return error_set(err, ERROR_LIMIT, "the call's key has more than %d bytes", KEY_MAX);
    return asks ? 0 : error_set(err, ERROR_INVALID, "there is no message of the user");
}

static int digest_request(const struct model_request *rq, char out[DIGEST_HEX], struct error *err) {
    _cleanup_free_ char *text = model_request_text(rq);
    if (!text) return error_sys(err, ENOMEM, "request");
    digest_hex_of(text, strlen(text), out);
    return 0;
}

static int copy_text(char **to, const char *from, struct error *err) {
    return from && !(*to = strdup(from)) ? error_sys(err, ENOMEM, "reply") : 0;
}

static int copy_reply(const struct model_reply *from, struct model_reply *to, struct error *err) {
    to->stop = from->stop;
    to->usage = from->usage;
    to->retries = from->retries;
    to->latency_ns = from->latency_ns;
    if (copy_text(&to->text, from->text, err) < 0 ||
        copy_text(&to->reasoning, from->reasoning, err) < 0 ||
        copy_text(&to->refusal, from->refusal, err) < 0 ||
        copy_text(&to->model, from->model, err) < 0 ||
        copy_text(&to->request_id, from->request_id, err) < 0)
        return -1;
    return 0;
}

static int replay(const struct model *m, const char *key, struct model_reply *out,
                  struct error *err) {
    const char *path = cassette_path(m->cassette);
    const struct cassette_call *call = cassette_find(m->cassette, key, out->request_sha256);
    if (!call) return error_set(err, ERROR_NOT_FOUND, "cassette %s has no call %s", path, key);
    const char *recorded = call->reply.request_sha256;
    out->differs = strcmp(recorded, out->request_sha256) != 0;
    if (out->differs && m->strict)
        return error_set(err, ERROR_INVALID,
                         "cassette %s: call %s: the request is not the recorded one (sha256 "
                         "%.12s…, recorded %.12s…)",
                         path, key, out->request_sha256, recorded);
    if (copy_reply(&call->reply, out, err) < 0) return -1;
    return call->error ? error_set(err, call->kind, "%s", call->error) : 0;
}

/* The line borrows all it has: the writer looks at it and no more. */
static int record(const struct model *m, const struct model_request *rq, const char *key,
                  const struct model_reply *out, const struct error *failed, struct error *err) {
    if (failed && failed->kind == ERROR_CANCELLED) return 0;
    struct cassette_call call = {.key = (char *)key,
                                 .model = (char *)model_name(m),
                                 .reply = *out,
                                 .error = failed ? (char *)error_text(failed) : NULL,
                                 .kind = failed ? failed->kind : ERROR_NONE};
    model_bound(m, rq, &call.bound_tokens, &call.bound_cost);
    return cassette_append(m->options.record, &call, err);
}

static int call_and_record(struct model *m, const struct model_request *rq, const char *key,
                           struct model_reply *out, struct error *err) {
    struct error failed = {0};
    int64_t begin = clock_mono_ns();
    int status = call_server(m, rq, out, &failed);
    out->latency_ns = clock_mono_ns() - begin;
    out->usage.cost = price_of(&m->config, &out->usage);
    if (m->options.record && record(m, rq, key, out, status < 0 ? &failed : NULL, err) < 0 &&
        status == 0)
        return -1;
    return status < 0 ? error_move(err, &failed) : 0;
}

int model_call(struct model *m, const struct model_request *rq, struct model_reply *out,
               struct error *err) {
    const char *key = rq->key ? rq->key : "";
    *out = (struct model_reply){0};
    if (check_request(rq, err) < 0 || digest_request(rq, out->request_sha256, err) < 0)
        return error_wrap(err, "model %s", model_name(m));
    return m->cassette ? replay(m, key, out, err) : call_and_record(m, rq, key, out, err);
}
