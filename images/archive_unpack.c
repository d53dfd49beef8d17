/*
 * Unpacking. Whatever an archive says, three things hold: a path becomes a
 * descriptor of its parent folder only by walking down from the target without
 * following links; every file, folder and link is created, never opened if it
 * was there; and what comes out of the decompressor, of each file and of all of
 * them is counted before it is written.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "images/archive.h"
#include "images/archive_stream.h"
#include "images/listing.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>

/* What the headers of one entry may take in the tar, on top of its content. */
#define HEADERS_MAX 4096

struct unpack {
    int dirfd;
    const struct archive_limits *limits;
    struct archive_stats stats;
    uint64_t entries, bytes;
    struct archive_stream *stream;
    struct archive *tar;
    struct error *err;
};

/* One entry: where it goes. */
struct place {
    char path[PATH_MAX];
    const char *base; /* the last component, within `path` */
    int parent;       /* descriptor of the folder it goes into */
};

static la_ssize_t read_block(struct archive *a, void *client, const void **block) {
    struct unpack *u = client;
    ptrdiff_t n = archive_stream_next(u->stream, block, NULL);
    if (n < 0) archive_set_error(a, EIO, "cannot be decompressed");
    return n;
}

/* The stream's own error says more than what libarchive makes of it. */
static int tar_error(struct unpack *u) {
    const void *block;
    if (archive_stream_next(u->stream, &block, u->err) < 0) return -1;
    const char *text = archive_error_string(u->tar);
    _cleanup_free_ char *shown = text ? str_printable(text, strlen(text)) : NULL;
    return error_set(u->err, ERROR_INVALID, "not a whole tar archive: %s",
                     shown ? shown : "damaged");
}

static int refuse(struct unpack *u, const char *path, const char *why) {
    _cleanup_free_ char *shown = str_printable(path, strnlen(path, 200));
    return error_set(u->err, ERROR_INVALID, "%s: %s", shown ? shown : "?", why);
}

static int too_much(struct unpack *u, const char *what, uint64_t allowed) {
    return error_set(u->err, ERROR_LIMIT, "holds more than the %llu %s allowed",
                     (unsigned long long)allowed, what);
}

static int count_entry(struct unpack *u) {
    return ++u->entries > u->limits->entries ? too_much(u, "entries", u->limits->entries) : 0;
}

static int count_bytes(struct unpack *u, const char *path, la_int64_t size) {
    if (size < 0) return refuse(u, path, "has a negative size");
    if ((uint64_t)size > u->limits->file_bytes)
        return error_set(u->err, ERROR_LIMIT, "%s: larger than the %llu bytes allowed", path,
                         (unsigned long long)u->limits->file_bytes);
    u->bytes += (uint64_t)size;
    return u->bytes > u->limits->bytes ? too_much(u, "bytes", u->limits->bytes) : 0;
}

/* Copies a name without what tar puts around it: "./" in front, "/" behind.
 * The archive's root itself becomes "". */
static int clean_name(struct unpack *u, const char *name, char path[PATH_MAX]) {
    if (!name) return refuse(u, "(an entry)", "has no name");
    const char *whole = name;
    while (name[0] == '.' && name[1] == '/')
        for (name += 2; *name == '/'; name++) continue;
    if (strcmp(name, ".") == 0) name++;
    size_t len = strnlen(name, PATH_MAX);
    while (len > 1 && len < PATH_MAX && name[len - 1] == '/') len--;
    if (len >= PATH_MAX) return refuse(u, whole, "is longer than 4095 bytes");
    memcpy(path, name, len);
    path[len] = '\0';
    const char *why = len ? path_objection(path) : NULL;
    return why ? refuse(u, whole, why) : 0;
}

/* Opens the folder `name` of `at`, making it when absent. */
static int enter_folder(struct unpack *u, int at, const char *name, const char *path) {
    bool made = mkdirat(at, name, 0755) == 0;
    if (!made && errno != EEXIST) return error_sys(u->err, errno, "%s", path);
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
        return refuse(u, path, "goes through something that is not a folder");
    if (fd < 0) return error_sys(u->err, errno, "%s", path);
    if (!made) return fd;
    u->stats.folders++;
    if (count_entry(u) == 0 && fchmod(fd, 0755) == 0) return fd;
    if (!error_is_set(u->err)) error_sys(u->err, errno, "%s", path);
    close(fd);
    return -1;
}

static int open_parent(struct unpack *u, struct place *p) {
    char *slash = strrchr(p->path, '/');
    p->base = slash ? slash + 1 : p->path;
    if (!slash) p->parent = fcntl(u->dirfd, F_DUPFD_CLOEXEC, 0);
    else {
        *slash = '\0';
        p->parent = open_beneath(u->dirfd, p->path, O_RDONLY | O_DIRECTORY, 0);
        *slash = '/';
    }
    if (p->parent >= 0) return 0;
    if (!slash) return error_sys(u->err, errno, "%s", p->path);
    int at = fcntl(u->dirfd, F_DUPFD_CLOEXEC, 0);
    for (char *name = p->path, *end; at >= 0 && (end = strchr(name, '/')); name = end + 1) {
        *end = '\0';
        int next = enter_folder(u, at, name, p->path);
        *end = '/';
        close(at);
        at = next;
    }
    p->parent = at;
    return at < 0 ? -1 : 0;
}

static int create_error(struct unpack *u, const struct place *p) {
    return errno == EEXIST ? refuse(u, p->path, "is in the archive twice")
                           : error_sys(u->err, errno, "%s", p->path);
}

static int make_folder(struct unpack *u, const struct place *p, mode_t mode) {
    bool made = mkdirat(p->parent, p->base, 0700) == 0;
    /* A folder may be listed after what it holds, or twice. */
    if (!made && errno != EEXIST) return error_sys(u->err, errno, "%s", p->path);
    _cleanup_close_ int fd =
        openat(p->parent, p->base, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return refuse(u, p->path, "is in the archive twice");
    if (fchmod(fd, (mode & 0777) | 0700) < 0) return error_sys(u->err, errno, "%s", p->path);
    u->stats.folders += made;
    return 0;
}

static int write_at(int fd, const char *data, size_t len, la_int64_t offset) {
    while (len > 0) {
        ssize_t n = pwrite(fd, data, len, offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -1;
        data += n;
        offset += n;
        len -= (size_t)n;
    }
    return 0;
}

/* Holes stay holes; nothing is written beyond the size that was counted. */
static int write_contents(struct unpack *u, const struct place *p, int fd, la_int64_t size) {
    for (;;) {
        const void *data;
        size_t len = 0;
        la_int64_t offset = 0;
        int r = archive_read_data_block(u->tar, &data, &len, &offset);
        if (r == ARCHIVE_EOF) break;
        if (r != ARCHIVE_OK) return tar_error(u);
        if (offset < 0 || offset > size || len > (uint64_t)(size - offset))
            return refuse(u, p->path, "has content beyond its size");
        if (write_at(fd, data, len, offset) < 0) return error_sys(u->err, errno, "%s", p->path);
    }
    if (ftruncate(fd, size) < 0) return error_sys(u->err, errno, "%s", p->path);
    return 0;
}

static int make_file(struct unpack *u, const struct place *p, mode_t mode, la_int64_t size) {
    _cleanup_close_ int fd =
        openat(p->parent, p->base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return create_error(u, p);
    if (write_contents(u, p, fd, size) < 0) return -1;
    if (fchmod(fd, (mode & 0777) | 0600) < 0) return error_sys(u->err, errno, "%s", p->path);
    u->stats.files++;
    u->stats.bytes += (uint64_t)size;
    return 0;
}

static int make_link(struct unpack *u, const struct place *p, const char *target) {
    if (!target || !*target || strnlen(target, PATH_MAX) >= PATH_MAX)
        return refuse(u, p->path, "is a symbolic link to nothing or to too long a name");
    for (const unsigned char *c = (const unsigned char *)target; *c; c++)
        if (*c < 0x20 || *c == 0x7f)
            return refuse(u, p->path, "is a symbolic link to a name with a control character");
    const char *why = u->limits->any_link_target ? NULL : link_objection(p->path, target);
    if (why) return refuse(u, p->path, why);
    if (symlinkat(target, p->parent, p->base) < 0) return create_error(u, p);
    u->stats.files++;
    return 0;
}

/* Only to a regular file that the archive brought before. */
static int make_hard_link(struct unpack *u, const struct place *p, const char *target) {
    char to[PATH_MAX];
    if (clean_name(u, target, to) < 0) return error_wrap(u->err, "%s: hard link to", p->path);
    _cleanup_close_ int fd = *to ? open_beneath(u->dirfd, to, O_PATH | O_NOFOLLOW, 0) : -1;
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return refuse(u, p->path, "is a hard link to what is not an earlier file");
    char *slash = strrchr(to, '/');
    if (slash) *slash = '\0';
    _cleanup_close_ int from = slash ? open_beneath(u->dirfd, to, O_PATH | O_DIRECTORY, 0)
                                     : fcntl(u->dirfd, F_DUPFD_CLOEXEC, 0);
    if (linkat(from, slash ? slash + 1 : to, p->parent, p->base, 0) < 0) return create_error(u, p);
    u->stats.files++;
    return 0;
}

static int make_special(struct unpack *u, const char *path) {
    if (!u->limits->skip_special)
        return refuse(u, path, "is a device, FIFO or socket, which are not accepted");
    u->stats.skipped++;
    return 0;
}

static int make_entry(struct unpack *u, const struct place *p, struct archive_entry *e) {
    mode_t mode = archive_entry_perm(e);
    switch (archive_entry_filetype(e)) {
    case AE_IFREG: return make_file(u, p, mode, archive_entry_size(e));
    case AE_IFDIR: return make_folder(u, p, mode);
    case AE_IFLNK: return make_link(u, p, archive_entry_symlink(e));
    default: return refuse(u, p->path, "is of a type that is not accepted");
    }
}

static bool is_special(struct archive_entry *e) {
    mode_t type = archive_entry_filetype(e);
    return type == AE_IFCHR || type == AE_IFBLK || type == AE_IFIFO || type == AE_IFSOCK;
}

static int unpack_entry(struct unpack *u, struct archive_entry *e) {
    struct place p = {.parent = -1};
    if (count_entry(u) < 0 || clean_name(u, archive_entry_pathname(e), p.path) < 0) return -1;
    const char *hard = archive_entry_hardlink(e);
    if (count_bytes(u, p.path, archive_entry_size(e)) < 0) return -1;
    if (!*p.path && !hard && archive_entry_filetype(e) == AE_IFDIR) return 0;
    if (!*p.path) return refuse(u, "./", "is not a folder");
    if (!hard && is_special(e)) return make_special(u, p.path);
    if (open_parent(u, &p) < 0) return -1;
    int r = hard ? make_hard_link(u, &p, hard) : make_entry(u, &p, e);
    close(p.parent);
    return r;
}

static int open_tar(struct unpack *u) {
    u->tar = archive_read_new();
    if (!u->tar) return error_sys(u->err, ENOMEM, "unpack");
    if (archive_read_support_format_tar(u->tar) != ARCHIVE_OK ||
        archive_read_open(u->tar, u, NULL, read_block, NULL) != ARCHIVE_OK)
        return tar_error(u);
    return 0;
}

static int read_entries(struct unpack *u) {
    if (open_tar(u) < 0) return -1;
    for (;;) {
        struct archive_entry *e;
        int r = archive_read_next_header(u->tar, &e);
        if (r == ARCHIVE_EOF) break;
        /* EILSEQ is about a name outside ASCII, which we check ourselves. */
        if (r != ARCHIVE_OK && !(r == ARCHIVE_WARN && archive_errno(u->tar) == EILSEQ))
            return tar_error(u);
        if (unpack_entry(u, e) < 0) return -1;
    }
    if (archive_stream_ended_early(u->stream))
        return error_set(u->err, ERROR_INVALID, "not a whole tar archive: its end is missing");
    return archive_stream_finish(u->stream, u->stats.sha256, u->err);
}

static uint64_t stream_limit(const struct archive_limits *l) {
    uint64_t headers, sum;
    if (__builtin_mul_overflow(l->entries, HEADERS_MAX, &headers) ||
        __builtin_add_overflow(headers, l->bytes, &sum) ||
        __builtin_add_overflow(sum, UINT64_C(1) << 20, &sum))
        return UINT64_MAX;
    return sum;
}

int archive_unpack(int in_fd, int dirfd, const struct archive_limits *limits,
                   struct archive_stats *stats, struct error *err) {
    struct error local = {0};
    struct unpack u = {.dirfd = dirfd, .limits = limits, .err = err ? err : &local};
    u.stream = archive_stream_open(in_fd, stream_limit(limits), u.err);
    /* In the "C" locale libarchive leaves the bytes of names as they are. */
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = uselocale(c);
    int r = u.stream ? read_entries(&u) : -1;
    archive_read_free(u.tar);
    uselocale(before);
    if (c) freelocale(c);
    archive_stream_free(u.stream);
    if (stats) *stats = u.stats;
    error_clear(&local);
    return r;
}

int archive_unpack_into_new(int in_fd, int parent_dirfd, const char *name,
                            const struct archive_limits *limits, struct archive_stats *stats,
                            struct error *err) {
    uint8_t raw[8];
    char fresh[32] = ".new-";
    random_bytes(raw, sizeof raw);
    hex_encode(raw, sizeof raw, fresh + strlen(fresh));
    if (mkdirat(parent_dirfd, fresh, 0700) < 0) return error_sys(err, errno, "create %s", fresh);
    _cleanup_close_ int fd =
        openat(parent_dirfd, fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r = fd < 0 ? error_sys(err, errno, "open %s", fresh)
                   : archive_unpack(in_fd, fd, limits, stats, err);
    if (r == 0 && fchmod(fd, 0755) < 0) r = error_sys(err, errno, "%s", name);
    if (r == 0 && renameat2(parent_dirfd, fresh, parent_dirfd, name, RENAME_NOREPLACE) < 0)
        r = error_sys(err, errno, "%s", name);
    if (r < 0) tree_remove_at(parent_dirfd, fresh, NULL);
    return r;
}
