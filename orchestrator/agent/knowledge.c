#include "orchestrator/agent/knowledge.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/agent/sources.h"

#include <glob.h>
#include <string.h>

static int add_file(const char *path, size_t *files, struct buf *out, struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    const char *slash = strrchr(path, '/');
    if (++*files > KNOWLEDGE_FILES_MAX)
        return error_set(err, ERROR_LIMIT, "more than %d files", KNOWLEDGE_FILES_MAX);
    if (file_read(path, KNOWLEDGE_FILE_MAX, &text, err) < 0) return -1;
    if (!utf8_is_text(buf_text(&text), text.len))
        return error_set(err, ERROR_INVALID, "%s: is not text", path);
    buf_printf(out, "%s%s:\n", out->len ? "\n" : "", slash ? slash + 1 : path);
    sources_fence(buf_text(&text), text.len, out);
    if (out->len > KNOWLEDGE_MAX)
        return error_set(err, ERROR_LIMIT, "more than %zu bytes together", KNOWLEDGE_MAX);
    return 0;
}

int knowledge_read(char *const *globs, struct buf *out, struct error *err) {
    size_t files = 0;
    for (; globs && *globs; globs++) {
        _cleanup_(globfree) glob_t found = {0};
        int r = glob(*globs, 0, NULL, &found);
        if (r == GLOB_NOMATCH)
            return error_set(err, ERROR_NOT_FOUND, "knowledge: %s names no file", *globs);
        if (r) return error_set(err, ERROR_SYSTEM, "knowledge: %s cannot be read", *globs);
        for (size_t i = 0; i < found.gl_pathc; i++)
            if (add_file(found.gl_pathv[i], &files, out, err) < 0)
                return error_wrap(err, "knowledge");
    }
    return buf_failed(out) ? error_sys(err, ENOMEM, "knowledge") : 0;
}
