#include "orchestrator/client/agent_files.h"

#include "common/cleanup.h"
#include "orchestrator/client/reply.h"
#include "tasks/task.h"

#include <string.h>

int agent_files_patterns(const struct json *task, char ***out, struct error *err) {
    for (size_t i = 0; i < reply_count(task, "editable"); i++)
        if (strv_push(out, reply_text_or(reply_at(task, "editable", i), "", "")) < 0)
            return error_sys(err, ENOMEM, "task");
    return 0;
}

bool agent_files_is_link(const struct json *file) {
    return str_eq(reply_text(file, "mode"), "120000");
}

bool agent_files_may_edit(char *const *patterns, const struct json *file) {
    const struct task rules = {.editable = (char **)patterns};
    return patterns && !agent_files_is_link(file) &&
           task_may_edit(&rules, reply_text_or(file, "path", ""));
}

int agent_files_read(struct agent *a, const char *version, const char *path, struct buf *out,
                     struct error *err) {
    _cleanup_free_ char *escaped = http_escape(path);
    _cleanup_free_ char *url =
        escaped ? str_printf("/v1/versions/%s/file?path=%s", version, escaped) : NULL;
    if (!url) return error_sys(err, ENOMEM, "%s", path);
    return http_bytes(a->http, url, out, NULL, err);
}

/* ---- one version as edits of another ---- */

static const struct json *find_file(const struct json *files, const char *path) {
    for (size_t i = 0; i < reply_count(files, "files"); i++)
        if (str_eq(reply_text_or(reply_at(files, "files", i), "path", ""), path))
            return reply_at(files, "files", i);
    return NULL;
}

static int put_write(struct agent *a, const char *version, const char *path, struct json_writer *w,
                     struct error *err) {
    _cleanup_buf_ struct buf bytes = {0};
    if (agent_files_read(a, version, path, &bytes, err) < 0) return -1;
    /* An edit is text; what a version holds was text when it was submitted. */
    if (strlen(buf_text(&bytes)) != bytes.len)
        return error_set(err, ERROR_UNSUPPORTED, "%s of %s is no text", path, version);
    json_open_object(w, NULL);
    json_put_string(w, "op", "write");
    json_put_string(w, "path", path);
    json_put_bytes(w, "content", buf_text(&bytes), bytes.len);
    json_close_object(w);
    return 0;
}

static int put_edits(struct agent *a, char *const *patterns, const char *to, const struct json *old,
                     const struct json *new, struct json_writer *w, struct error *err) {
    for (size_t i = 0; i < reply_count(new, "files"); i++) {
        const struct json *file = reply_at(new, "files", i);
        const char *path = reply_text_or(file, "path", "");
        const struct json *was = find_file(old, path);
        if (!agent_files_may_edit(patterns, file) ||
            (was && str_eq(reply_text(was, "sha256"), reply_text(file, "sha256"))))
            continue;
        if (put_write(a, to, path, w, err) < 0) return -1;
    }
    for (size_t i = 0; i < reply_count(old, "files"); i++) {
        const struct json *file = reply_at(old, "files", i);
        const char *path = reply_text_or(file, "path", "");
        if (!agent_files_may_edit(patterns, file) || find_file(new, path)) continue;
        json_open_object(w, NULL);
        json_put_string(w, "op", "delete");
        json_put_string(w, "path", path);
        json_close_object(w);
    }
    return 0;
}

int agent_files_edits(struct agent *a, const char *from, const char *to, struct json **out,
                      struct error *err) {
    _cleanup_strv_ char **patterns = NULL;
    _cleanup_json_ struct json *old = NULL, *new = NULL;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "edits");
    if (agent_files_patterns(a->task, &patterns, err) < 0 ||
        http_getf(a->http, &old, err, "/v1/versions/%s/files", from) < 0 ||
        http_getf(a->http, &new, err, "/v1/versions/%s/files", to) < 0)
        return -1;
    json_open_array(w, NULL);
    if (put_edits(a, patterns, to, old, new, w, err) < 0) return -1;
    json_close_array(w);
    *out = json_written(w, "edits", err);
    return *out ? 0 : -1;
}
