#include "images/archive.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "images/listing.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>
#include <sys/stat.h>

/* Fixed, since another level gives other bytes. */
#define ZSTD_LEVEL "3"

struct pack {
    int dirfd, out_fd;
    struct archive *tar;
    struct archive_entry *entry;
    struct digest_ctx *digest;
    struct error *err;
};

static la_ssize_t write_block(struct archive *a, void *client, const void *data, size_t len) {
    struct pack *p = client;
    if (write_all(p->out_fd, data, len) < 0) {
        archive_set_error(a, errno, "write: %s", strerror(errno));
        return -1;
    }
    digest_update(p->digest, data, len);
    return (la_ssize_t)len;
}

static int tar_error(struct pack *p, const char *what) {
    const char *text = archive_error_string(p->tar);
    return error_set(p->err, ERROR_SYSTEM, "%s: %s", what, text ? text : "cannot be packed");
}

static int open_writer(struct pack *p) {
    p->tar = archive_write_new();
    p->entry = archive_entry_new();
    p->digest = digest_new();
    if (!p->tar || !p->entry || !p->digest) return error_sys(p->err, ENOMEM, "pack");
    if (archive_write_set_format_pax_restricted(p->tar) != ARCHIVE_OK ||
        archive_write_add_filter_zstd(p->tar) != ARCHIVE_OK ||
        archive_write_set_filter_option(p->tar, "zstd", "compression-level", ZSTD_LEVEL) !=
            ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(p->tar, 1) != ARCHIVE_OK ||
        archive_write_open2(p->tar, p, NULL, write_block, NULL, NULL) != ARCHIVE_OK)
        return tar_error(p, "pack");
    return 0;
}

static int describe(struct pack *p, const struct listing_entry *e) {
    archive_entry_clear(p->entry);
    archive_entry_set_pathname(p->entry, e->path);
    archive_entry_set_perm(p->entry, e->mode);
    archive_entry_set_mtime(p->entry, 0, 0);
    switch (e->type) {
    case LISTING_FILE:
        archive_entry_set_filetype(p->entry, AE_IFREG);
        archive_entry_set_size(p->entry, (la_int64_t)e->bytes);
        break;
    case LISTING_FOLDER: archive_entry_set_filetype(p->entry, AE_IFDIR); break;
    case LISTING_LINK:
        archive_entry_set_filetype(p->entry, AE_IFLNK);
        archive_entry_set_symlink(p->entry, e->target);
        break;
    }
    /* Not even a warning: it would mean a name that could not be kept. */
    return archive_write_header(p->tar, p->entry) == ARCHIVE_OK ? 0 : tar_error(p, e->path);
}

static int changed(struct pack *p, const struct listing_entry *e) {
    return error_set(p->err, ERROR_INVALID, "%s: changed while it was packed", e->path);
}

static int pack_contents(struct pack *p, const struct listing_entry *e) {
    _cleanup_close_ int fd = open_beneath(p->dirfd, e->path, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) return error_sys(p->err, errno, "%s", e->path);
    struct stat st;
    if (fstat(fd, &st) < 0) return error_sys(p->err, errno, "%s", e->path);
    if (!S_ISREG(st.st_mode)) return changed(p, e);
    uint64_t done = 0;
    for (;;) {
        char chunk[65536];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error_sys(p->err, errno, "%s", e->path);
        if (n == 0) return done == e->bytes ? 0 : changed(p, e);
        done += (uint64_t)n;
        if (done > e->bytes) return changed(p, e);
        if (archive_write_data(p->tar, chunk, (size_t)n) != n) return tar_error(p, e->path);
    }
}

static int check_limits(const struct listing *l, const struct archive_limits *limits,
                        struct error *err) {
    for (size_t i = 0; i < l->count; i++)
        if (l->entries[i].bytes > limits->file_bytes)
            return error_set(err, ERROR_LIMIT, "%s: larger than the %llu bytes allowed",
                             l->entries[i].path, (unsigned long long)limits->file_bytes);
    if (l->bytes > limits->bytes)
        return error_set(err, ERROR_LIMIT, "files of %llu bytes together, %llu allowed",
                         (unsigned long long)l->bytes, (unsigned long long)limits->bytes);
    return 0;
}

static int write_tree(struct pack *p, const struct archive_limits *limits) {
    _cleanup_listing_ struct listing l = {0};
    if (listing_read(p->dirfd, limits->entries, false, &l, p->err) < 0 ||
        check_limits(&l, limits, p->err) < 0 || open_writer(p) < 0)
        return -1;
    for (size_t i = 0; i < l.count; i++) {
        const struct listing_entry *e = &l.entries[i];
        if (describe(p, e) < 0) return -1;
        if (e->type == LISTING_FILE && pack_contents(p, e) < 0) return -1;
    }
    return archive_write_close(p->tar) == ARCHIVE_OK ? 0 : tar_error(p, "pack");
}

int archive_pack(int dirfd, int out_fd, const struct archive_limits *limits,
                 char sha256[DIGEST_HEX], struct error *err) {
    /* libarchive reads names in the thread's locale, and would not keep those
     * beyond ASCII in "C". */
    locale_t utf8 = newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0);
    if (!utf8) return error_sys(err, errno, "locale C.UTF-8");
    locale_t before = uselocale(utf8);
    struct pack p = {.dirfd = dirfd, .out_fd = out_fd, .err = err};
    int r = write_tree(&p, limits);
    /* Freeing an unfinished archive would write its end: tell it that it failed. */
    if (r < 0 && p.tar) archive_write_fail(p.tar);
    archive_entry_free(p.entry);
    archive_write_free(p.tar);
    uselocale(before);
    freelocale(utf8);
    if (r < 0) {
        digest_free(p.digest);
        return -1;
    }
    uint8_t raw[DIGEST_BYTES];
    digest_final(p.digest, raw);
    hex_encode(raw, sizeof raw, sha256);
    return 0;
}

int archive_pack_file(int dirfd, int out_dirfd, const char *name,
                      const struct archive_limits *limits, char sha256[DIGEST_HEX],
                      struct error *err) {
    _cleanup_close_ int fd =
        openat(out_dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) return error_sys(err, errno, "create %s", name);
    int r = archive_pack(dirfd, fd, limits, sha256, err);
    if (r == 0 && fsync(fd) < 0) r = error_sys(err, errno, "sync %s", name);
    if (r < 0) unlinkat(out_dirfd, name, 0);
    return r;
}
