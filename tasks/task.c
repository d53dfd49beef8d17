#include "tasks/task.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "tasks/decode.h"
#include "tasks/inspect.h"
#include "tasks/source_tree.h"

#include <fnmatch.h>
#include <limits.h>
#include <string.h>

#define MAX_TASK_JSON (1 << 20)
#define MAX_TEXT      (1 << 20) /* a statement, a hint */

static void phase_clear(struct task_phase_spec *p) {
    strv_free(p->argv);
    free(p->policy);
    spec_clock_clear(&p->clock);
}

void task_clear(struct task *t) {
    for (size_t i = 0; i < t->record_count; i++) {
        free(t->records[i].title);
        free(t->records[i].description);
        free(t->records[i].dir);
    }
    free(t->records);
    strv_free(t->data.command);
    strv_free(t->data.hide);
    free(t->loss_pattern);
    free(t->floor_why);
    free(t->data.package);
    free(t->data.file);
    free(t->store.name);
    free(t->store.target);
    phase_clear(&t->build);
    phase_clear(&t->train);
    phase_clear(&t->examine);
    strv_free(t->editable);
    char *const strings[] = {t->name,  t->title,    t->dir,    t->statement, t->statement_file,
                             t->image, t->artifact, t->metric, t->unit};
    for (size_t i = 0; i < ARRAY_SIZE(strings); i++) free(strings[i]);
    *t = (struct task){0};
}

static int read_text(const char *dir, const char *name, struct buf *out, struct error *err) {
    _cleanup_free_ char *path = path_join(dir, name);
    if (!path) return error_sys(err, ENOMEM, "%s", name);
    return file_read(path, MAX_TEXT, out, err);
}

static void load_statement(struct task *t, struct faults *faults) {
    const char *name = t->statement_file;
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf text = {0};
    if (read_text(t->dir, name, &text, &err) < 0) return fault_take(faults, &err);
    if (text.len == 0) return fault_add(faults, "%s/%s: is empty", t->dir, name);
    if (memchr(text.data, '\0', text.len))
        return fault_add(faults, "%s/%s: is not text", t->dir, name);
    if (!(t->statement = buf_steal(&text))) fault_add(faults, "%s: out of memory", name);
}

static void load_record(struct task *t, size_t index, struct faults *faults) {
    struct task_record *record = &t->records[index];
    _cleanup_error_ struct error err = {0};
    _cleanup_source_tree_ struct source_tree tree = {0};
    record->dir = str_printf("%s/records/%zu", t->dir, index + 1);
    if (!record->dir) return fault_add(faults, "records: out of memory");
    if (source_tree_read(record->dir, &tree, &err) < 0) return fault_take(faults, &err);
    memcpy(record->digest, tree.digest, sizeof tree.digest);
    if (tree.count == 0) fault_add(faults, "%s: has no file", record->dir);
    if (t->max_source_bytes && tree.bytes > t->max_source_bytes)
        fault_add(faults, "%s: %lld bytes, max_source_bytes is %lld", record->dir,
                  (long long)tree.bytes, (long long)t->max_source_bytes);
    if (t->max_source_files && (int64_t)tree.count > t->max_source_files)
        fault_add(faults, "%s: %zu files, max_source_files is %lld", record->dir, tree.count,
                  (long long)t->max_source_files);
}

/* The examiner's own files are part of what is raced; a lockstep has none. */
static void digest_examiner(const struct task *t, struct buf *list, struct faults *faults) {
    if (t->examiner != EXAMINER_PROGRAM) return;
    _cleanup_error_ struct error err = {0};
    _cleanup_source_tree_ struct source_tree tree = {0};
    _cleanup_free_ char *dir = path_join(t->dir, "examine");
    if (!dir) return fault_add(faults, "examine: out of memory");
    if (source_tree_read(dir, &tree, &err) < 0) return fault_take(faults, &err);
    if (tree.count == 0) fault_add(faults, "%s: has no file", dir);
    buf_printf(list, "examine %s\n", tree.digest);
}

static void digest_task(struct task *t, const struct buf *json, struct faults *faults) {
    _cleanup_buf_ struct buf list = {0};
    char hex[DIGEST_HEX];
    digest_hex_of(buf_text(json), json->len, hex);
    buf_printf(&list, "task.json %s\n", hex);
    if (t->statement) digest_hex_of(t->statement, strlen(t->statement), hex);
    buf_printf(&list, "statement %s\n", hex);
    for (size_t i = 0; i < t->record_count; i++)
        buf_printf(&list, "record %s\n", t->records[i].digest);
    digest_examiner(t, &list, faults);
    if (buf_failed(&list)) return fault_add(faults, "digest: out of memory");
    digest_hex_of(buf_text(&list), list.len, t->digest);
}

int task_inspect(const char *dir, struct task *out, struct faults *faults, struct error *err) {
    char absolute[PATH_MAX];
    if (!realpath(dir, absolute)) return error_sys(err, errno, "task %s", dir);
    _cleanup_free_ char *path = path_join(absolute, "task.json");
    out->dir = strdup(absolute);
    if (!path || !out->dir) return error_sys(err, ENOMEM, "task");
    _cleanup_buf_ struct buf text = {0};
    if (file_read(path, MAX_TASK_JSON, &text, err) < 0) return -1;
    _cleanup_json_ struct json *doc = json_parse(path, buf_text(&text), text.len, err);
    if (!doc) return -1;
    task_decode(doc, out, faults);
    if (out->statement_file && path_is_confined(out->statement_file)) load_statement(out, faults);
    for (size_t i = 0; i < out->record_count; i++) load_record(out, i, faults);
    digest_task(out, &text, faults);
    return 0;
}

int task_load(const char *dir, struct task *out, struct error *err) {
    struct faults faults = {.first = err};
    if (task_inspect(dir, out, &faults, err) < 0) return -1;
    return faults.count ? -1 : 0;
}

bool task_may_edit(const struct task *t, const char *path) {
    if (!path_is_confined(path)) return false;
    for (char **p = t->editable; p && *p; p++)
        if (fnmatch(*p, path, FNM_PATHNAME | FNM_PERIOD) == 0) return true;
    return false;
}

const char *task_hint_file(int level) {
    static const char *const names[] = {"1-pseudocode.md", "2-description.md", "3-paper.md"};
    return level >= 1 && level <= 3 ? names[level - 1] : NULL;
}

int task_hint(const struct task *t, int64_t step, int level, char **text, struct error *err) {
    const char *file = task_hint_file(level);
    if (!file) return error_set(err, ERROR_INVALID, "hint level %d: must be 1 to 3", level);
    if (step < 1 || (uint64_t)step >= t->record_count)
        return error_set(err, ERROR_NOT_FOUND, "task %s has no step %lld (it has %zu)", t->name,
                         (long long)step, t->record_count - 1);
    _cleanup_free_ char *path = str_printf("%s/hints/%lld/%s", t->dir, (long long)step, file);
    _cleanup_buf_ struct buf found = {0};
    if (!path) return error_sys(err, ENOMEM, "hint");
    if (file_read(path, MAX_TEXT, &found, err) < 0) return -1;
    buf_putc(&found, '\0');
    *text = buf_steal(&found);
    return *text ? 0 : error_sys(err, ENOMEM, "hint");
}
