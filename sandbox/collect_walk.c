/*
 * The copy of a tree that may hold anything. Only the folders on the way and
 * the file at hand are open; nothing is opened before its type was seen, and
 * the type is looked at again after (a fifo or device in between costs no more
 * than the look, since all is opened O_NONBLOCK and beneath its folder).
 */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "sandbox/collect_internal.h"
#include "sandbox/weaken.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX  64
#define VISITS_MAX INT64_C(1000000)
#define CHUNK      (256 * 1024)

struct walk {
    struct collect_report *report;
    const struct spec_collect *entry;
    int64_t deadline;
    int64_t bytes_left, files_left, visits_left;
    dev_t device;
    struct buf path; /* of the entry at hand, for reasons */
    char *chunk;
    bool stopped;
    struct error *err;
};

static void reason(struct walk *w, const char *text) {
    if (w->report->reason[0]) return;
    _cleanup_free_ char *shown = str_printable(buf_text(&w->path), w->path.len);
    size_t len = shown ? strlen(shown) : 0;
    const char *tail = shown ? shown : "?";
    if (len > 300) tail = shown + len - 300;
    snprintf(w->report->reason, sizeof w->report->reason, "%s%s: %s", len > 300 ? "…" : "", tail,
             text);
}

static void skip(struct walk *w, const char *text) {
    w->report->skipped++;
    reason(w, text);
}

/* A cap was reached: what is there stays, nothing more comes. */
static void stop(struct walk *w, const char *text) {
    reason(w, text);
    w->report->truncated = true;
    w->stopped = true;
}

static void stop_at_cap(struct walk *w, int64_t cap, const char *of_what) {
    char text[96];
    snprintf(text, sizeof text, "more than %" PRId64 " %s", cap, of_what);
    stop(w, text);
}

static bool in_time(struct walk *w) {
    if (clock_mono_ns() < w->deadline) return true;
    if (!w->stopped) stop(w, "the time for collecting was over");
    return false;
}

static const char *type_name(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFLNK: return "a symbolic link";
    case S_IFIFO: return "a fifo";
    case S_IFSOCK: return "a socket";
    case S_IFCHR:
    case S_IFBLK: return "a device";
    default: return "neither file nor folder";
    }
}

/* Names go to terminals, archives and pages later. */
static bool is_plain_name(const char *name) {
    const unsigned char *p = (const unsigned char *)name;
    for (size_t left = strlen(name); left > 0;) {
        size_t n = utf8_sequence(p, left);
        if (n == 0 || *p < 0x20 || *p == 0x7f) return false;
        /* C1 controls, U+0080 to U+009F, are control characters too. */
        if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0) return false;
        p += n;
        left -= n;
    }
    return true;
}

/* Opens for reading; what its owner closed to itself is opened up first. With
 * CAP_DAC_READ_SEARCH that is not needed. */
static int open_entry(int parent, const char *name, int flags) {
    if (weaken("collection")) return openat(parent, name, flags | O_RDONLY | O_NONBLOCK);
    flags |= O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY;
    int fd = open_beneath(parent, name, flags, 0);
    if (fd >= 0 || errno != EACCES) return fd;
    _cleanup_close_ int held = open_beneath(parent, name, O_PATH | O_NOFOLLOW, 0);
    char self[40];
    snprintf(self, sizeof self, "/proc/self/fd/%d", held);
    if (held < 0 || chmod(self, 0700) < 0) {
        errno = EACCES;
        return -1;
    }
    return open_beneath(parent, name, flags, 0);
}

/* Copies [*at, to); *at is where it ended. */
static int copy_range(struct walk *w, int in, int out, int64_t *at, int64_t to) {
    while (*at < to && in_time(w)) {
        size_t want = to - *at < CHUNK ? (size_t)(to - *at) : CHUNK;
        ssize_t n = pread(in, w->chunk, want, *at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            stop(w, n < 0 ? strerror(errno) : "became shorter while being copied");
            return 0;
        }
        ssize_t put = pwrite(out, w->chunk, (size_t)n, *at);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0) return error_sys(w->err, errno, "write %s", buf_text(&w->path));
        *at += put;
    }
    return 0;
}

/* Copies the first `size` bytes, holes as holes; how far it came, or -1. */
static int64_t copy_data(struct walk *w, int in, int out, int64_t size) {
    int64_t at = 0;
    while (at < size && !w->stopped) {
        off_t data = lseek(in, at, SEEK_DATA);
        if (data < 0 && errno != ENXIO) data = at;
        if (data < 0 || data >= size) at = size; /* a hole to the end */
        if (at == size) break;
        off_t hole = lseek(in, data, SEEK_HOLE);
        at = data;
        if (copy_range(w, in, out, &at, hole <= data || hole > size ? size : hole) < 0) return -1;
    }
    if (ftruncate(out, at) < 0) return error_sys(w->err, errno, "size of %s", buf_text(&w->path));
    return at;
}

static int copy_file(struct walk *w, int parent, const char *name, int to, const char *to_name) {
    if (w->files_left == 0) {
        stop_at_cap(w, w->entry->files, "files");
        return 0;
    }
    struct stat st;
    _cleanup_close_ int in = open_entry(parent, name, 0);
    if (in < 0 || fstat(in, &st) < 0 || !S_ISREG(st.st_mode)) {
        skip(w, in < 0 ? strerror(errno) : "changed while being looked at");
        return 0;
    }
    int64_t size = st.st_size < w->bytes_left ? st.st_size : w->bytes_left;
    mode_t mode = st.st_mode & 0111 ? 0700 : 0600;
    _cleanup_close_ int out =
        openat(to, to_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (out < 0) return error_sys(w->err, errno, "create %s", buf_text(&w->path));
    int64_t copied = copy_data(w, in, out, size);
    if (copied < 0) return -1;
    if (copied < st.st_size && !w->stopped) stop_at_cap(w, w->entry->bytes, "bytes, cut here");
    w->files_left--;
    w->bytes_left -= copied;
    w->report->files++;
    w->report->bytes += copied;
    return 0;
}

static int walk_level(struct walk *w, int from, int to, int depth);

static int copy_folder(struct walk *w, int parent, const char *name, int to, const char *to_name,
                       int depth) {
    if (depth > DEPTH_MAX) {
        skip(w, "nested deeper than 64 folders");
        w->report->truncated = true;
        return 0;
    }
    _cleanup_close_ int in = open_entry(parent, name, O_DIRECTORY);
    if (in < 0) {
        skip(w, strerror(errno));
        return 0;
    }
    if (mkdirat(to, to_name, 0700) < 0)
        return error_sys(w->err, errno, "mkdir %s", buf_text(&w->path));
    _cleanup_close_ int out = openat(to, to_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (out < 0) return error_sys(w->err, errno, "open %s", buf_text(&w->path));
    return walk_level(w, in, out, depth);
}

/* One name of a folder, or the entry itself. */
static int copy_any(struct walk *w, int parent, const char *name, int to, const char *to_name,
                    int depth) {
    struct stat st;
    if (fstatat(parent, name, &st, weaken("collection") ? 0 : AT_SYMLINK_NOFOLLOW) < 0)
        skip(w, strerror(errno));
    else if (st.st_dev != w->device && !weaken("collection")) skip(w, "on another mount");
    else if (S_ISREG(st.st_mode)) return copy_file(w, parent, name, to, to_name);
    else if (S_ISDIR(st.st_mode)) return copy_folder(w, parent, name, to, to_name, depth);
    else skip(w, type_name(st.st_mode));
    return 0;
}

static int visit(struct walk *w, int from, const char *name, int to, int depth) {
    size_t before = w->path.len;
    if (before) buf_putc(&w->path, '/');
    buf_puts(&w->path, name);
    if (buf_failed(&w->path)) return error_sys(w->err, ENOMEM, "collect");
    int result = 0;
    if (w->visits_left-- <= 0) stop(w, "too many names");
    else if (!is_plain_name(name)) skip(w, "a name with control characters or invalid UTF-8");
    else result = copy_any(w, from, name, to, name, depth + 1);
    w->path.len = before;
    if (w->path.data) w->path.data[before] = '\0';
    return result;
}

static int walk_level(struct walk *w, int from, int to, int depth) {
    int listing = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = listing < 0 ? NULL : fdopendir(listing);
    if (!d) {
        if (listing >= 0) close(listing);
        skip(w, "the folder cannot be listed");
        return 0;
    }
    while (!w->stopped && in_time(w)) {
        errno = 0;
        struct dirent *e = readdir(d);
        if (!e && errno) skip(w, strerror(errno));
        if (!e) return 0;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (visit(w, from, e->d_name, to, depth) < 0) return -1;
    }
    return 0;
}

static int collect_path(struct walk *w, int workspace, const char *path, int target,
                        const char *name) {
    buf_puts(&w->path, path);
    /* Each component is opened with no link resolved; the last one by name in
     * its folder, so that it is treated as any other name is. */
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *folder = slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
    if (!folder) return error_sys(w->err, ENOMEM, "collect");
    _cleanup_close_ int parent = open_entry(workspace, folder, O_DIRECTORY);
    const char *last = slash ? slash + 1 : path;
    struct stat st;
    if (parent < 0 || fstatat(parent, last, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        if (errno != ENOENT) skip(w, strerror(errno));
        return 0;
    }
    if (strcmp(path, ".") == 0) w->path.len = 0;
    if (copy_any(w, parent, last, target, name, 0) < 0) return -1;
    w->report->present = faccessat(target, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    return 0;
}

int collect_entry(int workspace_fd, const struct spec_collect *entry, int target_fd,
                  const char *name, int64_t deadline_ns, struct collect_report *report,
                  struct error *err) {
    *report = (struct collect_report){0};
    struct stat st;
    if (fstat(workspace_fd, &st) < 0) return error_sys(err, errno, "workspace");
    _cleanup_free_ char *chunk = malloc(CHUNK);
    if (!chunk) return error_sys(err, ENOMEM, "collect");
    int64_t files = entry->files > 0 ? entry->files : INT64_MAX;
    struct walk w = {
        .report = report,
        .entry = entry,
        .deadline = deadline_ns,
        .bytes_left = entry->bytes > 0 ? entry->bytes : INT64_MAX,
        .files_left = files,
        /* Junk that is not copied costs time too, and folders are not files. */
        .visits_left = files < VISITS_MAX / 4 ? files * 4 + 1024 : VISITS_MAX,
        .device = st.st_dev,
        .chunk = chunk,
        .err = err,
    };
    int result = collect_path(&w, workspace_fd, entry->path, target_fd, name);
    buf_free(&w.path);
    return result;
}
