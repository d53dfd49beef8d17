/* An import onto the disk: all of the folder, checked, then its place. */
#include "common/cleanup.h"
#include "common/file.h"
#include "tasks/import/plan.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A folder that is removed again unless it found its place. */
struct draft {
    char *path;
};

static void cleanup_draft(struct draft *d) {
    if (d->path) tree_remove(d->path, NULL);
    free(d->path);
}

static int make_draft(const char *into, const char *name, struct draft *out, struct error *err) {
    if (dir_make(into, 0755, err) < 0) return -1;
    out->path = str_printf("%s/.%s.import-XXXXXX", into, name);
    if (!out->path) return error_sys(err, ENOMEM, "%s", into);
    if (!mkdtemp(out->path)) {
        int saved = errno;
        free(steal_ptr(&out->path));
        return error_sys(err, saved, "%s", into);
    }
    if (chmod(out->path, 0755) < 0) return error_sys(err, errno, "%s", out->path);
    return 0;
}

static int put_file(const char *dir, const char *name, const void *data, size_t len,
                    struct error *err) {
    _cleanup_free_ char *path = path_join(dir, name);
    if (!path) return error_sys(err, ENOMEM, "%s", name);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 || write_all(fd, data, len) < 0 || fsync(fd) < 0)
        return error_sys(err, errno, "%s", path);
    return 0;
}

static int put_text(const char *dir, const char *name, const char *text, struct error *err) {
    return put_file(dir, name, text, strlen(text), err);
}

static int put_record(const char *draft, const struct plan_record *r, struct error *err) {
    _cleanup_free_ char *dir = str_printf("%s/records/%zu", draft, r->place);
    if (!dir) return error_sys(err, ENOMEM, "%s", draft);
    if (dir_make(dir, 0755, err) < 0) return -1;
    for (size_t i = 0; i < r->file_count; i++) {
        const struct plan_file *f = &r->files[i];
        if (put_file(dir, f->name, buf_text(&f->data), f->data.len, err) < 0) return -1;
    }
    return 0;
}

/* The hints of the step that leads to this record, from the one before it. */
static int put_hints(const char *draft, const struct plan_record *r, struct error *err) {
    static const char *const names[] = {"1-pseudocode.md", "2-description.md", "3-paper.md"};
    if (r->place < 2) return 0;
    _cleanup_free_ char *dir = str_printf("%s/hints/%zu", draft, r->place - 1);
    if (!dir) return error_sys(err, ENOMEM, "%s", draft);
    if (dir_make(dir, 0755, err) < 0) return -1;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (put_text(dir, names[i], r->hints[i] ? r->hints[i] : "", err) < 0) return -1;
    return 0;
}

static int put_provenance(const char *draft, const struct import_plan *p, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    size_t len = 0;
    const char *text = NULL;
    if (w) {
        json_open_object(w, NULL);
        import_put(p, w);
        json_close_object(w);
        text = json_writer_text(w, &len);
    }
    if (!text) return error_sys(err, ENOMEM, "import.json");
    return put_file(draft, "import.json", text, len, err);
}

static int fill(const char *draft, const struct import_plan *p, const struct import_options *o,
                struct error *err) {
    _cleanup_free_ char *json = plan_task_json(p, o, err);
    if (!json || put_text(draft, "task.json", json, err) < 0) return -1;
    if (put_text(draft, "statement.md", p->shape->statement, err) < 0) return -1;
    for (size_t i = 0; i < p->count; i++) {
        const struct plan_record *r = &p->records[i];
        if (!r->place) continue;
        if (put_record(draft, r, err) < 0 || put_hints(draft, r, err) < 0) return -1;
    }
    return put_provenance(draft, p, err);
}

/* Nobody is to race on a folder with faults. */
static int check(const char *draft, struct error *err) {
    _cleanup_buf_ struct buf faults = {0};
    int count = task_check(draft, &faults, err);
    if (count <= 0) return count;
    const char *text = buf_text(&faults);
    return error_set(err, ERROR_INVALID, "the task that came out has %d %s, the first: %.*s", count,
                     count == 1 ? "fault" : "faults", (int)strcspn(text, "\n"), text);
}

/* Only what an import made may be replaced by one. */
static int replace(struct draft *d, const char *place, struct error *err) {
    _cleanup_free_ char *mark = path_join(place, "import.json");
    struct stat st;
    if (!mark) return error_sys(err, ENOMEM, "%s", place);
    if (lstat(mark, &st) < 0)
        return error_set(err, ERROR_EXISTS, "%s: is there already, and no import made it", place);
    if (renameat2(AT_FDCWD, d->path, AT_FDCWD, place, RENAME_EXCHANGE) < 0)
        return error_sys(err, errno, "%s", place);
    return 0; /* the draft is the old folder now, and goes */
}

static int settle(struct draft *d, const char *place, bool force, struct error *err) {
    if (rename_exclusive(AT_FDCWD, d->path, AT_FDCWD, place) == 0) {
        free(steal_ptr(&d->path));
        return 0;
    }
    if (errno != EEXIST) return error_sys(err, errno, "%s", place);
    if (!force)
        return error_set(err, ERROR_EXISTS, "%s: is there already (--force replaces it)", place);
    return replace(d, place, err);
}

int plan_write(struct import_plan *p, const struct import_options *o, struct error *err) {
    _cleanup_(cleanup_draft) struct draft d = {0};
    _cleanup_free_ char *place = path_join(o->into, p->shape->name);
    if (!place) return error_sys(err, ENOMEM, "%s", o->into);
    if (make_draft(o->into, p->shape->name, &d, err) < 0) return -1;
    if (fill(d.path, p, o, err) < 0 || check(d.path, err) < 0) return -1;
    if (settle(&d, place, o->force, err) < 0) return -1;
    p->dir = steal_ptr(&place);
    return 0;
}
