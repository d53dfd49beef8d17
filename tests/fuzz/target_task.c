/*
 * Task packages (tasks/): the bytes are the task.json of a folder with two records.
 * What loads names only places below the folder and the workspace.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "tasks/faults.h"
#include "tasks/inspect.h"
#include "tasks/task.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static void put(int at, const char *path, const void *data, size_t len) {
    _cleanup_close_ int fd = openat(at, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    FUZZ_CHECK(fd >= 0 && write_all(fd, data, len) == 0, "%s", path);
}

static void make_package(int in) {
    static const char *const folders[] = {"records", "records/1", "records/2",
                                          "examine", "hints",     "hints/1"};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        FUZZ_CHECK(mkdirat(in, folders[i], 0755) == 0, "%s", folders[i]);
    put(in, "records/1/train.c", "1", 1);
    put(in, "records/2/train.c", "22", 2);
    put(in, "examine/verify.c", "v", 1);
    put(in, "statement.md", "text", 4);
    put(in, "hints/1/1-pseudocode.md", "hint", 4);
}

static void check_task(const struct task *t) {
    FUZZ_CHECK(str_is_name(t->name) && str_is_name(t->image), "name %s, image %s", t->name,
               t->image);
    FUZZ_CHECK(path_is_confined(t->statement_file) && path_is_confined(t->artifact), "%s, %s",
               t->statement_file, t->artifact);
    FUZZ_CHECK(!t->data.file || !strchr(t->data.file, '/'), "data in %s", t->data.file);
    FUZZ_CHECK(t->train.argv[0][0] && t->examine.argv[0][0], "no program");
    for (int i = 0; i < BOUND_COUNT; i++)
        FUZZ_CHECK(t->bounds.most[i] >= 0, "%s: %g", task_bound_names[i], t->bounds.most[i]);
    FUZZ_CHECK(t->record_count >= 1 && t->record_count <= 2, "%zu records", t->record_count);
    FUZZ_CHECK(t->blocks_min <= t->blocks_max, "blocks %ld to %ld", (long)t->blocks_min,
               (long)t->blocks_max);
    static const char *const outside[] = {"../x", "/etc/passwd", "a/../b", "", "a//b", "."};
    for (size_t i = 0; i < ARRAY_SIZE(outside); i++)
        FUZZ_CHECK(!task_may_edit(t, outside[i]), "lets %s be edited", outside[i]);
    task_may_edit(t, "train.c");
    for (int64_t step = -1; step < 4; step++)
        for (int level = 0; level < 5; level++) {
            _cleanup_free_ char *text = NULL;
            if (task_hint(t, step, level, &text, NULL) == 0)
                FUZZ_CHECK(str_eq(text, "hint"), "hint %ld: %s", (long)step, text);
        }
}

/* A name with a step, as the API takes it. */
static void reference(const char *text) {
    _cleanup_free_ char *name = NULL;
    int64_t step = 0;
    if (task_ref_parse(text, &name, &step, NULL) == 0)
        FUZZ_CHECK(step >= 1 && step <= 1000 && (strchr(name, '/') || str_is_name(name)),
                   "%s is step %ld of %s", text, (long)step, name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct fuzz_place *p = fuzz_place();
    if (faccessat(p->in, "records", F_OK, 0) < 0) make_package(p->in);
    put(p->in, "task.json", data, len);
    _cleanup_task_ struct task t = {0}, again = {0};
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf lines = {0};
    _cleanup_free_ char *dir = path_join(p->path, "in");
    int r = task_load(dir, &t, &err);
    FUZZ_CHECK((r < 0) == error_is_set(&err), "returned %d: %s", r, error_text(&err));
    struct faults faults = {.lines = &lines};
    int looked = task_inspect(dir, &again, &faults, NULL);
    FUZZ_CHECK((r == 0) == (looked == 0 && faults.count == 0), "loads: %d, %d faults", r,
               faults.count);
    if (r == 0) check_task(&t);
    _cleanup_free_ char *text = strndup((const char *)data, len);
    FUZZ_CHECK(text, "out of memory");
    reference(text);
    return 0;
}
