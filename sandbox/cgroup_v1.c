/* A sandbox's group in one v1 hierarchy (Documentation/admin-guide/cgroup-v1). */
#include "common/cleanup.h"
#include "sandbox/cgroup_internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>

#define CPU_PERIOD_US 100000 /* the kernel's default */

static const struct {
    enum controller controller;
    enum cgroup_control control;
} served[] = {
    {CTL_CPUACCT, CGROUP_CPU},     {CTL_CPUSET, CGROUP_CPUSET}, {CTL_MEMORY, CGROUP_MEMORY},
    {CTL_PIDS, CGROUP_PIDS},       {CTL_IO, CGROUP_IO},         {CTL_FREEZER, CGROUP_FREEZE},
    {CTL_DEVICES, CGROUP_DEVICES}, {CTL_CPU, CGROUP_CPU_SHARE}, {CTL_IO, CGROUP_IO_RATE},
};

static void all_off(struct cgroup *cg, unsigned needed, const struct cgroup_hierarchy *h,
                    const char *base, int errnum) {
    for (size_t i = 0; i < ARRAY_SIZE(served); i++)
        if (needed & CTL_BIT(served[i].controller))
            cgroup_control_off(cg, served[i].control, "no writable group: %s%s: %s", h->mount, base,
                               strerror(errnum));
}

static bool is_blank(const char *text) {
    return text[strspn(text, " \n")] == '\0';
}

/* Copies a cpuset file from one group to the next when that has none of its
 * own: a fresh v1 cpuset is empty, and nothing can be attached to it. */
static int inherit(int from, int to, const char *file) {
    char value[4096];
    if (cgroup_read(to, file, value, sizeof value) < 0) return -1;
    if (!is_blank(value)) return 0;
    if (cgroup_read(from, file, value, sizeof value) < 0) return -1;
    return cgroup_write(to, file, value);
}

static int fill_cpuset(const struct cgroup_group *g) {
    _cleanup_close_ int above = openat(g->parent, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
    static const char *const files[] = {"cpuset.mems", "cpuset.cpus"};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        if (inherit(above, g->parent, files[i]) < 0 || inherit(g->parent, g->fd, files[i]) < 0)
            return -1;
    return 0;
}

static void limit_cpuset(struct cgroup *cg, const struct cgroup_group *g, const char *cpus) {
    if (cgroup_write(g->fd, "cpuset.cpus", cpus) == 0)
        cgroup_control_on(cg, CGROUP_CPUSET, "cpuset.cpus (v1)");
    else cgroup_control_off(cg, CGROUP_CPUSET, "%s/cpuset.cpus: %s", g->path, strerror(errno));
}

/* Tells the kernel to count into an eventfd when the group runs out. */
static int watch_oom(const struct cgroup_group *g) {
    _cleanup_close_ int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    _cleanup_close_ int control = openat(g->fd, "memory.oom_control", O_RDONLY | O_CLOEXEC);
    char text[32];
    snprintf(text, sizeof text, "%d %d", event, control);
    if (event < 0 || control < 0 || cgroup_write(g->fd, "cgroup.event_control", text) < 0)
        return -1;
    return steal_fd(&event);
}

static void limit_memory(struct cgroup *cg, const struct cgroup_group *g, int64_t bytes) {
    if (bytes == 0) {
        cgroup_control_on(cg, CGROUP_MEMORY, "memory (v1), no limit asked for");
        return;
    }
    if (cgroup_write_int(g->fd, "memory.limit_in_bytes", bytes) < 0) {
        cgroup_control_off(cg, CGROUP_MEMORY, "%s/memory.limit_in_bytes: %s", g->path,
                           strerror(errno));
        return;
    }
    /* No swap: memory and swap together may not be more than memory alone. The
     * file is absent where the kernel does not count swap. */
    bool counted = cgroup_write_int(g->fd, "memory.memsw.limit_in_bytes", bytes) == 0;
    bool avoided = !counted && cgroup_write(g->fd, "memory.swappiness", "0") == 0;
    cgroup_control_on(cg, CGROUP_MEMORY, "memory.limit_in_bytes (v1)%s",
                      counted   ? ""
                      : avoided ? ", swap avoided but not limited"
                                : ", swap not limited");
    cg->oom_fd = watch_oom(g);
}

static void limit_pids(struct cgroup *cg, const struct cgroup_group *g, int64_t pids) {
    if (pids == 0) cgroup_control_on(cg, CGROUP_PIDS, "pids (v1), no limit asked for");
    else if (cgroup_write_int(g->fd, "pids.max", pids) == 0)
        cgroup_control_on(cg, CGROUP_PIDS, "pids.max (v1)");
    else cgroup_control_off(cg, CGROUP_PIDS, "%s/pids.max: %s", g->path, strerror(errno));
}

/* null, zero, full, random, urandom; ptmx and the terminals behind it. Nothing
 * may be made (no "m"). */
static void limit_devices(struct cgroup *cg, const struct cgroup_group *g) {
    static const char *const allowed[] = {"c 1:3 rw", "c 1:5 rw", "c 1:7 rw",  "c 1:8 rw",
                                          "c 1:9 rw", "c 5:2 rw", "c 136:* rw"};
    bool ok = cgroup_write(g->fd, "devices.deny", "a") == 0;
    _cleanup_close_ int fd = openat(g->fd, "devices.allow", O_WRONLY | O_CLOEXEC);
    for (size_t i = 0; ok && i < ARRAY_SIZE(allowed); i++)
        ok = write(fd, allowed[i], strlen(allowed[i])) > 0;
    if (ok) cgroup_control_on(cg, CGROUP_DEVICES, "devices.allow (v1)");
    else cgroup_control_off(cg, CGROUP_DEVICES, "%s/devices: %s", g->path, strerror(errno));
}

static void limit_cpu(struct cgroup *cg, const struct cgroup_group *g, int64_t percent) {
    if (cgroup_write_int(g->fd, "cpu.cfs_period_us", CPU_PERIOD_US) == 0 &&
        cgroup_write_int(g->fd, "cpu.cfs_quota_us", percent * (CPU_PERIOD_US / 100)) == 0)
        cgroup_control_on(cg, CGROUP_CPU_SHARE, "cpu.cfs_quota_us (v1)");
    else
        cgroup_control_off(cg, CGROUP_CPU_SHARE, "%s/cpu.cfs_quota_us: %s", g->path,
                           strerror(errno));
}

/* 0, or -1 with the reason in `why`. */
static int limit_device(const struct cgroup_group *g, const struct spec_io *io,
                        char why[CGROUP_DEVICE_TEXT]) {
    const struct {
        const char *file;
        int64_t rate;
    } rates[] = {{"blkio.throttle.read_bps_device", io->read_bps},
                 {"blkio.throttle.write_bps_device", io->write_bps},
                 {"blkio.throttle.read_iops_device", io->read_iops},
                 {"blkio.throttle.write_iops_device", io->write_iops}};
    char device[CGROUP_DEVICE_TEXT];
    if (cgroup_io_device(io, device) < 0) {
        memcpy(why, device, CGROUP_DEVICE_TEXT);
        return -1;
    }
    for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
        char text[CGROUP_DEVICE_TEXT + 32];
        snprintf(text, sizeof text, "%s %" PRId64, device, rates[i].rate);
        if (!rates[i].rate || cgroup_write(g->fd, rates[i].file, text) == 0) continue;
        snprintf(why, CGROUP_DEVICE_TEXT, "%s: %.32s: %s", rates[i].file, device, strerror(errno));
        return -1;
    }
    return 0;
}

/* What is written through the page cache is not held: v1 cannot tell whose it
 * is (Documentation/admin-guide/cgroup-v1/blkio-controller.rst). */
static void limit_io(struct cgroup *cg, const struct cgroup_group *g,
                     const struct spec_limits *limits) {
    for (size_t i = 0; i < limits->io_count; i++) {
        char why[CGROUP_DEVICE_TEXT];
        if (limit_device(g, &limits->io[i], why) == 0) continue;
        cgroup_control_off(cg, CGROUP_IO_RATE, "%s", why);
        return;
    }
    cgroup_control_on(cg, CGROUP_IO_RATE, "blkio.throttle (v1), not of buffered writes");
}

void cgroup_v1_limit(struct cgroup *cg, const struct cgroup_group *g, unsigned needed,
                     const struct cgroup_want *want) {
    if (needed & CTL_BIT(CTL_CPUACCT)) cgroup_control_on(cg, CGROUP_CPU, "cpuacct.usage (v1)");
    if (needed & CTL_BIT(CTL_CPUSET)) limit_cpuset(cg, g, want->cpus);
    if (needed & CTL_BIT(CTL_MEMORY)) limit_memory(cg, g, want->limits->memory_bytes);
    if (needed & CTL_BIT(CTL_PIDS)) limit_pids(cg, g, want->limits->pids);
    if (needed & CTL_BIT(CTL_IO)) cgroup_control_on(cg, CGROUP_IO, "blkio.throttle (v1)");
    if (needed & CTL_BIT(CTL_IO) && want->limits->io_count) limit_io(cg, g, want->limits);
    if (needed & CTL_BIT(CTL_CPU)) limit_cpu(cg, g, want->limits->cpu_percent);
    if (needed & CTL_BIT(CTL_FREEZER)) cgroup_control_on(cg, CGROUP_FREEZE, "freezer.state (v1)");
    if (needed & CTL_BIT(CTL_DEVICES)) limit_devices(cg, g);
}

static struct cgroup_group *make(struct cgroup *cg, const struct cgroup_hierarchy *h,
                                 unsigned needed, const char *delegated) {
    _cleanup_cgroup_bases_ struct cgroup_bases bases = {0};
    cgroup_bases(h, delegated, &bases);
    int first = 0;
    for (size_t i = 0; i < bases.count; i++) {
        struct cgroup_group *g = cgroup_group_make(cg, h, bases.items[i], false);
        if (g || errno == EEXIST) return g;
        if (first) continue;
        first = errno;
        all_off(cg, needed, h, bases.items[i], first);
    }
    errno = first ? first : ENOMEM;
    return NULL;
}

int cgroup_v1_create(struct cgroup *cg, const struct cgroup_hierarchy *h, unsigned needed,
                     const struct cgroup_want *want, struct error *err) {
    const struct cgroup_group *g = make(cg, h, needed, want->delegated);
    if (!g && errno == EEXIST)
        return error_set(err, ERROR_EXISTS, "a group of that name is in use: %s", h->mount);
    if (!g) return errno == ENOMEM ? error_sys(err, ENOMEM, "%s", h->mount) : 0;
    if (h->controllers & CTL_BIT(CTL_CPUSET) && fill_cpuset(g) < 0) {
        int saved = errno;
        cgroup_group_undo(cg);
        all_off(cg, needed, h, "", saved);
        return 0;
    }
    cg->groups[cg->at].asked = needed;
    cgroup_v1_limit(cg, g, needed, want);
    return 0;
}
