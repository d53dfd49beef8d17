/* The writer (declared in json.h), over yajl_gen. */
#include "common/cleanup.h"
#include "common/json_tree.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_gen.h>

struct json_writer {
    yajl_gen gen;
    bool failed;
};

struct json_writer *json_writer_new(bool pretty) {
    struct json_writer *w = calloc(1, sizeof *w);
    if (!w) return NULL;
    w->gen = yajl_gen_alloc(NULL);
    if (!w->gen) {
        free(w);
        return NULL;
    }
    yajl_gen_config(w->gen, yajl_gen_beautify, pretty);
    yajl_gen_config(w->gen, yajl_gen_indent_string, "  ");
    return w;
}

void json_writer_free(struct json_writer *w) {
    if (!w) return;
    yajl_gen_free(w->gen);
    free(w);
}

void cleanup_json_writer(struct json_writer **w) {
    json_writer_free(*w);
}

static void check(struct json_writer *w, yajl_gen_status status) {
    if (status != yajl_gen_status_ok && status != yajl_gen_generation_complete) w->failed = true;
}

/* Untrusted bytes end up in our documents: whatever is not UTF-8 becomes
 * U+FFFD, one for each bad byte. */
static void put_text(struct json_writer *w, const char *s, size_t len) {
    _cleanup_buf_ struct buf clean = {0};
    const unsigned char *p = (const unsigned char *)s;
    size_t start = 0;
    for (size_t i = 0; i < len;) {
        if (p[i] < 0x80) {
            i++;
            continue;
        }
        size_t n = utf8_sequence(p + i, len - i);
        if (n) {
            i += n;
            continue;
        }
        buf_append(&clean, s + start, i - start);
        buf_puts(&clean, "\xef\xbf\xbd");
        start = ++i;
    }
    if (start == 0) {
        check(w, yajl_gen_string(w->gen, p, len));
        return;
    }
    buf_append(&clean, s + start, len - start);
    if (buf_failed(&clean)) w->failed = true;
    else check(w, yajl_gen_string(w->gen, (const unsigned char *)clean.data, clean.len));
}

/* Ours, so in order. */
static void put_key(struct json_writer *w, const char *key) {
    if (key) check(w, yajl_gen_string(w->gen, (const unsigned char *)key, strlen(key)));
}

void json_open_object(struct json_writer *w, const char *key) {
    put_key(w, key);
    check(w, yajl_gen_map_open(w->gen));
}

void json_close_object(struct json_writer *w) {
    check(w, yajl_gen_map_close(w->gen));
}

void json_open_array(struct json_writer *w, const char *key) {
    put_key(w, key);
    check(w, yajl_gen_array_open(w->gen));
}

void json_close_array(struct json_writer *w) {
    check(w, yajl_gen_array_close(w->gen));
}

void json_put_bytes(struct json_writer *w, const char *key, const char *s, size_t len) {
    put_key(w, key);
    put_text(w, s, len);
}

void json_put_string(struct json_writer *w, const char *key, const char *s) {
    if (s) json_put_bytes(w, key, s, strlen(s));
    else json_put_null(w, key);
}

void json_put_int(struct json_writer *w, const char *key, int64_t v) {
    put_key(w, key);
    check(w, yajl_gen_integer(w->gen, v));
}

void json_put_double(struct json_writer *w, const char *key, double v) {
    if (!isfinite(v)) {
        json_put_null(w, key);
        return;
    }
    put_key(w, key);
    char text[40];
    int n = 0;
    /* As few digits as read back as the same number: what others write as well. */
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    check(w, yajl_gen_number(w->gen, text, (size_t)n));
}

void json_put_bool(struct json_writer *w, const char *key, bool v) {
    put_key(w, key);
    check(w, yajl_gen_bool(w->gen, v));
}

void json_put_null(struct json_writer *w, const char *key) {
    put_key(w, key);
    check(w, yajl_gen_null(w->gen));
}

void json_put_strv(struct json_writer *w, const char *key, char *const *v) {
    json_open_array(w, key);
    for (size_t i = 0; v && v[i]; i++) json_put_string(w, NULL, v[i]);
    json_close_array(w);
}

void json_put_value(struct json_writer *w, const char *key, const struct json *v) {
    switch (v->type) {
    case JSON_NULL: json_put_null(w, key); return;
    case JSON_BOOL: json_put_bool(w, key, v->truth); return;
    case JSON_STRING: json_put_string(w, key, v->text); return;
    case JSON_NUMBER:
        put_key(w, key);
        check(w, yajl_gen_number(w->gen, v->text, strlen(v->text)));
        return;
    case JSON_ARRAY:
        json_open_array(w, key);
        for (size_t i = 0; i < v->count; i++) json_put_value(w, NULL, v->items[i]);
        json_close_array(w);
        return;
    case JSON_OBJECT:
        json_open_object(w, key);
        for (size_t i = 0; i < v->count; i++) json_put_value(w, v->items[i]->key, v->items[i]);
        json_close_object(w);
        return;
    }
}

const char *json_writer_text(struct json_writer *w, size_t *len) {
    const unsigned char *text = NULL;
    size_t n = 0;
    if (w->failed || yajl_gen_get_buf(w->gen, &text, &n) != yajl_gen_status_ok) return NULL;
    if (len) *len = n;
    return (const char *)text;
}

struct json *json_written(struct json_writer *w, const char *source, struct error *err) {
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    if (text) return json_parse(source, text, len, err);
    error_sys(err, ENOMEM, "%s", source);
    return NULL;
}
