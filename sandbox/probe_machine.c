/* Facts about the machine that limits, ids and timings depend on. */
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/probe_internal.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#define FILE_MAX (4U << 20)

/* The text of a file, "" when unreadable; without a last newline. */
static const char *text_of(const char *path, struct buf *b) {
    if (file_read(path, FILE_MAX, b, NULL) < 0) return "";
    if (b->len && b->data[b->len - 1] == '\n') b->data[--b->len] = '\0';
    return buf_text(b);
}

/* ---- subordinate ids ---- */

/* Our name, from /etc/passwd itself: the launcher is static and asks no NSS. */
static void own_name(char *out, size_t size) {
    _cleanup_buf_ struct buf b = {0};
    _cleanup_free_ char *copy = strdup(text_of("/etc/passwd", &b));
    char *save = NULL;
    snprintf(out, size, "%u", (unsigned)geteuid());
    for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save)) {
        char *fields = NULL;
        const char *name = strtok_r(line, ":", &fields);
        const char *password = name ? strtok_r(NULL, ":", &fields) : NULL;
        const char *uid = password ? strtok_r(NULL, ":", &fields) : NULL;
        if (!uid || strtoul(uid, NULL, 10) != geteuid()) continue;
        snprintf(out, size, "%s", name);
        return;
    }
}

/* The longest range that is ours: lines of "<name or uid>:<first>:<count>". */
static long long longest_range(const char *path, const char *name) {
    _cleanup_buf_ struct buf b = {0};
    _cleanup_free_ char *copy = strdup(text_of(path, &b));
    char uid[16];
    char *save = NULL;
    long long longest = 0;
    snprintf(uid, sizeof uid, "%u", (unsigned)geteuid());
    for (char *line = copy ? strtok_r(copy, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save)) {
        char *fields = NULL;
        const char *who = strtok_r(line, ":", &fields);
        const char *first = who ? strtok_r(NULL, ":", &fields) : NULL;
        const char *count = first ? strtok_r(NULL, ":", &fields) : NULL;
        if (!count || (strcmp(who, name) != 0 && strcmp(who, uid) != 0)) continue;
        long long n = strtoll(count, NULL, 10);
        if (n > longest) longest = n;
    }
    return longest;
}

static bool can_run(const char *name) {
    static const char *const folders[] = {"/usr/bin", "/bin", "/usr/local/bin"};
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        char path[64];
        snprintf(path, sizeof path, "%s/%s", folders[i], name);
        if (access(path, X_OK) == 0) return true;
    }
    return false;
}

void probe_subids(struct probe_subids *out) {
    char name[256];
    own_name(name, sizeof name);
    *out = (struct probe_subids){
        .uids = longest_range("/etc/subuid", name),
        .gids = longest_range("/etc/subgid", name),
        .helper = can_run("newuidmap") && can_run("newgidmap"),
    };
}

static void probe_ids(struct probe_report *report) {
    struct probe_subids ids;
    probe_subids(&ids);
    bool good = ids.helper && ids.uids > 1000 && ids.gids > 1000;
    if (geteuid() == 0 && !good)
        probe_add(report, "subordinate ids", PROBE_YES, "not needed: root maps ranges itself");
    else if (good)
        probe_add(report, "subordinate ids", PROBE_YES, "%lld uids, %lld gids by newuidmap",
                  ids.uids, ids.gids);
    else
        probe_add(report, "subordinate ids", PROBE_WEAKER, "%s: sandboxes run with our own id",
                  ids.helper ? "no range of more than 1000 in /etc/subuid and /etc/subgid"
                             : "no newuidmap (package uidmap)");
}

/* ---- the machine ---- */

static void probe_cpus(struct probe_report *report) {
    _cleanup_buf_ struct buf info = {0};
    const char *model = strstr(text_of("/proc/cpuinfo", &info), "model name");
    model = model ? strchr(model, ':') : NULL;
    probe_add(report, "cpu", PROBE_YES, "%.*s", model ? (int)strcspn(model + 2, "\n") : 7,
              model ? model + 2 : "unknown");
    cpu_set_t set;
    int usable = sched_getaffinity(0, sizeof set, &set) < 0 ? -1 : CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    probe_add(report, "cpus", usable == online ? PROBE_YES : PROBE_WEAKER,
              "%d of %ld online can be used", usable, online);
}

static long long meminfo(const char *text, const char *key) {
    const char *line = strstr(text, key);
    return line ? strtoll(line + strlen(key), NULL, 10) : -1;
}

static void probe_memory(struct probe_report *report) {
    _cleanup_buf_ struct buf b = {0};
    const char *text = text_of("/proc/meminfo", &b);
    long long swap = meminfo(text, "SwapTotal:");
    probe_add(report, "memory", PROBE_YES, "%lld MiB, %lld MiB available",
              meminfo(text, "MemTotal:") / 1024, meminfo(text, "MemAvailable:") / 1024);
    if (swap > 0)
        probe_add(report, "swap", PROBE_WEAKER, "%lld MiB: other processes may be slowed by it",
                  swap / 1024);
    else probe_add(report, "swap", PROBE_YES, "none");
}

/* The eighth number of "cpu  user nice system idle iowait irq softirq steal". */
static long long steal_ticks(const char *stat) {
    if (!str_starts(stat, "cpu ")) return -1;
    char *at = (char *)stat + 4;
    long long value = -1;
    for (int i = 0; i < 8; i++) {
        const char *from = at;
        value = strtoll(from, &at, 10);
        if (at == from) return -1;
    }
    return value;
}

static void probe_witnesses(struct probe_report *report) {
    _cleanup_buf_ struct buf pressure = {0};
    _cleanup_buf_ struct buf stat = {0};
    bool psi = text_of("/proc/pressure/cpu", &pressure)[0] != '\0';
    probe_add(report, "pressure stall", psi ? PROBE_YES : PROBE_NO, "%s",
              psi ? "/proc/pressure" : "/proc/pressure cannot be read");
    long long ticks = steal_ticks(text_of("/proc/stat", &stat));
    if (ticks >= 0) probe_add(report, "steal", PROBE_YES, "%lld ticks since boot", ticks);
    else probe_add(report, "steal", PROBE_NO, "not in /proc/stat");
}

static void probe_frequency(struct probe_report *report) {
    _cleanup_buf_ struct buf governor = {0};
    _cleanup_buf_ struct buf current = {0};
    _cleanup_buf_ struct buf info = {0};
    const char *g = text_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", &governor);
    if (!g[0]) probe_add(report, "governor", PROBE_NO, "the machine does not tell");
    else
        probe_add(report, "governor", strcmp(g, "performance") == 0 ? PROBE_YES : PROBE_WEAKER,
                  "%s%s", g, strcmp(g, "performance") == 0 ? "" : ": timings may wander");
    if (text_of("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", &current)[0])
        probe_add(report, "frequency", PROBE_YES, "scaling_cur_freq");
    else if (strstr(text_of("/proc/cpuinfo", &info), "cpu MHz"))
        probe_add(report, "frequency", PROBE_WEAKER, "only as /proc/cpuinfo states it");
    else probe_add(report, "frequency", PROBE_NO, "the machine does not tell");
}

static void probe_clock(struct probe_report *report) {
    _cleanup_buf_ struct buf b = {0};
    const char *source =
        text_of("/sys/devices/system/clocksource/clocksource0/current_clocksource", &b);
    /* The ones that are read without a system call. */
    bool fast = strcmp(source, "tsc") == 0 || strcmp(source, "kvm-clock") == 0 ||
                strcmp(source, "arch_sys_counter") == 0;
    probe_add(report, "clock source", fast ? PROBE_YES : PROBE_WEAKER, "%s",
              source[0] ? source : "unknown");
}

void probe_machine(struct probe_report *report) {
    struct utsname u;
    probe_ids(report);
    if (uname(&u) == 0)
        probe_add(report, "kernel", PROBE_YES, "%s %s %s", u.sysname, u.release, u.machine);
    probe_cpus(report);
    probe_memory(report);
    probe_witnesses(report);
    probe_frequency(report);
    probe_clock(report);
}
