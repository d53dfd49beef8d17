/*
 * JSON over yajl: strict decoding that says where and why, and a writer.
 *
 * Decoding an object names every key it knows; finishing it refuses the rest:
 *
 *     struct json_reader r;
 *     json_object(&r, value, err);
 *     json_get_string(&r, "name", JSON_REQUIRED, &spec->name);
 *     json_get_int(&r, "wall_ms", JSON_OPTIONAL, 1, INT64_MAX, &spec->wall_ms);
 *     if (json_object_end(&r) < 0) return -1;
 *
 * The reader keeps the first error and ignores calls after it, so one check at
 * the end is enough. Errors read "<source>: $.limits.wall_ms: must be …".
 *
 * A parsed document bounds what hostile input can cost: depth 64 at most,
 * duplicate keys refused, numbers kept as text until a range is known.
 */
#ifndef PADDOCK_COMMON_JSON_H
#define PADDOCK_COMMON_JSON_H

#include "common/buf.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_type { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json; /* one value of a document, owned by the document's root */

/* Parses one document. `source` (a file name, "request body") opens each error
 * about it and is copied. The text must be UTF-8; strings with a NUL inside
 * are refused, so that C strings are whole. NULL on error. */
struct json *json_parse(const char *source, const char *text, size_t len, struct error *err);
/* The same from a file of at most `max` bytes. */
struct json *json_load(const char *path, size_t max, struct error *err);
void json_free(struct json *root);
void cleanup_json(struct json **root);
#define _cleanup_json_ __attribute__((cleanup(cleanup_json)))

enum json_type json_type(const struct json *v);
const char *json_type_name(enum json_type type);
size_t json_count(const struct json *v);                             /* elements or members */
const struct json *json_at(const struct json *v, size_t i);          /* element or member value */
const char *json_key_at(const struct json *v, size_t i);             /* member name */
const struct json *json_find(const struct json *v, const char *key); /* NULL if absent */

/* An error about this value: "<source>: <path>: <text>". Returns -1. */
int json_error(const struct json *v, struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The value itself, strictly typed. Strings are borrowed from the document. */
int json_as_string(const struct json *v, const char **out, struct error *err);
int json_as_int(const struct json *v, int64_t min, int64_t max, int64_t *out, struct error *err);
int json_as_double(const struct json *v, double min, double max, double *out, struct error *err);
int json_as_bool(const struct json *v, bool *out, struct error *err);
/* A value out of a fixed list; *out is its index in `names` (NULL-terminated). */
int json_as_enum(const struct json *v, const char *const *names, int *out, struct error *err);

enum json_need { JSON_REQUIRED, JSON_OPTIONAL };

struct json_reader {
    const struct json *object;
    struct error *err;
    bool failed;
    uint64_t seen[4]; /* bit per member read; objects we decode have at most 256 */
};

/* Starts reading an object; an error if `v` is none. */
void json_object(struct json_reader *r, const struct json *v, struct error *err);
/* The member, marked as read, or NULL when absent (an error if required). */
const struct json *json_get(struct json_reader *r, const char *key, enum json_need need);
/* Each leaves *out alone when an optional key is absent. A string is copied
 * (free what was there before is the caller's matter: start from NULL). */
void json_get_string(struct json_reader *r, const char *key, enum json_need need, char **out);
void json_get_int(struct json_reader *r, const char *key, enum json_need need, int64_t min,
                  int64_t max, int64_t *out);
void json_get_double(struct json_reader *r, const char *key, enum json_need need, double min,
                     double max, double *out);
void json_get_bool(struct json_reader *r, const char *key, enum json_need need, bool *out);
void json_get_enum(struct json_reader *r, const char *key, enum json_need need,
                   const char *const *names, int *out);
/* An array of strings as a NULL-terminated list (see strv_free). */
void json_get_strv(struct json_reader *r, const char *key, enum json_need need, char ***out);
/* An array or object left to the caller; type-checked; NULL when absent. */
const struct json *json_get_array(struct json_reader *r, const char *key, enum json_need need);
const struct json *json_get_object(struct json_reader *r, const char *key, enum json_need need);
/* Refuses members nobody asked for. Returns 0, or -1 with the first error. */
int json_object_end(struct json_reader *r);
/* For checks of the caller's own: keeps the reader's first error. */
void json_reader_fail(struct json_reader *r, const struct json *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- writing ---- */

struct json_writer; /* produces UTF-8; invalid bytes in strings become U+FFFD */

struct json_writer *json_writer_new(bool pretty);
void json_writer_free(struct json_writer *w);
void cleanup_json_writer(struct json_writer **w);
#define _cleanup_json_writer_ __attribute__((cleanup(cleanup_json_writer)))

/* `key` is NULL inside arrays and for the outermost value. */
void json_open_object(struct json_writer *w, const char *key);
void json_close_object(struct json_writer *w);
void json_open_array(struct json_writer *w, const char *key);
void json_close_array(struct json_writer *w);
void json_put_string(struct json_writer *w, const char *key, const char *s); /* NULL: null */
void json_put_bytes(struct json_writer *w, const char *key, const char *s, size_t len);
void json_put_int(struct json_writer *w, const char *key, int64_t v);
void json_put_double(struct json_writer *w, const char *key, double v); /* not finite: null */
void json_put_bool(struct json_writer *w, const char *key, bool v);
void json_put_null(struct json_writer *w, const char *key);
void json_put_strv(struct json_writer *w, const char *key, char *const *v);
/* A whole parsed value, or text that is known to be one valid JSON value. */
void json_put_value(struct json_writer *w, const char *key, const struct json *v);

/* The document, with a newline behind it when pretty; owned by the writer.
 * NULL when memory ran out or the nesting was wrong. */
const char *json_writer_text(struct json_writer *w, size_t *len);
/* The same read again; `source` as in json_parse(). NULL on error. */
struct json *json_written(struct json_writer *w, const char *source, struct error *err);

#endif
