#include "sandbox/witness_machine.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"

#include <fcntl.h>
#include <string.h>

enum { STAT_BYTES = 64 << 10, VMSTAT_BYTES = 16 << 10 };

/* As much as there is room for; its length, 0 when it cannot be read. */
static size_t read_text(const char *path, char *out, size_t size) {
    _cleanup_close_ int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t n = fd < 0 ? -1 : 1;
    while (n > 0 && len < size - 1) { /* a read of procfs gives a page at most */
        n = read(fd, out + len, size - 1 - len);
        if (n > 0) len += (size_t)n;
    }
    out[len] = '\0';
    return len;
}

/* "cpu3 user nice system idle iowait irq softirq steal …" (proc_stat(5)); guests'
 * time is in user's already. */
static bool add_line(const char *line, int64_t *busy, int64_t *steal) {
    int64_t columns[8];
    const char *p = line + strcspn(line, " ");
    for (int i = 0; i < 8; i++) {
        char *end = NULL;
        columns[i] = strtoll(p, &end, 10);
        if (end == p) return false;
        p = end;
    }
    *busy += columns[0] + columns[1] + columns[2] + columns[5] + columns[6];
    *steal += columns[7];
    return true;
}

bool witness_machine_stat(const char *text, const cpu_set_t *cpus, int64_t *busy, int64_t *steal) {
    bool any = false;
    *busy = *steal = 0;
    const char *next = text;
    while (str_starts(next, "cpu")) {
        const char *line = next;
        next = line + strcspn(line, "\n");
        if (*next) next++;
        if (line[3] == ' ') continue; /* all cpus together */
        long cpu = strtol(line + 3, NULL, 10);
        if (cpu >= 0 && cpu < CPU_SETSIZE && CPU_ISSET((size_t)cpu, cpus))
            any |= add_line(line, busy, steal);
    }
    return any;
}

void witness_machine_cpu(const cpu_set_t *cpus, int64_t *busy_ns, int64_t *steal_ns) {
    char text[STAT_BYTES];
    int64_t busy, steal, ticks = sysconf(_SC_CLK_TCK);
    *busy_ns = *steal_ns = -1;
    if (read_text("/proc/stat", text, sizeof text) == 0 || ticks <= 0 ||
        !witness_machine_stat(text, cpus, &busy, &steal))
        return;
    *busy_ns = busy * (NS_PER_SEC / ticks);
    *steal_ns = steal * (NS_PER_SEC / ticks);
}

/* The number in a file of /sys; -1: none. */
static int64_t read_number(const char *path) {
    char text[32];
    return read_text(path, text, sizeof text) > 0 ? strtoll(text, NULL, 10) : -1;
}

#define CPU_PATH 96

int64_t witness_machine_throttles(void) {
    static const char *const counts[] = {"core_throttle_count", "package_throttle_count"};
    int64_t sum = -1;
    for (long cpu = 0, n = sysconf(_SC_NPROCESSORS_CONF); cpu < n; cpu++) {
        for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
            char path[CPU_PATH];
            snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/thermal_throttle/%s", cpu,
                     counts[i]);
            int64_t count = read_number(path);
            if (count >= 0) sum = (sum < 0 ? 0 : sum) + count;
        }
        if (sum < 0) break; /* not told here: do not ask for each cpu */
    }
    return sum;
}

int64_t witness_machine_swapped(void) {
    static const char *const keys[] = {"\npswpin ", "\npswpout "};
    char text[VMSTAT_BYTES];
    int64_t sum = 0;
    if (read_text("/proc/vmstat", text, sizeof text) == 0) return -1;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const char *at = strstr(text, keys[i]);
        if (!at) return -1;
        sum += strtoll(at + strlen(keys[i]), NULL, 10);
    }
    return sum;
}

int64_t witness_machine_frequency(void) {
    int64_t sum = 0, count = 0;
    for (long cpu = 0, n = sysconf(_SC_NPROCESSORS_CONF); cpu < n; cpu++) {
        char path[CPU_PATH];
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%ld/cpufreq/scaling_cur_freq", cpu);
        int64_t khz = read_number(path);
        if (khz > 0) {
            sum += khz;
            count++;
        } else if (cpu == 0) {
            return -1; /* no cpufreq here: do not ask for each cpu */
        }
    }
    return count ? sum / count : -1;
}
