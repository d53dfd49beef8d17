#include "orchestrator/model/pick.h"

#include "common/cleanup.h"

#include <string.h>

#define COUNT_MAX ((int64_t)1 << 40)

const struct json *pick(const struct json *v, const char *key) {
    const struct json *member = v ? json_find(v, key) : NULL;
    return member && json_type(member) != JSON_NULL ? member : NULL;
}

static const struct json *typed(const struct json *v, const char *key, enum json_type type) {
    const struct json *member = pick(v, key);
    return member && json_type(member) == type ? member : NULL;
}

const struct json *pick_object(const struct json *v, const char *key) {
    return typed(v, key, JSON_OBJECT);
}

const struct json *pick_array(const struct json *v, const char *key) {
    return typed(v, key, JSON_ARRAY);
}

const char *text_of(const struct json *v) {
    const char *text = NULL;
    if (v && json_type(v) == JSON_STRING) json_as_string(v, &text, NULL);
    return text;
}

const char *pick_text(const struct json *v, const char *key) {
    return text_of(pick(v, key));
}

bool pick_count(const struct json *v, const char *key, int64_t *out) {
    const struct json *member = typed(v, key, JSON_NUMBER);
    return member && json_as_int(member, 0, COUNT_MAX, out, NULL) == 0;
}

void keep_text(char **slot, const char *text) {
    if (!text || !*text) return;
    char *copy = strdup(text);
    if (!copy) return;
    free(*slot);
    *slot = copy;
}
