#include "orchestrator/agent/patch.h"

#include "common/cleanup.h"
#include "images/listing.h"
#include "orchestrator/agent/patch_match.h"
#include "orchestrator/version/edit.h"
#include "tasks/task.h"

#include <stdarg.h>
#include <string.h>

#define PROBLEMS_MAX       12 /* further ones are only counted */
#define PROBLEMS_BYTES_MAX ((size_t)16 << 10)
#define WORDY              4096

static void file_clear(struct patch_file *f) {
    free(f->path);
    buf_free(&f->text);
    edits_free(f->replaces, f->count);
}

void patch_clear(struct patch *p) {
    for (size_t i = 0; i < p->count; i++) file_clear(&p->files[i]);
    free(p->files);
    buf_free(&p->problems);
    *p = (struct patch){0};
}

void patch_problem(struct patch *p, const char *fmt, ...) {
    if (++p->problem_count > PROBLEMS_MAX || p->problems.len > PROBLEMS_BYTES_MAX) return;
    va_list ap;
    va_start(ap, fmt);
    buf_puts(&p->problems, "- ");
    buf_vprintf(&p->problems, fmt, ap);
    buf_putc(&p->problems, '\n');
    va_end(ap);
}

static bool may_touch(struct patch *p, const char *where, const char *path) {
    const struct task rules = {.editable = (char **)p->editable};
    const struct source *base = sources_find(p->base, path);
    const char *why = path_objection(path);
    _cleanup_free_ char *shown = str_printable(path, strnlen(path, 200));
    if (why) patch_problem(p, "%s: the path “%s” %s", where, shown ? shown : "?", why);
    else if (!task_may_edit(&rules, path))
        patch_problem(p, "%s: %s is not among the files that may be edited", where,
                      shown ? shown : "?");
    else if (base && !base->editable)
        patch_problem(p, "%s: %s is a link, which may not be edited", where, path);
    else return true;
    return false;
}

static struct patch_file *find(struct patch *p, const char *path) {
    for (size_t i = 0; i < p->count; i++)
        if (str_eq(p->files[i].path, path)) return &p->files[i];
    return NULL;
}

/* The file as the patch has it so far; NULL when it may not be touched. */
static struct patch_file *touch(struct patch *p, const char *where, const char *path) {
    if (!may_touch(p, where, path)) return NULL;
    struct patch_file *f = find(p, path);
    if (f) return f;
    struct patch_file *grown = reallocarray(p->files, p->count + 1, sizeof *grown);
    if (grown) p->files = grown;
    char *copy = strdup(path);
    if (!grown || !copy) {
        free(copy);
        p->failed = true;
        return NULL;
    }
    f = &p->files[p->count++];
    const struct source *base = sources_find(p->base, path);
    *f = (struct patch_file){.path = copy, .existed = base, .deleted = !base, .whole = !base};
    if (base && base->text) buf_append(&f->text, base->text, base->len);
    return f;
}

/* The text of an existing file that is to be changed in part. */
static struct patch_file *touch_text(struct patch *p, const char *where, const char *path) {
    struct patch_file *f = touch(p, where, path);
    if (!f) return NULL;
    const struct source *base = sources_find(p->base, path);
    if (f->deleted) patch_problem(p, "%s: there is no file %s", where, path);
    else if (base && !base->text && !f->whole)
        patch_problem(p, "%s: %s was not shown, so it can only be written whole", where, path);
    else return f;
    return NULL;
}

void patch_write(struct patch *p, const char *where, const char *path, const char *text,
                 size_t len) {
    if (find(p, path)) {
        patch_problem(p, "%s: %s is changed a second time", where, path);
        return;
    }
    struct patch_file *f = touch(p, where, path);
    if (!f) return;
    f->deleted = false;
    f->whole = true;
    f->text.len = 0;
    buf_append(&f->text, text, len);
}

void patch_delete(struct patch *p, const char *where, const char *path) {
    struct patch_file *f = touch(p, where, path);
    if (!f) return;
    if (f->deleted) patch_problem(p, "%s: there is no file %s", where, path);
    f->deleted = true;
    f->text.len = 0;
}

/* Remembers a replacement as an edit where the daemon, which looks for text and
 * not for lines, would find the same place; else the file is written whole. */
static void remember(struct patch *p, struct patch_file *f, size_t at, size_t len, const char *new,
                     size_t new_len) {
    const char *text = buf_text(&f->text);
    if (f->whole || len == 0 || !match_is_unique(text, f->text.len, at, len) ||
        f->count >= EDITS_MAX) {
        f->whole = true;
        return;
    }
    struct edit *grown = reallocarray(f->replaces, f->count + 1, sizeof *grown);
    if (grown) f->replaces = grown;
    struct edit e = {.op = EDIT_REPLACE,
                     .path = strdup(f->path),
                     .search = strndup(text + at, len),
                     .replace = strndup(new, new_len)};
    if (!grown || !e.path || !e.search || !e.replace) {
        free(e.path);
        free(e.search);
        free(e.replace);
        p->failed = true;
        return;
    }
    f->replaces[f->count++] = e;
}

static void splice(struct patch *p, struct patch_file *f, const struct match *m,
                   const struct patch_lines *l) {
    _cleanup_buf_ struct buf new = {0}, text = {0};
    const char *old = buf_text(&f->text);
    bool at_end = m->at + m->len == f->text.len;
    /* What follows the end of a file that had no newline there must begin a line. */
    buf_append(&new, l->new, l->new_len);
    bool had_none = at_end && m->len > 0 && old[m->at + m->len - 1] != '\n';
    if (at_end && (l->no_newline || had_none) && new.len > 0 && new.data[new.len - 1] == '\n' &&
        (l->no_newline || match_last_line_is_same(l)))
        new.data[--new.len] = '\0';
    remember(p, f, m->at, m->len, buf_text(&new), new.len);
    buf_append(&text, old, m->at);
    buf_append(&text, buf_text(&new), new.len);
    buf_append(&text, old + m->at + m->len, f->text.len - m->at - m->len);
    if (buf_failed(&new) || buf_failed(&text)) p->failed = true;
    buf_free(&f->text);
    f->text = text;
    text = (struct buf){0};
}

static void create(struct patch *p, const char *where, const char *path,
                   const struct patch_lines *l) {
    struct patch_file *f = touch(p, where, path);
    if (!f) return;
    const struct source *base = sources_find(p->base, path);
    bool is_empty = f->text.len == 0 && (f->whole || (base && base->text));
    if (!f->deleted && (l->creates || !is_empty)) {
        patch_problem(p, "%s: there is a file %s already, so the text to look for may not be empty",
                      where, path);
        return;
    }
    f->deleted = false;
    f->whole = true;
    buf_append(&f->text, l->new, l->new_len);
    if (l->no_newline && f->text.len > 0 && f->text.data[f->text.len - 1] == '\n')
        f->text.data[--f->text.len] = '\0';
}

void patch_replace(struct patch *p, const char *where, const char *path,
                   const struct patch_lines *l) {
    if (l->creates || l->old_len == 0) {
        create(p, where, path, l);
        return;
    }
    struct patch_file *f = touch_text(p, where, path);
    if (!f) return;
    struct match m;
    switch (match_lines(buf_text(&f->text), f->text.len, l, &m)) {
    case 1: splice(p, f, &m, l); break;
    case 0: {
        _cleanup_buf_ struct buf near = {0};
        match_nearest(buf_text(&f->text), f->text.len, l, &near);
        patch_problem(p, "%s: the text to be replaced is not in %s. %s", where, path,
                      buf_text(&near));
        break;
    }
    default:
        patch_problem(p, "%s: the text to be replaced is in %s more than once; add lines around it",
                      where, path);
    }
}

/* Whether the replacements say more than the file itself would. */
static bool is_wordy(const struct patch_file *f) {
    size_t bytes = 0;
    for (size_t i = 0; i < f->count; i++)
        bytes += strlen(f->replaces[i].search) + strlen(f->replaces[i].replace);
    return bytes > f->text.len + WORDY;
}

static bool is_changed(const struct patch *p, const struct patch_file *f) {
    const struct source *base = sources_find(p->base, f->path);
    if (f->deleted) return f->existed;
    return !base || !base->text || base->len != f->text.len ||
           memcmp(base->text, buf_text(&f->text), base->len) != 0;
}

void patch_finish(struct patch *p) {
    size_t changed = 0, edits = 0, bytes = 0;
    for (size_t i = 0; i < p->count; i++) {
        struct patch_file *f = &p->files[i];
        p->failed |= buf_failed(&f->text);
        changed += is_changed(p, f);
        bytes += f->text.len;
        if (f->text.len > EDIT_CONTENT_MAX)
            patch_problem(p, "%s would have more than %llu bytes", f->path,
                          (unsigned long long)EDIT_CONTENT_MAX);
        if (edits + f->count > EDITS_MAX / 2 || is_wordy(f)) f->whole = true;
        edits += f->whole || f->deleted ? 1 : f->count;
    }
    if (bytes > EDITS_CONTENT_MAX / 2 || edits > EDITS_MAX)
        patch_problem(p, "this changes too much at once: at most %d files and %llu bytes",
                      EDITS_MAX / 2, (unsigned long long)EDITS_CONTENT_MAX / 2);
    if (changed == 0 && p->problem_count == 0)
        patch_problem(p, "the reply holds no change of any file in the format that was asked for");
    if (p->problem_count > PROBLEMS_MAX)
        buf_printf(&p->problems, "- and %zu more\n", p->problem_count - PROBLEMS_MAX);
}

int patch_encode(const struct patch *p, struct json_writer *w, const char *key, struct error *err) {
    struct edit all[EDITS_MAX * 2];
    size_t count = 0;
    if (p->failed) return error_sys(err, ENOMEM, "edits");
    for (size_t i = 0; i < p->count; i++) {
        struct patch_file *f = &p->files[i];
        if (!is_changed(p, f)) continue;
        size_t wanted = f->whole || f->deleted ? 1 : f->count;
        if (count + wanted > ARRAY_SIZE(all))
            return error_set(err, ERROR_LIMIT, "more than %d edits", EDITS_MAX);
        if (f->deleted) all[count++] = (struct edit){.op = EDIT_DELETE, .path = f->path};
        else if (f->whole)
            all[count++] = (struct edit){.op = EDIT_WRITE,
                                         .path = f->path,
                                         .content = (char *)buf_text(&f->text),
                                         .len = f->text.len};
        else
            for (size_t k = 0; k < f->count; k++) all[count++] = f->replaces[k];
    }
    edits_encode(all, count, w, key);
    return 0;
}
