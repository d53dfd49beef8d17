/* task_check(): what a host should put right before others race on the task. */
#include "common/cleanup.h"
#include "common/file.h"
#include "policies/policy.h"
#include "tasks/inspect.h"
#include "tasks/source_tree.h"

#include <sys/stat.h>

static void check_policy(const char *phase, const struct task_phase_spec *spec,
                         struct faults *faults) {
    if (!spec->policy) return;
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *path = policy_find(spec->policy, &err);
    if (path) return;
    error_wrap(&err, "$.phases.%s.policy", phase);
    fault_take(faults, &err);
}

/* The files of a record, read once for all that is asked of them. */
struct record_files {
    struct source_tree tree;
    bool read; /* else it is reported already, and nothing more is said of it */
};

/* Whether another record has the very same file: then no step needs to change it. */
static bool has_same(const struct record_files *r, const struct source_file *file) {
    if (!r->read) return true;
    for (size_t i = 0; i < r->tree.count; i++)
        if (str_eq(r->tree.files[i].path, file->path))
            return str_eq(r->tree.files[i].sha256, file->sha256) &&
                   r->tree.files[i].executable == file->executable;
    return false;
}

static bool is_fixed(const struct record_files *records, size_t count,
                     const struct source_file *file) {
    for (size_t i = 0; i < count; i++)
        if (!has_same(&records[i], file)) return false;
    return true;
}

/* An agent must be able to change every file in which records differ, and something in
 * each. What is the same in all of them may be out of reach: a task holds it fixed. */
static void check_editable(const struct task *t, size_t index, const struct record_files *records,
                           struct faults *faults) {
    const char *dir = t->records[index].dir;
    const struct source_tree *tree = &records[index].tree;
    if (!records[index].read) return;
    size_t may = 0;
    for (size_t i = 0; i < tree->count; i++) {
        if (task_may_edit(t, tree->files[i].path)) may++;
        else if (!is_fixed(records, t->record_count, &tree->files[i]))
            fault_add(faults, "%s/%s: no pattern of \"editable\" matches it", dir,
                      tree->files[i].path);
    }
    if (tree->count && !may) fault_add(faults, "%s: \"editable\" matches none of its files", dir);
}

static int check_records(const struct task *t, struct faults *faults, struct error *err) {
    _cleanup_free_ struct record_files *records = calloc(t->record_count + 1, sizeof *records);
    if (!records) return error_sys(err, ENOMEM, "records");
    for (size_t i = 0; i < t->record_count; i++) {
        const char *dir = t->records[i].dir;
        records[i].read = dir && source_tree_read(dir, &records[i].tree, NULL) == 0;
    }
    for (size_t i = 0; i < t->record_count; i++) check_editable(t, i, records, faults);
    for (size_t i = 0; i < t->record_count; i++) source_tree_clear(&records[i].tree);
    return 0;
}

static void check_hints(const struct task *t, size_t step, struct faults *faults) {
    for (int level = 1; level <= 3; level++) {
        _cleanup_free_ char *path =
            str_printf("%s/hints/%zu/%s", t->dir, step, task_hint_file(level));
        struct stat st;
        if (!path || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
            fault_add(faults, "%s/hints/%zu/%s: is missing", t->dir, step, task_hint_file(level));
        else if (st.st_size == 0) fault_add(faults, "%s: is empty", path);
    }
}

/* Source that can hold the held-out text whole could carry it past the fence. */
static void check_smuggling(const struct task *t, struct faults *faults) {
    double held_out = t->data.held_out * (double)t->data.bytes;
    if (t->data.file && (double)t->max_source_bytes > held_out)
        fault_add(faults,
                  "$.max_source_bytes: %lld bytes could hold the held-out text (about %.0f bytes)",
                  (long long)t->max_source_bytes, held_out);
}

int task_check(const char *dir, struct buf *out, struct error *err) {
    struct faults faults = {.lines = out};
    _cleanup_task_ struct task t = {0};
    if (task_inspect(dir, &t, &faults, err) < 0) return -1;
    if (t.has_build) check_policy("build", &t.build, &faults);
    check_policy("train", &t.train, &faults);
    check_policy("examine", &t.examine, &faults);
    if (check_records(&t, &faults, err) < 0) return -1;
    for (size_t step = 1; step < t.record_count; step++) check_hints(&t, step, &faults);
    check_smuggling(&t, &faults);
    return faults.count;
}
