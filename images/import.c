#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "images/archive.h"
#include "images/store_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

/* An import on its way: the unpacked tree under its temporary name. */
struct import {
    const char *store;
    int rootfs;     /* <store>/rootfs */
    int tree;       /* <store>/rootfs/<fresh> */
    char fresh[32]; /* "" once it is renamed or removed */
    struct archive_stats stats;
};

static int check_name(const char *name, struct error *err) {
    if (!str_is_name(name))
        return error_set(err, ERROR_INVALID,
                         "\"%.80s\" cannot name an image: 1 to 64 of a-z, 0-9, dot, dash and "
                         "underscore, a letter or digit first",
                         name);
    if (strcmp(name, STORE_HOST) == 0)
        return error_set(err, ERROR_INVALID, "\"host\" always is this machine's own image");
    if (strlen(name) == DIGEST_HEX - 1 && strspn(name, "0123456789abcdef") == DIGEST_HEX - 1)
        return error_set(err, ERROR_INVALID, "a name must not look like a digest");
    return 0;
}

static bool has(int tree, const char *name) {
    return faccessat(tree, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The launcher mounts over these: a link there would lead its mount elsewhere
 * (CVE-2026-41579 and its like). */
static int check_mount_points(int tree, struct error *err) {
    static const char *const names[] = {"proc", "sys", "dev", "tmp", "etc", "run", "work", "data"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct stat st;
        if (fstatat(tree, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno == ENOENT) continue;
            return error_sys(err, errno, "/%s", names[i]);
        }
        if (!S_ISDIR(st.st_mode))
            return error_set(err, ERROR_INVALID,
                             "/%s in the image is %s; it must be a folder or absent", names[i],
                             S_ISLNK(st.st_mode) ? "a symbolic link" : "not a folder");
    }
    return 0;
}

static int check_rootfs(const struct import *im, struct error *err) {
    if (im->stats.files == 0) return error_set(err, ERROR_INVALID, "the image holds no file");
    if ((has(im->tree, "oci-layout") || has(im->tree, "manifest.json")) && !has(im->tree, "usr"))
        return error_set(err, ERROR_INVALID,
                         "this is an archive of layers (docker save, OCI layout), not a root "
                         "filesystem; make one with \"docker export\"");
    return check_mount_points(im->tree, err);
}

static int make_tree(struct import *im, struct error *err) {
    uint8_t raw[8];
    random_bytes(raw, sizeof raw);
    strcpy(im->fresh, ".new-");
    hex_encode(raw, sizeof raw, im->fresh + strlen(im->fresh));
    if (mkdirat(im->rootfs, im->fresh, 0700) < 0) {
        im->fresh[0] = '\0';
        return error_sys(err, errno, "create a folder in %s/rootfs", im->store);
    }
    im->tree = openat(im->rootfs, im->fresh, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return im->tree < 0 ? error_sys(err, errno, "%s", im->fresh) : 0;
}

static int unpack_tarball(struct import *im, const char *tarball, struct error *err) {
    _cleanup_close_ int fd = open(tarball, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) return error_sys(err, errno, "%s", tarball);
    struct archive_limits limits = ARCHIVE_LIMITS_IMAGE;
    if (make_tree(im, err) < 0) return -1;
    if (archive_unpack(fd, im->tree, &limits, &im->stats, err) < 0 || check_rootfs(im, err) < 0)
        return error_wrap(err, "%s", tarball);
    return 0;
}

/* Content first, then the name: after a power cut a name stands for all of it.
 * Whoever renames first wins; both trees came from the same bytes. */
static int publish(struct import *im, struct error *err) {
    if (fchmod(im->tree, 0755) < 0 || syncfs(im->tree) < 0)
        return error_sys(err, errno, "%s/rootfs/%s", im->store, im->fresh);
    if (renameat2(im->rootfs, im->fresh, im->rootfs, im->stats.sha256, RENAME_NOREPLACE) == 0) {
        im->fresh[0] = '\0';
        fsync(im->rootfs);
        return 0;
    }
    return errno == EEXIST ? 0 : error_sys(err, errno, "%s/rootfs/%s", im->store, im->stats.sha256);
}

static int record(const struct import *im, const char *tarball, const char *name, struct image *out,
                  struct error *err) {
    char now[32];
    clock_format_utc(clock_real_ns(), now);
    memcpy(out->digest, im->stats.sha256, DIGEST_HEX);
    out->bytes = im->stats.bytes;
    out->files = im->stats.files;
    out->name = strdup(name);
    out->imported_at = strdup(now);
    out->source = realpath(tarball, NULL);
    _cleanup_free_ char *path = str_printf("%s/rootfs/%s", im->store, out->digest);
    out->location = path ? realpath(path, NULL) : NULL;
    if (!out->name || !out->imported_at || !out->source || !out->location)
        return error_sys(err, errno, "image %s", name);
    return store_write_record(im->store, out, err);
}

static int make_store(const char *store, struct error *err) {
    static const char *const folders[] = {"rootfs", "names"};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        _cleanup_free_ char *path = path_join(store, folders[i]);
        if (!path) return error_sys(err, ENOMEM, "%s", store);
        if (dir_make(path, 0755, err) < 0) return -1;
    }
    return 0;
}

static int run_import(struct import *im, const char *tarball, const char *name, struct image *out,
                      struct error *err) {
    im->rootfs = store_open(im->store, "rootfs", err);
    if (im->rootfs < 0 || unpack_tarball(im, tarball, err) < 0 || publish(im, err) < 0) return -1;
    return record(im, tarball, name, out, err);
}

int image_import(const char *store, const char *tarball, const char *name, struct image *out,
                 struct error *err) {
    if (check_name(name, err) < 0 || make_store(store, err) < 0) return -1;
    _cleanup_close_ int lock = store_lock(store, LOCK_SH, err);
    if (lock < 0) return -1;
    struct import im = {.store = store, .rootfs = -1, .tree = -1};
    _cleanup_image_ struct image image = {0};
    int r = run_import(&im, tarball, name, &image, err);
    if (im.fresh[0]) tree_remove_at(im.rootfs, im.fresh, NULL);
    if (im.tree >= 0) close(im.tree);
    if (im.rootfs >= 0) close(im.rootfs);
    if (r < 0) return error_wrap(err, "import of image %s", name);
    if (out) {
        *out = image;
        image = (struct image){0};
    }
    return 0;
}
