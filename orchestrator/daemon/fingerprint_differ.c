/* Whether two fingerprints are of the same machine (declared in fingerprint.h). */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/json.h"
#include "orchestrator/daemon/fingerprint.h"

#include <string.h>

static bool is_same(const struct json *a, const struct json *b);

static bool is_same_object(const struct json *a, const struct json *b) {
    if (json_count(a) != json_count(b)) return false;
    for (size_t i = 0; i < json_count(a); i++)
        if (!is_same(json_at(a, i), json_find(b, json_key_at(a, i)))) return false;
    return true;
}

/* Objects in any order: some are folders as the kernel lists them. */
static bool is_same(const struct json *a, const struct json *b) {
    if (!a || !b || json_type(a) != json_type(b)) return false;
    if (json_type(a) == JSON_OBJECT) return is_same_object(a, b);
    _cleanup_json_writer_ struct json_writer *wa = json_writer_new(false);
    _cleanup_json_writer_ struct json_writer *wb = json_writer_new(false);
    if (!wa || !wb) return false;
    json_put_value(wa, NULL, a);
    json_put_value(wb, NULL, b);
    const char *ta = json_writer_text(wa, NULL), *tb = json_writer_text(wb, NULL);
    return ta && tb && strcmp(ta, tb) == 0;
}

static void put_differing(const struct json *a, const struct json *b, bool missing_only,
                          struct buf *out) {
    for (size_t i = 0; i < json_count(a); i++) {
        const char *key = json_key_at(a, i);
        const struct json *other = json_find(b, key);
        if (str_eq(key, "memory_bytes") || (missing_only && other)) continue;
        if (!missing_only && is_same(json_at(a, i), other)) continue;
        buf_printf(out, "%s%s", out->len ? ", " : "", key);
    }
}

char *fingerprint_differ(const char *a, const char *b, struct error *err) {
    _cleanup_json_ struct json *x = json_parse("fingerprint", a, strlen(a), err);
    _cleanup_json_ struct json *y = x ? json_parse("fingerprint", b, strlen(b), err) : NULL;
    if (!x || !y) return NULL;
    _cleanup_buf_ struct buf out = {0};
    buf_puts(&out, "");
    put_differing(x, y, false, &out);
    put_differing(y, x, true, &out);
    char *text = buf_failed(&out) ? NULL : strdup(buf_text(&out));
    if (!text) error_sys(err, ENOMEM, "fingerprint");
    return text;
}
