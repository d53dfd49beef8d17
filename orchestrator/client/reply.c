#include "orchestrator/client/reply.h"

#include "common/buf.h"
#include "common/cleanup.h"

#include <float.h>
#include <math.h>
#include <string.h>

const struct json *reply_find(const struct json *v, const char *path) {
    while (v && *path) {
        if (json_type(v) != JSON_OBJECT) return NULL;
        size_t len = strcspn(path, ".");
        char key[64];
        if (len >= sizeof key) return NULL;
        memcpy(key, path, len);
        key[len] = '\0';
        v = json_find(v, key);
        path += len + (path[len] == '.');
    }
    return v && json_type(v) != JSON_NULL ? v : NULL;
}

const char *reply_text(const struct json *v, const char *path) {
    return reply_text_or(v, path, NULL);
}

const char *reply_text_or(const struct json *v, const char *path, const char *otherwise) {
    const struct json *at = reply_find(v, path);
    const char *text = NULL;
    return at && json_as_string(at, &text, NULL) == 0 ? text : otherwise;
}

int64_t reply_int(const struct json *v, const char *path, int64_t otherwise) {
    const struct json *at = reply_find(v, path);
    int64_t n = 0;
    return at && json_as_int(at, INT64_MIN, INT64_MAX, &n, NULL) == 0 ? n : otherwise;
}

double reply_number(const struct json *v, const char *path, double otherwise) {
    const struct json *at = reply_find(v, path);
    double n = 0;
    return at && json_as_double(at, -DBL_MAX, DBL_MAX, &n, NULL) == 0 ? n : otherwise;
}

bool reply_bool(const struct json *v, const char *path, bool otherwise) {
    const struct json *at = reply_find(v, path);
    bool b = false;
    return at && json_as_bool(at, &b, NULL) == 0 ? b : otherwise;
}

size_t reply_count(const struct json *v, const char *path) {
    const struct json *at = reply_find(v, path);
    return at && json_type(at) == JSON_ARRAY ? json_count(at) : 0;
}

const struct json *reply_at(const struct json *v, const char *path, size_t i) {
    const struct json *at = reply_find(v, path);
    return at && json_type(at) == JSON_ARRAY && i < json_count(at) ? json_at(at, i) : NULL;
}

static void list_kinds(const char *kinds, struct buf *out) {
    static const struct {
        char kind;
        const char *what;
    } names[] = {{'e', "an experiment (e1)"},
                 {'v', "a version (v1)"},
                 {'r', "a run (r1)"},
                 {'m', "a measurement (m1)"}};
    const char *between = "";
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!strchr(kinds, names[i].kind)) continue;
        buf_printf(out, "%s%s", between, names[i].what);
        between = " or ";
    }
}

int reply_check_id(const char *id, const char *kinds, struct error *err) {
    size_t digits = *id ? strspn(id + 1, "0123456789") : 0;
    if (*id && strchr(kinds, *id) && digits > 0 && digits <= 18 && !id[1 + digits]) return 0;
    _cleanup_buf_ struct buf wanted = {0};
    list_kinds(kinds, &wanted);
    _cleanup_free_ char *shown = str_printable(id, strlen(id));
    return error_set(err, ERROR_INVALID, "“%s” is not the id of %s", shown ? shown : "?",
                     buf_text(&wanted));
}

bool reply_is_race(const struct json *task) {
    return str_eq(reply_text_or(task, "kind", "time-to-target"), "time-to-target");
}

int64_t reply_id_number(const char *id) {
    return id && reply_check_id(id, "evrm", NULL) == 0 ? strtoll(id + 1, NULL, 10) : 0;
}

int reply_by_number(const void *a, const void *b) {
    const struct json *const *x = a, *const *y = b;
    int64_t nx = reply_id_number(reply_text(*x, "id")), ny = reply_id_number(reply_text(*y, "id"));
    return (nx > ny) - (nx < ny);
}
