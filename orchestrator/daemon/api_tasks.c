/* Tasks and their hints. */
#include "common/cleanup.h"
#include "common/file.h"
#include "common/log.h"
#include "orchestrator/daemon/api.h"
#include "orchestrator/daemon/view.h"
#include "orchestrator/version/diff.h"

#include <string.h>

static int load_named(const char *name, struct task *out, struct error *err) {
    _cleanup_free_ char *dir = task_find(name, err);
    return dir ? task_load(dir, out, err) : -1;
}

int api_tasks(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    (void)d, (void)q;
    _cleanup_strv_ char **names = NULL;
    if (task_list(&names, err) < 0) return -1;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "tasks");
    json_open_object(w, NULL);
    json_open_array(w, "tasks");
    for (size_t i = 0; names && names[i]; i++) {
        _cleanup_task_ struct task task = {0};
        _cleanup_error_ struct error bad = {0};
        if (load_named(names[i], &task, &bad) < 0) {
            log_warn("task %s: %s", names[i], error_text(&bad));
            continue; /* one that is broken does not hide the others */
        }
        json_open_object(w, NULL);
        view_task_line(w, &task);
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
    return response_json(p, w, err);
}

int api_task(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    (void)d;
    _cleanup_task_ struct task task = {0};
    if (load_named(q->params[0], &task, err) < 0) return -1;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "task");
    json_open_object(w, NULL);
    view_task(w, &task);
    json_close_object(w);
    return response_json(p, w, err);
}

/* Level 0 of a step: the change itself. */
static int record_diff(const struct task *t, int64_t step, struct buf *out, struct error *err) {
    if (step < 1 || (size_t)step >= t->record_count)
        return error_set(err, ERROR_NOT_FOUND, "task %s: no step %lld", t->name, (long long)step);
    _cleanup_close_ int old = dir_open(t->records[step - 1].dir, err);
    _cleanup_close_ int new = old < 0 ? -1 : dir_open(t->records[step].dir, err);
    return new < 0 ? -1 : diff_trees(old, new, out, err);
}

/* A small number of the path. */
static int path_number(const char *text, int64_t max, int64_t *out, struct error *err) {
    size_t len = strlen(text);
    bool digits = len >= 1 && len <= 4 && strspn(text, "0123456789") == len;
    *out = digits ? strtoll(text, NULL, 10) : -1;
    if (*out >= 0 && *out <= max) return 0;
    return error_set(err, ERROR_NOT_FOUND, "no such step or level");
}

int api_hint(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    (void)d;
    _cleanup_task_ struct task task = {0};
    int64_t step = 0, level = 0;
    if (load_named(q->params[0], &task, err) < 0) return -1;
    if (path_number(q->params[1], 9999, &step, err) < 0 ||
        path_number(q->params[2], 3, &level, err) < 0)
        return -1;
    _cleanup_free_ char *text = NULL;
    _cleanup_buf_ struct buf diff = {0};
    int rc = level == 0 ? record_diff(&task, step, &diff, err)
                        : task_hint(&task, step, (int)level, &text, err);
    if (rc < 0) return -1;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "hint");
    json_open_object(w, NULL);
    json_put_int(w, "level", level);
    json_put_string(w, "text", level == 0 ? buf_text(&diff) : text);
    json_close_object(w);
    return response_json(p, w, err);
}
