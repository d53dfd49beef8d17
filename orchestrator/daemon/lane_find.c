/* Lanes of a machine nobody has described (Documentation/admin-guide/cputopology.rst
 * and the cache/ folders beside it). */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/daemon/lane_config.h"

#include <string.h>

enum {
    FEW_CORES = 4,   /* below, there is nothing to spare for a helper lane */
    HELPER_PART = 8, /* one core in so many is the helper's, one at least */
    CACHES_MAX = 8,  /* index folders of a cpu that are looked at */
};

/* A list in a file of /sys below root; the empty set when it is not there. */
static void read_list(const char *root, const char *path, struct cpu_list *out) {
    _cleanup_buf_ struct buf text = {0};
    _cleanup_free_ char *whole = str_printf("%s%s", root, path);
    *out = (struct cpu_list){0};
    if (whole && file_read(whole, 1 << 16, &text, NULL) == 0) cpu_list_parse(buf_text(&text), out);
}

static void read_of_cpu(const char *root, unsigned cpu, const char *file, struct cpu_list *out) {
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%u/%s", cpu, file);
    read_list(root, path, out);
}

static void keep(struct cpu_list *l, const struct cpu_list *of) {
    struct cpu_list rest = *l;
    cpu_list_remove(&rest, of);
    cpu_list_remove(l, &rest);
}

/* The cpu and its SMT siblings, as far as they are ours. */
static void core_of(const char *root, unsigned cpu, const struct cpu_list *allowed,
                    struct cpu_list *out) {
    read_of_cpu(root, cpu, "topology/thread_siblings_list", out);
    cpu_list_add(out, cpu);
    keep(out, allowed);
}

/* Who shares the last cache with a cpu; that is the folder with the highest number.
 * Unknown, as in many virtual machines: all. */
static void cache_of(const char *root, unsigned cpu, const struct cpu_list *allowed,
                     struct cpu_list *out) {
    *out = (struct cpu_list){0};
    for (int i = CACHES_MAX - 1; i >= 0 && cpu_list_count(out) == 0; i--) {
        char file[64];
        snprintf(file, sizeof file, "cache/index%d/shared_cpu_list", i);
        read_of_cpu(root, cpu, file, out);
    }
    if (cpu_list_count(out) == 0) *out = *allowed;
    cpu_list_add(out, cpu);
    keep(out, allowed);
}

/* The memory node of a cpu and its cpus; -1 and all when there are no nodes. */
static int node_of(const char *root, unsigned cpu, const struct cpu_list *allowed,
                   struct cpu_list *out) {
    struct cpu_list nodes;
    read_list(root, "/sys/devices/system/node/online", &nodes);
    for (int node = cpu_list_next(&nodes, 0); node >= 0;
         node = cpu_list_next(&nodes, (unsigned)node + 1)) {
        char path[96];
        snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist", node);
        read_list(root, path, out);
        if (cpu_list_has(out, cpu)) return node;
    }
    *out = *allowed;
    return -1;
}

static size_t cores_in(const char *root, const struct cpu_list *cpus) {
    struct cpu_list left = *cpus, core;
    size_t count = 0;
    for (int cpu = cpu_list_next(&left, 0); cpu >= 0; cpu = cpu_list_next(&left, 0)) {
        core_of(root, (unsigned)cpu, cpus, &core);
        cpu_list_remove(&left, &core);
        count++;
    }
    return count;
}

/* The first cores of the machine: interrupts and the kernel's own threads like them. */
static void take_helper(const char *root, const struct cpu_list *allowed, size_t cores,
                        struct cpu_list *out) {
    struct cpu_list left = *allowed, core;
    *out = (struct cpu_list){0};
    for (size_t i = 0; i < cores; i++) {
        int cpu = cpu_list_next(&left, 0);
        if (cpu < 0) return;
        core_of(root, (unsigned)cpu, allowed, &core);
        cpu_list_join(out, &core);
        cpu_list_remove(&left, &core);
    }
}

static int add(struct lane_configs *c, enum lane_role role, const struct cpu_list *cpus, int node,
               struct error *err) {
    struct lane_config *grown = reallocarray(c->items, c->count + 1, sizeof *grown);
    if (!grown) return error_sys(err, ENOMEM, "lanes");
    c->items = grown;
    struct lane_config *lane = &grown[c->count++];
    *lane = (struct lane_config){.role = role, .cpus = *cpus, .memory_node = node};
    lane->name = role == LANE_ROLE_HELPER ? strdup("helper") : str_printf("timed-%zu", c->count);
    return lane->name ? 0 : error_sys(err, ENOMEM, "lanes");
}

int lane_configs_find(const char *root, const struct cpu_list *allowed, struct lane_configs *out,
                      struct error *err) {
    struct cpu_list left = *allowed, helper = {0}, online;
    out->found = true;
    read_list(root, "/sys/devices/system/cpu/online", &online);
    if (cpu_list_count(&online) > 0) keep(&left, &online);
    struct cpu_list all = left;
    size_t cores = cores_in(root, &all);
    if (cores < FEW_CORES) {
        struct cpu_list rest = online;
        cpu_list_remove(&rest, &all);
        out->whole = cpu_list_count(&rest) == 0;
        return add(out, LANE_ROLE_TIMED, &all, -1, err);
    }
    take_helper(root, &all, cores / HELPER_PART ? cores / HELPER_PART : 1, &helper);
    cpu_list_remove(&left, &helper);
    while (cpu_list_count(&left) > 0 && out->count < LANES_MAX - 1) {
        struct cpu_list lane, node_cpus;
        unsigned cpu = (unsigned)cpu_list_next(&left, 0);
        int node = node_of(root, cpu, &all, &node_cpus);
        cache_of(root, cpu, &left, &lane);
        keep(&lane, &node_cpus);
        cpu_list_add(&lane, cpu);
        if (add(out, LANE_ROLE_TIMED, &lane, node, err) < 0) return -1;
        cpu_list_remove(&left, &lane);
    }
    return add(out, LANE_ROLE_HELPER, &helper, -1, err);
}
