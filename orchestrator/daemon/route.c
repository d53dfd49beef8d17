#include "orchestrator/daemon/route.h"

#include "common/cleanup.h"
#include "common/digest.h"

#include <string.h>

char *url_decode(const char *text, size_t len, struct error *err) {
    _cleanup_buf_ struct buf out = {0};
    for (size_t i = 0; i < len; i++) {
        uint8_t byte = (uint8_t)text[i];
        if (text[i] == '%') {
            if (i + 2 >= len ||
                hex_decode((char[]){text[i + 1], text[i + 2], '\0'}, &byte, 1) < 0) {
                error_set(err, ERROR_INVALID, "URL: %% must be followed by two hex digits");
                return NULL;
            }
            i += 2;
        }
        if (byte == 0) {
            error_set(err, ERROR_INVALID, "URL: a NUL byte");
            return NULL;
        }
        buf_putc(&out, (char)byte);
    }
    for (size_t i = 0, n; i < out.len; i += n) {
        n = utf8_sequence((const unsigned char *)out.data + i, out.len - i);
        if (n > 0) continue;
        error_set(err, ERROR_INVALID, "URL: not UTF-8");
        return NULL;
    }
    char *decoded = out.len ? buf_steal(&out) : strdup("");
    if (!decoded) error_sys(err, ENOMEM, "URL");
    return decoded;
}

/* The next segment of a path that begins with '/'; false at the end. */
static bool next_segment(const char **at, const char **segment, size_t *len) {
    if (**at != '/') return false;
    *segment = *at + 1;
    *len = strcspn(*segment, "/");
    *at = *segment + *len;
    return true;
}

/* 1: matches; 0: does not; −1: malformed encoding. */
static int match_path(const char *pattern, const char *path, struct route_match *out,
                      struct error *err) {
    size_t count = 0;
    const char *want, *have;
    size_t want_len, have_len;
    for (;;) {
        bool more_want = next_segment(&pattern, &want, &want_len);
        bool more_have = next_segment(&path, &have, &have_len);
        if (!more_want || !more_have) return more_want == more_have && *path == '\0';
        if (want[0] != '{') {
            if (want_len != have_len || memcmp(want, have, want_len) != 0) return 0;
            continue;
        }
        if (have_len == 0) return 0;
        free(out->params[count]);
        out->params[count] = url_decode(have, have_len, err);
        if (!out->params[count++]) return -1;
    }
}

int route_find(const struct route *routes, const char *method, const char *path,
               struct route_match *out, struct error *err) {
    bool get_allowed = false;
    for (const struct route *r = routes; r->method; r++) {
        int rc = match_path(r->pattern, path, out, err);
        if (rc < 0) return -1;
        if (rc == 0) continue;
        bool head = str_eq(method, "HEAD") && str_eq(r->method, "GET");
        if (head || str_eq(method, r->method)) {
            out->route = r;
            return ROUTE_FOUND;
        }
        buf_printf(&out->allow, "%s%s", out->allow.len ? ", " : "", r->method);
        get_allowed |= str_eq(r->method, "GET");
    }
    if (get_allowed) buf_puts(&out->allow, ", HEAD");
    return out->allow.len ? ROUTE_OTHER_METHOD : ROUTE_UNKNOWN;
}

void route_match_clear(struct route_match *m) {
    for (size_t i = 0; i < ROUTE_PARAMS; i++) free(m->params[i]);
    buf_free(&m->allow);
    *m = (struct route_match){0};
}
