#include "sandbox/witness.h"

#include "common/cleanup.h"
#include "common/clock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

static ssize_t read_some(const char *path, char *out, size_t size) {
    _cleanup_close_ int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size - 1);
    if (n >= 0) out[n] = '\0';
    return n;
}

/* The eighth number of the first line of /proc/stat, in ticks (proc_stat(5)). */
static int64_t read_steal(void) {
    char text[256];
    if (read_some("/proc/stat", text, sizeof text) <= 0 || strncmp(text, "cpu ", 4) != 0) return -1;
    char *p = text + 4;
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) {
        char *end = NULL;
        value = strtoull(p, &end, 10);
        if (end == p) return -1;
        p = end;
    }
    long ticks = sysconf(_SC_CLK_TCK);
    return ticks > 0 ? (int64_t)(value * (uint64_t)NS_PER_SEC / (uint64_t)ticks) : -1;
}

static int64_t timeval_ns(struct timeval t) {
    return (int64_t)t.tv_sec * NS_PER_SEC + (int64_t)t.tv_usec * 1000;
}

void witness_read(struct witness *w, struct cgroup *cg) {
    const struct cgroup_usage unknown = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
    struct rusage self;
    getrusage(RUSAGE_SELF, &self);
    w->steal_ns = read_steal();
    w->launcher_cpu_ns = timeval_ns(self.ru_utime) + timeval_ns(self.ru_stime);
    w->usage = unknown;
    if (cg) cgroup_sample(cg, &w->usage);
}

static int64_t between(int64_t before, int64_t after) {
    if (after < 0) return -1;
    return before > 0 ? after - before : after;
}

void witness_report(const struct witness *before, const struct witness *after, struct result *r) {
    r->steal_ns = before->steal_ns < 0 ? -1 : between(before->steal_ns, after->steal_ns);
    r->launcher_cpu_ns = between(before->launcher_cpu_ns, after->launcher_cpu_ns);
    r->pressure_cpu_ns = between(before->usage.pressure_cpu_ns, after->usage.pressure_cpu_ns);
    r->pressure_memory_ns =
        between(before->usage.pressure_memory_ns, after->usage.pressure_memory_ns);
    r->pressure_io_ns = between(before->usage.pressure_io_ns, after->usage.pressure_io_ns);
    r->io_read_bytes = after->usage.io_read_bytes;
    r->io_write_bytes = after->usage.io_write_bytes;
}

int64_t witness_frequency(void) {
    int64_t sum = 0, count = 0;
    for (long cpu = 0, n = sysconf(_SC_NPROCESSORS_CONF); cpu < n; cpu++) {
        char path[96], text[32];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/cpufreq/scaling_cur_freq", cpu);
        if (read_some(path, text, sizeof text) <= 0) {
            if (cpu == 0) return -1; /* no cpufreq here: do not ask for each cpu */
            continue;
        }
        int64_t khz = strtoll(text, NULL, 10);
        if (khz > 0) {
            sum += khz;
            count++;
        }
    }
    return count ? sum / count : -1;
}
