/* The document: yajl's events into a tree, and access to it. */
#include "common/json.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json_tree.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

enum { MAX_DEPTH = 64 };

/* State of one parse: the open container and the key waiting for its value. */
struct builder {
    struct json *root;
    struct json *open;
    char *key;
    const char *source;
    int depth;
    struct error *err;
};

static void free_value(struct json *v) {
    for (size_t i = 0; i < v->count; i++) {
        free_value(v->items[i]);
        free(v->items[i]);
    }
    free(v->items);
    free(v->text);
    free(v->key);
}

void json_free(struct json *root) {
    if (!root) return;
    free(root->source);
    free_value(root);
    free(root);
}

void cleanup_json(struct json **root) {
    json_free(*root);
}

/* yajl stops at a callback that returns 0; the error is already set then. */
static struct json *add_value(struct builder *b, enum json_type type) {
    struct json *v = calloc(1, sizeof *v);
    if (!v) {
        error_sys(b->err, ENOMEM, "%s", b->source);
        return NULL;
    }
    v->type = type;
    v->parent = b->open;
    v->key = steal_ptr(&b->key);
    if (!b->open) {
        b->root = v;
        v->source = strdup(b->source);
        return v;
    }
    struct json *in = b->open;
    if (in->count == in->cap) {
        size_t cap = in->cap ? 2 * in->cap : 8;
        struct json **items = realloc(in->items, cap * sizeof(struct json *));
        if (!items) {
            free_value(v);
            free(v);
            error_sys(b->err, ENOMEM, "%s", b->source);
            return NULL;
        }
        in->items = items;
        in->cap = cap;
    }
    v->index = in->count;
    in->items[in->count++] = v;
    return v;
}

static int on_null(void *ctx) {
    return add_value(ctx, JSON_NULL) != NULL;
}

static int on_bool(void *ctx, int value) {
    struct json *v = add_value(ctx, JSON_BOOL);
    if (v) v->truth = value;
    return v != NULL;
}

/* yajl lets overlong forms and surrogates through, which no writer gives back as they
 * were: what is taken must be what can be said again. */
static int on_text(struct builder *b, enum json_type type, const char *text, size_t len) {
    struct json *v = add_value(b, type);
    if (!v) return 0;
    if (memchr(text, 0, len)) return json_error(v, b->err, "has a NUL character inside"), 0;
    if (!utf8_is_text(text, len)) return json_error(v, b->err, "is not valid UTF-8"), 0;
    v->text = strndup(text, len);
    if (!v->text) return error_sys(b->err, ENOMEM, "%s", b->source), 0;
    return 1;
}

static int on_number(void *ctx, const char *text, size_t len) {
    return on_text(ctx, JSON_NUMBER, text, len);
}

static int on_string(void *ctx, const unsigned char *text, size_t len) {
    return on_text(ctx, JSON_STRING, (const char *)text, len);
}

static int open_container(struct builder *b, enum json_type type) {
    struct json *v = add_value(b, type);
    if (!v) return 0;
    if (++b->depth > MAX_DEPTH) return json_error(v, b->err, "nested deeper than %d", MAX_DEPTH), 0;
    b->open = v;
    return 1;
}

static int on_open_object(void *ctx) {
    return open_container(ctx, JSON_OBJECT);
}

static int on_open_array(void *ctx) {
    return open_container(ctx, JSON_ARRAY);
}

static int on_close(void *ctx) {
    struct builder *b = ctx;
    b->open = b->open->parent;
    b->depth--;
    return 1;
}

static int compare_keys(const void *a, const void *b) {
    return strcmp((*(struct json *const *)a)->key, (*(struct json *const *)b)->key);
}

/* Sorting a copy of the members keeps the check cheap for hostile objects of a
 * million keys. */
static int refuse_duplicates(struct builder *b) {
    struct json *o = b->open;
    if (o->count < 2) return 1;
    struct json **sorted = malloc(o->count * sizeof *sorted);
    if (!sorted) return error_sys(b->err, ENOMEM, "%s", b->source), 0;
    memcpy(sorted, o->items, o->count * sizeof *sorted);
    qsort(sorted, o->count, sizeof *sorted, compare_keys);
    int ok = 1;
    for (size_t i = 1; ok && i < o->count; i++)
        if (strcmp(sorted[i - 1]->key, sorted[i]->key) == 0)
            ok = (json_error(sorted[i], b->err, "given twice"), 0);
    free(sorted);
    return ok;
}

static int on_close_object(void *ctx) {
    return refuse_duplicates(ctx) && on_close(ctx);
}

static int on_key(void *ctx, const unsigned char *key, size_t len) {
    struct builder *b = ctx;
    if (memchr(key, 0, len)) return json_error(b->open, b->err, "a key has a NUL inside"), 0;
    if (!utf8_is_text((const char *)key, len))
        return json_error(b->open, b->err, "a key is not valid UTF-8"), 0;
    free(b->key);
    b->key = strndup((const char *)key, len);
    if (!b->key) return error_sys(b->err, ENOMEM, "%s", b->source), 0;
    return 1;
}

static const yajl_callbacks callbacks = {
    .yajl_null = on_null,
    .yajl_boolean = on_bool,
    .yajl_number = on_number,
    .yajl_string = on_string,
    .yajl_start_map = on_open_object,
    .yajl_map_key = on_key,
    .yajl_end_map = on_close_object,
    .yajl_start_array = on_open_array,
    .yajl_end_array = on_close,
};

/* yajl's message holds the offending text and an arrow over several lines: we
 * keep its first line and count the line number ourselves. */
static int syntax_error(yajl_handle h, struct builder *b, const char *text, size_t len) {
    size_t at = yajl_get_bytes_consumed(h);
    size_t line = 1;
    for (size_t i = 0; i < at && i < len; i++) line += text[i] == '\n';
    unsigned char *message = yajl_get_error(h, 0, (const unsigned char *)text, len);
    size_t n = strcspn((const char *)message, "\n");
    error_set(b->err, ERROR_INVALID, "%s: line %zu: %.*s", b->source, line, (int)n,
              (const char *)message);
    yajl_free_error(h, message);
    return -1;
}

struct json *json_parse(const char *source, const char *text, size_t len, struct error *err) {
    _cleanup_error_ struct error own = {0};
    struct builder b = {.source = source, .err = err ? err : &own};
    error_clear(b.err);
    yajl_handle h = yajl_alloc(&callbacks, NULL, &b);
    if (!h) {
        error_sys(err, ENOMEM, "%s", source);
        return NULL;
    }
    yajl_status status = yajl_parse(h, (const unsigned char *)text, len);
    if (status == yajl_status_ok) status = yajl_complete_parse(h);
    bool ok = status == yajl_status_ok;
    if (!ok && !error_is_set(b.err)) syntax_error(h, &b, text, len);
    if (ok && !b.root) ok = !error_set(b.err, ERROR_INVALID, "%s: empty document", source);
    yajl_free(h);
    free(b.key);
    if (!ok) {
        json_free(b.root);
        return NULL;
    }
    return b.root;
}

struct json *json_load(const char *path, size_t max, struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    if (file_read(path, max, &text, err) < 0) return NULL;
    return json_parse(path, buf_text(&text), text.len, err);
}

enum json_type json_type(const struct json *v) {
    return v->type;
}

const char *json_type_name(enum json_type type) {
    static const char *const names[] = {"null", "boolean", "number", "string", "array", "object"};
    return names[type];
}

size_t json_count(const struct json *v) {
    return v->count;
}

const struct json *json_at(const struct json *v, size_t i) {
    return i < v->count ? v->items[i] : NULL;
}

const char *json_key_at(const struct json *v, size_t i) {
    return i < v->count ? v->items[i]->key : NULL;
}

const struct json *json_find(const struct json *v, const char *key) {
    for (size_t i = 0; v->type == JSON_OBJECT && i < v->count; i++)
        if (strcmp(v->items[i]->key, key) == 0) return v->items[i];
    return NULL;
}

/* "$.a.b[3]", built from the value up to the root. */
static void append_path(struct buf *out, const struct json *v) {
    if (!v->parent) {
        buf_putc(out, '$');
        return;
    }
    append_path(out, v->parent);
    if (v->parent->type == JSON_ARRAY) {
        buf_printf(out, "[%zu]", v->index);
        return;
    }
    _cleanup_free_ char *key = str_printable(v->key, strlen(v->key));
    buf_printf(out, ".%s", key ? key : "?");
}

int json_error(const struct json *v, struct error *err, const char *fmt, ...) {
    _cleanup_buf_ struct buf text = {0};
    const struct json *root = v;
    while (root->parent) root = root->parent;
    buf_printf(&text, "%s: ", root->source ? root->source : "?");
    append_path(&text, v);
    buf_puts(&text, ": ");
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    return error_set(err, ERROR_INVALID, "%s", buf_text(&text));
}
