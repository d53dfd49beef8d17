#include "orchestrator/daemon/run_digests.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "common/log.h"
#include "images/listing.h"
#include "orchestrator/daemon/store_sql.h"

#include <fcntl.h>
#include <string.h>

#define TREE_ENTRIES_MAX 2000000

static int digest_tree(int dir, const char *name, char hex[DIGEST_HEX], struct error *err) {
    _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return error_sys(err, errno, "%s", name);
    return tree_digest(fd, TREE_ENTRIES_MAX, hex, err);
}

static int digest_file(int dir, const char *name, char hex[DIGEST_HEX], struct error *err) {
    _cleanup_close_ int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? error_sys(err, errno, "%s", name) : digest_fd(fd, hex, err);
}

void run_digests_take(const char *dir, struct run_digests *out) {
    *out = (struct run_digests){0};
    _cleanup_close_ int fd = dir_open(dir, NULL);
    for (size_t i = 0; fd >= 0 && i < SCORE_FILE_COUNT; i++) {
        const char *name = score_file_names[i];
        char hex[DIGEST_HEX];
        _cleanup_error_ struct error err = {0};
        int rc = i == SCORE_FILE_ARTIFACTS ? digest_tree(fd, name, hex, &err)
                                           : digest_file(fd, name, hex, &err);
        if (rc == 0) memcpy(out->of[i], hex, sizeof hex);
        else if (err.kind != ERROR_NOT_FOUND) log_warn("%s: %s", dir, error_text(&err));
    }
}

int run_digests_keep(struct store *s, int64_t run, const struct run_digests *d, struct error *err) {
    for (size_t i = 0; i < SCORE_FILE_COUNT; i++)
        if (*d->of[i] &&
            store_sql(s, err, "INSERT OR IGNORE INTO run_files(run, name, sha256) VALUES(?,?,?)",
                      "iss", run, score_file_names[i], d->of[i]) < 0)
            return -1;
    return 0;
}

int run_digests_get(struct store *s, int64_t run, struct run_digests *out, struct error *err) {
    *out = (struct run_digests){0};
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err, "SELECT name, sha256 FROM run_files WHERE run=?", "i", run) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0)
        for (size_t i = 0; i < SCORE_FILE_COUNT; i++)
            if (strcmp(query_text(&q, 0), score_file_names[i]) == 0)
                snprintf(out->of[i], sizeof out->of[i], "%s", query_text(&q, 1));
    return rc;
}
