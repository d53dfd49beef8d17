/* Playing (declared in cassette.h). */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "orchestrator/model/cassette.h"
#include "orchestrator/model/pick.h"

#include <math.h>
#include <string.h>

#define FILE_MAX ((size_t)1 << 30)

struct cassette {
    char *path;
    struct cassette_call *calls;
    size_t count, cap;
};

static void clear_call(struct cassette_call *c) {
    free(c->key);
    free(c->model);
    free(c->error);
    model_reply_clear(&c->reply);
}

void cassette_free(struct cassette *c) {
    if (!c) return;
    for (size_t i = 0; i < c->count; i++) clear_call(&c->calls[i]);
    free(c->calls);
    free(c->path);
    free(c);
}

const char *cassette_path(const struct cassette *c) {
    return c->path;
}

const char *cassette_model(const struct cassette *c) {
    return c->count && *c->calls[0].model ? c->calls[0].model : "replay";
}

/* "too-long" is a ledger's word for a reply that was too large to be taken. */
static int read_stop(const struct json *doc, struct cassette_call *c, enum model_stop *out,
                     struct error *err) {
    static const char *const names[] = {"end", "length", "refused", "other", "too-long", NULL};
    const struct json *v = pick(doc, "stop");
    int which = MODEL_STOP_OTHER;
    if (v && json_as_enum(v, names, &which, err) < 0) return -1;
    if (which > MODEL_STOP_OTHER) {
        which = MODEL_STOP_OTHER;
        c->kind = ERROR_LIMIT;
        if (!c->error && !(c->error = strdup("the answer is too large")))
            return error_sys(err, ENOMEM, "cassette");
    }
    if (which == MODEL_STOP_REFUSED && c->error) {
        /* In a ledger it is the refusal's words. */
        if (!c->reply.refusal) c->reply.refusal = steal_ptr(&c->error);
        free(c->error);
        c->error = NULL;
    }
    *out = (enum model_stop)which;
    return 0;
}

static enum error_kind kind_named(const char *name) {
    for (int k = ERROR_INVALID; name && k <= ERROR_INTERNAL; k++)
        if (str_eq(error_kind_name((enum error_kind)k), name)) return (enum error_kind)k;
    return ERROR_SYSTEM;
}

static double number_of(const struct json *doc, const char *key, double otherwise) {
    double d = otherwise;
    const struct json *v = pick(doc, key);
    if (v) json_as_double(v, 0, 1e15, &d, NULL);
    return d;
}

static void read_usage(const struct json *doc, struct model_usage *u) {
    const struct json *known = pick(doc, "usage_known");
    u->known = pick_count(doc, "input_tokens", &u->input);
    pick_count(doc, "cached_tokens", &u->cached_input);
    pick_count(doc, "cache_write_tokens", &u->cache_write);
    pick_count(doc, "output_tokens", &u->output);
    pick_count(doc, "reasoning_tokens", &u->reasoning);
    if (known) json_as_bool(known, &u->known, NULL);
    u->cost = number_of(doc, "cost", 0);
}

static char *copy_of(const struct json *doc, const char *key) {
    const char *text = pick_text(doc, key);
    return text ? strdup(text) : NULL;
}

/* Members that are of no use here belong to the ledger, and are let be. */
static int read_call(const struct json *doc, struct cassette_call *c, struct error *err) {
    const char *key = pick_text(doc, "key"), *sha = pick_text(doc, "request_sha256");
    const char *model = pick_text(doc, "model"), *error = pick_text(doc, "error");
    struct model_reply *r = &c->reply;
    int64_t retries = 0;
    if (!key) return json_error(doc, err, "lacks the key \"key\"");
    if (!error && !pick_text(doc, "reply"))
        return json_error(doc, err, "call %s has neither \"reply\" nor \"error\"", key);
    c->key = strdup(key);
    c->model = strdup(model ? model : "");
    if (!c->key || !c->model) return error_sys(err, ENOMEM, "cassette");
    if (sha) snprintf(r->request_sha256, sizeof r->request_sha256, "%.64s", sha);
    r->model = copy_of(doc, "echoed");
    r->request_id = copy_of(doc, "request_id");
    r->text = copy_of(doc, "reply");
    r->reasoning = copy_of(doc, "reasoning");
    r->refusal = copy_of(doc, "refusal");
    c->error = error && *error ? strdup(error) : NULL;
    c->kind = kind_named(pick_text(doc, "error_kind"));
    if (!r->text) r->text = strdup("");
    if (!r->reasoning) r->reasoning = strdup("");
    read_usage(doc, &r->usage);
    if (pick_count(doc, "retries", &retries)) r->retries = (int)(retries & 0xffff);
    r->latency_ns = llround(number_of(doc, "latency_ms", 0) * (double)NS_PER_MS);
    c->bound_tokens = -1;
    pick_count(doc, "bound_tokens", &c->bound_tokens);
    c->bound_cost = number_of(doc, "bound_cost", r->usage.cost);
    return read_stop(doc, c, &r->stop, err);
}

static int add_line(struct cassette *c, const char *line, size_t len, size_t number,
                    struct error *err) {
    if (len == 0) return 0;
    if (c->count == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 16;
        struct cassette_call *calls = realloc(c->calls, cap * sizeof *calls);
        if (!calls) return error_sys(err, ENOMEM, "cassette");
        c->calls = calls;
        c->cap = cap;
    }
    struct cassette_call *call = &c->calls[c->count];
    *call = (struct cassette_call){0};
    _cleanup_free_ char *where = str_printf("call %zu", number);
    _cleanup_json_ struct json *doc = json_parse(where ? where : "call", line, len, err);
    if (!doc) return -1;
    c->count++;
    return read_call(doc, call, err);
}

struct cassette *cassette_load(const char *path, struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    struct cassette *c = calloc(1, sizeof *c);
    if (c) c->path = strdup(path);
    if (!c || !c->path) {
        cassette_free(c);
        error_sys(err, ENOMEM, "cassette");
        return NULL;
    }
    int status = file_read(path, FILE_MAX, &text, err);
    const char *at = buf_text(&text), *end = at + text.len;
    for (size_t number = 1; status == 0; number++) {
        const char *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
        if (!stop) break; /* the end, or a line without one */
        status = add_line(c, at, (size_t)(stop - at), number, err);
        at = stop + 1;
    }
    if (status == 0) return c;
    cassette_free(c);
    error_wrap(err, "cassette %s", path);
    return NULL;
}

const struct cassette_call *cassette_find(const struct cassette *c, const char *key,
                                          const char *sha256) {
    const struct cassette_call *found = NULL;
    for (size_t i = c->count; i-- > 0;) {
        const struct cassette_call *call = &c->calls[i];
        if (strcmp(call->key, key) != 0) continue;
        if (strcmp(call->reply.request_sha256, sha256) == 0) return call;
        if (!found) found = call;
    }
    return found;
}
