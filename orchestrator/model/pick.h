/*
 * Tolerant reading of what servers answer: a member that is absent or of another type
 * is simply not there. (What users write is read strictly, with common/json.h.)
 */
#ifndef PADDOCK_ORCHESTRATOR_MODEL_PICK_H
#define PADDOCK_ORCHESTRATOR_MODEL_PICK_H

#include "common/json.h"

/* Every `v` may be NULL. Borrowed from the document; NULL: not there. */
const struct json *pick(const struct json *v, const char *key);
const struct json *pick_object(const struct json *v, const char *key);
const struct json *pick_array(const struct json *v, const char *key);
const char *pick_text(const struct json *v, const char *key);
const char *text_of(const struct json *v);
/* A whole number from 0 to 2^40; false and *out unchanged: none. */
bool pick_count(const struct json *v, const char *key, int64_t *out);

/* Replaces *slot by a copy of `text`, unless that is NULL or empty. */
void keep_text(char **slot, const char *text);

#endif
