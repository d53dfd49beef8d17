/* Errors of servers: the forms that OpenAI, Azure, vLLM, llama.cpp, Anthropic and
 * Gemini give them. */
#include "orchestrator/model/fault.h"

#include "common/cleanup.h"
#include "orchestrator/model/hints.h"
#include "orchestrator/model/pick.h"

#include <string.h>

#define TEXT_MAX 65536

/* The parts of an error document, borrowed. */
struct parts {
    const char *type; /* "rate_limit_error", "RESOURCE_EXHAUSTED" */
    const char *code; /* "insufficient_quota", "429" */
    const char *message;
    int64_t status; /* 0: none inside */
    int64_t wait_ns;
};

void fault_clear(struct fault *f) {
    free(f->text);
    *f = (struct fault){0};
}

void fault_set(struct fault *f, enum error_kind kind, bool retry, const char *fmt, ...) {
    if (f->set) return;
    _cleanup_buf_ struct buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    *f = (struct fault){
        .set = true, .kind = kind, .retry = retry, .text = strndup(buf_text(&text), TEXT_MAX)};
}

bool fault_status_retries(long status) {
    return status == 408 || status == 429 || (status >= 500 && status <= 599);
}

static enum error_kind kind_of_status(long status) {
    switch (status) {
    case 401:
    case 402:
    case 403: return ERROR_DENIED;
    case 404: return ERROR_NOT_FOUND;
    case 413: return ERROR_LIMIT;
    case 429:
    case 503:
    case 529: return ERROR_BUSY;
    default: return status >= 400 && status < 500 ? ERROR_INVALID : ERROR_SYSTEM;
    }
}

/* Gemini: error.details[] has one {"@type": "…RetryInfo", "retryDelay": "34s"}. */
static int64_t delay_in_details(const struct json *error) {
    const struct json *details = pick_array(error, "details");
    for (size_t i = 0; details && i < json_count(details); i++) {
        const char *delay = pick_text(json_at(details, i), "retryDelay");
        int64_t ns = delay ? hint_parse(delay, 0) : 0;
        if (ns > 0) return ns;
    }
    return 0;
}

static int64_t status_of(const struct json *error, const char *code) {
    int64_t status = 0;
    if (pick_count(error, "code", &status) || pick_count(error, "status", &status))
        return status >= 400 && status < 600 ? status : 0;
    if (!code || strlen(code) != 3 || strspn(code, "0123456789") != 3) return 0;
    status = (code[0] - '0') * 100 + (code[1] - '0') * 10 + code[2] - '0';
    return status >= 400 && status < 600 ? status : 0;
}

/* {"error": {…}}, {"error": "text"}, [{"error": {…}}], {"object": "error", …},
 * {"detail": …}. */
static bool take_apart(const struct json *doc, struct parts *p) {
    if (json_type(doc) == JSON_ARRAY) doc = json_at(doc, 0);
    if (!doc || json_type(doc) != JSON_OBJECT) return false;
    const struct json *error = pick(doc, "error");
    bool flat =
        str_eq(pick_text(doc, "object"), "error") || str_eq(pick_text(doc, "type"), "error");
    if (error && json_type(error) == JSON_STRING) {
        p->message = text_of(error);
        return true;
    }
    if (!error && flat) error = doc;
    if (!error && pick(doc, "detail")) {
        p->message = pick_text(doc, "detail");
        if (!p->message) p->message = "the request was found invalid";
        return true;
    }
    if (!error || json_type(error) != JSON_OBJECT) return false;
    p->type = pick_text(error, "type");
    if (!p->type) p->type = pick_text(error, "status");
    p->code = pick_text(error, "code");
    p->message = pick_text(error, "message");
    p->status = status_of(error, p->code);
    p->wait_ns = delay_in_details(error);
    return true;
}

static bool says(const struct parts *p, const char *word) {
    return (p->type && strcasestr(p->type, word)) || (p->code && strcasestr(p->code, word));
}

/* What comes inside a stream has no status: the words must do. */
static bool is_final(const struct parts *p) {
    static const char *const words[] = {
        "invalid",   "authentication", "permission",         "not_found",      "billing",
        "too_large", "quota_exceeded", "insufficient_quota", "content_filter", "context_length"};
    if (says(p, "RESOURCE_EXHAUSTED")) return false;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (says(p, words[i])) return true;
    return p->status && !fault_status_retries(p->status);
}

/* An upload that broke on its way reads like a faulty request, and is none. */
static bool is_broken_upload(long status, const struct parts *p) {
    return status == 400 && p->message && strcasestr(p->message, "not valid json") &&
           strcasestr(p->message, "unexpected end of data");
}

static void describe(struct fault *f, long status, const struct parts *p, const char *else_text) {
    _cleanup_buf_ struct buf text = {0};
    const char *name = p->type ? p->type : p->code;
    if (status) buf_printf(&text, "status %ld%s%s", status, name ? " " : "", name ? name : "");
    else buf_puts(&text, name ? name : "error");
    if (p->type && p->code && strcmp(p->type, p->code) != 0) buf_printf(&text, " (%s)", p->code);
    const char *message = p->message ? p->message : else_text;
    if (message && *message) buf_printf(&text, ": %s", message);
    f->text = strndup(buf_text(&text), TEXT_MAX);
}

void fault_of_status(struct fault *f, long status, const char *body, size_t len) {
    if (f->set) return;
    struct parts p = {0};
    _cleanup_json_ struct json *doc = len ? json_parse("error", body, len, NULL) : NULL;
    bool known = doc && take_apart(doc, &p);
    f->set = true;
    f->kind = kind_of_status(status);
    f->retry = fault_status_retries(status) || is_broken_upload(status, &p);
    /* Waiting does not fill an account. */
    if (says(&p, "insufficient_quota") || says(&p, "billing")) {
        f->retry = false;
        f->kind = ERROR_DENIED;
    }
    f->filtered = status == 400 && says(&p, "content_filter");
    f->wait_ns = p.wait_ns;
    _cleanup_free_ char *snippet = known ? NULL : strndup(body ? body : "", len);
    describe(f, status, &p, snippet);
}

bool fault_of_document(struct fault *f, const struct json *doc) {
    struct parts p = {0};
    if (!take_apart(doc, &p)) return false;
    if (f->set) return true;
    f->set = true;
    f->retry = !is_final(&p);
    f->filtered = says(&p, "content_filter");
    f->kind = p.status                                     ? kind_of_status((long)p.status)
              : says(&p, "rate") || says(&p, "overloaded") ? ERROR_BUSY
              : f->retry                                   ? ERROR_SYSTEM
                                                           : ERROR_INVALID;
    f->wait_ns = p.wait_ns;
    describe(f, (long)p.status, &p, NULL);
    return true;
}
