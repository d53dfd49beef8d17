/*
 * Trees of files: removal and copy (declared in file.h). Both walk with folder
 * descriptors and O_NOFOLLOW only, since a path re-resolved between two looks
 * is how links are swapped in.
 */
#include "common/cleanup.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* Removal is iterative and keeps one open folder: hostile trees can be deeper
 * than both our stack and our descriptor limit. When a folder holds a folder,
 * the child is moved up into the top folder under a fresh name (flattening),
 * so depth never grows. */

/* chmod by descriptor: a name could have become a link since we looked, and
 * fchmodat(2) follows links. Failure shows at the next open. */
static void make_accessible(int parent, const char *name) {
    _cleanup_close_ int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    char self[40];
    snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if (fd >= 0 && chmod(self, 0700) < 0) errno = EACCES;
}

static int open_dir_for_removal(int parent, const char *name) {
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES) {
        make_accessible(parent, name);
        fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    return fd;
}

static bool is_dot(const char *name) {
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Removes what `fd` holds; folders that are not empty move up into `top`. */
static int empty_into(int top, int fd, uint64_t *serial, struct error *err) {
    if (fchmod(fd, 0700) < 0) return error_sys(err, errno, "chmod");
    int dupfd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    _cleanup_closedir_ DIR *d = dupfd < 0 ? NULL : fdopendir(dupfd);
    if (!d) {
        int saved = errno;
        if (dupfd >= 0) close(dupfd);
        return error_sys(err, saved, "open folder");
    }
    for (;;) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e) return errno ? error_sys(err, errno, "read folder") : 0;
        if (is_dot(e->d_name)) continue;
        if (unlinkat(fd, e->d_name, 0) == 0) continue;
        if (errno != EISDIR && errno != EPERM) return error_sys(err, errno, "remove %s", e->d_name);
        if (unlinkat(fd, e->d_name, AT_REMOVEDIR) == 0) continue;
        if (errno != ENOTEMPTY && errno != EEXIST)
            return error_sys(err, errno, "remove folder %s", e->d_name);
        char fresh[64];
        do snprintf(fresh, sizeof fresh, ".removing-%llu", (unsigned long long)(*serial)++);
        while (rename_exclusive(fd, e->d_name, top, fresh) < 0 && errno == EEXIST);
        if (faccessat(top, fresh, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            return error_sys(err, errno, "move %s", e->d_name);
    }
}

static int remove_entry(int top, const char *name, uint64_t *serial, struct error *err) {
    if (unlinkat(top, name, 0) == 0) return 0;
    if (errno != EISDIR && errno != EPERM) return error_sys(err, errno, "remove %s", name);
    _cleanup_close_ int fd = open_dir_for_removal(top, name);
    if (fd < 0) return error_sys(err, errno, "open %s", name);
    if (empty_into(top, fd, serial, err) < 0) return error_wrap(err, "%s", name);
    if (unlinkat(top, name, AT_REMOVEDIR) < 0) return error_sys(err, errno, "remove %s", name);
    return 0;
}

int tree_remove_at(int dirfd, const char *name, struct error *err) {
    if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT) return 0;
    if (errno != EISDIR && errno != EPERM) return error_sys(err, errno, "remove %s", name);
    _cleanup_close_ int top = open_dir_for_removal(dirfd, name);
    if (top < 0) return error_sys(err, errno, "open %s", name);
    if (fchmod(top, 0700) < 0) return error_sys(err, errno, "chmod %s", name);
    uint64_t serial = 0;
    for (bool found = true; found;) {
        found = false;
        int dupfd = openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _cleanup_closedir_ DIR *d = dupfd < 0 ? NULL : fdopendir(dupfd);
        if (!d) return error_sys(err, errno, "open %s", name);
        for (struct dirent *e; (e = readdir(d));) {
            if (is_dot(e->d_name)) continue;
            found = true;
            if (remove_entry(top, e->d_name, &serial, err) < 0) return error_wrap(err, "%s", name);
        }
    }
    if (unlinkat(dirfd, name, AT_REMOVEDIR) < 0) return error_sys(err, errno, "remove %s", name);
    return 0;
}

int tree_remove(const char *path, struct error *err) {
    return tree_remove_at(AT_FDCWD, path, err);
}

static int copy_file(int from, int to, const char *name, mode_t mode, struct tree_stats *stats,
                     struct error *err) {
    _cleanup_close_ int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (in < 0) return error_sys(err, errno, "open %s", name);
    _cleanup_close_ int out =
        openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode & 0777);
    if (out < 0) return error_sys(err, errno, "create %s", name);
    if (copy_all(in, out, &stats->bytes) < 0 || fchmod(out, mode & 0777) < 0)
        return error_sys(err, errno, "copy %s", name);
    stats->files++;
    return 0;
}

static int copy_link(int from, int to, const char *name, struct error *err) {
    char target[PATH_MAX];
    ssize_t n = readlinkat(from, name, target, sizeof target - 1);
    if (n < 0) return error_sys(err, errno, "read link %s", name);
    target[n] = '\0';
    if (symlinkat(target, to, name) < 0) return error_sys(err, errno, "link %s", name);
    return 0;
}

static bool on_same_device(int a, int b) {
    struct stat of_a, of_b;
    return fstat(a, &of_a) == 0 && fstat(b, &of_b) == 0 && of_a.st_dev == of_b.st_dev;
}

static int copy_level(int from, int to, int depth, struct tree_stats *stats, struct error *err);

static int copy_folder(int from, int to, const char *name, mode_t mode, int depth,
                       struct tree_stats *stats, struct error *err) {
    /* One that is there already is filled, but not changed. */
    bool there = mkdirat(to, name, 0700) < 0;
    if (there && errno != EEXIST) return error_sys(err, errno, "mkdir %s", name);
    _cleanup_close_ int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_close_ int out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (in < 0 || out < 0) return error_sys(err, errno, "open %s", name);
    /* What is mounted there is not ours to write to, and hides the rest. */
    if (there && !on_same_device(to, out)) return 0;
    if (copy_level(in, out, depth + 1, stats, err) < 0) return error_wrap(err, "%s", name);
    if (!there && fchmod(out, mode & 0777) < 0) return error_sys(err, errno, "chmod %s", name);
    return 0;
}

static int copy_level(int from, int to, int depth, struct tree_stats *stats, struct error *err) {
    if (depth > 64) return error_set(err, ERROR_LIMIT, "folders nested deeper than 64");
    int listing = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = listing < 0 ? NULL : fdopendir(listing);
    if (!d) return error_sys(err, errno, "open folder");
    for (struct dirent *e; (e = readdir(d));) {
        if (is_dot(e->d_name)) continue;
        struct stat st;
        if (fstatat(from, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return error_sys(err, errno, "%s", e->d_name);
        int r;
        if (S_ISREG(st.st_mode)) r = copy_file(from, to, e->d_name, st.st_mode, stats, err);
        else if (S_ISDIR(st.st_mode))
            r = copy_folder(from, to, e->d_name, st.st_mode, depth, stats, err);
        else if (S_ISLNK(st.st_mode)) r = copy_link(from, to, e->d_name, err);
        else r = error_set(err, ERROR_INVALID, "%s: neither file, folder nor link", e->d_name);
        if (r < 0) return -1;
    }
    return 0;
}

int tree_copy(int from_dirfd, int to_dirfd, struct tree_stats *stats, struct error *err) {
    struct tree_stats local = {0};
    return copy_level(from_dirfd, to_dirfd, 0, stats ? stats : &local, err);
}
