#include "common/file.h"

#include "common/cleanup.h"
#include "common/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int file_read_fd(int fd, size_t max, struct buf *out, struct error *err) {
    for (;;) {
        /* Most of what is read is small; a large buffer is a mapping made and
         * unmade. So what there is is filled first. */
        size_t room = out->cap > out->len ? out->cap - out->len - 1 : 0;
        if (room < 512) room = out->len < 4095 ? 4095 : out->len;
        char *to = buf_reserve(out, room);
        if (!to) return error_sys(err, ENOMEM, "read");
        ssize_t n = read(fd, to, room);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error_sys(err, errno, "read");
        out->len += (size_t)n;
        out->data[out->len] = '\0';
        if (out->len > max)
            return error_set(err, ERROR_LIMIT, "larger than the %zu bytes allowed", max);
        if (n == 0) return 0;
    }
}

int file_read_at(int dirfd, const char *path, size_t max, struct buf *out, struct error *err) {
    /* O_NONBLOCK: a FIFO put in the place of a file must not block us. */
    _cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) return error_sys(err, errno, "%s", path);
    struct stat st;
    if (fstat(fd, &st) < 0) return error_sys(err, errno, "%s", path);
    if (S_ISDIR(st.st_mode)) return error_sys(err, EISDIR, "%s", path);
    if (st.st_size > 0 && (size_t)st.st_size <= max && !buf_reserve(out, (size_t)st.st_size + 512))
        return error_sys(err, ENOMEM, "%s", path);
    if (file_read_fd(fd, max, out, err) < 0) return error_wrap(err, "%s", path);
    return 0;
}

int file_read(const char *path, size_t max, struct buf *out, struct error *err) {
    return file_read_at(AT_FDCWD, path, max, out, err);
}

int write_all(int fd, const void *data, size_t len) {
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

int copy_all(int in, int out, uint64_t *bytes) {
    char chunk[65536];
    for (;;) {
        ssize_t n = read(in, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return (int)n;
        if (write_all(out, chunk, (size_t)n) < 0) return -1;
        *bytes += (uint64_t)n;
    }
}

static int write_and_sync(int fd, const void *data, size_t len) {
    return write_all(fd, data, len) < 0 || fsync(fd) < 0 ? -1 : 0;
}

int file_write_atomic_at(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
                         struct error *err) {
    uint8_t raw[8];
    char suffix[17];
    random_bytes(raw, sizeof raw);
    hex_encode(raw, sizeof raw, suffix);
    _cleanup_free_ char *temporary = str_printf("%s.%s.tmp", name, suffix);
    if (!temporary) return error_sys(err, ENOMEM, "%s", name);
    _cleanup_close_ int fd =
        openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) return error_sys(err, errno, "create %s", temporary);
    if (write_and_sync(fd, data, len) < 0 || renameat(dirfd, temporary, dirfd, name) < 0) {
        error_sys(err, errno, "write %s", name);
        unlinkat(dirfd, temporary, 0);
        return -1;
    }
    _cleanup_free_ char *parent = strdup(name);
    char *slash = parent ? strrchr(parent, '/') : NULL;
    if (slash) slash[slash == parent ? 1 : 0] = '\0';
    _cleanup_close_ int pfd =
        openat(dirfd, slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (pfd >= 0 && fsync(pfd) < 0 && errno != EINVAL)
        return error_sys(err, errno, "sync the folder of %s", name);
    return 0;
}

int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode,
                      struct error *err) {
    return file_write_atomic_at(AT_FDCWD, path, data, len, mode, err);
}

int dir_make(const char *path, mode_t mode, struct error *err) {
    _cleanup_free_ char *part = strdup(path);
    if (!part) return error_sys(err, ENOMEM, "%s", path);
    for (char *p = part + 1; *p; p++) {
        if (*p != '/') continue;
        *p = '\0';
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return error_sys(err, errno, "mkdir %s", part);
        *p = '/';
    }
    if (mkdir(part, mode) < 0 && errno != EEXIST) return error_sys(err, errno, "mkdir %s", part);
    struct stat st;
    if (stat(part, &st) < 0) return error_sys(err, errno, "%s", part);
    if (!S_ISDIR(st.st_mode)) return error_sys(err, ENOTDIR, "%s", part);
    return 0;
}

int dir_open(const char *path, struct error *err) {
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) error_sys(err, errno, "%s", path);
    return fd;
}

int rename_exclusive(int from_dir, const char *from, int to_dir, const char *to) {
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 1 /* RENAME_NOREPLACE */);
}

int open_beneath(int dirfd, const char *path, int flags, mode_t mode) {
    struct open_how how = {
        .flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
        .mode = flags & O_CREAT ? mode : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
}

bool path_is_confined(const char *path) {
    size_t len = path ? strlen(path) : 0;
    if (len == 0 || len >= PATH_MAX || path[0] == '/' || path[len - 1] == '/') return false;
    for (const char *p = path; p;) {
        const char *slash = strchr(p, '/');
        size_t n = slash ? (size_t)(slash - p) : strlen(p);
        if (n == 0 || n > NAME_MAX || (n == 1 && p[0] == '.') ||
            (n == 2 && p[0] == '.' && p[1] == '.'))
            return false;
        p = slash ? slash + 1 : NULL;
    }
    return true;
}

bool path_is_rooted(const char *path) {
    return path[0] == '/' && path_is_confined(path + 1);
}

char *path_join(const char *a, const char *b) {
    return str_printf("%s%s%s", a, str_ends(a, "/") ? "" : "/", b);
}

char *program_dir(struct error *err) {
    char exe[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (len < 0) {
        error_sys(err, errno, "/proc/self/exe");
        return NULL;
    }
    exe[len] = '\0';
    char *slash = strrchr(exe, '/');
    if (slash) *slash = '\0';
    char *dir = strdup(exe);
    if (!dir) error_sys(err, ENOMEM, "/proc/self/exe");
    return dir;
}
