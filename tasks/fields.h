/*
 * Tables of fields: one object of a document read field by field, so that a
 * fault in one does not hide those in the others. Inside the room only.
 */
#ifndef PADDOCK_TASKS_FIELDS_H
#define PADDOCK_TASKS_FIELDS_H

#include "common/cleanup.h"
#include "common/json.h"
#include "tasks/faults.h"

#include <stddef.h>

enum field_type {
    FIELD_STRING,
    FIELD_INT,
    FIELD_DOUBLE,
    FIELD_BOOL,
    FIELD_ENUM,
    FIELD_STRV,
    FIELD_READ, /* `read` does it */
};

struct field {
    const char *key;
    enum json_need need;
    enum field_type type;
    size_t offset; /* into the struct that the table describes */
    double min, max;
    const char *const *names; /* of FIELD_ENUM */
    void (*read)(struct faults *faults, const struct json *v, void *base);
};

/* Entries of a table; TYPE is the suffix of the field's type. */
#define FIELD(TYPE, key_, need_, type_, member) \
    { .key = (key_), .need = (need_), .type = FIELD_##TYPE, .offset = offsetof(type_, member) }
#define FIELD_NUMBER(TYPE, key_, need_, type_, member, min_, max_)                               \
    {                                                                                            \
        .key = (key_), .need = (need_), .type = FIELD_##TYPE, .offset = offsetof(type_, member), \
        .min = (double)(min_), .max = (double)(max_)                                             \
    }
#define FIELD_CHOICE(key_, need_, type_, member, names_)                                       \
    {                                                                                          \
        .key = (key_), .need = (need_), .type = FIELD_ENUM, .offset = offsetof(type_, member), \
        .names = (names_)                                                                      \
    }
#define FIELD_SECTION(key_, need_, read_) \
    { .key = (key_), .need = (need_), .type = FIELD_READ, .read = (read_) }

void fields_read(struct faults *faults, const struct json *v, const struct field *fields,
                 size_t count, void *base);
#define FIELDS_READ(faults, v, fields, base) \
    fields_read(faults, v, fields, ARRAY_SIZE(fields), base)

/* A fault about one value: "<source>: <path>: <text>". */
void fault_at(struct faults *faults, const struct json *v, const char *text);

#endif
