#include "orchestrator/daemon/snapshot.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "images/archive.h"
#include "orchestrator/judge/rule.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SPACE_MIN (UINT64_C(4) << 20) /* free bytes below which none is begun */

bool snapshot_is_name(const char *sha256) {
    return strspn(sha256, "0123456789abcdef") == DIGEST_HEX - 1 && sha256[DIGEST_HEX - 1] == '\0';
}

/* Gives the packed file its name, unless that is there already. */
static int adopt_archive(struct daemon *d, const char *packed, const char *sha256,
                         struct error *err) {
    _cleanup_free_ char *path = str_printf("%s/%s.tar.zst", d->snapshots, sha256);
    if (!path) return error_sys(err, ENOMEM, "snapshot");
    if (access(path, F_OK) == 0) return 0;
    _cleanup_close_ int dir = dir_open(d->snapshots, err);
    if (dir < 0) return -1;
    if (rename(packed, path) < 0 || fsync(dir) < 0) return error_sys(err, errno, "%s", path);
    return 0;
}

/* Source packs to a quarter; weights, tables and texts that are hidden in it do
 * not. So the packed size bounds what can be smuggled, whatever its form. */
static int check_packed(const char *packed, int64_t bytes_max, struct error *err) {
    struct stat st;
    if (stat(packed, &st) < 0) return error_sys(err, errno, "%s", packed);
    if (!bytes_max || st.st_size <= bytes_max) return 0;
    error_set(err, ERROR_LIMIT,
              "the source packs to %lld bytes, %lld allowed: it carries more than a program",
              (long long)st.st_size, (long long)bytes_max);
    return error_set_rule(err, RULE_SOURCE_PAYLOAD);
}

int snapshot_put(struct daemon *d, const char *dir, char sha256[DIGEST_HEX], struct error *err) {
    return snapshot_put_within(d, dir, 0, sha256, err);
}

int snapshot_put_within(struct daemon *d, const char *dir, int64_t bytes_max,
                        char sha256[DIGEST_HEX], struct error *err) {
    if (daemon_check_space(d, SPACE_MIN, err) < 0) return error_wrap(err, "snapshot");
    _cleanup_tmp_ char *tmp = daemon_tmp(d, err);
    if (!tmp) return -1;
    _cleanup_close_ int from = dir_open(dir, err);
    _cleanup_close_ int to = from < 0 ? -1 : dir_open(tmp, err);
    if (to < 0) return -1;
    if (archive_pack_file(from, to, "snapshot", &ARCHIVE_LIMITS_SNAPSHOT, sha256, err) < 0)
        return error_wrap(err, "snapshot");
    _cleanup_free_ char *packed = path_join(tmp, "snapshot");
    if (!packed) return error_sys(err, ENOMEM, "snapshot");
    if (check_packed(packed, bytes_max, err) < 0) return -1;
    return adopt_archive(d, packed, sha256, err);
}

int snapshot_open(struct daemon *d, const char *sha256, struct error *err) {
    if (!snapshot_is_name(sha256)) return error_set(err, ERROR_INVALID, "not a digest");
    _cleanup_free_ char *path = str_printf("%s/%s.tar.zst", d->snapshots, sha256);
    if (!path) return error_sys(err, ENOMEM, "snapshot");
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? error_sys(err, errno, "snapshot %s", sha256) : fd;
}

char *snapshot_checkout(struct daemon *d, const char *sha256, struct error *err) {
    _cleanup_close_ int archive = snapshot_open(d, sha256, err);
    _cleanup_tmp_ char *tmp = archive < 0 ? NULL : daemon_tmp(d, err);
    _cleanup_close_ int to = tmp ? dir_open(tmp, err) : -1;
    if (to < 0) return NULL;
    struct archive_stats stats = {0};
    if (archive_unpack(archive, to, &ARCHIVE_LIMITS_SNAPSHOT, &stats, err) < 0) {
        error_wrap(err, "snapshot %s", sha256);
        return NULL;
    }
    if (strcmp(stats.sha256, sha256) != 0) {
        error_set(err, ERROR_SYSTEM, "snapshot %s: its bytes have another digest now", sha256);
        return NULL;
    }
    return steal_ptr(&tmp);
}
