#include "orchestrator/version/workspace.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

int workspace_list(int dirfd, struct listing *out, struct error *err) {
    if (listing_read(dirfd, WORKSPACE_ENTRIES_MAX, true, out, err) < 0) return -1;
    size_t kept = 0;
    for (size_t i = 0; i < out->count; i++) {
        if (out->entries[i].type == LISTING_FOLDER) free(out->entries[i].path);
        else out->entries[kept++] = out->entries[i];
    }
    out->count = kept;
    return 0;
}

void workspace_encode(const struct listing *files, struct json_writer *w, const char *key) {
    json_open_array(w, key);
    for (size_t i = 0; i < files->count; i++) {
        const struct listing_entry *e = &files->entries[i];
        char mode[16];
        snprintf(mode, sizeof mode, "%o", listing_git_mode(e));
        json_open_object(w, NULL);
        json_put_string(w, "path", e->path);
        json_put_int(w, "bytes", (int64_t)e->bytes);
        json_put_string(w, "mode", mode);
        json_put_string(w, "sha256", e->sha256);
        json_close_object(w);
    }
    json_close_array(w);
}

int workspace_read(int dirfd, const char *path, size_t max, struct buf *out, struct error *err) {
    const char *why = path_objection(path);
    if (why) return error_set(err, ERROR_INVALID, "the path %s", why);
    _cleanup_close_ int fd = open_beneath(dirfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    struct stat st;
    if (fd < 0 && errno == ELOOP)
        return error_set(err, ERROR_INVALID, "%s: is or goes through a symbolic link", path);
    if (fd < 0 || fstat(fd, &st) < 0) return error_sys(err, errno, "%s", path);
    if (!S_ISREG(st.st_mode)) return error_set(err, ERROR_INVALID, "%s: is not a file", path);
    return file_read_fd(fd, max, out, err) < 0 ? error_wrap(err, "%s", path) : 0;
}
