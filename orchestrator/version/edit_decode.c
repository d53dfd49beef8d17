#include "common/buf.h"
#include "common/cleanup.h"
#include "images/listing.h"
#include "orchestrator/version/edit.h"

#include <nettle/base64.h>
#include <string.h>

static const char *const op_names[] = {"write", "replace", "delete", NULL};

static void edit_clear(struct edit *e) {
    free(e->path);
    free(e->content);
    free(e->search);
    free(e->replace);
}

void edits_free(struct edit *edits, size_t count) {
    for (size_t i = 0; i < count; i++) edit_clear(&edits[i]);
    free(edits);
}

static int decode_base64(const struct json *at, const char *text, struct edit *e,
                         struct error *err) {
    struct base64_decode_ctx ctx;
    size_t len = strlen(text);
    e->content = calloc(1, BASE64_DECODE_LENGTH(len) + 1);
    if (!e->content) return json_error(at, err, "out of memory");
    base64_decode_init(&ctx);
    if (!base64_decode_update(&ctx, &e->len, (uint8_t *)e->content, len, text) ||
        !base64_decode_final(&ctx))
        return json_error(at, err, "is not base64");
    e->content[e->len] = '\0';
    return 0;
}

static void get_content(struct json_reader *r, struct edit *e) {
    const struct json *base64 = json_get(r, "content_base64", JSON_OPTIONAL);
    if (!base64) {
        json_get_string(r, "content", JSON_REQUIRED, &e->content);
        e->len = e->content ? strlen(e->content) : 0;
        return;
    }
    const char *text = NULL;
    if (json_find(r->object, "content"))
        json_reader_fail(r, r->object, "has both \"content\" and \"content_base64\"");
    else if (json_as_string(base64, &text, r->err) < 0 ||
             decode_base64(base64, text, e, r->err) < 0)
        r->failed = true;
}

static void get_texts(struct json_reader *r, struct edit *e) {
    json_get_string(r, "search", JSON_REQUIRED, &e->search);
    json_get_string(r, "replace", JSON_REQUIRED, &e->replace);
    if (e->search && !*e->search)
        json_reader_fail(r, json_find(r->object, "search"), "must not be empty");
}

static size_t text_size(const char *text) {
    return text ? strlen(text) : 0;
}

static int decode_one(const struct json *v, struct edit *e, uint64_t *total, struct error *err) {
    struct json_reader r;
    int op = 0;
    json_object(&r, v, err);
    json_get_enum(&r, "op", JSON_REQUIRED, op_names, &op);
    json_get_string(&r, "path", JSON_REQUIRED, &e->path);
    e->op = (enum edit_op)op;
    const char *why = e->path ? path_objection(e->path) : NULL;
    if (why) json_reader_fail(&r, json_find(v, "path"), "%s", why);
    if (e->op == EDIT_WRITE) get_content(&r, e);
    if (e->op == EDIT_REPLACE) get_texts(&r, e);
    size_t sizes[] = {e->len, text_size(e->search), text_size(e->replace)};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        *total += sizes[i];
        if (sizes[i] > EDIT_CONTENT_MAX)
            json_reader_fail(&r, v, "holds a text of more than %llu bytes",
                             (unsigned long long)EDIT_CONTENT_MAX);
    }
    return json_object_end(&r);
}

static int decode_all(const struct json *array, struct edit *edits, size_t n, struct error *err) {
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++)
        if (decode_one(json_at(array, i), &edits[i], &total, err) < 0) return -1;
    if (total > EDITS_CONTENT_MAX)
        return json_error(array, err, "holds texts of more than %llu bytes together",
                          (unsigned long long)EDITS_CONTENT_MAX);
    return 0;
}

int edits_decode(const struct json *array, struct edit **out, size_t *count, struct error *err) {
    if (json_type(array) != JSON_ARRAY)
        return json_error(array, err, "must be an array, is %s", json_type_name(json_type(array)));
    size_t n = json_count(array);
    if (n > EDITS_MAX)
        return json_error(array, err, "has %zu edits, at most %d are taken", n, EDITS_MAX);
    struct edit *edits = calloc(n + 1, sizeof *edits);
    if (!edits) return json_error(array, err, "out of memory");
    if (decode_all(array, edits, n, err) < 0) {
        edits_free(edits, n);
        return -1;
    }
    *out = edits;
    *count = n;
    return 0;
}

static void put_content(struct json_writer *w, const struct edit *e) {
    if (utf8_is_text(e->content, e->len)) {
        json_put_bytes(w, "content", e->content, e->len);
        return;
    }
    struct buf text = {0};
    size_t len = BASE64_ENCODE_RAW_LENGTH(e->len);
    char *to = buf_reserve(&text, len);
    if (to) base64_encode_raw(to, e->len, (const uint8_t *)e->content);
    if (to) json_put_bytes(w, "content_base64", to, len);
    buf_free(&text);
}

void edits_encode(const struct edit *edits, size_t count, struct json_writer *w, const char *key) {
    json_open_array(w, key);
    for (size_t i = 0; i < count; i++) {
        const struct edit *e = &edits[i];
        json_open_object(w, NULL);
        json_put_string(w, "op", op_names[e->op]);
        json_put_string(w, "path", e->path);
        if (e->op == EDIT_WRITE) put_content(w, e);
        if (e->op == EDIT_REPLACE) {
            json_put_string(w, "search", e->search);
            json_put_string(w, "replace", e->replace);
        }
        json_close_object(w);
    }
    json_close_array(w);
}
