/*
 * Theory of operation. `<live>/.lanes/<id>` is the lease of the sandbox <id>. It is
 * made under a name that nobody looks at, locked, filled and then renamed, so that
 * whoever finds it finds it locked and whole. A lock on the folder itself makes
 * "look and take" one step; the folder goes with the last lease, so that who looks
 * while there is none pays one open(2) that fails.
 */
#include "sandbox/lease.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "sandbox/live_internal.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

enum { TEXT_MAX = 32768, TRIES = 100 };

struct lease {
    const struct live *live;
    struct cpu_list cpus;
    int folder, fd;
    int64_t since; /* monotonic ns; it was there before */
};

static int open_folder(int dir) {
    return openat(dir, LEASE_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

bool lease_any(void) {
    char live[PATH_MAX - sizeof "/" LEASE_FOLDER], path[PATH_MAX];
    if (live_dir_path(live, sizeof live) < 0) return false;
    snprintf(path, sizeof path, "%s/" LEASE_FOLDER, live);
    return access(path, F_OK) == 0;
}

/* A DIR of its own: the descriptor given keeps its place and its lock. */
static DIR *list(int folder) {
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0) close(fd);
    return d;
}

/* Whether somebody holds this one, and then its cpus. One whose text cannot be read
 * has all of them. */
static bool is_held(int folder, const char *name, struct cpu_list *cpus) {
    _cleanup_close_ int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || flock(fd, LOCK_SH | LOCK_NB) == 0 || errno != EWOULDBLOCK) return false;
    _cleanup_buf_ struct buf text = {0};
    if (file_read_fd(fd, TEXT_MAX, &text, NULL) < 0 || cpu_list_parse(buf_text(&text), cpus) < 0 ||
        cpu_list_count(cpus) == 0)
        memset(cpus, 0xff, sizeof *cpus);
    return true;
}

/* *dead: whether there are some that nobody holds, or none at all: something is to
 * be removed. */
static size_t add_up(int folder, struct cpu_list *out, bool *dead) {
    _cleanup_closedir_ DIR *d = list(folder);
    size_t count = 0;
    *out = (struct cpu_list){0};
    *dead = false;
    for (struct dirent *e; d && (e = readdir(d));) {
        struct cpu_list cpus;
        if (!live_is_entry(e->d_name)) continue;
        if (!is_held(folder, e->d_name, &cpus)) {
            *dead = true;
            continue;
        }
        count++;
        cpu_list_join(out, &cpus);
    }
    *dead |= count == 0;
    return count;
}

/* Under the folder's lock nobody is about to make one. */
static void remove_dead(int dir, int folder) {
    _cleanup_closedir_ DIR *d = list(folder);
    for (struct dirent *e; d && (e = readdir(d));) {
        struct cpu_list cpus;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (!is_held(folder, e->d_name, &cpus)) (void)unlinkat(folder, e->d_name, 0);
    }
    (void)unlinkat(dir, LEASE_FOLDER, AT_REMOVEDIR); /* unless there are others */
}

static size_t look_in(int dir, struct cpu_list *out) {
    *out = (struct cpu_list){0};
    _cleanup_close_ int folder = open_folder(dir);
    if (folder < 0) return 0;
    bool dead = false;
    size_t count = add_up(folder, out, &dead);
    if (dead && flock(folder, LOCK_EX | LOCK_NB) == 0) remove_dead(dir, folder);
    return count;
}

size_t lease_look(const struct live *l, struct cpu_list *out) {
    if (l) return look_in(live_folder(l), out);
    *out = (struct cpu_list){0};
    _cleanup_close_ int dir = lease_any() ? live_dir_open(NULL) : -1;
    return dir < 0 ? 0 : look_in(dir, out);
}

/* ---- answers ---- */

static const mode_t answer_modes[] = {
    [LEASE_BACK] = 0600, [LEASE_AWAY] = 0700, [LEASE_STAYS] = 0610, [LEASE_IDLE] = 0601};

/* The time first: an old answer with a new time would be believed. */
void lease_answer(const struct live *l, enum lease_answer answer, int64_t looked_ns) {
    int fd = live_file(l);
    const struct timespec looked[2] = {
        {.tv_nsec = UTIME_OMIT},
        {.tv_sec = looked_ns / NS_PER_SEC, .tv_nsec = looked_ns % NS_PER_SEC}};
    if (answer == LEASE_BACK || answer == LEASE_IDLE) {
        (void)fchmod(fd, answer_modes[answer]);
        return;
    }
    struct stat st;
    if (fstat(fd, &st) == 0 && (st.st_mode & 0777) != answer_modes[answer])
        (void)fchmod(fd, answer_modes[LEASE_BACK]);
    (void)futimens(fd, looked);
    (void)fchmod(fd, answer_modes[answer]);
}

static void ask_one(const struct lease *lease, const char *name, struct lease_others *out) {
    int dir = live_folder(lease->live);
    struct stat st;
    if (faccessat(lease->folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) return;
    _cleanup_close_ int dead = live_lock(dir, name, false);
    if (dead >= 0 || errno != EWOULDBLOCK) return;
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return;
    mode_t mode = st.st_mode & 0777;
    if (mode == answer_modes[LEASE_IDLE]) return;
    int64_t looked = (int64_t)st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec;
    bool answered = looked >= lease->since && mode != answer_modes[LEASE_BACK];
    out->count++;
    if (!answered || mode != answer_modes[LEASE_AWAY]) out->loud++;
    if (!answered) out->pending++;
}

void lease_ask(const struct lease *lease, struct lease_others *out) {
    *out = (struct lease_others){0};
    _cleanup_closedir_ DIR *d = list(live_folder(lease->live));
    for (struct dirent *e; d && (e = readdir(d));)
        if (live_is_entry(e->d_name) && strcmp(e->d_name, "ids") != 0 &&
            strcmp(e->d_name, live_name(lease->live)) != 0)
            ask_one(lease, e->d_name, out);
}

/* ---- taking and giving back ---- */

/* The folder, locked; -1 and errno, EWOULDBLOCK when somebody else has the lock. */
static int lock_folder(int dir) {
    for (int i = 0; i < TRIES; i++) {
        if (mkdirat(dir, LEASE_FOLDER, 0700) < 0 && errno != EEXIST) return -1;
        _cleanup_close_ int folder = open_folder(dir);
        if (folder < 0 && errno == ENOENT) continue;
        if (folder < 0 || flock(folder, LOCK_EX | LOCK_NB) < 0) return -1;
        struct stat st;
        if (fstat(folder, &st) == 0 && st.st_nlink > 0) {
            struct stat named;
            if (fstatat(dir, LEASE_FOLDER, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
                named.st_ino == st.st_ino)
                return steal_fd(&folder);
        }
    }
    errno = EWOULDBLOCK;
    return -1;
}

static int write_lease(struct lease *lease, struct error *err) {
    const char *name = live_name(lease->live);
    _cleanup_free_ char *text = cpu_list_format(&lease->cpus);
    _cleanup_free_ char *hidden = str_printf(".%s", name);
    if (!text || !hidden) return error_sys(err, ENOMEM, "lease");
    (void)unlinkat(lease->folder, hidden, 0);
    lease->fd =
        openat(lease->folder, hidden, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (lease->fd < 0 || flock(lease->fd, LOCK_EX | LOCK_NB) < 0 ||
        write_all(lease->fd, text, strlen(text)) < 0 ||
        renameat(lease->folder, hidden, lease->folder, name) < 0)
        return error_sys(err, errno, "lease of %s", name);
    lease->since = clock_mono_ns();
    return 0;
}

static void lease_free(struct lease *lease) {
    if (lease->fd >= 0) close(lease->fd);
    if (lease->folder >= 0) close(lease->folder);
    free(lease);
}

int lease_try(const struct live *l, const struct cpu_list *cpus, struct lease **out,
              struct error *err) {
    bool dead;
    struct cpu_list taken;
    *out = NULL;
    _cleanup_close_ int folder = lock_folder(live_folder(l));
    if (folder < 0) return errno == EWOULDBLOCK ? 1 : error_sys(err, errno, "leases");
    if (add_up(folder, &taken, &dead) > 0 && cpu_list_overlaps(&taken, cpus)) return 1;
    struct lease *lease = malloc(sizeof *lease);
    if (!lease) return error_sys(err, ENOMEM, "lease");
    *lease = (struct lease){.live = l, .cpus = *cpus, .folder = folder, .fd = -1};
    int rc = write_lease(lease, err);
    (void)flock(folder, LOCK_UN);
    folder = -1; /* the lease's */
    if (rc < 0) lease_free(lease);
    else *out = lease;
    return rc;
}

void lease_end(struct lease *lease) {
    if (!lease) return;
    if (flock(lease->folder, LOCK_EX) == 0) {
        (void)unlinkat(lease->folder, live_name(lease->live), 0);
        remove_dead(live_folder(lease->live), lease->folder);
    }
    lease_free(lease);
}
