/* The ledger of an experiment: calls of models, taken down by its agent. */
#include "common/cleanup.h"
#include "orchestrator/daemon/api.h"
#include "orchestrator/daemon/create_inside.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/store_call.h"
#include "orchestrator/daemon/store_version.h"
#include "orchestrator/daemon/view.h"

#include <inttypes.h>
#include <string.h>

#define TOKENS_MAX  INT64_C(1000000000000)
#define COST_MAX    1e9
#define SHORT_BYTES 200
#define ERROR_BYTES ((size_t)64 << 10)

static int decode_version_id(const struct json *body, struct json_reader *r, int64_t *out) {
    const struct json *v = json_get(r, "version", JSON_OPTIONAL);
    const char *name;
    struct error why = {0};
    if (!v || json_type(v) == JSON_NULL) return 0;
    if (json_as_string(v, &name, &why) < 0 || id_parse(ID_VERSION, name, out, &why) < 0)
        json_reader_fail(r, json_find(body, "version"), "%s", error_text(&why));
    error_clear(&why);
    return 0;
}

static char *value_text(const struct json *v) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (w) json_put_value(w, NULL, v);
    const char *text = w ? json_writer_text(w, NULL) : NULL;
    return text ? strdup(text) : NULL;
}

static void decode_texts(struct json_reader *r, struct call_row *out) {
    json_get_string(r, "key", JSON_REQUIRED, &out->key);
    json_get_string(r, "role", JSON_REQUIRED, &out->role);
    json_get_string(r, "model", JSON_REQUIRED, &out->model);
    json_get_string(r, "echoed", JSON_OPTIONAL, &out->echoed);
    json_get_string(r, "request_sha256", JSON_REQUIRED, &out->request_sha256);
    json_get_string(r, "reply", JSON_OPTIONAL, &out->reply);
    json_get_string(r, "reasoning", JSON_OPTIONAL, &out->reasoning);
    json_get_string(r, "stop", JSON_OPTIONAL, &out->stop);
    json_get_string(r, "error", JSON_OPTIONAL, &out->error);
    json_get_string(r, "began", JSON_REQUIRED, &out->began);
    create_check_text(r, "key", out->key, KEY_MAX_BYTES);
    create_check_text(r, "role", out->role, SHORT_BYTES);
    create_check_text(r, "model", out->model, SHORT_BYTES);
    create_check_text(r, "echoed", out->echoed, SHORT_BYTES);
    create_check_text(r, "stop", out->stop, SHORT_BYTES);
    create_check_text(r, "error", out->error, ERROR_BYTES);
    create_check_text(r, "began", out->began, 64);
    uint8_t digest[DIGEST_HEX / 2];
    if (out->request_sha256 && hex_decode(out->request_sha256, digest, (DIGEST_HEX - 1) / 2) < 0)
        json_reader_fail(r, json_find(r->object, "request_sha256"),
                         "must be 64 digits of a SHA-256");
}

static int decode(const struct json *body, struct call_row *out, struct error *err) {
    struct json_reader r;
    json_object(&r, body, err);
    decode_texts(&r, out);
    json_get_int(&r, "input_tokens", JSON_REQUIRED, 0, TOKENS_MAX, &out->input);
    json_get_int(&r, "cached_tokens", JSON_REQUIRED, 0, TOKENS_MAX, &out->cached);
    json_get_int(&r, "output_tokens", JSON_REQUIRED, 0, TOKENS_MAX, &out->output);
    json_get_int(&r, "reasoning_tokens", JSON_REQUIRED, 0, TOKENS_MAX, &out->reasoned);
    json_get_double(&r, "cost", JSON_REQUIRED, 0, COST_MAX, &out->cost);
    json_get_int(&r, "latency_ms", JSON_REQUIRED, 0, INT64_MAX, &out->latency_ms);
    json_get_int(&r, "retries", JSON_REQUIRED, 0, 1000000, &out->retries);
    decode_version_id(body, &r, &out->version);
    const struct json *request = json_get(&r, "request", JSON_REQUIRED);
    if (!out->reply && !out->error && !r.failed)
        json_reader_fail(&r, body, "needs either a reply or an error");
    if (json_object_end(&r) < 0) return -1;
    out->request = value_text(request);
    return out->request ? 0 : error_sys(err, ENOMEM, "call");
}

/* Calls are taken down after an experiment is over, too: what was spent was spent. */
static int add(struct daemon *d, struct call_row *row, bool *made, struct error *err) {
    _cleanup_store_tx_ struct store_tx tx = {0};
    _cleanup_experiment_ struct experiment_row e = {0};
    _cleanup_version_ struct version_row v = {0};
    if (store_begin(&tx, d->store, err) < 0) return -1;
    if (experiment_get(d->store, row->experiment, &e, err) < 0) return -1;
    if (row->version && version_get(d->store, row->version, &v, err) < 0) return -1;
    if (row->version && v.experiment != row->experiment)
        return error_set(err, ERROR_INVALID,
                         "request body: $.version: v%" PRId64 " is of e%" PRId64, v.id,
                         v.experiment);
    if (call_add(d->store, row, made, err) < 0) return -1;
    return *made ? store_commit(&tx, err) : 0;
}

static void put_facts(struct json_writer *w, const struct call_row *c) {
    json_put_int(w, "number", c->number);
    view_id(w, "experiment", ID_EXPERIMENT, c->experiment);
    json_put_string(w, "key", c->key);
    json_put_string(w, "role", c->role);
    view_id(w, "version", ID_VERSION, c->version);
    json_put_string(w, "model", c->model);
    json_put_string(w, "echoed", c->echoed);
    json_put_string(w, "request_sha256", c->request_sha256);
    json_put_string(w, "stop", c->stop);
    json_put_int(w, "input_tokens", c->input);
    json_put_int(w, "cached_tokens", c->cached);
    json_put_int(w, "output_tokens", c->output);
    json_put_int(w, "reasoning_tokens", c->reasoned);
    json_put_double(w, "cost", c->cost);
    json_put_int(w, "latency_ms", c->latency_ms);
    json_put_int(w, "retries", c->retries);
    json_put_string(w, "error", c->error);
    json_put_string(w, "began", c->began);
    view_time(w, "created", c->created_ns);
}

static int answer(struct daemon *d, int64_t experiment, int64_t number, struct response *p,
                  struct error *err) {
    _cleanup_call_ struct call_row c = {0};
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (call_get(d->store, experiment, number, &c, err) < 0) return -1;
    if (!w) return error_sys(err, ENOMEM, "call");
    json_open_object(w, NULL);
    put_facts(w, &c);
    view_json(w, "request", c.request);
    json_put_string(w, "reply", c.reply);
    json_put_string(w, "reasoning", c.reasoning);
    json_close_object(w);
    return response_json(p, w, err);
}

int api_call_create(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    _cleanup_call_ struct call_row row = {0};
    bool made = false;
    if (api_id(q, ID_EXPERIMENT, &row.experiment, err) < 0) return -1;
    if (decode(q->body, &row, err) < 0 || add(d, &row, &made, err) < 0) return -1;
    p->status = made ? 201 : 200;
    return answer(d, row.experiment, row.number, p, err);
}

int api_call(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    int64_t experiment, number;
    char *end;
    if (api_id(q, ID_EXPERIMENT, &experiment, err) < 0) return -1;
    errno = 0;
    number = strtoll(q->params[1], &end, 10);
    if (errno || *end || number < 1)
        return error_set(err, ERROR_INVALID, "a call is named by its number, from 1");
    return answer(d, experiment, number, p, err);
}

static int list(struct daemon *d, int64_t experiment, int64_t after, int64_t limit,
                struct response *p, struct error *err) {
    struct call_row *rows = NULL;
    size_t count = 0;
    int rc = call_list(d->store, experiment, after, limit, &rows, &count, err);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (rc == 0 && w) {
        json_open_object(w, NULL);
        json_open_array(w, "calls");
        for (size_t i = 0; i < count; i++) {
            json_open_object(w, NULL);
            put_facts(w, &rows[i]);
            json_close_object(w);
        }
        json_close_array(w);
        rc = view_spent(w, d->store, experiment, err);
        json_close_object(w);
        if (rc == 0) rc = response_json(p, w, err);
    }
    calls_free(rows, count);
    return w ? rc : error_sys(err, ENOMEM, "calls");
}

/* ?key=K: the answered call of that key; else a page of all. */
int api_calls(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    static const char *const known[] = {"key", "after", "limit", NULL};
    _cleanup_experiment_ struct experiment_row e = {0};
    _cleanup_free_ char *key = NULL;
    int64_t experiment, after = 0, limit = API_LIST_DEFAULT, number;
    if (api_id(q, ID_EXPERIMENT, &experiment, err) < 0 ||
        experiment_get(d->store, experiment, &e, err) < 0 ||
        request_query_known(q, known, err) < 0 || request_query(q, "key", &key, err) < 0 ||
        request_query_int(q, "after", 0, INT64_MAX, &after, err) < 0 ||
        request_query_int(q, "limit", 1, API_LIST_MAX, &limit, err) < 0)
        return -1;
    if (!key) return list(d, experiment, after, limit, p, err);
    if (call_by_key(d->store, experiment, key, &number, err) < 0) return -1;
    if (number == 0)
        return error_set(err, ERROR_NOT_FOUND, "e%" PRId64 " has no answered call of that key",
                         experiment);
    return answer(d, experiment, number, p, err);
}
