#include "sandbox/watch.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "sandbox/weaken.h"

#include <ctype.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/statvfs.h>

/* Looked at so often: with groups the kernel enforces, and we only learn of it, so
 * that a long run is looked at less and less often (each look takes some 0.1 ms from
 * it); without, a look is all there is. */
#define PAUSE       (20 * NS_PER_MS)
#define PAUSE_MOST  NS_PER_SEC
#define PAUSE_PART  8 /* of the time that has passed */
#define PAUSE_LEAST NS_PER_MS

void watch_open(struct watch *w, const struct spec *spec, struct cgroup *cg, const int *handles) {
    cpu_set_t cpus;
    *w = (struct watch){.spec = spec, .cg = cg, .handles = handles, .cpu_ns = -1};
    w->start_ns = clock_mono_ns();
    w->cpu_by_group = cgroup_enforces(cg, CGROUP_CPU, NULL);
    w->memory_by_group = cgroup_enforces(cg, CGROUP_MEMORY, NULL);
    w->pids_by_group = cgroup_enforces(cg, CGROUP_PIDS, NULL);
    w->cpus = sched_getaffinity(0, sizeof cpus, &cpus) == 0 ? CPU_COUNT(&cpus) : 1;
}

/* ---- without groups: the sandbox's own procfs ---- */

struct totals {
    int64_t ticks, pages, threads;
};

/* One process: fields 14–17 (times, also of reaped children), 20 (threads) and
 * 24 (resident pages) of stat, behind the name's last parenthesis
 * (proc_pid_stat(5)). The name is the program's own choice of bytes. */
static void add_process(int proc, const char *pid, struct totals *t) {
    char path[40], text[1024];
    snprintf(path, sizeof path, "%.20s/stat", pid);
    _cleanup_close_ int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (n <= 0) return;
    text[n] = '\0';
    char *p = strrchr(text, ')');
    if (!p || p[1] != ' ' || !p[2]) return;
    p += 3; /* field 3, one letter, is behind us */
    for (int field = 4; field <= 24 && *p; field++) {
        char *end = NULL;
        int64_t value = strtoll(p, &end, 10);
        if (end == p) return;
        if (field >= 14 && field <= 17) t->ticks += value;
        if (field == 20) t->threads += value;
        if (field == 24) t->pages += value;
        p = end;
    }
}

static bool read_totals(int proc, struct totals *t) {
    *t = (struct totals){0};
    int fd = openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d && fd >= 0) close(fd);
    if (!d) return false;
    for (struct dirent *e; (e = readdir(d));) /* init is not the program's */
        if (isdigit((unsigned char)e->d_name[0]) && strcmp(e->d_name, "1") != 0)
            add_process(proc, e->d_name, t);
    return true;
}

static int64_t used_bytes(int fd) {
    struct statvfs v;
    if (fd < 0 || fstatvfs(fd, &v) < 0) return 0;
    return (int64_t)(v.f_blocks - v.f_bfree) * (int64_t)v.f_frsize;
}

static bool look_at_processes(struct watch *w, enum ended *ended) {
    const struct spec_limits *l = &w->spec->limits;
    struct totals t;
    if (w->handles[HANDLE_PROC] < 0 || !read_totals(w->handles[HANDLE_PROC], &t)) return false;
    if (!w->cpu_by_group) w->cpu_ns = t.ticks * (NS_PER_SEC / sysconf(_SC_CLK_TCK));
    if (!w->memory_by_group) {
        w->memory_bytes = t.pages * sysconf(_SC_PAGESIZE) +
                          used_bytes(w->handles[HANDLE_WORKSPACE]) +
                          used_bytes(w->handles[HANDLE_TMP]) + used_bytes(w->handles[HANDLE_SHM]);
        if (w->memory_bytes > w->memory_peak) w->memory_peak = w->memory_bytes;
        if (l->memory_bytes && w->memory_bytes > l->memory_bytes) {
            *ended = ENDED_MEMORY_LIMIT;
            return true;
        }
    }
    if (!w->pids_by_group && l->pids && t.threads > l->pids) {
        *ended = ENDED_PIDS_LIMIT;
        return true;
    }
    return false;
}

/* ---- */

static bool is_full(int fd) {
    struct statvfs v;
    return fd >= 0 && fstatvfs(fd, &v) == 0 &&
           ((v.f_blocks && v.f_bfree == 0) || (v.f_files && v.f_ffree == 0));
}

bool watch_disk_full(const struct watch *w) {
    return is_full(w->handles[HANDLE_WORKSPACE]) || is_full(w->handles[HANDLE_TMP]) ||
           is_full(w->handles[HANDLE_SHM]);
}

bool watch_look(struct watch *w, enum ended *ended) {
    if (weaken("watchers")) return false;
    struct cgroup_usage u;
    cgroup_glance(w->cg, &u);
    return watch_judge(w, &u, ended);
}

bool watch_judge(struct watch *w, const struct cgroup_usage *u, enum ended *ended) {
    const struct spec_limits *l = &w->spec->limits;
    if (w->cpu_by_group) w->cpu_ns = u->cpu_total_ns;
    if (w->pids_by_group && u->pids_refused > 0) {
        *ended = ENDED_PIDS_LIMIT;
        return true;
    }
    if (!(w->cpu_by_group && w->memory_by_group && w->pids_by_group) && look_at_processes(w, ended))
        return true;
    if (l->cpu_ms && w->cpu_ns > l->cpu_ms * NS_PER_MS) {
        *ended = ENDED_CPU_LIMIT;
        return true;
    }
    if (watch_disk_full(w)) {
        *ended = ENDED_DISK_LIMIT;
        return true;
    }
    return false;
}

static int64_t usual_pause(const struct watch *w) {
    int64_t pause = (clock_mono_ns() - w->start_ns) / PAUSE_PART;
    if (pause < PAUSE || !(w->cpu_by_group && w->memory_by_group && w->pids_by_group)) return PAUSE;
    return pause < PAUSE_MOST ? pause : PAUSE_MOST;
}

int64_t watch_pause(const struct watch *w) {
    const struct spec_limits *l = &w->spec->limits;
    int64_t pause = usual_pause(w);
    if (l->cpu_ms && w->cpu_ns >= 0) {
        /* Not before the cpu time could be used up. */
        int64_t soonest = (l->cpu_ms * NS_PER_MS - w->cpu_ns) / w->cpus + NS_PER_MS / 2;
        if (soonest < pause) pause = soonest;
    }
    return pause < PAUSE_LEAST ? PAUSE_LEAST : pause;
}
