/* Strict typed access (declared in json.h). */
#include "common/cleanup.h"
#include "common/json_tree.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int wrong_type(const struct json *v, const char *wanted, struct error *err) {
    return json_error(v, err, "must be %s, is %s", wanted, json_type_name(v->type));
}

int json_as_string(const struct json *v, const char **out, struct error *err) {
    if (v->type != JSON_STRING) return wrong_type(v, "a string", err);
    *out = v->text;
    return 0;
}

int json_as_int(const struct json *v, int64_t min, int64_t max, int64_t *out, struct error *err) {
    if (v->type != JSON_NUMBER) return wrong_type(v, "a whole number", err);
    char *end = NULL;
    errno = 0;
    long long n = strtoll(v->text, &end, 10);
    if (*end) return json_error(v, err, "must be a whole number, is %.40s", v->text);
    if (errno == ERANGE || n < min || n > max)
        return json_error(v, err, "must be between %" PRId64 " and %" PRId64 ", is %.40s", min, max,
                          v->text);
    *out = n;
    return 0;
}

int json_as_double(const struct json *v, double min, double max, double *out, struct error *err) {
    if (v->type != JSON_NUMBER) return wrong_type(v, "a number", err);
    double d = strtod(v->text, NULL);
    if (!isfinite(d) || d < min || d > max)
        return json_error(v, err, "must be between %g and %g, is %.40s", min, max, v->text);
    *out = d;
    return 0;
}

int json_as_bool(const struct json *v, bool *out, struct error *err) {
    if (v->type != JSON_BOOL) return wrong_type(v, "true or false", err);
    *out = v->truth;
    return 0;
}

int json_as_enum(const struct json *v, const char *const *names, int *out, struct error *err) {
    if (v->type != JSON_STRING) return wrong_type(v, "a string", err);
    _cleanup_buf_ struct buf known = {0};
    for (int i = 0; names[i]; i++) {
        if (strcmp(names[i], v->text) == 0) {
            *out = i;
            return 0;
        }
        buf_printf(&known, "%s\"%s\"", i ? ", " : "", names[i]);
    }
    return json_error(v, err, "must be one of %s, is \"%.64s\"", buf_text(&known), v->text);
}

void json_object(struct json_reader *r, const struct json *v, struct error *err) {
    *r = (struct json_reader){.object = v, .err = err};
    if (v->type != JSON_OBJECT) r->failed = wrong_type(v, "an object", err);
    else if (v->count > 8 * sizeof r->seen)
        r->failed = json_error(v, err, "has more than %zu keys", 8 * sizeof r->seen);
}

const struct json *json_get(struct json_reader *r, const char *key, enum json_need need) {
    if (r->failed) return NULL;
    const struct json *v = json_find(r->object, key);
    if (v) r->seen[v->index / 64] |= UINT64_C(1) << (v->index % 64);
    else if (need == JSON_REQUIRED)
        r->failed = json_error(r->object, r->err, "lacks the key \"%s\"", key);
    return v;
}

void json_get_string(struct json_reader *r, const char *key, enum json_need need, char **out) {
    const struct json *v = json_get(r, key, need);
    const char *text = NULL;
    if (!v) return;
    if (json_as_string(v, &text, r->err) < 0 || !text) {
        r->failed = true;
        return;
    }
    *out = strdup(text);
    if (!*out) r->failed = error_sys(r->err, ENOMEM, "%s", key);
}

void json_get_int(struct json_reader *r, const char *key, enum json_need need, int64_t min,
                  int64_t max, int64_t *out) {
    const struct json *v = json_get(r, key, need);
    if (v && json_as_int(v, min, max, out, r->err) < 0) r->failed = true;
}

void json_get_double(struct json_reader *r, const char *key, enum json_need need, double min,
                     double max, double *out) {
    const struct json *v = json_get(r, key, need);
    if (v && json_as_double(v, min, max, out, r->err) < 0) r->failed = true;
}

void json_get_bool(struct json_reader *r, const char *key, enum json_need need, bool *out) {
    const struct json *v = json_get(r, key, need);
    if (v && json_as_bool(v, out, r->err) < 0) r->failed = true;
}

void json_get_enum(struct json_reader *r, const char *key, enum json_need need,
                   const char *const *names, int *out) {
    const struct json *v = json_get(r, key, need);
    if (v && json_as_enum(v, names, out, r->err) < 0) r->failed = true;
}

const struct json *json_get_array(struct json_reader *r, const char *key, enum json_need need) {
    const struct json *v = json_get(r, key, need);
    if (v && v->type != JSON_ARRAY) {
        r->failed = wrong_type(v, "an array", r->err);
        return NULL;
    }
    return v;
}

const struct json *json_get_object(struct json_reader *r, const char *key, enum json_need need) {
    const struct json *v = json_get(r, key, need);
    if (v && v->type != JSON_OBJECT) {
        r->failed = wrong_type(v, "an object", r->err);
        return NULL;
    }
    return v;
}

void json_get_strv(struct json_reader *r, const char *key, enum json_need need, char ***out) {
    const struct json *a = json_get_array(r, key, need);
    if (!a) return;
    char **list = calloc(a->count + 1, sizeof(char *));
    if (!list) {
        error_sys(r->err, ENOMEM, "%s", key);
        r->failed = true;
        return;
    }
    for (size_t i = 0; !r->failed && i < a->count; i++) {
        const char *text = NULL;
        if (json_as_string(a->items[i], &text, r->err) < 0 || !text) r->failed = true;
        else if (!(list[i] = strdup(text))) r->failed = error_sys(r->err, ENOMEM, "%s", key);
    }
    if (r->failed) strv_free(list);
    else *out = list;
}

int json_object_end(struct json_reader *r) {
    for (size_t i = 0; !r->failed && i < r->object->count; i++)
        if (!(r->seen[i / 64] >> (i % 64) & 1))
            r->failed = json_error(r->object->items[i], r->err, "unknown key");
    return r->failed ? -1 : 0;
}

void json_reader_fail(struct json_reader *r, const struct json *at, const char *fmt, ...) {
    if (r->failed) return;
    _cleanup_buf_ struct buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    r->failed = json_error(at ? at : r->object, r->err, "%s", buf_text(&text));
}
