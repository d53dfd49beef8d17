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

/* Whether another record has the very same file: then no step needs to change it. */
static bool has_same(const struct task *t, size_t index, const struct source_file *file) {
    _cleanup_source_tree_ struct source_tree tree = {0};
    if (!t->records[index].dir || source_tree_read(t->records[index].dir, &tree, NULL) < 0)
        return true; /* reported already */
    for (size_t i = 0; i < tree.count; i++)
        if (str_eq(tree.files[i].path, file->path))
            return str_eq(tree.files[i].sha256, file->sha256) &&
                   tree.files[i].executable == file->executable;
    return false;
}

static bool is_fixed(const struct task *t, const struct source_file *file) {
    for (size_t i = 0; i < t->record_count; i++)
        if (!has_same(t, i, file)) return false;
    return true;
}

/* An agent must be able to change every file in which records differ, and something in
 * each. What is the same in all of them may be out of reach: a task holds it fixed. */
static void check_editable(const struct task *t, size_t index, struct faults *faults) {
    const char *dir = t->records[index].dir;
    _cleanup_source_tree_ struct source_tree tree = {0};
    if (!dir || source_tree_read(dir, &tree, NULL) < 0) return; /* reported already */
    size_t may = 0;
    for (size_t i = 0; i < tree.count; i++) {
        if (task_may_edit(t, tree.files[i].path)) may++;
        else if (!is_fixed(t, &tree.files[i]))
            fault_add(faults, "%s/%s: no pattern of \"editable\" matches it", dir,
                      tree.files[i].path);
    }
    if (tree.count && !may) fault_add(faults, "%s: \"editable\" matches none of its files", dir);
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
    for (size_t i = 0; i < t.record_count; i++) check_editable(&t, i, &faults);
    for (size_t step = 1; step < t.record_count; step++) check_hints(&t, step, &faults);
    check_smuggling(&t, &faults);
    return faults.count;
}
