#include "orchestrator/daemon/problem.h"

#include "common/json.h"

#include <errno.h>

int problem_status(const struct error *e) {
    if (e->sys == ENOSPC || e->sys == EDQUOT) return 507;
    switch (e->kind) {
    case ERROR_INVALID: return 400;
    case ERROR_DENIED: return 403;
    case ERROR_NOT_FOUND: return 404;
    case ERROR_EXISTS:
    case ERROR_CANCELLED: return 409;
    case ERROR_LIMIT: return 413;
    case ERROR_UNSUPPORTED: return 501;
    case ERROR_BUSY: return 503;
    default: return 500;
    }
}

const char *problem_title(int status) {
    switch (status) {
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 413: return "Content Too Large";
    case 415: return "Unsupported Media Type";
    case 429: return "Too Many Requests";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 507: return "Insufficient Storage";
    default: return "Internal Server Error";
    }
}

void problem_write(int status, const char *detail, enum error_kind kind, const char *rule,
                   struct buf *out) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return;
    json_open_object(w, NULL);
    json_put_string(w, "type", "about:blank");
    json_put_string(w, "title", problem_title(status));
    json_put_int(w, "status", status);
    json_put_string(w, "detail", detail);
    json_put_string(w, "kind", error_kind_name(kind));
    if (rule) json_put_string(w, "rule", rule);
    json_close_object(w);
    size_t len;
    const char *text = json_writer_text(w, &len);
    if (text) buf_append(out, text, len);
}
