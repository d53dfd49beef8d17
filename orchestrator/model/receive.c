#include "orchestrator/model/receive.h"

#include "common/cleanup.h"
#include "orchestrator/model/pick.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ERROR_BODY_MAX ((size_t)64 << 10)
#define EVENT_MAX      ((size_t)4 << 20)
#define VALUES_MAX     ((size_t)1 << 20) /* of one document: each takes some 100 bytes */

void receive_clear(struct receive *r) {
    buf_free(&r->body);
    sse_clear(&r->sse);
}

static bool is_good(long status) {
    return status >= 200 && status <= 299;
}

/* The value of a header called `name`, else false. */
static bool header_value(const char *line, size_t len, const char *name, char *out, size_t size) {
    size_t n = strlen(name);
    if (len <= n || line[n] != ':' || strncasecmp(line, name, n) != 0) return false;
    const char *from = line + n + 1, *end = line + len;
    while (from < end && (*from == ' ' || *from == '\t')) from++;
    while (end > from && (unsigned char)end[-1] <= ' ') end--;
    size_t value = (size_t)(end - from);
    if (value >= size) value = size - 1;
    memcpy(out, from, value);
    out[value] = '\0';
    return true;
}

/* A line "HTTP/…" begins the headers of an answer: a proxy's and a 100 come before the
 * one that counts. */
static void begin_headers(struct receive *r, const char *line, size_t len) {
    char status[4] = "";
    const char *blank = memchr(line, ' ', len);
    if (blank && line + len - blank > 3) memcpy(status, blank + 1, 3);
    r->status = strtol(status, NULL, 10);
    r->type[0] = r->location[0] = '\0';
    r->hints = (struct hints){0};
}

void receive_header(struct receive *r, const char *line, size_t len) {
    char value[128] = "";
    if (len > 5 && memcmp(line, "HTTP/", 5) == 0) {
        begin_headers(r, line, len);
        return;
    }
    if (header_value(line, len, "content-type", r->type, sizeof r->type) ||
        header_value(line, len, "location", r->location, sizeof r->location))
        return;
    if (header_value(line, len, "x-request-id", value, sizeof value) ||
        header_value(line, len, "request-id", value, sizeof value) ||
        header_value(line, len, "apim-request-id", value, sizeof value))
        keep_text(&r->answer->id, value);
    hints_header(&r->hints, line, len, r->now_ns);
}

/* Separators outside of strings: how many values a document can have at most. */
bool receive_is_too_many(const char *text, size_t len) {
    size_t count = 0;
    bool inside = false;
    for (size_t i = 0; i < len; i++) {
        if (inside && text[i] == '\\') i++;
        else if (text[i] == '"') inside = !inside;
        else if (!inside) count += text[i] == ',' || text[i] == '[' || text[i] == '{';
    }
    return count > VALUES_MAX;
}

static struct json *parse(struct answer *a, const char *what, const char *text, size_t len) {
    _cleanup_error_ struct error err = {0};
    struct json *doc = NULL;
    if (receive_is_too_many(text, len))
        error_set(&err, ERROR_INVALID, "%s: more than %zu values", what, VALUES_MAX);
    else doc = json_parse(what, text, len, &err);
    if (!doc) {
        fault_set(&a->fault, ERROR_INVALID, true, "not readable: %s", error_text(&err));
        a->fault.paid = true;
    }
    return doc;
}

static bool on_event(void *arg, const char *event, const char *data, size_t len) {
    struct receive *r = arg;
    struct answer *a = r->answer;
    if (a->done || a->fault.set) return true; /* what comes behind counts no more */
    if (r->protocol->end_mark && strcmp(data, r->protocol->end_mark) == 0) {
        a->done = true;
        return true;
    }
    /* The last event of a stream that broke off is no worse than a missing one. */
    if (r->is_last) {
        _cleanup_json_ struct json *last =
            receive_is_too_many(data, len) ? NULL : json_parse("event", data, len, NULL);
        if (last) r->protocol->event(event, last, a);
        return true;
    }
    _cleanup_json_ struct json *doc = parse(a, "event", data, len);
    if (doc) r->protocol->event(event, doc, a);
    return true;
}

static const char *skip_blank(const char *p, const char *end) {
    while (p < end && strchr(" \t\r\n", *p) && *p) p++;
    return p;
}

/* By its type; by its first byte where that says nothing. A server may answer whole
 * though a stream was asked for. */
static enum receive_mode mode_of(const struct receive *r, const char *bytes, size_t len) {
    const char *end = bytes + len, *p = skip_blank(bytes, end);
    if (strncasecmp(r->type, "text/event-stream", 17) == 0) return RECEIVE_STREAM;
    if (strcasestr(r->type, "json")) return RECEIVE_DOCUMENT;
    if (p == end) return RECEIVE_UNDECIDED;
    if (*p == '{') return RECEIVE_DOCUMENT;
    size_t left = (size_t)(end - p);
    bool is_field = (left >= 5 && memcmp(p, "data:", 5) == 0) ||
                    (left >= 6 && memcmp(p, "event:", 6) == 0) || *p == ':';
    return is_field ? RECEIVE_STREAM : RECEIVE_STRANGE;
}

static bool take_stream(struct receive *r, const char *bytes, size_t len) {
    r->sse.max = EVENT_MAX;
    r->sse.handler = on_event;
    r->sse.arg = r;
    if (sse_feed(&r->sse, bytes, len) == SSE_OK) return true;
    r->too_large = true;
    return false;
}

bool receive_bytes(struct receive *r, const char *bytes, size_t len) {
    if (len == 0) return true;
    r->total += len;
    if (r->total > r->max) {
        r->too_large = true;
        return false;
    }
    if (r->raw && (is_good(r->status) || r->raw->len + len <= ERROR_BODY_MAX))
        buf_append(r->raw, bytes, len);
    if (!is_good(r->status)) {
        size_t left = ERROR_BODY_MAX - r->body.len;
        buf_append(&r->body, bytes, len < left ? len : left);
        return true;
    }
    if (r->mode == RECEIVE_UNDECIDED) r->mode = mode_of(r, bytes, len);
    if (r->mode == RECEIVE_STREAM) return take_stream(r, bytes, len);
    if (r->mode == RECEIVE_DOCUMENT) buf_append(&r->body, bytes, len);
    return true;
}

bool receive_is_over(const struct receive *r) {
    return r->mode == RECEIVE_STREAM &&
           (r->answer->done || r->answer->stopped || r->answer->fault.set);
}

static void end_document(struct receive *r, const char *broken) {
    struct answer *a = r->answer;
    if (broken) {
        fault_set(&a->fault, ERROR_SYSTEM, true, "the answer broke off after %zu bytes: %s",
                  r->total, broken);
        return;
    }
    _cleanup_json_ struct json *doc = parse(a, "answer", buf_text(&r->body), r->body.len);
    if (doc) r->protocol->whole(doc, a);
}

static void end_stream(struct receive *r, const char *broken) {
    struct answer *a = r->answer;
    r->is_last = true;
    sse_finish(&r->sse);
    if (!a->done && (broken || !a->stopped))
        fault_set(&a->fault, ERROR_SYSTEM, true,
                  "the stream ended before the answer did, after %zu bytes%s%s", r->total,
                  broken ? ": " : "", broken ? broken : "");
}

static void end_bad_status(struct receive *r) {
    struct fault *f = &r->answer->fault;
    if (r->status >= 300 && r->status <= 399)
        fault_set(f, ERROR_INVALID, false,
                  "status %ld sends us on to %s: not followed; correct "
                  "the url of the config",
                  r->status, r->location[0] ? r->location : "nowhere");
    else fault_of_status(f, r->status, buf_text(&r->body), r->body.len);
    if (f->filtered) answer_refuse(r->answer, f->text);
}

void receive_end(struct receive *r, const char *broken) {
    struct answer *a = r->answer;
    if (r->too_large) {
        fault_clear(&a->fault);
        fault_set(&a->fault, ERROR_LIMIT, false, "the answer is too large (after %zu bytes)",
                  r->total);
        return;
    }
    if (r->status == 0) return;
    if (!is_good(r->status)) {
        end_bad_status(r);
        return;
    }
    if (r->mode == RECEIVE_DOCUMENT) end_document(r, broken);
    else if (r->mode == RECEIVE_STREAM) end_stream(r, broken);
    else if (r->mode == RECEIVE_UNDECIDED)
        fault_set(&a->fault, ERROR_SYSTEM, true, "the answer has no body");
    else
        fault_set(&a->fault, ERROR_INVALID, false, "answered with content type %s, not with JSON",
                  r->type[0] ? r->type : "unknown");
    if (a->fault.filtered) answer_refuse(a, a->fault.text);
    if (buf_failed(&a->text) || buf_failed(&a->reasoning) || buf_failed(&r->body))
        fault_set(&a->fault, ERROR_SYSTEM, false, "out of memory");
    if (r->raw && buf_failed(r->raw)) fault_set(&a->fault, ERROR_SYSTEM, false, "out of memory");
    if (!a->fault.set && !r->raw) {
        answer_split_think(a);
        answer_check(a);
    }
}
