/*
 * The records of the NanoGPT speedrun, first track: rows of a table in README.md, each
 * with a link to a log that begins with the source that ran, or to a folder of them.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "tasks/import/plan.h"
#include "tasks/import/record_log.h"
#include "tasks/import/record_table.h"

#include <ctype.h>
#include <string.h>

#define PROGRAM "train_gpt.py"

static const char statement[] =
    "# The NanoGPT speedrun\n\n"
    "`train_gpt.py` trains a language model on FineWeb, one process for each GPU, until its\n"
    "loss on the validation tokens is at most 3.28. Make it get there sooner.\n\n" PLAN_RULE_SURELY
    "* Training tokens may be used in any order, each as it is; the validation tokens are for\n"
    "  the examination alone.\n" PLAN_RULE_LINES
    "* Compiling and warming up before the first step are free for ten minutes.\n"
    "* No network, no files but those of this folder and the data.\n";

static const char *const editable[] = {"*.py", NULL};
static const char *const argv[] = {PLAN_TORCHRUN, PROGRAM, NULL};

const struct plan_shape nanogpt_shape = {
    .source = "nanogpt-speedrun",
    .name = "nanogpt-speedrun",
    .title = "Train a small GPT to a loss of 3.28 on FineWeb faster",
    .statement = statement,
    .kind = TASK_TIME_TO_TARGET,
    .editable = editable,
    .argv = argv,
    .data_file = "fineweb10B",
    .gpus = 8,
    /* The line of the first step comes when it is over, and so when everything has been
     * compiled. Behind the last validation comes the line about memory, in each record. */
    .start = "^step:[1-9][0-9]*/[0-9]+ (train_loss|train_time):",
    .stop = "^peak memory ",
    .loss = "val_loss:([0-9.]+)",
    .metric = "loss",
    .unit = "nats per token",
    .target = 3.28,
    .loss_per_bit = 0.6931,
    .artifact = "logs",
};

/* The last part of a path; "" for a folder's own. */
static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static char *parent_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? strndup(path, (size_t)(slash - path)) : strdup("");
}

static bool is_log(const char *path) {
    return str_ends(path, ".txt") || str_ends(path, ".log");
}

static bool is_program(const char *path) {
    const char *name = base_name(path);
    return str_starts(name, "train_gpt") && str_ends(name, ".py");
}

/* The program in a folder itself (not below it), or NULL; borrowed from `list`. */
static const char *program_in(char *const *list, const char *dir) {
    size_t n = strlen(dir);
    for (; list && *list; list++)
        if (strncmp(*list, dir, n) == 0 && (*list)[n] == '/' && !strchr(*list + n + 1, '/') &&
            is_program(*list))
            return *list;
    return NULL;
}

static int take_program(struct clone *c, const char *path, struct plan_record *r,
                        struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    if (clone_read_text(c, path, &text, err) < 0) return -1;
    return plan_file_add(r, PROGRAM, path, text.data, text.len, err);
}

/* The sources at the head of a log. */
static int take_log(struct clone *c, const char *path, struct plan_record *r, struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    struct record_log log;
    if (clone_read(c, path, &text, err) < 0) return -1;
    if (!record_log_split(buf_text(&text), text.len, &log))
        return error_set(err, ERROR_INVALID, "%s: does not begin with the source that ran", path);
    for (size_t i = 0; i < log.count; i++) {
        const struct record_source *s = &log.sources[i];
        if (!s->len || !utf8_is_text(s->text, s->len))
            return error_set(err, ERROR_INVALID, "%s: its source is no text", path);
        if (plan_file_add(r, i ? s->name : PROGRAM, path, s->text, s->len, err) < 0) return -1;
    }
    return 0;
}

/* A log without source: the program may lie beside it. */
static int take_beside(struct clone *c, const char *path, struct plan_record *r,
                       struct error *err) {
    _cleanup_free_ char *dir = parent_of(path);
    _cleanup_strv_ char **list = NULL;
    _cleanup_error_ struct error why = {0};
    if (!dir) return error_sys(err, ENOMEM, "%s", path);
    if (take_log(c, path, r, &why) == 0) return 0;
    const char *program =
        clone_list(c, dir, &list, NULL) == 0 && why.kind == ERROR_INVALID && r->file_count == 0
            ? program_in(list, dir)
            : NULL;
    if (program) return take_program(c, program, r, err);
    error_move(err, &why);
    return -1;
}

static int take_folder(struct clone *c, const char *dir, struct plan_record *r, struct error *err) {
    _cleanup_strv_ char **list = NULL;
    if (clone_list(c, dir, &list, err) < 0) return -1;
    const char *program = program_in(list, dir);
    if (program) return take_program(c, program, r, err);
    for (char **l = list; *l; l++)
        if (is_log(*l)) return take_log(c, *l, r, err);
    return error_set(err, ERROR_NOT_FOUND, "%s: has neither a program nor a log", dir);
}

static int take_source(struct clone *c, struct plan_record *r, struct error *err) {
    enum clone_kind kind = CLONE_NOTHING;
    if (clone_look(c, r->from, &kind, err) < 0) return -1;
    if (kind == CLONE_FOLDER) return take_folder(c, r->from, r, err);
    return take_beside(c, r->from, r, err);
}

/* Whether a text speaks of "<name>.py": then `name` is a module of the program's own
 * rather than one that is installed. */
static bool speaks_of(const struct plan_file *f, const char *file) {
    const char *at = buf_text(&f->data), *end = at + f->data.len;
    size_t n = strlen(file);
    for (; (at = memmem(at, (size_t)(end - at), file, n)); at += n)
        if (at == f->data.data || (at[-1] != '_' && !isalnum((unsigned char)at[-1]))) return true;
    return false;
}

/* A module that is imported: from the record's folder, else from the commit's top. */
static int take_module(struct clone *c, struct plan_record *r, size_t by, const char *name,
                       struct error *err) {
    _cleanup_free_ char *file = str_printf("%s.py", name);
    _cleanup_free_ char *dir = parent_of(r->files[by].from);
    _cleanup_free_ char *beside = dir && file ? path_join(dir, file) : NULL;
    if (!beside) return error_sys(err, ENOMEM, "%s", name);
    const char *const places[] = {beside, file};
    if (plan_has_file(r, file) || str_eq(file, base_name(r->files[by].from))) return 0;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        _cleanup_buf_ struct buf text = {0};
        enum clone_kind kind = CLONE_NOTHING;
        if (clone_look(c, places[i], &kind, err) < 0) return -1;
        if (kind == CLONE_NOTHING) continue;
        if (clone_read(c, places[i], &text, err) < 0) return -1;
        if (!utf8_is_text(buf_text(&text), text.len))
            return error_set(err, ERROR_INVALID, "%s: is no text", places[i]);
        if (i == 1 && plan_note(r, err, "%s is the commit's, not the one of its time", file) < 0)
            return -1;
        return plan_file_add(r, file, places[i], buf_text(&text), text.len, err);
    }
    if (speaks_of(&r->files[by], file))
        return error_set(err, ERROR_NOT_FOUND,
                         "needs its module %s, which is neither beside its log nor in the commit",
                         file);
    return 0;
}

/* Follows the imports of each file; files are added while we go. */
static int take_modules(struct clone *c, struct plan_record *r, struct error *err) {
    for (size_t i = 0; i < r->file_count; i++) {
        _cleanup_strv_ char **names =
            python_imports(buf_text(&r->files[i].data), r->files[i].data.len);
        if (!names) return error_sys(err, ENOMEM, "%s", r->files[i].name);
        for (char **name = names; *name; name++)
            if (take_module(c, r, i, *name, err) < 0) return -1;
    }
    return 0;
}

/* What the project says about the step: the table's line, and where the record's folder
 * has a README.md that. */
static int take_hints(struct clone *c, const struct record_row *row, struct plan_record *r,
                      struct error *err) {
    _cleanup_free_ char *dir = parent_of(r->files[0].from);
    _cleanup_free_ char *readme = dir ? path_join(dir, "README.md") : NULL;
    _cleanup_buf_ struct buf text = {0};
    r->hints[0] = str_printf("%s\n\n(The project has no pseudocode of this step.)\n", row->title);
    r->hints[1] = str_printf("%s\n\nRecord %lld, %s, %s.\n", row->title, (long long)row->number,
                             row->time, row->date);
    if (!readme || !r->hints[0] || !r->hints[1]) return error_sys(err, ENOMEM, "%s", r->key);
    bool has = clone_read_text(c, readme, &text, NULL) == 0 && text.len < (1 << 20);
    r->hints[2] =
        has ? buf_steal(&text)
            : str_printf("%s\n\n(The project has no longer text on this step.)\n", row->title);
    return r->hints[2] ? 0 : error_sys(err, ENOMEM, "%s", r->key);
}

static int name_record(const struct record_row *row, size_t place, struct plan_record *r,
                       struct error *err) {
    r->key = str_printf("row %zu (#%lld)", place, (long long)row->number);
    r->title = strdup(row->title ? row->title : "");
    r->description =
        str_printf("%s, %s, %s", row->time ? row->time : "", row->date ? row->date : "",
                   row->contributors ? row->contributors : "");
    r->from = row->log ? strdup(row->log) : NULL;
    if (!r->key || !r->title || !r->description || (row->log && !r->from))
        return error_sys(err, ENOMEM, "row %zu", place);
    return 0;
}

static int read_record(struct clone *c, const struct record_row *row, struct plan_record *r,
                       struct error *err) {
    _cleanup_error_ struct error why = {0};
    if (row->fault || !r->from) return plan_skip(r, err, "%s", row->fault ? row->fault : "no log");
    if (!row->ms && plan_note(r, err, "its time \"%s\" could not be read", row->time) < 0)
        return -1;
    if (take_source(c, r, &why) < 0 || take_modules(c, r, &why) < 0)
        return plan_skip_for(r, &why, err);
    return take_hints(c, row, r, err);
}

/* A number that was had before is the same record, timed again by other rules: the step
 * to it need be no step forward. */
static int note_again(const struct record_table *t, size_t i, struct plan_record *r,
                      struct error *err) {
    for (size_t k = 0; k < i && !t->rows[i].fault; k++)
        if (t->rows[k].number == t->rows[i].number)
            return plan_note(r, err, "its number is that of row %zu: timed again, no new record",
                             k + 1);
    return 0;
}

int nanogpt_read(struct clone *c, struct import_plan *p, struct error *err) {
    _cleanup_buf_ struct buf readme = {0};
    _cleanup_record_table_ struct record_table table = {0};
    if (clone_read(c, "README.md", &readme, err) < 0) return -1;
    if (record_table_read(buf_text(&readme), readme.len, &table, err) < 0)
        return error_wrap(err, "README.md");
    for (size_t i = 0; i < table.count; i++) {
        struct plan_record *r = plan_add(p, err);
        if (!r || name_record(&table.rows[i], i + 1, r, err) < 0 ||
            read_record(c, &table.rows[i], r, err) < 0 || note_again(&table, i, r, err) < 0)
            return -1;
    }
    return 0;
}
