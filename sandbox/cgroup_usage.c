/* What a sandbox used so far, and how many processes it has. */
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/cgroup_internal.h"

#include <string.h>

#define PROCS_TEXT_MAX (16U << 20)
#define NS_PER_US      1000

static int64_t scaled(int64_t value, int64_t by) {
    return value < 0 ? -1 : value * by;
}

static void sample_cpu(const struct cgroup_group *g, struct cgroup_usage *out) {
    if (!g->unified) {
        out->cpu_total_ns = cgroup_read_int(g->fd, "cpuacct.usage");
        out->cpu_user_ns = cgroup_read_int(g->fd, "cpuacct.usage_user");
        out->cpu_system_ns = cgroup_read_int(g->fd, "cpuacct.usage_sys");
        return;
    }
    char text[2048];
    if (cgroup_read(g->fd, "cpu.stat", text, sizeof text) < 0) return;
    out->cpu_total_ns = scaled(cgroup_field(text, "usage_usec"), NS_PER_US);
    out->cpu_user_ns = scaled(cgroup_field(text, "user_usec"), NS_PER_US);
    out->cpu_system_ns = scaled(cgroup_field(text, "system_usec"), NS_PER_US);
}

static void sample_memory(const struct cgroup_group *g, struct cgroup_usage *out) {
    char text[512];
    out->memory_bytes =
        cgroup_read_int(g->fd, g->unified ? "memory.current" : "memory.usage_in_bytes");
    out->memory_peak_bytes =
        cgroup_read_int(g->fd, g->unified ? "memory.peak" : "memory.max_usage_in_bytes");
    if (cgroup_read(g->fd, g->unified ? "memory.events" : "memory.oom_control", text, sizeof text) >
        0)
        out->oom_kills = cgroup_field(text, "oom_kill");
}

static int64_t pids_refused(const struct cgroup_group *g) {
    char text[128];
    return cgroup_read(g->fd, "pids.events", text, sizeof text) < 0 ? -1
                                                                    : cgroup_field(text, "max");
}

/* Adds up what stands behind each `key`: v2 has "8:0 rbytes=1 wbytes=2 …" a
 * line, v1 has "8:0 Read 1". */
static int64_t sum_behind(const char *text, const char *key) {
    int64_t sum = 0;
    for (const char *p = text; (p = strstr(p, key)); p += strlen(key))
        sum += strtoll(p + strlen(key), NULL, 10);
    return sum;
}

static void sample_io(const struct cgroup_group *g, struct cgroup_usage *out) {
    char text[16384];
    const char *file = g->unified ? "io.stat" : "blkio.throttle.io_service_bytes_recursive";
    if (cgroup_read(g->fd, file, text, sizeof text) < 0) return;
    out->io_read_bytes = sum_behind(text, g->unified ? "rbytes=" : " Read ");
    out->io_write_bytes = sum_behind(text, g->unified ? "wbytes=" : " Write ");
}

/* Held back by its own share of the cpus; and, in v1 with schedstats, how long the
 * group as a whole waited for cpus on which others ran. */
static void sample_share(const struct cgroup_group *g, struct cgroup_usage *out) {
    char text[2048];
    if (cgroup_read(g->fd, "cpu.stat", text, sizeof text) < 0) return;
    out->throttled_ns = g->unified ? scaled(cgroup_field(text, "throttled_usec"), NS_PER_US)
                                   : cgroup_field(text, "throttled_time");
    if (!g->unified) out->waited_ns = cgroup_field(text, "wait_sum");
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=<µs>". */
static int64_t pressure(const struct cgroup_group *g, const char *file) {
    char text[256];
    if (cgroup_read(g->fd, file, text, sizeof text) < 0) return -1;
    const char *total = str_starts(text, "some ") ? strstr(text, "total=") : NULL;
    return total ? strtoll(total + 6, NULL, 10) * NS_PER_US : -1;
}

void cgroup_glance(struct cgroup *cg, struct cgroup_usage *out) {
    memset(out, 0xff, sizeof *out); /* −1 everywhere */
    const struct cgroup_group *g = cgroup_group_of(cg, CGROUP_CPU);
    if (g) sample_cpu(g, out);
    g = cgroup_group_of(cg, CGROUP_PIDS);
    if (g) out->pids_refused = cg->pids_refused >= 0 ? cg->pids_refused : pids_refused(g);
}

void cgroup_sample(struct cgroup *cg, struct cgroup_usage *out) {
    memset(out, 0xff, sizeof *out); /* −1 everywhere */
    const struct cgroup_group *g = cgroup_group_of(cg, CGROUP_CPU);
    if (g) sample_cpu(g, out);
    g = cgroup_group_of(cg, CGROUP_MEMORY);
    if (g) sample_memory(g, out);
    g = cgroup_group_of(cg, CGROUP_PIDS);
    if (g) out->pids_refused = cg->pids_refused >= 0 ? cg->pids_refused : pids_refused(g);
    g = cgroup_group_of(cg, CGROUP_IO);
    if (g) sample_io(g, out);
    g = cgroup_group_of(cg, CGROUP_CPU_SHARE);
    if (g) sample_share(g, out);
    g = cgroup_unified_of(cg);
    if (!g) return;
    out->pressure_cpu_ns = pressure(g, "cpu.pressure");
    out->pressure_memory_ns = pressure(g, "memory.pressure");
    out->pressure_io_ns = pressure(g, "io.pressure");
}

size_t cgroup_threads(struct cgroup *cg, int64_t *tids, size_t most) {
    const struct cgroup_group *g = cgroup_unified_of(cg);
    if (!g && cg->count) g = &cg->groups[0];
    char text[4096]; /* a read of one page holds some hundred */
    if (!g || cgroup_read(g->fd, g->unified ? "cgroup.threads" : "tasks", text, sizeof text) < 0)
        return 0;
    size_t count = 0;
    char *end = text;
    for (char *p = text; count < most; p = end) {
        int64_t tid = strtoll(p, &end, 10);
        if (end == p || *end != '\n') break; /* the last one may be cut */
        tids[count++] = tid;
    }
    return count;
}

int64_t cgroup_group_population(const struct cgroup_group *g) {
    char events[128];
    if (g->unified && cgroup_read(g->fd, "cgroup.events", events, sizeof events) > 0 &&
        cgroup_field(events, "populated") == 0)
        return 0;
    _cleanup_buf_ struct buf list = {0};
    if (file_read_at(g->fd, "cgroup.procs", PROCS_TEXT_MAX, &list, NULL) < 0) return -1;
    int64_t lines = 0;
    for (const char *p = buf_text(&list); (p = strchr(p, '\n')); p++) lines++;
    /* Populated, but by groups further down. */
    return g->unified && lines == 0 ? 1 : lines;
}

int64_t cgroup_population(struct cgroup *cg) {
    /* All processes entered all groups together, and none can leave: where the
     * unified one is empty, so are the others. */
    const struct cgroup_group *unified = cgroup_unified_of(cg);
    if (unified) return cgroup_group_population(unified);
    int64_t most = cg->count ? 0 : -1;
    for (size_t i = 0; i < cg->count; i++) {
        int64_t n = cgroup_group_population(&cg->groups[i]);
        if (n < 0) return -1;
        if (n > most) most = n;
    }
    return most;
}
