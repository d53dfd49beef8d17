#include "orchestrator/daemon/daemon.h"
#include "orchestrator/gpu/pool.h"

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "orchestrator/daemon/store_run.h"
#include "sandbox/probe.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* The pid the holder of the lock wrote into it, for the message. */
static long lock_holder(int fd) {
    char text[32] = {0};
    return pread(fd, text, sizeof text - 1, 0) > 0 ? strtol(text, NULL, 10) : 0;
}

static int take_lock(struct daemon *d, struct error *err) {
    _cleanup_free_ char *path = path_join(d->state, "lock");
    if (!path) return error_sys(err, ENOMEM, "lock");
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return error_sys(err, errno, "%s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK) return error_sys(err, errno, "%s", path);
        return error_set(err, ERROR_BUSY, "state %s: paddockd with pid %ld has it already",
                         d->state, lock_holder(fd));
    }
    char text[32];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)len, 0) < 0)
        return error_sys(err, errno, "%s", path);
    d->lock_fd = steal_fd(&fd);
    return 0;
}

static int make_folder(struct daemon *d, const char *name, char **out, struct error *err) {
    *out = path_join(d->state, name);
    if (!*out) return error_sys(err, ENOMEM, "%s", name);
    return dir_make(*out, 0700, err);
}

static int make_folders(struct daemon *d, struct error *err) {
    struct {
        const char *name;
        char **path;
    } folders[] = {{"runs", &d->runs},   {"snapshots", &d->snapshots},
                   {"built", &d->built}, {"data", &d->data},
                   {"tmp", &d->tmp},     {"images", &d->images}};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
        if (make_folder(d, folders[i].name, folders[i].path, err) < 0) return -1;
    return 0;
}

static int load_secret(struct daemon *d, struct error *err) {
    _cleanup_free_ char *path = path_join(d->state, "secret");
    if (!path) return error_sys(err, ENOMEM, "secret");
    if (access(path, F_OK) < 0 && errno == ENOENT) {
        random_bytes(d->secret, sizeof d->secret);
        return file_write_atomic(path, d->secret, sizeof d->secret, 0600, err);
    }
    _cleanup_buf_ struct buf bytes = {0};
    if (file_read(path, 4096, &bytes, err) < 0) return -1;
    if (bytes.len != sizeof d->secret)
        return error_set(err, ERROR_INVALID, "%s: has %zu bytes, must have %zu", path, bytes.len,
                         sizeof d->secret);
    memcpy(d->secret, bytes.data, sizeof d->secret);
    return 0;
}

/* A name for this installation that tells nothing of its secret. */
static int load_installation(struct daemon *d, struct error *err) {
    if (store_meta_get(d->store, "installation", &d->installation, err) < 0) return -1;
    if (d->installation) return 0;
    uint8_t raw[4];
    char hex[9];
    random_bytes(raw, sizeof raw);
    hex_encode(raw, sizeof raw, hex);
    if (store_meta_set(d->store, "installation", hex, err) < 0) return -1;
    d->installation = strdup(hex);
    return d->installation ? 0 : error_sys(err, ENOMEM, "installation");
}

static int open_state(struct daemon *d, struct error *err) {
    if (dir_make(d->state, 0700, err) < 0) return -1;
    if (take_lock(d, err) < 0) return -1;
    _cleanup_free_ char *tmp = path_join(d->state, "tmp");
    if (tmp && tree_remove(tmp, err) < 0) return -1;
    if (make_folders(d, err) < 0 || load_secret(d, err) < 0) return -1;
    _cleanup_free_ char *db = path_join(d->state, "paddock.db");
    if (!db) return error_sys(err, ENOMEM, "store");
    if (store_open_file(db, &d->store, err) < 0) return -1;
    if (load_installation(d, err) < 0) return -1;
    d->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return d->stop_fd < 0 ? error_sys(err, errno, "eventfd") : 0;
}

static char *probe_text(struct error *err) {
    _cleanup_probe_ struct probe_report report = {0};
    if (probe_run(&report, err) < 0) return NULL;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    size_t len;
    if (w) probe_encode(&report, w, NULL);
    const char *text = w ? json_writer_text(w, &len) : NULL;
    char *copy = text ? strdup(text) : NULL;
    if (!copy) error_sys(err, ENOMEM, "probe");
    return copy;
}

/* Once, before there are threads or leases: a probe makes processes and groups,
 * which a timed run must not feel. One that an earlier daemon began may still be
 * on; then what that daemon saw has to do. */
static int probe_machine(struct daemon *d, struct error *err) {
    struct run_row *running = NULL;
    size_t count = 0;
    int rc = run_running(d->store, &running, &count, err);
    runs_free(running, count);
    if (rc < 0) return -1;
    if (count > 0 && store_meta_get(d->store, "machine", &d->machine, err) < 0) return -1;
    if (d->machine) return 0;
    _cleanup_error_ struct error bad = {0};
    d->machine = probe_text(&bad);
    if (!d->machine) log_warn("probe: %s", error_text(&bad));
    return d->machine ? store_meta_set(d->store, "machine", d->machine, err) : 0;
}

int daemon_machine_can(const struct daemon *d, const char *check, bool *can, char **detail,
                       struct error *err) {
    *can = false;
    *detail = NULL;
    if (!d->machine) return 0;
    _cleanup_json_ struct json *doc = json_parse("machine", d->machine, strlen(d->machine), err);
    const struct json *checks = doc ? json_find(doc, "checks") : NULL;
    if (!doc) return -1;
    for (size_t i = 0; checks && i < json_count(checks); i++) {
        const char *name = NULL, *state = NULL, *text = NULL;
        const struct json *c = json_at(checks, i);
        if (json_as_string(json_find(c, "name"), &name, err) < 0 ||
            json_as_string(json_find(c, "state"), &state, err) < 0 ||
            json_as_string(json_find(c, "detail"), &text, err) < 0)
            return -1;
        if (!str_eq(name, check)) continue;
        *can = str_eq(state, "yes");
        *detail = strdup(text);
        return *detail ? 0 : error_sys(err, ENOMEM, "machine");
    }
    return 0;
}

int daemon_open(const char *state, struct daemon *out, struct error *err) {
    *out = (struct daemon){.lock_fd = -1, .stop_fd = -1};
    pthread_rwlock_init(&out->files, NULL);
    out->state = strdup(state);
    if (!out->state) return error_sys(err, ENOMEM, "state");
    if (open_state(out, err) == 0 && probe_machine(out, err) == 0 &&
        (out->gpus = gpu_pool_new(err)))
        return 0;
    daemon_close(out);
    return -1;
}

void daemon_close(struct daemon *d) {
    gpu_pool_free(d->gpus);
    store_close(d->store);
    char *const texts[] = {d->state, d->runs,   d->snapshots, d->built,        d->data,
                           d->tmp,   d->images, d->socket,    d->installation, d->machine};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) free(texts[i]);
    if (d->stop_fd >= 0) close(d->stop_fd);
    if (d->lock_fd >= 0) close(d->lock_fd);
    pthread_rwlock_destroy(&d->files);
    explicit_bzero(d->secret, sizeof d->secret);
    *d = (struct daemon){.lock_fd = -1, .stop_fd = -1};
}

void daemon_request_stop(struct daemon *d, enum daemon_stop how) {
    int now = atomic_load(&d->stop);
    while (now < (int)how && !atomic_compare_exchange_weak(&d->stop, &now, (int)how)) continue;
    if (eventfd_write(d->stop_fd, 1) < 0) log_warn("stop: %s", strerror(errno));
}

char *daemon_tmp(struct daemon *d, struct error *err) {
    uint8_t raw[8];
    char hex[17];
    random_bytes(raw, sizeof raw);
    hex_encode(raw, sizeof raw, hex);
    char *path = path_join(d->tmp, hex);
    if (!path) {
        error_sys(err, ENOMEM, "temporary folder");
        return NULL;
    }
    if (mkdir(path, 0700) == 0) return path;
    error_sys(err, errno, "%s", path);
    free(path);
    return NULL;
}

void daemon_tmp_remove(char **path) {
    if (!*path) return;
    _cleanup_error_ struct error err = {0};
    if (tree_remove(*path, &err) < 0) log_warn("%s", error_text(&err));
    free(*path);
    *path = NULL;
}

int daemon_check_space(const struct daemon *d, uint64_t bytes, struct error *err) {
    struct statvfs fs;
    if (statvfs(d->state, &fs) < 0) return error_sys(err, errno, "%s", d->state);
    if ((uint64_t)fs.f_bavail * fs.f_frsize >= bytes) return 0;
    return error_sys(err, ENOSPC, "%s: too little room is left", d->state);
}

char *daemon_run_dir(const struct daemon *d, int64_t run, struct error *err) {
    char *path = str_printf("%s/r%" PRId64, d->runs, run);
    if (!path) error_sys(err, ENOMEM, "run folder");
    return path;
}
