#include "orchestrator/judge/bounds.h"

#include "common/cleanup.h"

#include <math.h>

static double least(double a, double b) {
    return a < b ? a : b;
}

static double known(int64_t n) {
    return n < 0 ? NAN : (double)n;
}

/* What others had of the run's cpus beyond the grain; NaN: not known. */
static double seen_of_others(const struct result *r) {
    double seen = known(r->foreign_cpu_ns) - (double)(BOUNDS_GRAIN_NS * r->cpus);
    return seen > 0 || isnan(seen) ? seen : 0;
}

/* How many cpus the program would have kept busy by itself: what it is delayed by on
 * each of them it is not delayed by as a whole. */
static double wanted_cpus(const struct result *r) {
    double wanted = (double)(r->cpu_user_ns + r->cpu_system_ns);
    if (r->run_delay_ns > 0 && r->foreign_cpu_ns > 0)
        wanted += least((double)r->run_delay_ns, seen_of_others(r));
    wanted /= (double)r->wall_ns;
    return wanted < 1 ? 1 : least(wanted, (double)r->cpus);
}

/* The share of the run's time that others on its cpus can have cost at most. */
static double cost_of_others(const struct result *r) {
    return seen_of_others(r) / ((double)r->wall_ns * wanted_cpus(r));
}

static double capped(double share, double most) {
    return isnan(share) || isnan(most) ? NAN : least(share, most);
}

/* A program near its own limit is reclaimed from for that alone. */
static bool near_its_limit(const struct result *r) {
    for (size_t i = 0; i < r->limit_count; i++)
        if (str_eq(r->limits[i].name, "memory") && r->limits[i].value > 0)
            return r->memory_peak_bytes > r->limits[i].value / 10 * 9;
    return false;
}

static double change(int64_t before, int64_t after) {
    if (before <= 0 || after <= 0) return NAN;
    return before < after ? (double)after / (double)before - 1 : (double)before / (double)after - 1;
}

double bounds_value(enum task_bound which, const struct result *r) {
    double wall = (double)r->wall_ns, all = wall * (double)r->cpus;
    if (r->wall_ns <= 0 || r->cpus <= 0) return NAN;
    switch (which) {
    case BOUND_STEAL: return known(r->steal_ns) / all;
    case BOUND_FOREIGN_CPU: return known(r->foreign_cpu_ns) / all;
    case BOUND_RUN_DELAY:
        return capped(known(r->run_delay_ns) / (wall * wanted_cpus(r)), cost_of_others(r));
    case BOUND_PRESSURE_CPU: return capped(known(r->pressure_cpu_ns) / wall, cost_of_others(r));
    case BOUND_PRESSURE_MEMORY:
        return near_its_limit(r) ? NAN : known(r->pressure_memory_ns) / wall;
    case BOUND_PRESSURE_IO: return known(r->pressure_io_ns) / wall;
    case BOUND_LAUNCHER_CPU: return known(r->launcher_cpu_ns) / wall;
    case BOUND_THERMAL_THROTTLES: return known(r->thermal_throttles);
    case BOUND_SWAP_PAGES: return known(r->swap_pages);
    case BOUND_GAUGE_CPU: return change(r->gauge_cpu_before_ns, r->gauge_cpu_after_ns);
    case BOUND_GAUGE_MEMORY: return change(r->gauge_memory_before_ns, r->gauge_memory_after_ns);
    case BOUND_COUNT: break;
    }
    return NAN;
}

enum unit { SHARE, COUNT, CHANGE };

static const struct {
    enum unit unit;
    const char *before, *after; /* the value stands between */
} words[BOUND_COUNT] = {
    [BOUND_STEAL] = {SHARE, "the host took ", " of its cpus' time"},
    [BOUND_FOREIGN_CPU] = {SHARE, "others had ", " of its cpus' time"},
    [BOUND_RUN_DELAY] = {SHARE, "its threads waited for others during ", " of its time"},
    [BOUND_PRESSURE_CPU] = {SHARE, "it was short of cpus for others during ", " of its time"},
    [BOUND_PRESSURE_MEMORY] = {SHARE, "it waited for memory during ", " of its time"},
    [BOUND_PRESSURE_IO] = {SHARE, "it waited for disks during ", " of its time"},
    [BOUND_LAUNCHER_CPU] = {SHARE, "the launcher worked during ", " of its time"},
    [BOUND_THERMAL_THROTTLES] = {COUNT, "cpus were slowed down by heat ", " times"},
    [BOUND_SWAP_PAGES] = {COUNT, "the machine swapped ", " pages"},
    [BOUND_GAUGE_CPU] = {CHANGE, "the speed of the cpu changed by ", ""},
    [BOUND_GAUGE_MEMORY] = {CHANGE, "the speed of the memory changed by ", ""},
};

/* The grain in the unit of the bound. */
static double grain(enum task_bound which, const struct result *r) {
    return words[which].unit == SHARE ? (double)BOUNDS_GRAIN_NS / (double)r->wall_ns : 0;
}

static void put_number(struct buf *out, enum task_bound which, double value) {
    if (words[which].unit == COUNT) buf_printf(out, "%.0f", value);
    else buf_printf(out, "%.3g %%", 100 * value);
}

static void put_crossing(struct buf *out, enum task_bound which, double value, double most) {
    buf_printf(out, "%s%s: %s", out->len ? "; " : "", task_bound_names[which], words[which].before);
    put_number(out, which, value);
    buf_printf(out, "%s, at most ", words[which].after);
    put_number(out, which, most);
}

int bounds_check(const struct result *r, const struct task_bounds *bounds, char **crossed,
                 struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    *crossed = NULL;
    for (int i = 0; i < BOUND_COUNT; i++) {
        enum task_bound which = (enum task_bound)i;
        double value = bounds_value(which, r);
        if (value - grain(which, r) > bounds->most[i]) /* false for NaN */
            put_crossing(&text, which, value, bounds->most[i]);
    }
    if (text.len == 0 && !buf_failed(&text)) return 0;
    *crossed = buf_steal(&text);
    return *crossed ? 0 : error_sys(err, ENOMEM, "bounds");
}
