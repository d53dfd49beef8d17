#include "tasks/fields.h"

#include <stdint.h>

void fault_at(struct faults *faults, const struct json *v, const char *text) {
    _cleanup_error_ struct error err = {0};
    json_error(v, &err, "%s", text);
    fault_take(faults, &err);
}

static void read_field(struct json_reader *r, const struct field *f, char *at) {
    switch (f->type) {
    case FIELD_STRING: json_get_string(r, f->key, f->need, (char **)at); break;
    case FIELD_INT:
        json_get_int(r, f->key, f->need, (int64_t)f->min, (int64_t)f->max, (int64_t *)at);
        break;
    case FIELD_DOUBLE: json_get_double(r, f->key, f->need, f->min, f->max, (double *)at); break;
    case FIELD_BOOL: json_get_bool(r, f->key, f->need, (bool *)at); break;
    case FIELD_ENUM: json_get_enum(r, f->key, f->need, f->names, (int *)at); break;
    case FIELD_STRV: json_get_strv(r, f->key, f->need, (char ***)at); break;
    case FIELD_READ: break;
    }
}

void fields_read(struct faults *faults, const struct json *v, const struct field *fields,
                 size_t count, void *base) {
    _cleanup_error_ struct error err = {0};
    struct json_reader r;
    json_object(&r, v, &err);
    for (size_t i = 0; i < count && json_type(v) == JSON_OBJECT; i++) {
        const struct field *f = &fields[i];
        const struct json *section = NULL;
        if (f->read) section = json_get(&r, f->key, f->need);
        else read_field(&r, f, (char *)base + f->offset);
        if (section) f->read(faults, section, base);
        if (r.failed) fault_take(faults, &err);
        r.failed = false;
    }
    if (json_object_end(&r) < 0) fault_take(faults, &err);
}
