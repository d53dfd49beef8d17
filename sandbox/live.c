/*
 * Theory of operation. An entry is a file named by the sandbox's id whose
 * exclusive lock its launcher holds until it dies; its text says what to sweep.
 * Whoever gets the lock of an entry that is not their own has outlived its
 * owner. A range of ids is the lock on `ids/<slot>`, whose text names the entry
 * it was taken for: a range whose entry was not swept yet may still have
 * processes, and is passed over.
 */
#include "sandbox/live.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "sandbox/cgroup.h"
#include "sandbox/live_internal.h"
#include "sandbox/weaken.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define ENTRY_MAX  65536U
#define ID_BASE    UINT32_C(0x40000000)
#define ID_COUNT   UINT32_C(65536)
#define ID_SLOTS   4096
#define LOCK_TRIES 500

struct live {
    char *id;
    int dir, fd;
    int slot_fd; /* -1: none */
    int64_t started;
    int64_t id_base; /* 0: none */
    char **cgroups;  /* NULL: not recorded yet */
    bool saw_leases;
};

/* ---- the text of an entry ---- */

struct entry {
    int64_t pid, started;
    int64_t id_base;
    char **cgroups;
    bool recorded;
};

static void entry_clear(struct entry *e) {
    strv_free(e->cgroups);
}
#define _cleanup_entry_ __attribute__((cleanup(entry_clear)))

/* Once, when all that it tells is known (a sweep of an entry without text looks
 * for groups by its name), and in one write, so that a reader and a crash see a
 * whole text. */
static int entry_write(const struct live *l, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    size_t len = 0;
    json_open_object(w, NULL);
    json_put_int(w, "pid", getpid());
    json_put_int(w, "started_real_ns", l->started);
    json_put_int(w, "id_base", l->id_base);
    if (l->cgroups) json_put_strv(w, "cgroups", l->cgroups);
    json_close_object(w);
    const char *text = json_writer_text(w, &len);
    if (!text) return error_sys(err, ENOMEM, "live entry %s", l->id);
    ssize_t n = pwrite(l->fd, text, len, 0);
    if (n != (ssize_t)len) return error_sys(err, n < 0 ? errno : ENOSPC, "live entry %s", l->id);
    return 0;
}

static int entry_read(int fd, struct entry *out, struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    *out = (struct entry){0};
    if (lseek(fd, 0, SEEK_SET) < 0 || file_read_fd(fd, ENTRY_MAX, &text, err) < 0) return -1;
    if (text.len == 0) return error_set(err, ERROR_NOT_FOUND, "nothing recorded yet");
    _cleanup_json_ struct json *doc = json_parse("live entry", text.data, text.len, err);
    if (!doc) return -1;
    struct json_reader r;
    json_object(&r, doc, err);
    json_get_int(&r, "pid", JSON_REQUIRED, 1, INT32_MAX, &out->pid);
    json_get_int(&r, "started_real_ns", JSON_REQUIRED, 0, INT64_MAX, &out->started);
    json_get_int(&r, "id_base", JSON_REQUIRED, 0, UINT32_MAX, &out->id_base);
    json_get_strv(&r, "cgroups", JSON_OPTIONAL, &out->cgroups);
    if (json_object_end(&r) < 0) {
        entry_clear(out);
        *out = (struct entry){0};
        return -1;
    }
    out->recorded = json_find(doc, "cgroups") != NULL;
    return 0;
}

/* ---- sweeping ---- */

/* Ends what the dead owner of a locked entry left. */
static int sweep_locked(int fd, const char *id, struct error *err) {
    _cleanup_entry_ struct entry e = {0};
    /* An owner that died before it wrote or recorded anything may have made
     * groups all the same. */
    int result = entry_read(fd, &e, NULL) == 0 && e.recorded ? cgroup_sweep(e.cgroups, err)
                                                             : cgroup_sweep_id(id, err);
    return result < 0 ? error_wrap(err, "sweep %s", id) : 0;
}

static DIR *list_entries(int dir) {
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0) close(fd);
    return d;
}

bool live_is_entry(const char *name) {
    return str_is_name(name) && strcmp(name, "ids") != 0;
}

/* *leases, where it is asked for: whether there are leases of timed runs. */
static int sweep_in(int dir, bool *leases, struct error *err) {
    if (weaken("sweep")) return 0;
    _cleanup_closedir_ DIR *d = list_entries(dir);
    if (!d) return error_sys(err, errno, "live registry");
    int swept = 0;
    bool failed = false;
    for (struct dirent *e; (e = readdir(d));) {
        if (leases && strcmp(e->d_name, LEASE_FOLDER) == 0) *leases = true;
        if (!live_is_entry(e->d_name)) continue;
        _cleanup_close_ int fd = live_lock(dir, e->d_name, false);
        if (fd < 0) continue; /* alive, or gone meanwhile */
        if (sweep_locked(fd, e->d_name, failed ? NULL : err) < 0) {
            failed = true; /* the entry stays, so that the next sweep tries again */
            continue;
        }
        if (unlinkat(dir, e->d_name, 0) == 0) swept++;
    }
    return failed ? -1 : swept;
}

int live_sweep(struct error *err) {
    _cleanup_close_ int dir = live_dir_open(err);
    return dir < 0 ? -1 : sweep_in(dir, NULL, err);
}

/* ---- registering ---- */

/* Whether the holder of the lock is its owner, not a sweep or a listing that
 * has it for a moment. */
static bool held_by_owner(int dir, const char *id) {
    _cleanup_close_ int fd = openat(dir, id, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    _cleanup_entry_ struct entry e = {0};
    if (fd < 0 || entry_read(fd, &e, NULL) < 0) return false;
    return kill((pid_t)e.pid, 0) == 0 || errno == EPERM;
}

static int lock_entry(int dir, const char *id, struct error *err) {
    for (int i = 0; i < LOCK_TRIES; i++) {
        int fd = live_lock(dir, id, true);
        if (fd >= 0) return fd;
        if (errno != EWOULDBLOCK) return error_sys(err, errno, "live entry %s", id);
        if (held_by_owner(dir, id))
            return error_set(err, ERROR_EXISTS, "a sandbox named %s is running", id);
        struct timespec nap = {.tv_nsec = NS_PER_MS};
        nanosleep(&nap, NULL);
    }
    return error_set(err, ERROR_BUSY, "live entry %s: somebody else is sweeping it", id);
}

static void live_free(struct live *l) {
    if (!l) return;
    if (l->slot_fd >= 0) close(l->slot_fd);
    if (l->fd >= 0) close(l->fd);
    if (l->dir >= 0) close(l->dir);
    strv_free(l->cgroups);
    free(l->id);
    free(l);
}

static int occupy(struct live *l, struct error *err) {
    _cleanup_error_ struct error swept = {0};
    l->dir = live_dir_open(err);
    if (l->dir < 0) return -1;
    if (sweep_in(l->dir, &l->saw_leases, &swept) < 0)
        log_warn("sweep of dead sandboxes: %s", error_text(&swept));
    l->fd = lock_entry(l->dir, l->id, err);
    if (l->fd < 0) return -1;
    struct stat st;
    if (fstat(l->fd, &st) < 0) return error_sys(err, errno, "live entry %s", l->id);
    if (st.st_size == 0) return 0;
    if (sweep_locked(l->fd, l->id, err) < 0) return -1;
    return ftruncate(l->fd, 0) < 0 ? error_sys(err, errno, "live entry %s", l->id) : 0;
}

int live_register(const char *id, struct live **out, struct error *err) {
    *out = NULL;
    if (!live_is_entry(id)) return error_set(err, ERROR_INVALID, "not a name for a sandbox");
    struct live *l = calloc(1, sizeof *l);
    if (!l) return error_sys(err, ENOMEM, "live entry %s", id);
    l->dir = l->fd = l->slot_fd = -1;
    l->started = clock_real_ns();
    l->id = strdup(id);
    if (!l->id || occupy(l, err) < 0) {
        if (!l->id) error_sys(err, ENOMEM, "live entry");
        live_free(l);
        return -1;
    }
    *out = l;
    return 0;
}

/* ---- ranges of ids ---- */

/* Whether a slot's last holder still has an entry, that is, was not swept. */
static bool slot_is_haunted(const struct live *l, int slot_fd) {
    _cleanup_buf_ struct buf owner = {0};
    if (file_read_fd(slot_fd, 256, &owner, NULL) < 0) return true;
    const char *name = buf_text(&owner);
    if (!str_is_name(name) || strcmp(name, l->id) == 0) return false;
    return faccessat(l->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int slot_sign(int fd, const char *id) {
    size_t len = strlen(id);
    if (pwrite(fd, id, len, 0) != (ssize_t)len) return -1;
    return ftruncate(fd, (off_t)len);
}

/* The lock on a slot, or -1 when it is taken (errno 0) or cannot be opened. */
static int take_slot(const struct live *l, int ids, int slot) {
    char name[16];
    snprintf(name, sizeof name, "%d", slot);
    _cleanup_close_ int fd = live_lock(ids, name, true);
    if (fd < 0 && errno == EWOULDBLOCK) errno = 0;
    if (fd < 0) return -1;
    if (slot_is_haunted(l, fd)) {
        errno = 0;
        return -1;
    }
    return slot_sign(fd, l->id) < 0 ? -1 : steal_fd(&fd);
}

int live_reserve_ids(struct live *l, uint32_t *base, struct error *err) {
    if (l->slot_fd >= 0) return error_set(err, ERROR_INTERNAL, "ids are reserved already");
    _cleanup_close_ int ids =
        openat(l->dir, "ids", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (ids < 0) return error_sys(err, errno, "live registry: ids");
    for (int slot = 0; slot < ID_SLOTS && l->slot_fd < 0; slot++) {
        l->slot_fd = take_slot(l, ids, slot);
        if (l->slot_fd < 0 && errno) return error_sys(err, errno, "live registry: ids/%d", slot);
        if (l->slot_fd >= 0) l->id_base = ID_BASE + (uint32_t)slot * ID_COUNT;
    }
    if (l->slot_fd < 0) return error_set(err, ERROR_LIMIT, "all %d id ranges are in use", ID_SLOTS);
    *base = (uint32_t)l->id_base;
    return 0;
}

int live_record_cgroups(struct live *l, char *const *paths, struct error *err) {
    char **copy = strv_copy(paths);
    if (!copy) return error_sys(err, ENOMEM, "live entry %s", l->id);
    strv_free(l->cgroups);
    l->cgroups = copy;
    return entry_write(l, err);
}

int live_rename(struct live *l, const char *id, struct error *err) {
    char *copy = live_is_entry(id) ? strdup(id) : NULL;
    if (!copy) return error_set(err, ERROR_INVALID, "not a name for a sandbox");
    /* The lock is the file's, and goes along. A dead one of that name was swept
     * when its successor registered, unless that was just now; and one that has
     * answered gives its entry back a little later. */
    int r, saved;
    for (int i = 0;; i++) {
        r = rename_exclusive(l->dir, l->id, l->dir, id);
        saved = errno;
        if (r == 0 || saved != EEXIST || i == LOCK_TRIES) break;
        if (sweep_in(l->dir, NULL, NULL) > 0) continue;
        struct timespec nap = {.tv_nsec = NS_PER_MS};
        nanosleep(&nap, NULL);
    }
    if (r < 0) {
        free(copy);
        if (saved == EEXIST)
            return error_set(err, ERROR_EXISTS, "a sandbox named %s is running", id);
        return error_sys(err, saved, "live entry %s", id);
    }
    free(l->id);
    l->id = copy;
    /* The slot names the entry that vouches for its ids; see slot_is_haunted(). */
    return l->slot_fd < 0 || slot_sign(l->slot_fd, id) == 0
               ? 0
               : error_sys(err, errno, "live registry: slot of %s", id);
}

void live_release(struct live *l) {
    if (!l) return;
    /* While still locked: whoever opened it meanwhile will see that its name is
     * gone. That also frees the slot, whose text names an entry no more. */
    (void)unlinkat(l->dir, l->id, 0);
    live_free(l);
}

void live_leave(struct live *l) {
    live_free(l);
}

/* ---- for leases ---- */

int live_folder(const struct live *l) {
    return l->dir;
}

int live_file(const struct live *l) {
    return l->fd;
}

const char *live_name(const struct live *l) {
    return l->id;
}

bool live_saw_leases(const struct live *l) {
    return l->saw_leases;
}

/* ---- listing ---- */

static int list_add(struct live_entry **list, size_t *count, const char *id,
                    const struct entry *e) {
    struct live_entry *grown = realloc(*list, (*count + 1) * sizeof **list);
    if (!grown) return -1;
    *list = grown;
    grown[*count] =
        (struct live_entry){.id = strdup(id), .pid = e->pid, .started_real_ns = e->started};
    return grown[(*count)++].id ? 0 : -1;
}

int live_list(struct live_entry **out, size_t *count, struct error *err) {
    *out = NULL;
    *count = 0;
    _cleanup_close_ int dir = live_dir_open(err);
    if (dir < 0) return -1;
    _cleanup_closedir_ DIR *d = list_entries(dir);
    if (!d) return error_sys(err, errno, "live registry");
    for (struct dirent *e; (e = readdir(d));) {
        if (!live_is_entry(e->d_name)) continue;
        _cleanup_close_ int dead = live_lock(dir, e->d_name, false);
        if (dead >= 0 || errno != EWOULDBLOCK) continue;
        _cleanup_close_ int fd = openat(dir, e->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        _cleanup_entry_ struct entry entry = {0};
        if (fd < 0 || entry_read(fd, &entry, NULL) < 0) continue;
        if (list_add(out, count, e->d_name, &entry) < 0) {
            live_list_free(*out, *count);
            *out = NULL;
            return error_sys(err, ENOMEM, "live registry");
        }
    }
    return 0;
}

void live_list_free(struct live_entry *entries, size_t count) {
    for (size_t i = 0; i < count; i++) free(entries[i].id);
    free(entries);
}
