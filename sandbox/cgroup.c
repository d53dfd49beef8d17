#include "sandbox/cgroup.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "sandbox/cgroup_internal.h"
#include "sandbox/weaken.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>

/* ---- files of a group ---- */

int cgroup_write(int fd, const char *file, const char *text) {
    _cleanup_close_ int out = openat(fd, file, O_WRONLY | O_CLOEXEC);
    if (out < 0) return -1;
    /* One write: a second one would be a second command to the kernel. */
    return write(out, text, strlen(text)) < 0 ? -1 : 0;
}

int cgroup_write_int(int fd, const char *file, int64_t value) {
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    return cgroup_write(fd, file, text);
}

int cgroup_read(int fd, const char *file, char *out, size_t size) {
    _cleanup_close_ int in = openat(fd, file, O_RDONLY | O_CLOEXEC);
    if (in < 0) return -1;
    /* One read: the kernel shows these files whole to a buffer large enough. */
    ssize_t n = read(in, out, size - 1);
    if (n < 0) return -1;
    out[n] = '\0';
    return (int)n;
}

int64_t cgroup_read_int(int fd, const char *file) {
    char text[64];
    if (cgroup_read(fd, file, text, sizeof text) <= 0) return -1;
    char *end;
    errno = 0;
    int64_t value = strtoll(text, &end, 10);
    return errno || end == text || value < 0 ? -1 : value;
}

int64_t cgroup_field(const char *text, const char *key) {
    size_t len = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        if (*line == '\n') line++;
        if (strncmp(line, key, len) == 0 && line[len] == ' ')
            return strtoll(line + len + 1, NULL, 10);
    }
    return -1;
}

/* ---- the object ---- */

struct cgroup *cgroup_new(const char *id) {
    struct cgroup *cg = calloc(1, sizeof *cg);
    if (!cg) return NULL;
    cg->oom_fd = -1;
    cg->pids_refused = -1;
    for (int i = 0; i < CGROUP_CONTROLS; i++) cg->controls[i].group = -1;
    cg->id = strdup(id);
    if (!cg->id) {
        cgroup_free(cg);
        return NULL;
    }
    return cg;
}

void cgroup_group_clear(struct cgroup_group *g) {
    if (g->fd >= 0) close(g->fd);
    if (g->parent >= 0) close(g->parent);
    free(g->path);
    free(g->in_hierarchy);
    *g = (struct cgroup_group){.fd = -1, .parent = -1};
}

void cgroup_free(struct cgroup *cg) {
    if (!cg) return;
    for (size_t i = 0; i < cg->count; i++) cgroup_group_clear(&cg->groups[i]);
    for (int i = 0; i < CGROUP_CONTROLS; i++) free(cg->controls[i].detail);
    if (cg->oom_fd >= 0) close(cg->oom_fd);
    strv_free(cg->paths);
    free(cg->id);
    free(cg);
}

static void control_set(struct cgroup *cg, enum cgroup_control c, bool on, const char *fmt,
                        va_list ap) __attribute__((format(printf, 4, 0)));
static void control_set(struct cgroup *cg, enum cgroup_control c, bool on, const char *fmt,
                        va_list ap) {
    char *detail = NULL;
    if (vasprintf(&detail, fmt, ap) < 0) detail = NULL;
    free(cg->controls[c].detail);
    cg->controls[c] =
        (struct cgroup_state){.on = on, .group = on ? (int)cg->at : -1, .detail = detail};
}

void cgroup_control_on(struct cgroup *cg, enum cgroup_control c, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    control_set(cg, c, true, fmt, ap);
    va_end(ap);
}

void cgroup_control_off(struct cgroup *cg, enum cgroup_control c, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    control_set(cg, c, false, fmt, ap);
    va_end(ap);
}

bool cgroup_enforces(const struct cgroup *cg, enum cgroup_control c, const char **detail) {
    if (detail) *detail = cg->controls[c].detail ? cg->controls[c].detail : "";
    return cg->controls[c].on;
}

const struct cgroup_group *cgroup_group_of(const struct cgroup *cg, enum cgroup_control c) {
    return cg->controls[c].group < 0 ? NULL : &cg->groups[cg->controls[c].group];
}

const struct cgroup_group *cgroup_unified_of(const struct cgroup *cg) {
    for (size_t i = 0; i < cg->count; i++)
        if (cg->groups[i].unified) return &cg->groups[i];
    return NULL;
}

int cgroup_clone_fd(const struct cgroup *cg) {
    const struct cgroup_group *g = cgroup_unified_of(cg);
    return g ? g->fd : -1;
}

char *const *cgroup_paths(const struct cgroup *cg) {
    static char *const none[] = {NULL};
    return cg->paths ? cg->paths : none;
}

/* ---- making groups ---- */

/* Something else may be mounted over where mountinfo shows the hierarchy. */
static bool is_cgroupfs(int fd, bool unified) {
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0) return false;
    return fs.f_type == (unified ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC);
}

/* Opens <mount><base>/paddock, making it if need be. */
static int open_parent(const char *path, bool unified) {
    int fd = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        if (mkdir(path, 0755) < 0 && errno != EEXIST) return -1;
        fd = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    }
    if (fd >= 0 && !is_cgroupfs(fd, unified)) {
        close(fd);
        errno = ENODEV;
        return -1;
    }
    return fd;
}

/* An empty group left by a launcher that died between its steps is replaced;
 * the live registry says that nobody else has this id. */
static int make_child(int parent, const char *id) {
    if (mkdirat(parent, id, 0755) == 0) return 0;
    if (errno != EEXIST) return -1;
    if (unlinkat(parent, id, AT_REMOVEDIR) < 0 && errno != ENOENT) {
        errno = EEXIST;
        return -1;
    }
    return mkdirat(parent, id, 0755);
}

/* Another sandbox that ends may take "paddock" away between our two steps. */
static int make_folders(const struct cgroup *cg, const char *parent_path, struct cgroup_group *g) {
    for (int attempt = 0; attempt < 3; attempt++) {
        if (g->parent >= 0) close(g->parent);
        g->parent = open_parent(parent_path, g->unified);
        if (g->parent < 0 && errno != ENOENT) return -1;
        if (g->parent < 0) continue;
        if (make_child(g->parent, cg->id) == 0) {
            g->fd = openat(g->parent, cg->id, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (g->fd >= 0) return 0;
            int saved = errno; /* nobody would know of it: it goes at once */
            (void)unlinkat(g->parent, cg->id, AT_REMOVEDIR);
            errno = saved;
            return -1;
        }
        if (errno != ENOENT && errno != ENODEV) return -1;
    }
    return -1;
}

struct cgroup_group *cgroup_group_make(struct cgroup *cg, const struct cgroup_hierarchy *h,
                                       const char *base, bool own_parent) {
    if (cg->count == CGROUP_GROUPS) {
        errno = ENOSPC;
        return NULL;
    }
    _cleanup_free_ char *parent_path = str_printf("%s%s/paddock%s%s", h->mount, base,
                                                  own_parent ? "-" : "", own_parent ? cg->id : "");
    struct cgroup_group g = {
        .unified = h->unified, .controllers = h->controllers, .fd = -1, .parent = -1};
    g.path = parent_path ? str_printf("%s/%s", parent_path, cg->id) : NULL;
    if (g.path)
        g.in_hierarchy =
            str_printf("%s%s", strcmp(h->root, "/") == 0 ? "" : h->root, g.path + strlen(h->mount));
    g.lone_parent = own_parent || base[0] != '\0';
    if (g.path && g.in_hierarchy && strv_push(&cg->paths, g.path) == 0) {
        if (make_folders(cg, parent_path, &g) == 0) {
            cg->groups[cg->count] = g;
            cg->at = cg->count;
            return &cg->groups[cg->count++];
        }
        size_t last = strv_len(cg->paths) - 1;
        free(cg->paths[last]);
        cg->paths[last] = NULL;
    } else {
        errno = ENOMEM;
    }
    int saved = errno;
    cgroup_group_clear(&g);
    errno = saved;
    return NULL;
}

static int group_remove(const struct cgroup *cg, struct cgroup_group *g) {
    if (unlinkat(g->parent, cg->id, AT_REMOVEDIR) < 0 && errno != ENOENT) return -1;
    if (g->lone_parent) {
        /* Fails while another sandbox is in there. */
        g->path[strlen(g->path) - strlen(cg->id) - 1] = '\0';
        (void)rmdir(g->path);
    }
    return 0;
}

void cgroup_group_undo(struct cgroup *cg) {
    struct cgroup_group *g = &cg->groups[--cg->count];
    (void)group_remove(cg, g);
    cgroup_group_clear(g);
    size_t last = strv_len(cg->paths) - 1;
    free(cg->paths[last]);
    cg->paths[last] = NULL;
}

/* ---- create, attach, destroy ---- */

static const unsigned control_needs[CGROUP_CONTROLS] = {
    [CGROUP_CPU] = CTL_BIT(CTL_CPUACCT),     [CGROUP_CPUSET] = CTL_BIT(CTL_CPUSET),
    [CGROUP_MEMORY] = CTL_BIT(CTL_MEMORY),   [CGROUP_PIDS] = CTL_BIT(CTL_PIDS),
    [CGROUP_IO] = CTL_BIT(CTL_IO),           [CGROUP_FREEZE] = CTL_BIT(CTL_FREEZER),
    [CGROUP_DEVICES] = CTL_BIT(CTL_DEVICES), [CGROUP_CPU_SHARE] = CTL_BIT(CTL_CPU),
    [CGROUP_IO_RATE] = CTL_BIT(CTL_IO),
};

/* The controllers that are still to be found somewhere. */
static unsigned still_needed(const struct cgroup *cg, const struct cgroup_want *want) {
    unsigned needed = 0;
    for (int c = 0; c < CGROUP_CONTROLS; c++)
        if (!cg->controls[c].on) needed |= control_needs[c];
    /* A cpuset that allows everything would only cost time. */
    if (!want->cpus) needed &= ~CTL_BIT(CTL_CPUSET);
    if (!want->limits->cpu_percent) needed &= ~CTL_BIT(CTL_CPU);
    /* Nor does a group of its own for the bytes read and written alone:
     * getrusage(2) tells them. A user namespace makes no nodes, and has only those
     * it was given: a list of devices adds nothing where none were lent. */
    if (!want->limits->io_count) needed &= ~CTL_BIT(CTL_IO);
    return needed & ~CTL_BIT(CTL_DEVICES);
}

static int create_unified(struct cgroup *cg, const struct cgroup_map *map,
                          const struct cgroup_want *want, struct error *err) {
    const struct cgroup_hierarchy *unified = cgroup_map_unified(map);
    for (int c = 0; c < CGROUP_CONTROLS; c++) cgroup_control_off(cg, c, "no such controller");
    if (!want->cpus) cgroup_control_off(cg, CGROUP_CPUSET, "no list of cpus asked for");
    cgroup_control_off(cg, CGROUP_MEMORY_HIGH, "v1 has no such limit");
    cgroup_control_off(cg, CGROUP_EXCLUSIVE, "v1 cpusets keep out other cpusets only");
    return unified ? cgroup_v2_create(cg, unified, want, err) : 0;
}

static int create_others(struct cgroup *cg, const struct cgroup_map *map,
                         const struct cgroup_want *want, struct error *err) {
    for (size_t i = 0; i < map->count; i++) {
        const struct cgroup_hierarchy *h = &map->items[i];
        unsigned needed = h->unified ? 0 : h->controllers & still_needed(cg, want);
        if (needed && cgroup_v1_create(cg, h, needed, want, err) < 0) return -1;
    }
    return 0;
}

static struct cgroup_want want_of(const struct cgroup_map *map, const char *delegated,
                                  const struct spec_limits *limits, const char *cpus) {
    static const struct spec_limits no_limits;
    struct cgroup_want want = {
        .limits = limits ? limits : &no_limits, .cpus = cpus, .delegated = delegated};
    for (size_t i = 0; i < map->count; i++) want.elsewhere |= map->items[i].controllers;
    return want;
}

int cgroup_create_on(const struct cgroup_map *map, const char *delegated, const char *id,
                     const struct spec_limits *limits, const char *cpus, struct cgroup **out,
                     struct error *err) {
    *out = NULL;
    if (!str_is_name(id)) return error_set(err, ERROR_INVALID, "cgroup: not a name for a group");
    struct cgroup *cg = cgroup_new(id);
    if (!cg) return error_sys(err, ENOMEM, "cgroup %s", id);
    struct cgroup_want want = want_of(map, delegated, limits, cpus);
    if (create_unified(cg, map, &want, err) < 0 || create_others(cg, map, &want, err) < 0) {
        cgroup_destroy(cg, 100, NULL);
        return error_wrap(err, "cgroup %s", id);
    }
    *out = cg;
    return 0;
}

int cgroup_create(const char *id, const struct spec_limits *limits, const char *cpus,
                  struct cgroup **out, struct error *err) {
    _cleanup_cgroup_map_ struct cgroup_map map = {0};
    *out = NULL;
    if (!weaken("cgroup") && cgroup_map_load(&map, err) < 0) return -1;
    return cgroup_create_on(&map, getenv("PADDOCK_CGROUP"), id, limits, cpus, out, err);
}

int cgroup_limit(struct cgroup *cg, const struct spec_limits *limits, const char *cpus) {
    if (cpus || limits->cpu_percent || limits->io_count || limits->cpus_exclusive) return -1;
    struct cgroup_want want = {.limits = limits};
    for (cg->at = 0; cg->at < cg->count; cg->at++) {
        const struct cgroup_group *g = &cg->groups[cg->at];
        if (g->unified) cgroup_v2_limit(cg, g, g->asked, &want);
        else cgroup_v1_limit(cg, g, g->asked, &want);
    }
    return 0;
}

int cgroup_attach(struct cgroup *cg, pid_t pid, bool cloned_into, struct error *err) {
    for (size_t i = 0; i < cg->count; i++) {
        const struct cgroup_group *g = &cg->groups[i];
        if (g->unified && cloned_into) continue;
        if (cgroup_write_int(g->fd, "cgroup.procs", pid) < 0)
            return error_sys(err, errno, "attach process %d to %s", (int)pid, g->path);
    }
    return 0;
}

int cgroup_enter_open(const struct cgroup *cg, bool cloned_into, struct cgroup_door *out,
                      struct error *err) {
    *out = (struct cgroup_door){0};
    for (size_t i = 0; i < cg->count; i++) {
        const struct cgroup_group *g = &cg->groups[i];
        if (g->unified && cloned_into) continue;
        int fd = openat(g->fd, g->unified ? "cgroup.procs" : "tasks", O_WRONLY | O_CLOEXEC);
        if (fd < 0) {
            error_sys(err, errno, "%s", g->path);
            cgroup_enter_close(out);
            return -1;
        }
        out->fds[out->count++] = fd;
    }
    return 0;
}

int cgroup_enter(const struct cgroup_door *door) {
    for (size_t i = 0; i < door->count; i++)
        if (write(door->fds[i], "0", 1) != 1) return -1;
    return 0;
}

void cgroup_enter_close(struct cgroup_door *door) {
    for (size_t i = 0; i < door->count; i++) close(door->fds[i]);
    door->count = 0;
}

/* A group is busy for a moment after its last process was reaped. */
static int remove_patiently(const struct cgroup *cg, struct cgroup_group *g, int64_t deadline) {
    for (int64_t pause = 50000;; pause = pause < 2 * NS_PER_MS ? pause * 2 : pause) {
        if (group_remove(cg, g) == 0) return 0;
        if (errno != EBUSY || clock_mono_ns() >= deadline) return -1;
        struct timespec nap = {.tv_nsec = pause};
        nanosleep(&nap, NULL);
    }
}

int cgroup_destroy(struct cgroup *cg, int patience_ms, struct error *err) {
    if (!cg) return 0;
    int64_t deadline = clock_mono_ns() + patience_ms * NS_PER_MS;
    int result = 0;
    for (size_t i = cg->count; i-- > 0;) {
        if (remove_patiently(cg, &cg->groups[i], deadline) == 0) continue;
        if (result == 0) error_sys(err, errno, "remove %s", cg->groups[i].path);
        result = -1;
    }
    cgroup_free(cg);
    return result;
}

/* ---- out of memory ---- */

int cgroup_oom_fd(const struct cgroup *cg) {
    return cg->oom_fd;
}

bool cgroup_oom_seen(struct cgroup *cg) {
    const struct cgroup_group *g = cgroup_group_of(cg, CGROUP_MEMORY);
    if (!g || cg->oom_seen) return cg->oom_seen;
    char drain[4096];
    ssize_t n = cg->oom_fd < 0 ? 0 : read(cg->oom_fd, drain, sizeof drain);
    if (!g->unified && n == (ssize_t)sizeof(eventfd_t)) cg->oom_seen = true;
    char text[512];
    if (cgroup_read(g->fd, g->unified ? "memory.events" : "memory.oom_control", text, sizeof text) >
            0 &&
        cgroup_field(text, "oom_kill") > 0)
        cg->oom_seen = true;
    return cg->oom_seen;
}
