/*
 * Tarballs (images/archive_*.c). The first byte chooses the limits, the rest is the
 * archive. Whatever it says: nothing outside the folder, no more than the limits,
 * files, folders and links only, no setuid; and what a snapshot's limits let in,
 * packs, unpacks and packs again to the same bytes.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "images/archive.h"
#include "images/listing.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define KIB UINT64_C(1024)

struct found {
    uint64_t files, folders, bytes;
};

static const struct archive_limits choices[] = {
    {.bytes = 256 * KIB, .file_bytes = 128 * KIB, .entries = 64},
    {.bytes = 256 * KIB,
     .file_bytes = 128 * KIB,
     .entries = 64,
     .any_link_target = true,
     .skip_special = true},
    {.bytes = 1 * KIB, .file_bytes = 700, .entries = 4},
};

static void look(int dirfd, const struct archive_limits *l, const char *prefix, struct found *f);

static void look_at(int dirfd, const char *name, const struct archive_limits *l, const char *prefix,
                    struct found *f) {
    struct stat st;
    FUZZ_CHECK(fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0, "%s", name);
    _cleanup_free_ char *path = *prefix ? path_join(prefix, name) : strdup(name);
    FUZZ_CHECK(path && !path_objection(path), "the name %s", path);
    if (S_ISDIR(st.st_mode)) {
        f->folders++;
        FUZZ_CHECK((st.st_mode & 07700) == 0700, "%s: mode %o", path, (unsigned)st.st_mode);
        _cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        FUZZ_CHECK(fd >= 0, "%s cannot be opened", path);
        look(fd, l, path, f);
        return;
    }
    f->files++;
    FUZZ_CHECK(S_ISREG(st.st_mode) || S_ISLNK(st.st_mode), "%s: mode %o", path,
               (unsigned)st.st_mode);
    if (S_ISREG(st.st_mode)) {
        f->bytes += (uint64_t)st.st_size;
        FUZZ_CHECK((st.st_mode & 07600) == 0600, "%s: mode %o", path, (unsigned)st.st_mode);
        FUZZ_CHECK((uint64_t)st.st_size <= l->file_bytes, "%s: %ld bytes", path, (long)st.st_size);
        return;
    }
    char target[4096];
    ssize_t n = readlinkat(dirfd, name, target, sizeof target - 1);
    FUZZ_CHECK(n > 0, "%s is no link", path);
    target[n] = '\0';
    FUZZ_CHECK(l->any_link_target || link_stays_inside(path, target), "%s leads to %s", path,
               target);
}

static void look(int dirfd, const struct archive_limits *l, const char *prefix, struct found *f) {
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = fdopendir(fd);
    FUZZ_CHECK(d, "%s cannot be listed", prefix);
    for (struct dirent *e; (e = readdir(d));)
        if (!str_eq(e->d_name, ".") && !str_eq(e->d_name, ".."))
            look_at(dirfd, e->d_name, l, prefix, f);
}

static int pack(int dirfd, const struct archive_limits *l, char sha256[DIGEST_HEX]) {
    struct error err = {0};
    int fd = fuzz_memfd("", 0);
    FUZZ_CHECK(archive_pack(dirfd, fd, l, sha256, &err) == 0, "%s", error_text(&err));
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static void pack_and_unpack(const struct fuzz_place *p, int tree, const struct archive_limits *l) {
    struct error err = {0};
    char first[DIGEST_HEX], second[DIGEST_HEX];
    _cleanup_close_ int tar = pack(tree, l, first);
    FUZZ_CHECK(archive_unpack_into_new(tar, p->in, "again", l, NULL, &err) == 0, "%s",
               error_text(&err));
    _cleanup_close_ int again = openat(p->in, "again", O_RDONLY | O_DIRECTORY);
    close(pack(again, l, second));
    FUZZ_CHECK(str_eq(first, second), "packs to other bytes after unpacking");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    if (len < 1) return -1;
    struct fuzz_place *p = fuzz_place();
    const struct archive_limits *l = &choices[data[0] % ARRAY_SIZE(choices)];
    _cleanup_error_ struct error err = {0};
    _cleanup_close_ int tar = fuzz_memfd(data + 1, len - 1);
    struct archive_stats stats;
    int r = archive_unpack_into_new(tar, p->in, "t", l, &stats, &err);
    _cleanup_close_ int tree = openat(p->in, "t", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    FUZZ_CHECK((r == 0) == (tree >= 0), "returned %d, %s a folder", r, tree >= 0 ? "with" : "no");
    FUZZ_CHECK((r < 0) == error_is_set(&err), "returned %d: %s", r, error_text(&err));
    if (r == 0) {
        struct found f = {0};
        look(tree, l, "", &f);
        FUZZ_CHECK(f.files == stats.files && f.folders == stats.folders,
                   "%lu files and %lu folders, said %lu and %lu", f.files, f.folders, stats.files,
                   stats.folders);
        FUZZ_CHECK(f.files + f.folders <= l->entries, "%lu entries", f.files + f.folders);
        FUZZ_CHECK(stats.bytes <= l->bytes, "%lu bytes", stats.bytes);
        /* Hard links are files of their own when packed: that may be too much. */
        if (!l->any_link_target && f.bytes <= l->bytes) pack_and_unpack(p, tree, l);
    }
    fuzz_place_check(p);
    fuzz_place_reset(p);
    return 0;
}

#ifdef PADDOCK_FUZZ_ENGINE
/* A header whose checksum is wrong ends the reading: set each right again, or no
 * mutation would ever get past the first of them. */
static void seal(uint8_t *header) {
    unsigned sum = 0;
    char text[8];
    memset(header + 148, ' ', 8);
    for (int i = 0; i < 512; i++) sum += header[i];
    snprintf(text, sizeof text, "%06o", sum);
    memcpy(header + 148, text, 7);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed) {
    len = LLVMFuzzerMutate(data, len, max);
    if (seed % 16 == 0) return len; /* wrong ones are input as well */
    for (size_t at = 1; at + 512 <= len; at += 512)
        if (memcmp(data + at + 257, "ustar", 5) == 0) seal(data + at);
    return len;
}
#endif
