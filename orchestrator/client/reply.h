/*
 * Reading answers of the API: a newer daemon may say more than we know, so
 * answers are read leniently, unlike everything that is input of ours.
 *
 * A `path` names members from the outside in, "result.wall_ns"; what is absent,
 * null or of another type reads as the default. Strings are borrowed.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_REPLY_H
#define PADDOCK_ORCHESTRATOR_CLIENT_REPLY_H

#include "common/error.h"
#include "common/json.h"

#include <stdbool.h>
#include <stdint.h>

const struct json *reply_find(const struct json *v, const char *path); /* NULL: none or null */
const char *reply_text(const struct json *v, const char *path);        /* NULL: none */
const char *reply_text_or(const struct json *v, const char *path, const char *otherwise);
int64_t reply_int(const struct json *v, const char *path, int64_t otherwise);
double reply_number(const struct json *v, const char *path, double otherwise); /* NAN is fine */
bool reply_bool(const struct json *v, const char *path, bool otherwise);
/* An array's length (0 when there is none) and elements. */
size_t reply_count(const struct json *v, const char *path);
const struct json *reply_at(const struct json *v, const char *path, size_t i);

/* Whether a task (or a line of tasks) races for time: its scores are FSRs. */
bool reply_is_race(const struct json *task);
/* The 12 of "v12"; 0 when it is no such name. */
int64_t reply_id_number(const char *id);
/* For qsort() of `const struct json *`: things by the number of their ids, which is the
 * order in which they were made. */
int reply_by_number(const void *a, const void *b);

/* Whether `id` is a name such as v12, with a kind out of `kinds` ("vr"); only
 * such a text may be put into a path. An error names what would be right. */
int reply_check_id(const char *id, const char *kinds, struct error *err);

#endif
