/* The member "violation" of a result. */
#include "common/cleanup.h"
#include "sandbox/result.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

void violation_encode(const struct violation *v, struct json_writer *w) {
    if (!v) {
        json_put_null(w, "violation");
        return;
    }
    json_open_object(w, "violation");
    json_put_string(w, "call", v->call);
    json_put_int(w, "number", v->number);
    json_put_string(w, "arch", v->arch);
    json_open_array(w, "args");
    for (size_t i = 0; v->call && i < ARRAY_SIZE(v->args); i++) {
        char hex[20];
        snprintf(hex, sizeof hex, "0x%" PRIx64, v->args[i]);
        json_put_string(w, NULL, hex);
    }
    json_close_array(w);
    json_put_string(w, "rule", v->rule);
    json_put_string(w, "reason", v->reason);
    json_put_string(w, "process", v->process);
    json_close_object(w);
}

static void get_text(struct json_reader *r, const char *key, char **out) {
    const struct json *v = json_get(r, key, JSON_REQUIRED);
    if (v && json_type(v) != JSON_NULL) json_get_string(r, key, JSON_REQUIRED, out);
}

static int decode_args(const struct json *list, struct violation *v, struct error *err) {
    if (json_count(list) != (v->call ? ARRAY_SIZE(v->args) : 0))
        return json_error(list, err, "must have the six registers of a call, or none without one");
    for (size_t i = 0; i < json_count(list); i++) {
        const char *text = NULL;
        char *end = NULL;
        if (json_as_string(json_at(list, i), &text, err) < 0) return -1;
        errno = 0;
        v->args[i] = strtoull(text, &end, 16);
        if (!str_starts(text, "0x") || *end || errno)
            return json_error(json_at(list, i), err, "must be a number such as \"0x1f\"");
    }
    return 0;
}

int violation_decode(const struct json *doc, struct violation **out, struct error *err) {
    if (!doc || json_type(doc) == JSON_NULL) return 0;
    struct violation *v = *out = calloc(1, sizeof *v);
    if (!v) return error_sys(err, ENOMEM, "violation");
    struct json_reader r;
    int64_t number = -1;
    json_object(&r, doc, err);
    get_text(&r, "call", &v->call);
    json_get_int(&r, "number", JSON_REQUIRED, -1, INT32_MAX, &number);
    get_text(&r, "arch", &v->arch);
    const struct json *args = json_get_array(&r, "args", JSON_REQUIRED);
    get_text(&r, "rule", &v->rule);
    get_text(&r, "reason", &v->reason);
    get_text(&r, "process", &v->process);
    if (json_object_end(&r) < 0) return -1;
    v->number = (int)number;
    return decode_args(args, v, err);
}

void violation_free(struct violation *v) {
    if (!v) return;
    free(v->call);
    free(v->arch);
    free(v->rule);
    free(v->reason);
    free(v->process);
    free(v);
}
