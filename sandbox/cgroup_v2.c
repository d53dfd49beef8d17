/*
 * A sandbox's group in the unified hierarchy
 * (Documentation/admin-guide/cgroup-v2.rst).
 *
 * A controller must be enabled in subtree_control of every folder above, and a
 * folder with processes of its own cannot enable memory, pids or io ("no
 * internal processes"; the top is exempt). Our own group has at least ourselves
 * in it, unless it was enabled before by who delegated it (PADDOCK_CGROUP). If
 * we and our children are alone we move to a leaf beside; we never move anybody else.
 */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/cgroup_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define V2_CONTROLLERS (CTL_BIT(CTL_MEMORY) | CTL_BIT(CTL_PIDS) | CTL_BIT(CTL_IO))

static unsigned controllers_in(int fd, const char *file) {
    char text[512];
    return cgroup_read(fd, file, text, sizeof text) < 0 ? 0 : cgroup_controllers_parse(text);
}

/* A child of ours: init, which is there before the groups are. */
static bool is_child(int pid) {
    char path[32];
    _cleanup_buf_ struct buf stat = {0};
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    if (file_read(path, 1024, &stat, NULL) < 0) return false;
    const char *after = strrchr(buf_text(&stat), ')'); /* the name may hold anything */
    /* ") S 1 …" (proc_pid_stat(5)) */
    return after && strlen(after) > 4 && strtol(after + 4, NULL, 10) == getpid();
}

/* Moves us and our children to a leaf beside, if nobody else is in the group. */
static int move_to_leaf(int fd) {
    int pids[32];
    size_t count = 0;
    char text[256];
    char *end;
    ssize_t n = cgroup_read(fd, "cgroup.procs", text, sizeof text);
    if (n <= 0 || n >= (ssize_t)sizeof text - 1) return errno = EBUSY, -1;
    for (const char *at = text; *at; at = *end == '\n' ? end + 1 : end) {
        int pid = (int)strtol(at, &end, 10);
        if (end == at || count == ARRAY_SIZE(pids) || (pid != getpid() && !is_child(pid)))
            return errno = EBUSY, -1;
        pids[count++] = pid;
    }
    if (mkdirat(fd, "paddock.launcher", 0755) < 0 && errno != EEXIST) return -1;
    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%d", pids[i]);
        if (cgroup_write(fd, "paddock.launcher/cgroup.procs", text) < 0) return -1;
    }
    return 0;
}

/* In one write, all or nothing: pids alone would be accepted where there are
 * processes, and turn the group into the root of a threaded subtree in which
 * memory can no longer be enabled. */
static int enable_all(int fd, unsigned missing) {
    static const struct {
        enum controller controller;
        const char *text;
    } each[] = {{CTL_MEMORY, "+memory "},
                {CTL_PIDS, "+pids "},
                {CTL_IO, "+io "},
                {CTL_CPUSET, "+cpuset "},
                {CTL_CPU, "+cpu "}};
    char text[64] = "";
    size_t len = 0;
    for (size_t i = 0; i < ARRAY_SIZE(each); i++)
        if (missing & CTL_BIT(each[i].controller))
            len += (size_t)snprintf(text + len, sizeof text - len, "%s", each[i].text);
    return cgroup_write(fd, "cgroup.subtree_control", text);
}

/* Makes what of `wanted` is at hand available below the group. 0, or -1 and the
 * errno that stopped some of it. */
static int enable(int fd, unsigned wanted) {
    unsigned missing = wanted & controllers_in(fd, "cgroup.controllers") &
                       ~controllers_in(fd, "cgroup.subtree_control");
    if (!missing || enable_all(fd, missing) == 0) return 0;
    if (errno != EBUSY || move_to_leaf(fd) < 0) return -1;
    return enable_all(fd, missing);
}

/* A plain user can move a process only when the nearest common ancestor of both
 * groups is theirs too. */
static bool may_attach(const struct cgroup_hierarchy *h, const char *base) {
    if (geteuid() == 0) return true;
    _cleanup_free_ char *own = cgroup_hierarchy_own(h);
    if (!own) return false;
    size_t common = 0;
    for (size_t i = 0;; i++) {
        bool own_ends = own[i] == '\0' || own[i] == '/';
        bool base_ends = base[i] == '\0' || base[i] == '/';
        if (own_ends && base_ends) common = i;
        if (own[i] != base[i] || own[i] == '\0') break;
    }
    _cleanup_free_ char *procs = str_printf("%s%.*s/cgroup.procs", h->mount, (int)common, base);
    return procs && faccessat(AT_FDCWD, procs, W_OK, AT_EACCESS) == 0;
}

/* What the hierarchy has, as far up as its mount point shows it. */
static unsigned controllers_of(const struct cgroup_hierarchy *h) {
    _cleanup_close_ int fd = open(h->mount, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? 0 : controllers_in(fd, "cgroup.controllers");
}

/* Why there is no controller in what could be made. */
static const char *trouble_text(int trouble) {
    switch (trouble) {
    case EBUSY: return "the group has processes of its own (see PADDOCK_CGROUP)";
    case ENODEV: return "the groups above do not hand it down";
    default: return strerror(trouble);
    }
}

/* Makes the group below one base. NULL and errno when nothing can be made;
 * *trouble is the errno that kept controllers away. */
static struct cgroup_group *make_below(struct cgroup *cg, const struct cgroup_hierarchy *h,
                                       const char *base, unsigned wanted,
                                       const struct cgroup_want *want, int *trouble) {
    *trouble = 0;
    if (!may_attach(h, base)) {
        errno = EACCES;
        return NULL;
    }
    struct cgroup_group *g =
        cgroup_group_make(cg, h, base, want->limits->cpus_exclusive && want->cpus);
    if (!g) return NULL;
    if (wanted) g->controllers = controllers_in(g->fd, "cgroup.controllers");
    if (!(wanted & ~g->controllers)) return g;
    _cleanup_close_ int above = openat(g->parent, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (above < 0 || enable(above, wanted) < 0) *trouble = errno;
    if (enable(g->parent, wanted) < 0 && !*trouble) *trouble = errno;
    g->controllers = controllers_in(g->fd, "cgroup.controllers");
    if (!*trouble && wanted & ~g->controllers & controllers_of(h)) *trouble = ENODEV;
    return g;
}

/* The best base: the first that gives all that the hierarchy has; else the
 * first that can be written at all. */
static struct cgroup_group *make(struct cgroup *cg, const struct cgroup_hierarchy *h,
                                 unsigned wanted, const struct cgroup_want *want, char **why) {
    _cleanup_cgroup_bases_ struct cgroup_bases bases = {0};
    cgroup_bases(h, want->delegated, &bases);
    size_t usable = bases.count;
    int trouble = 0;
    for (size_t i = 0; i < bases.count; i++) {
        struct cgroup_group *g = make_below(cg, h, bases.items[i], wanted, want, &trouble);
        if (!g && errno == EEXIST) return NULL;
        if (!g && !*why)
            *why = str_printf("no writable group: %s%s: %s", h->mount, bases.items[i],
                              strerror(errno));
        if (!g) continue;
        if (trouble == 0) return g;
        if (usable == bases.count) {
            usable = i;
            free(*why);
            *why = str_printf("%s%s: cannot enable the controller: %s", h->mount, bases.items[i],
                              trouble_text(trouble));
        }
        cgroup_group_undo(cg);
    }
    errno = EACCES;
    return usable == bases.count ? NULL
                                 : make_below(cg, h, bases.items[usable], wanted, want, &trouble);
}

static void say_why(struct cgroup *cg, const char *why) {
    static const enum cgroup_control served[] = {
        CGROUP_CPU,       CGROUP_MEMORY,      CGROUP_PIDS,    CGROUP_IO,       CGROUP_FREEZE,
        CGROUP_CPU_SHARE, CGROUP_MEMORY_HIGH, CGROUP_IO_RATE, CGROUP_EXCLUSIVE};
    for (size_t i = 0; why && i < ARRAY_SIZE(served); i++)
        cgroup_control_off(cg, served[i], "%s", why);
    if (why && !str_starts(cg->controls[CGROUP_CPUSET].detail, "no list"))
        cgroup_control_off(cg, CGROUP_CPUSET, "%s", why);
}

int cgroup_v2_create(struct cgroup *cg, const struct cgroup_hierarchy *h,
                     const struct cgroup_want *want, struct error *err) {
    unsigned wanted = V2_CONTROLLERS | (want->cpus ? CTL_BIT(CTL_CPUSET) : 0) |
                      (want->limits->cpu_percent ? CTL_BIT(CTL_CPU) : 0);
    wanted &= ~want->elsewhere;
    _cleanup_free_ char *why = NULL;
    const struct cgroup_group *g = make(cg, h, wanted, want, &why);
    if (!g && errno == EEXIST)
        return error_set(err, ERROR_EXISTS, "a group of that name is in use: %s", h->mount);
    say_why(cg, why);
    if (!g) return 0;
    cg->groups[cg->at].asked = wanted;
    cgroup_v2_limit(cg, g, wanted, want);
    return 0;
}
