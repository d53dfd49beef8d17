#include "tasks/import/import.h"

#include "common/cleanup.h"
#include "tasks/import/plan.h"

#include <string.h>

const char *const import_sources[] = {"nanogpt-speedrun", "llm-speedrunner", "autoresearch", NULL};

static const struct project {
    const struct plan_shape *shape;
    int (*read)(struct clone *c, struct import_plan *p, struct error *err);
} projects[] = {
    {&nanogpt_shape, nanogpt_read},
    {&speedrunner_shape, speedrunner_read},
    {&autoresearch_shape, autoresearch_read},
};

static const struct project *find_project(const char *source) {
    for (size_t i = 0; i < ARRAY_SIZE(projects); i++)
        if (str_eq(projects[i].shape->source, source)) return &projects[i];
    return NULL;
}

/* Numbers the records that can be raced; how many there are. */
static size_t place_records(struct import_plan *p) {
    size_t place = 0;
    for (size_t i = 0; i < p->count; i++)
        if (!p->records[i].reason) p->records[i].place = ++place;
    return place;
}

/* A step that leads over what was left out is longer than the project's own. */
static int note_gaps(struct import_plan *p, struct error *err) {
    size_t skipped = 0;
    bool first = true;
    for (size_t i = 0; i < p->count; i++) {
        struct plan_record *r = &p->records[i];
        if (r->reason) {
            skipped++;
            continue;
        }
        if (!first && skipped &&
            plan_note(r, err, "the step to it leads over %zu left out", skipped) < 0)
            return -1;
        first = false;
        skipped = 0;
    }
    return 0;
}

/* Says why as well: the report that would have is not made. */
static int too_few(const struct import_plan *p, const char *dir, size_t found, size_t least,
                   struct error *err) {
    const struct plan_record *r = NULL;
    for (size_t i = 0; i < p->count && !r; i++)
        if (p->records[i].reason) r = &p->records[i];
    return error_set(
        err, ERROR_INVALID, "%s: %zu of %zu records can be imported, needed are %zu%s%s%s%s", dir,
        found, p->count, least, r ? "; " : "", r ? r->key : "", r ? ": " : "", r ? r->reason : "");
}

static int read_project(const struct project *project, const char *dir, struct import_plan *p,
                        struct error *err) {
    _cleanup_clone_ struct clone *c = clone_open(dir, err);
    if (!c) return -1;
    if (!(p->commit = strdup(clone_commit(c)))) return error_sys(err, ENOMEM, "%s", dir);
    if (project->read(c, p, err) < 0) return error_wrap(err, "%s", dir);
    size_t least = p->shape->kind == TASK_TIME_TO_TARGET ? 2 : 1;
    size_t found = place_records(p);
    if (found < least) return too_few(p, dir, found, least, err);
    return note_gaps(p, err);
}

int import_run(const char *source, const struct import_options *options, struct import_plan **out,
               struct error *err) {
    const struct project *project = find_project(source);
    if (!project)
        return error_set(err, ERROR_INVALID,
                         "%.80s: must be nanogpt-speedrun, llm-speedrunner or autoresearch",
                         source);
    struct import_plan *p = calloc(1, sizeof *p);
    if (!p) return error_sys(err, ENOMEM, "%s", source);
    *out = p;
    p->shape = project->shape;
    p->gpus = options->gpus ? options->gpus : project->shape->gpus;
    if (read_project(project, options->clone, p, err) < 0) return -1;
    return plan_write(p, options, err);
}

static void put_files(const struct plan_record *r, struct json_writer *w) {
    json_open_array(w, "files");
    for (size_t i = 0; i < r->file_count; i++) {
        json_open_object(w, NULL);
        json_put_string(w, "name", r->files[i].name);
        json_put_string(w, "from", r->files[i].from);
        json_put_string(w, "sha256", r->files[i].sha256);
        json_close_object(w);
    }
    json_close_array(w);
}

static void put_record(const struct plan_record *r, struct json_writer *w) {
    json_open_object(w, NULL);
    json_put_string(w, "key", r->key);
    json_put_string(w, "title", r->title);
    json_put_string(w, "description", r->description);
    json_put_string(w, "path", r->from);
    if (r->place) json_put_int(w, "record", (int64_t)r->place);
    else json_put_null(w, "record");
    json_put_string(w, "reason", r->reason);
    json_put_string(w, "note", r->note);
    put_files(r, w);
    json_close_object(w);
}

static size_t count_taken(const struct import_plan *p) {
    size_t taken = 0;
    for (size_t i = 0; i < p->count; i++) taken += p->records[i].place > 0;
    return taken;
}

void import_put(const struct import_plan *p, struct json_writer *w) {
    size_t taken = count_taken(p);
    json_put_int(w, "version", 1);
    json_put_string(w, "source", p->shape->source);
    json_put_string(w, "commit", p->commit);
    json_put_string(w, "task", p->shape->name);
    json_put_int(w, "imported", (int64_t)taken);
    json_put_int(w, "left_out", (int64_t)(p->count - taken));
    json_open_array(w, "records");
    for (size_t i = 0; i < p->count; i++) put_record(&p->records[i], w);
    json_close_array(w);
}

static void put_text(struct buf *out, const char *text) {
    _cleanup_free_ char *clean = text ? str_printable(text, strlen(text)) : NULL;
    buf_puts(out, clean ? clean : "");
}

static void describe_record(const struct plan_record *r, struct buf *out) {
    if (!r->reason && !r->note) return;
    buf_puts(out, "  ");
    put_text(out, r->key);
    if (r->place) buf_printf(out, " = record %zu", r->place);
    buf_puts(out, r->reason ? " left out: " : ": ");
    put_text(out, r->reason ? r->reason : r->note);
    buf_putc(out, '\n');
}

void import_describe(const struct import_plan *p, struct buf *out) {
    size_t taken = count_taken(p);
    buf_printf(out, "%s: %zu records from commit %.12s, %zu left out\n", p->shape->name, taken,
               p->commit, p->count - taken);
    for (size_t i = 0; i < p->count; i++) describe_record(&p->records[i], out);
    if (p->dir) buf_printf(out, "%s\n", p->dir);
}

const char *import_dir(const struct import_plan *p) {
    return p->dir;
}
