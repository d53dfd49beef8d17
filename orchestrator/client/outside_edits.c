/* What a command left, as edits of what it was given (declared in outside.h). */
#include "common/cleanup.h"
#include "images/listing.h"
#include "orchestrator/client/outside.h"
#include "orchestrator/version/workspace.h"
#include "tasks/task.h"

#include <string.h>

#define DROPPED_SHOWN 32

struct difference {
    int before, after;
    const struct listing *old, *new;
    const struct task *rules;
    const char *incomplete;
    struct outside_result *out;
    size_t bytes;
};

static int fail(struct outside_result *out, char *why, struct error *err) {
    if (!why) return error_sys(err, ENOMEM, "edits");
    if (out->failure) free(why);
    else out->failure = why;
    return 0;
}

static int drop(struct difference *d, const char *path, struct error *err) {
    d->out->dropped_count++;
    if (d->out->dropped_count > DROPPED_SHOWN) return 0;
    _cleanup_free_ char *shown = str_printable(path, strlen(path));
    return shown && strv_push(&d->out->dropped, shown) == 0 ? 0 : error_sys(err, ENOMEM, "edits");
}

/* Room for one more, zeroed but for its path; NULL and no error: it failed. */
static int add_edit(struct difference *d, enum edit_op op, const char *path, struct edit **out,
                    struct error *err) {
    struct outside_result *r = d->out;
    *out = NULL;
    if (r->count == EDITS_MAX)
        return fail(r, str_printf("it changed more than %d files", EDITS_MAX), err);
    struct edit *grown = reallocarray(r->edits, r->count + 1, sizeof *grown);
    if (!grown) return error_sys(err, ENOMEM, "edits");
    r->edits = grown;
    grown[r->count] = (struct edit){.op = op, .path = strdup(path)};
    if (!grown[r->count].path) return error_sys(err, ENOMEM, "edits");
    *out = &grown[r->count++];
    return 0;
}

static int write_file(struct difference *d, const struct listing_entry *e, struct error *err) {
    _cleanup_buf_ struct buf bytes = {0};
    struct edit *edit = NULL;
    if (e->bytes > EDIT_CONTENT_MAX)
        return fail(d->out,
                    str_printf("%s has become larger than %llu bytes", e->path,
                               (unsigned long long)EDIT_CONTENT_MAX),
                    err);
    if (workspace_read(d->after, e->path, EDIT_CONTENT_MAX, &bytes, err) < 0) return -1;
    d->bytes += bytes.len;
    if (d->bytes > EDITS_CONTENT_MAX)
        return fail(d->out,
                    str_printf("what it wrote is larger than %llu bytes together",
                               (unsigned long long)EDITS_CONTENT_MAX),
                    err);
    if (add_edit(d, EDIT_WRITE, e->path, &edit, err) < 0) return -1;
    if (!edit) return 0;
    edit->len = bytes.len;
    buf_puts(&bytes, "");
    edit->content = buf_steal(&bytes);
    return edit->content ? 0 : error_sys(err, ENOMEM, "edits");
}

static int changed(struct difference *d, const struct listing_entry *e, struct error *err) {
    const struct listing_entry *was = listing_find(d->old, e->path);
    if (was && was->type == e->type && strcmp(was->sha256, e->sha256) == 0) return 0;
    if (!task_may_edit(d->rules, e->path) || (was && was->type != LISTING_FILE))
        return drop(d, e->path, err);
    return write_file(d, e, err);
}

/* A link is never taken out, so that it is missing whatever became of it. */
static int missing(struct difference *d, const struct listing_entry *was, struct error *err) {
    struct edit *edit;
    if (was->type != LISTING_FILE || listing_find(d->new, was->path)) return 0;
    if (d->incomplete || !task_may_edit(d->rules, was->path)) return drop(d, was->path, err);
    return add_edit(d, EDIT_DELETE, was->path, &edit, err);
}

static int compare(struct difference *d, struct error *err) {
    for (size_t i = 0; i < d->new->count && !d->out->failure; i++)
        if (d->new->entries[i].type == LISTING_FILE && changed(d, &d->new->entries[i], err) < 0)
            return -1;
    for (size_t i = 0; i < d->old->count && !d->out->failure; i++)
        if (missing(d, &d->old->entries[i], err) < 0) return -1;
    return 0;
}

int outside_edits(int before, int after, const char *incomplete, char *const *editable,
                  struct outside_result *out, struct error *err) {
    _cleanup_listing_ struct listing old = {0}, new = {0};
    _cleanup_error_ struct error why = {0};
    const struct task rules = {.editable = (char **)editable};
    if (workspace_list(before, &old, err) < 0) return -1;
    /* Names that nobody can list are the command's doing. */
    if (workspace_list(after, &new, &why) < 0)
        return fail(out, str_printf("what it left cannot be taken: %s", error_text(&why)), err);
    struct difference d = {.before = before,
                           .after = after,
                           .old = &old,
                           .new = &new,
                           .rules = &rules,
                           .incomplete = incomplete,
                           .out = out};
    return compare(&d, err);
}
