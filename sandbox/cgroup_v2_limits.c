/* The limits of a group in the unified hierarchy. */
#include "common/cleanup.h"
#include "sandbox/cgroup_internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/inotify.h>

#define CPU_PERIOD_US 100000 /* the kernel's default */

static int watch_oom(const struct cgroup_group *g) {
    _cleanup_free_ char *events = str_printf("%s/memory.events", g->path);
    _cleanup_close_ int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (!events || fd < 0 || inotify_add_watch(fd, events, IN_MODIFY) < 0) return -1;
    return steal_fd(&fd);
}

static void limit_memory(struct cgroup *cg, const struct cgroup_group *g, int64_t bytes) {
    /* Also without a limit of ours: one above, or the machine's end, must not
     * leave half a tree. */
    bool group = cgroup_write(g->fd, "memory.oom.group", "1") == 0;
    if (bytes == 0) {
        cgroup_control_on(cg, CGROUP_MEMORY, "memory (v2), no limit asked for");
        return;
    }
    if (cgroup_write_int(g->fd, "memory.max", bytes) < 0) {
        cgroup_control_off(cg, CGROUP_MEMORY, "%s/memory.max: %s", g->path, strerror(errno));
        return;
    }
    /* The first is absent where the kernel does not count swap. */
    bool swapless = cgroup_write(g->fd, "memory.swap.max", "0") == 0;
    cgroup_control_on(cg, CGROUP_MEMORY, "memory.max (v2)%s%s",
                      swapless ? "" : ", swap not limited", group ? "" : ", not killed as one");
    cg->oom_fd = watch_oom(g);
}

static void limit_pids(struct cgroup *cg, const struct cgroup_group *g, int64_t pids) {
    if (pids == 0) cgroup_control_on(cg, CGROUP_PIDS, "pids (v2), no limit asked for");
    else if (cgroup_write_int(g->fd, "pids.max", pids) == 0)
        cgroup_control_on(cg, CGROUP_PIDS, "pids.max (v2)");
    else cgroup_control_off(cg, CGROUP_PIDS, "%s/pids.max: %s", g->path, strerror(errno));
}

static void limit_cpuset(struct cgroup *cg, const struct cgroup_group *g, const char *cpus) {
    if (cgroup_write(g->fd, "cpuset.cpus", cpus) == 0)
        cgroup_control_on(cg, CGROUP_CPUSET, "cpuset.cpus (v2)");
    else cgroup_control_off(cg, CGROUP_CPUSET, "%s/cpuset.cpus: %s", g->path, strerror(errno));
}

static void limit_memory_high(struct cgroup *cg, const struct cgroup_group *g, int64_t bytes) {
    if (cgroup_write_int(g->fd, "memory.high", bytes) == 0)
        cgroup_control_on(cg, CGROUP_MEMORY_HIGH, "memory.high (v2)");
    else cgroup_control_off(cg, CGROUP_MEMORY_HIGH, "%s/memory.high: %s", g->path, strerror(errno));
}

static void limit_cpu(struct cgroup *cg, const struct cgroup_group *g, int64_t percent) {
    char text[64];
    snprintf(text, sizeof text, "%" PRId64 " %d", percent * (CPU_PERIOD_US / 100), CPU_PERIOD_US);
    if (cgroup_write(g->fd, "cpu.max", text) == 0)
        cgroup_control_on(cg, CGROUP_CPU_SHARE, "cpu.max (v2)");
    else cgroup_control_off(cg, CGROUP_CPU_SHARE, "%s/cpu.max: %s", g->path, strerror(errno));
}

static size_t add_rate(char *out, size_t size, const char *key, int64_t rate) {
    return rate ? (size_t)snprintf(out, size, " %s=%" PRId64, key, rate) : 0;
}

static void limit_io(struct cgroup *cg, const struct cgroup_group *g,
                     const struct spec_limits *limits) {
    for (size_t i = 0; i < limits->io_count; i++) {
        const struct spec_io *io = &limits->io[i];
        char device[CGROUP_DEVICE_TEXT];
        if (cgroup_io_device(io, device) < 0) {
            cgroup_control_off(cg, CGROUP_IO_RATE, "%s", device);
            return;
        }
        char text[CGROUP_DEVICE_TEXT + 128];
        size_t n = (size_t)snprintf(text, sizeof text, "%s", device);
        n += add_rate(text + n, sizeof text - n, "rbps", io->read_bps);
        n += add_rate(text + n, sizeof text - n, "wbps", io->write_bps);
        n += add_rate(text + n, sizeof text - n, "riops", io->read_iops);
        (void)add_rate(text + n, sizeof text - n, "wiops", io->write_iops);
        if (cgroup_write(g->fd, "io.max", text) == 0) continue;
        cgroup_control_off(cg, CGROUP_IO_RATE, "%s/io.max: %s: %s", g->path, text, strerror(errno));
        return;
    }
    cgroup_control_on(cg, CGROUP_IO_RATE, "io.max (v2)");
}

/* The folder between becomes the root of a partition: the scheduler then has no
 * other process on these cpus. That it is none is told by reading it again, with
 * the reason ("root invalid (Cpu list in cpuset.cpus not exclusive)"). */
static void make_exclusive(struct cgroup *cg, const struct cgroup_group *g, const char *cpus) {
    static const char file[] = "cpuset.cpus.partition";
    char state[256] = "";
    if (cgroup_write(g->parent, "cpuset.cpus", cpus) == 0 &&
        cgroup_write(g->parent, file, "root") == 0 &&
        cgroup_read(g->parent, file, state, sizeof state) > 0 && strcmp(state, "root\n") == 0) {
        cgroup_control_on(cg, CGROUP_EXCLUSIVE, "cpuset.cpus.partition (v2)");
        return;
    }
    int saved = errno;
    state[strcspn(state, "\n")] = '\0';
    (void)cgroup_write(g->parent, file, "member");
    cgroup_control_off(cg, CGROUP_EXCLUSIVE, "%.*s/%s: %s",
                       (int)(strlen(g->path) - strlen(cg->id) - 1), g->path, file,
                       state[0] ? state : strerror(saved));
}

void cgroup_v2_limit(struct cgroup *cg, const struct cgroup_group *g, unsigned wanted,
                     const struct cgroup_want *want) {
    const struct spec_limits *limits = want->limits;
    unsigned have = g->controllers & wanted;
    if (faccessat(g->fd, "cpu.stat", R_OK, 0) == 0)
        cgroup_control_on(cg, CGROUP_CPU, "cpu.stat (v2)");
    if (faccessat(g->fd, "cgroup.freeze", W_OK, 0) == 0)
        cgroup_control_on(cg, CGROUP_FREEZE, "cgroup.freeze (v2)");
    if (have & CTL_BIT(CTL_MEMORY)) limit_memory(cg, g, limits->memory_bytes);
    if (have & CTL_BIT(CTL_MEMORY) && limits->memory_high_bytes)
        limit_memory_high(cg, g, limits->memory_high_bytes);
    if (have & CTL_BIT(CTL_PIDS)) limit_pids(cg, g, limits->pids);
    if (have & CTL_BIT(CTL_IO)) cgroup_control_on(cg, CGROUP_IO, "io.stat (v2)");
    if (have & CTL_BIT(CTL_IO) && limits->io_count) limit_io(cg, g, limits);
    if (have & CTL_BIT(CTL_CPU) && limits->cpu_percent) limit_cpu(cg, g, limits->cpu_percent);
    if (have & CTL_BIT(CTL_CPUSET)) {
        if (limits->cpus_exclusive) make_exclusive(cg, g, want->cpus);
        limit_cpuset(cg, g, want->cpus);
    }
}
