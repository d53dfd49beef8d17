#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "images/store_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

struct kept {
    char *const *digests;
    struct image *named;
    size_t count;
};

static bool is_kept(const struct kept *kept, const char *digest) {
    for (size_t i = 0; kept->digests && kept->digests[i]; i++)
        if (strcmp(kept->digests[i], digest) == 0) return true;
    for (size_t i = 0; i < kept->count; i++)
        if (strcmp(kept->named[i].digest, digest) == 0) return true;
    return false;
}

/* Bytes of the files below a folder; what cannot be read counts as nothing. */
static uint64_t tree_bytes(const char *store, const char *name) {
    _cleanup_free_ char *path = str_printf("%s/rootfs/%s", store, name);
    char *roots[] = {path, NULL};
    FTS *fts = path ? fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL) : NULL;
    uint64_t bytes = 0;
    for (FTSENT *e; fts && (e = fts_read(fts));)
        if (e->fts_info == FTS_F) bytes += (uint64_t)e->fts_statp->st_size;
    if (fts) fts_close(fts);
    return bytes;
}

static int sweep(const char *store, const struct kept *kept, struct image_gc_stats *stats,
                 struct error *err) {
    _cleanup_close_ int rootfs = store_open(store, "rootfs", err);
    if (rootfs < 0) return -1;
    int listing = fcntl(rootfs, F_DUPFD_CLOEXEC, 0);
    _cleanup_closedir_ DIR *d = listing < 0 ? NULL : fdopendir(listing);
    if (!d) return error_sys(err, errno, "%s/rootfs", store);
    for (struct dirent *e; (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (is_kept(kept, e->d_name)) continue;
        uint64_t bytes = tree_bytes(store, e->d_name);
        if (tree_remove_at(rootfs, e->d_name, err) < 0) return -1;
        /* What a killed import left begins with a dot and was no image yet. */
        stats->images += e->d_name[0] != '.';
        stats->bytes += bytes;
    }
    return 0;
}

int image_gc(const char *store, char *const *keep, struct image_gc_stats *stats,
             struct error *err) {
    struct image_gc_stats local = {0};
    _cleanup_free_ char *rootfs = path_join(store, "rootfs");
    if (!rootfs) return error_sys(err, ENOMEM, "images");
    if (access(rootfs, F_OK) < 0 && errno == ENOENT) {
        if (stats) *stats = local;
        return 0;
    }
    _cleanup_close_ int lock = store_lock(store, LOCK_EX | LOCK_NB, err);
    if (lock < 0) return -1;
    struct kept kept = {.digests = keep};
    /* Strict: a record that cannot be read may stand for any image. */
    int r = store_read_names(store, true, &kept.named, &kept.count, err);
    if (r == 0) r = sweep(store, &kept, &local, err);
    image_list_free(kept.named, kept.count);
    if (stats) *stats = local;
    return r;
}
