#include "orchestrator/daemon/gc.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "orchestrator/daemon/snapshot.h"
#include "orchestrator/daemon/store_gc.h"

#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

/* What a tree occupies, for the report only. */
static int64_t tree_bytes(const char *path) {
    char *const roots[] = {(char *)path, NULL};
    int64_t bytes = 0;
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!walk) return 0;
    for (FTSENT *e; (e = fts_read(walk));)
        if (e->fts_info != FTS_DP && e->fts_statp) bytes += (int64_t)e->fts_statp->st_blocks * 512;
    fts_close(walk);
    return bytes;
}

static int remove_counted(const char *path, int64_t *count, int64_t *bytes, struct error *err) {
    if (access(path, F_OK) < 0) return 0;
    int64_t size = tree_bytes(path);
    if (tree_remove(path, err) < 0) return -1;
    (*count)++;
    *bytes += size;
    return 0;
}

static int remove_runs(struct daemon *d, int64_t age_s, struct gc_stats *out, struct error *err) {
    _cleanup_free_ int64_t *ids = NULL;
    size_t count = 0;
    int64_t before = clock_real_ns() - age_s * NS_PER_SEC;
    if (store_gc_runs(d->store, before, &ids, &count, err) < 0) return -1;
    for (size_t i = 0; i < count; i++) {
        _cleanup_free_ char *dir = daemon_run_dir(d, ids[i], err);
        if (!dir || remove_counted(dir, &out->runs, &out->bytes, err) < 0) return -1;
    }
    return 0;
}

static int remove_built(struct daemon *d, struct gc_stats *out, struct error *err) {
    struct built_row *rows = NULL;
    size_t count = 0;
    int rc = store_built_list(d->store, &rows, &count, err);
    for (size_t i = 0; i < count && rc == 0; i++) {
        bool needed = true;
        rc = store_gc_snapshot_busy(d->store, rows[i].snapshot, &needed, err);
        if (rc < 0 || needed) continue;
        /* The row first: a folder without a row is only waste. */
        rc = store_built_delete(d->store, rows[i].key, err);
        if (rc == 0) rc = remove_counted(rows[i].dir, &out->built, &out->bytes, err);
    }
    built_rows_free(rows, count);
    return rc;
}

/* "<64 hex>.tar.zst" → the digest, in place. */
static bool snapshot_of(char *name) {
    char *dot = strchr(name, '.');
    if (!dot || strcmp(dot, ".tar.zst") != 0) return false;
    *dot = '\0';
    return snapshot_is_name(name);
}

static int remove_snapshots(struct daemon *d, struct gc_stats *out, struct error *err) {
    _cleanup_closedir_ DIR *dir = opendir(d->snapshots);
    if (!dir) return error_sys(err, errno, "%s", d->snapshots);
    for (struct dirent *e; (e = readdir(dir));) {
        _cleanup_free_ char *path = path_join(d->snapshots, e->d_name);
        bool known = true;
        if (!path) return error_sys(err, ENOMEM, "gc");
        if (!snapshot_of(e->d_name)) continue;
        if (store_gc_snapshot_known(d->store, e->d_name, &known, err) < 0) return -1;
        if (!known && remove_counted(path, &out->snapshots, &out->bytes, err) < 0) return -1;
    }
    return 0;
}

int gc_run(struct daemon *d, int64_t age_s, struct gc_stats *out, struct error *err) {
    pthread_rwlock_wrlock(&d->files);
    int rc = remove_runs(d, age_s, out, err);
    if (rc == 0) rc = remove_built(d, out, err);
    if (rc == 0) rc = remove_snapshots(d, out, err);
    pthread_rwlock_unlock(&d->files);
    return rc < 0 ? error_wrap(err, "gc") : 0;
}
