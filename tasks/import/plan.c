#include "tasks/import/plan.h"

#include "common/cleanup.h"

#include <stdarg.h>
#include <string.h>

struct plan_record *plan_add(struct import_plan *p, struct error *err) {
    struct plan_record *grown = NULL;
    if (p->count == PLAN_RECORDS) {
        error_set(err, ERROR_LIMIT, "more than %d records", PLAN_RECORDS);
        return NULL;
    }
    if (!(grown = reallocarray(p->records, p->count + 1, sizeof *grown))) {
        error_sys(err, ENOMEM, "records");
        return NULL;
    }
    p->records = grown;
    p->records[p->count] = (struct plan_record){0};
    return &p->records[p->count++];
}

static void clear_files(struct plan_record *r) {
    for (size_t i = 0; i < r->file_count; i++) {
        free(r->files[i].name);
        free(r->files[i].from);
        buf_free(&r->files[i].data);
    }
    r->file_count = 0;
}

int plan_skip(struct plan_record *r, struct error *err, const char *fmt, ...) {
    _cleanup_buf_ struct buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    free(r->reason);
    r->reason = buf_steal(&text);
    clear_files(r);
    return r->reason ? 0 : error_sys(err, ENOMEM, "%s", r->key ? r->key : "record");
}

int plan_skip_for(struct plan_record *r, struct error *why, struct error *err) {
    if (why->kind == ERROR_SYSTEM || why->kind == ERROR_INTERNAL) {
        error_move(err, why);
        return -1;
    }
    return plan_skip(r, err, "%s", error_text(why));
}

int plan_note(struct plan_record *r, struct error *err, const char *fmt, ...) {
    _cleanup_buf_ struct buf text = {0};
    va_list ap;
    if (r->note) buf_printf(&text, "%s; ", r->note);
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    free(r->note);
    r->note = buf_steal(&text);
    return r->note ? 0 : error_sys(err, ENOMEM, "%s", r->key ? r->key : "record");
}

bool plan_has_file(const struct plan_record *r, const char *name) {
    for (size_t i = 0; i < r->file_count; i++)
        if (str_eq(r->files[i].name, name)) return true;
    return false;
}

int plan_file_add(struct plan_record *r, const char *name, const char *from, const void *data,
                  size_t len, struct error *err) {
    if (r->file_count == PLAN_FILES)
        return error_set(err, ERROR_LIMIT, "%s: more than %d files", from, PLAN_FILES);
    struct plan_file *f = &r->files[r->file_count];
    *f = (struct plan_file){.name = strdup(name), .from = strdup(from)};
    buf_append(&f->data, data, len);
    r->file_count++;
    if (!f->name || !f->from || buf_failed(&f->data)) return error_sys(err, ENOMEM, "%s", from);
    digest_hex_of(data, len, f->sha256);
    return 0;
}

void import_free(struct import_plan *p) {
    if (!p) return;
    for (size_t i = 0; i < p->count; i++) {
        struct plan_record *r = &p->records[i];
        clear_files(r);
        char *const strings[] = {r->key,      r->title,    r->description, r->from, r->hints[0],
                                 r->hints[1], r->hints[2], r->reason,      r->note};
        for (size_t k = 0; k < ARRAY_SIZE(strings); k++) free(strings[k]);
    }
    free(p->records);
    free(p->commit);
    free(p->dir);
    free(p);
}

void cleanup_import(struct import_plan **p) {
    import_free(*p);
}
