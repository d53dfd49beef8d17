#include "tasks/import/clone_head.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

enum { REF_BYTES = 4096, PACKED_BYTES = 64 << 20, LEVELS = 5 };

/* 0 also when there is no such file: `out` is empty then. */
static int read_plain(int git_fd, const char *path, size_t most, struct buf *out,
                      struct error *err) {
    struct stat st;
    _cleanup_close_ int fd = open_beneath(git_fd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) return 0;
    if (fd < 0 || fstat(fd, &st) < 0) return error_sys(err, errno, "%s", path);
    if (!S_ISREG(st.st_mode)) return error_set(err, ERROR_INVALID, "%s: is no file", path);
    if (file_read_fd(fd, most, out, err) < 0) return error_wrap(err, "%s", path);
    return 0;
}

static bool take_id(const char *text, char id[CLONE_ID_HEX + 1]) {
    if (strspn(text, "0123456789abcdef") != CLONE_ID_HEX) return false;
    memcpy(id, text, CLONE_ID_HEX);
    id[CLONE_ID_HEX] = '\0';
    return true;
}

/* "<id> <name>" in a line of packed-refs. */
static bool find_packed(const char *text, const char *name, char id[CLONE_ID_HEX + 1]) {
    size_t n = strlen(name);
    for (const char *at = text; *at;) {
        size_t len = strcspn(at, "\n");
        if (len == CLONE_ID_HEX + 1 + n && at[CLONE_ID_HEX] == ' ' &&
            memcmp(at + CLONE_ID_HEX + 1, name, n) == 0)
            return take_id(at, id);
        at += len + (at[len] == '\n');
    }
    return false;
}

static int read_packed(int git_fd, const char *name, char id[CLONE_ID_HEX + 1], struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    if (read_plain(git_fd, "packed-refs", PACKED_BYTES, &text, err) < 0) return -1;
    if (find_packed(buf_text(&text), name, id)) return 0;
    return error_set(err, ERROR_INVALID, "HEAD: names no commit");
}

int clone_head(int git_fd, char id[CLONE_ID_HEX + 1], struct error *err) {
    _cleanup_free_ char *name = strdup("HEAD");
    for (int level = 0; name && level < LEVELS; level++) {
        _cleanup_buf_ struct buf text = {0};
        static const char link[] = "ref: ";
        if (read_plain(git_fd, name, REF_BYTES, &text, err) < 0) return -1;
        const char *at = buf_text(&text);
        if (!text.len) return read_packed(git_fd, name, id, err);
        if (take_id(at, id)) return 0;
        if (!str_starts(at, link)) break;
        at += sizeof link - 1;
        free(name);
        name = strndup(at, strcspn(at, "\n"));
        if (name && (!path_is_confined(name) || !str_starts(name, "refs/"))) break;
    }
    if (!name) return error_sys(err, ENOMEM, "HEAD");
    return error_set(err, ERROR_INVALID, "HEAD: names no commit");
}
