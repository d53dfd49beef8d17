/* The inside of a JSON value, shared by json.c and json_read.c only. */
#ifndef PADDOCK_COMMON_JSON_TREE_H
#define PADDOCK_COMMON_JSON_TREE_H

#include "common/json.h"

struct json {
    enum json_type type;
    bool truth;
    char *text;   /* of a string or number */
    char *key;    /* within an object */
    size_t index; /* within its container */
    struct json *parent;
    struct json **items;
    size_t count, cap;
    char *source; /* root only */
};

#endif
