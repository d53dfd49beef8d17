#include "sandbox/witness.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "sandbox/witness_machine.h"

#include <string.h>
#include <sys/resource.h>

static int64_t timeval_ns(struct timeval t) {
    return (int64_t)t.tv_sec * NS_PER_SEC + (int64_t)t.tv_usec * 1000;
}

void witness_cpus(const char *list, const cpu_set_t *all, cpu_set_t *out) {
    CPU_ZERO(out);
    if (!list) {
        *out = *all;
        return;
    }
    for (const char *p = list; *p;) { /* the spec's codec has looked at it */
        char *end = NULL;
        long first = strtol(p, &end, 10), last = first;
        if (*end == '-') last = strtol(end + 1, &end, 10);
        for (long cpu = first; cpu <= last && cpu < CPU_SETSIZE; cpu++) CPU_SET((size_t)cpu, out);
        p = *end == ',' ? end + 1 : "";
    }
}

/* `cg` is NULL at the start of a run, when all its counters are about 0. */
static void read_all(const struct witnesses *ws, struct cgroup *cg, struct witness *w) {
    struct rusage self;
    getrusage(RUSAGE_SELF, &self);
    w->launcher_cpu_ns = timeval_ns(self.ru_utime) + timeval_ns(self.ru_stime);
    witness_machine_cpu(&ws->cpus, &w->busy_ns, &w->steal_ns);
    w->thermal_throttles = ws->gauged ? witness_machine_throttles() : -1;
    w->swap_pages = ws->gauged ? witness_machine_swapped() : -1;
    w->frequency_khz = ws->gauged || cg ? witness_machine_frequency() : -1;
    memset(&w->usage, 0xff, sizeof w->usage); /* −1 everywhere */
    if (cg) cgroup_sample(cg, &w->usage);
}

void witness_prepare(struct witnesses *w, const struct spec *spec, const cpu_set_t *allowed) {
    *w = (struct witnesses){.gauged = spec->gauge, .gauge_before = {-1, -1}};
    w->gauge_after = w->gauge_before;
    witness_cpus(spec->cpus, allowed, &w->cpus);
    if (w->gauged) gauge_open(&w->gauge);
    else read_all(w, NULL, &w->before);
}

void witness_begin(struct witnesses *w) {
    if (!w->gauged) return;
    w->gauge_before = gauge_read(&w->gauge, &w->cpus);
    w->start_ns = clock_mono_ns();
    read_all(w, NULL, &w->before);
}

void witness_restart(struct witnesses *w, struct cgroup *cg) {
    if (w->gauged) {
        w->start_ns = clock_mono_ns();
        w->delay.next_ns = 0;
        run_delay_look(&w->delay, cg, 0);
        int64_t waited = run_delay_total(&w->delay);
        w->delay_before_ns = waited > 0 ? waited : 0;
    }
    read_all(w, cg, &w->before);
}

void witness_look(struct witnesses *w, struct cgroup *cg) {
    if (w->gauged) run_delay_look(&w->delay, cg, clock_mono_ns() - w->start_ns);
}

void witness_end(struct witnesses *w, struct cgroup *cg) {
    read_all(w, cg, &w->after);
    if (!w->gauged) return;
    w->gauge_after = gauge_read(&w->gauge, &w->cpus);
    gauge_close(&w->gauge);
}

/* Of two counts that only grow. */
static int64_t between(int64_t before, int64_t after) {
    return before < 0 || after < before ? -1 : after - before;
}

/* Of a count of the run's own, about 0 at its start unless it was looked at then. */
static int64_t since(int64_t before, int64_t after) {
    return before > 0 && after >= 0 ? after - before : after;
}

/* The ticks of /proc/stat are coarse, so the difference may come out below 0. */
static int64_t foreign(const struct witnesses *w, const struct result *r) {
    int64_t busy = between(w->before.busy_ns, w->after.busy_ns);
    int64_t own = w->after.usage.cpu_total_ns;
    if (own < 0) own = r->cpu_user_ns + r->cpu_system_ns;
    int64_t others = busy - since(w->before.usage.cpu_total_ns, own);
    return busy < 0 ? -1 : others > 0 ? others : 0;
}

static int64_t delayed(const struct witnesses *w) {
    int64_t seen = run_delay_total(&w->delay);
    if (w->after.usage.waited_ns >= 0)
        return since(w->before.usage.waited_ns, w->after.usage.waited_ns);
    return since(w->delay_before_ns, seen);
}

static void report_gauge(const struct witnesses *w, struct result *r) {
    r->gauge_cpu_before_ns = w->gauge_before.cpu_ns;
    r->gauge_cpu_after_ns = w->gauge_after.cpu_ns;
    r->gauge_memory_before_ns = w->gauge_before.memory_ns;
    r->gauge_memory_after_ns = w->gauge_after.memory_ns;
}

void witness_report(const struct witnesses *w, struct result *r) {
    const struct witness *before = &w->before, *after = &w->after;
    const struct cgroup_usage *u = &after->usage;
    r->cpus = CPU_COUNT(&w->cpus);
    r->steal_ns = between(before->steal_ns, after->steal_ns);
    r->foreign_cpu_ns = foreign(w, r);
    r->launcher_cpu_ns = between(before->launcher_cpu_ns, after->launcher_cpu_ns);
    r->thermal_throttles = between(before->thermal_throttles, after->thermal_throttles);
    r->swap_pages = between(before->swap_pages, after->swap_pages);
    r->frequency_start_khz = before->frequency_khz;
    r->frequency_khz = after->frequency_khz;
    r->pressure_cpu_ns = since(before->usage.pressure_cpu_ns, u->pressure_cpu_ns);
    r->pressure_memory_ns = since(before->usage.pressure_memory_ns, u->pressure_memory_ns);
    r->pressure_io_ns = since(before->usage.pressure_io_ns, u->pressure_io_ns);
    r->throttled_ns = since(before->usage.throttled_ns, u->throttled_ns);
    r->run_delay_ns = delayed(w);
    r->io_read_bytes = u->io_read_bytes;
    r->io_write_bytes = u->io_write_bytes;
    report_gauge(w, r);
}
