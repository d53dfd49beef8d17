#include "tasks/source_tree.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define MAX_FILES 10000
#define MAX_DEPTH 16

static int walk(int dirfd, const char *prefix, int depth, struct source_tree *t, struct error *err);

static bool is_plain(const char *name) {
    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        if (*p < 0x20 || *p == 0x7f) return false;
    return true;
}

static int add_file(int fd, const struct stat *st, const char *path, struct source_tree *t,
                    struct error *err) {
    if (t->count == MAX_FILES) return error_set(err, ERROR_LIMIT, "more than %d files", MAX_FILES);
    struct source_file file = {.bytes = st->st_size, .executable = (st->st_mode & S_IXUSR) != 0};
    if (digest_fd(fd, file.sha256, err) < 0) return error_wrap(err, "%s", path);
    struct source_file *grown = reallocarray(t->files, t->count + 1, sizeof *grown);
    if (grown) t->files = grown;
    file.path = strdup(path);
    if (!grown || !file.path) {
        free(file.path);
        return error_sys(err, ENOMEM, "%s", path);
    }
    t->files[t->count++] = file;
    t->bytes += file.bytes;
    return 0;
}

static int add_entry(int dirfd, const char *name, const char *path, int depth,
                     struct source_tree *t, struct error *err) {
    if (!is_plain(name)) return error_set(err, ERROR_INVALID, "a file name has control characters");
    _cleanup_close_ int fd =
        openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 && errno == ELOOP)
        return error_set(err, ERROR_INVALID, "%s: is a symbolic link", path);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) return error_sys(err, errno, "%s", path);
    if (S_ISREG(st.st_mode)) return add_file(fd, &st, path, t, err);
    if (!S_ISDIR(st.st_mode))
        return error_set(err, ERROR_INVALID, "%s: neither a file nor a folder", path);
    return walk(fd, path, depth + 1, t, err);
}

static int walk(int dirfd, const char *prefix, int depth, struct source_tree *t,
                struct error *err) {
    if (depth > MAX_DEPTH)
        return error_set(err, ERROR_LIMIT, "%s: deeper than %d folders", prefix, MAX_DEPTH);
    int again = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
    _cleanup_closedir_ DIR *d = again < 0 ? NULL : fdopendir(again);
    if (!d) {
        error_sys(err, errno, "%s", prefix);
        if (again >= 0) close(again);
        return -1;
    }
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (!e) return errno ? error_sys(err, errno, "%s", prefix) : 0;
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..")) continue;
        _cleanup_free_ char *path =
            *prefix ? str_printf("%s/%s", prefix, e->d_name) : strdup(e->d_name);
        if (!path) return error_sys(err, ENOMEM, "%s", prefix);
        if (add_entry(dirfd, e->d_name, path, depth, t, err) < 0) return -1;
    }
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const struct source_file *)a)->path, ((const struct source_file *)b)->path);
}

static int digest_tree(struct source_tree *t, struct error *err) {
    _cleanup_buf_ struct buf list = {0};
    for (size_t i = 0; i < t->count; i++)
        buf_printf(&list, "%s %s %s\n", t->files[i].executable ? "755" : "644", t->files[i].sha256,
                   t->files[i].path);
    if (buf_failed(&list)) return error_sys(err, ENOMEM, "digest");
    digest_hex_of(buf_text(&list), list.len, t->digest);
    return 0;
}

int source_tree_read(const char *dir, struct source_tree *out, struct error *err) {
    _cleanup_close_ int fd = dir_open(dir, err);
    if (fd < 0) return -1;
    if (walk(fd, "", 0, out, err) < 0) return error_wrap(err, "%s", dir);
    if (out->count) qsort(out->files, out->count, sizeof *out->files, by_path);
    return digest_tree(out, err);
}

void source_tree_clear(struct source_tree *t) {
    for (size_t i = 0; i < t->count; i++) free(t->files[i].path);
    free(t->files);
    *t = (struct source_tree){0};
}
