#include "sandbox/report.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "sandbox/weaken.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

/* ---- layers ---- */

static void note_user(struct fence *f) {
    const struct identity *id = &f->identity;
    switch (id->privilege) {
    case PRIVILEGE_ROOT:
        fence_note(f, FENCE_USER, LAYER_ON, "host ids %u to %u are this run's own", id->base,
                   id->base + 65535);
        return;
    case PRIVILEGE_SUBID:
        fence_note(f, FENCE_USER, LAYER_ON,
                   "subordinate ids from %u, shared with this user's other runs", id->sub_uid);
        return;
    case PRIVILEGE_PLAIN:
        fence_note(f, FENCE_USER, LAYER_WEAKER, "single id: the program is host uid %u%s; %s",
                   (unsigned)id->own_uid, id->other_groups ? ", supplementary groups kept" : "",
                   id->why);
        return;
    }
}

static void note_cgroup(struct fence *f, const struct cgroup *cg) {
    static const enum cgroup_control wanted[] = {CGROUP_MEMORY, CGROUP_PIDS, CGROUP_CPU};
    static const char *const names[] = {"memory", "pids", "cpu"};
    _cleanup_buf_ struct buf text = {0};
    size_t on = 0;
    const char *why = "";
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        const char *detail = "";
        if (cgroup_enforces(cg, wanted[i], &detail)) {
            on++;
            buf_printf(&text, "%s%s (%s)", text.len ? ", " : "", names[i], detail);
        } else {
            why = detail;
        }
    }
    if (on == ARRAY_SIZE(wanted)) fence_note(f, FENCE_CGROUP, LAYER_ON, "%s", buf_text(&text));
    else if (on)
        fence_note(f, FENCE_CGROUP, LAYER_WEAKER, "only %s; else: %s", buf_text(&text), why);
    else fence_note(f, FENCE_CGROUP, LAYER_OFF, "none: %s", why);
}

static void note_fixed(struct fence *f) {
    static const enum fence_layer own[] = {FENCE_MOUNT, FENCE_PID, FENCE_IPC, FENCE_UTS};
    for (size_t i = 0; i < ARRAY_SIZE(own); i++) fence_note(f, own[i], LAYER_ON, "own");
    fence_note(f, FENCE_ROOT, LAYER_ON, "read-only, %s; nosuid and nodev everywhere",
               strcmp(f->spec->image, "host") == 0 ? "this machine's /usr" : "the image's folders");
    fence_note(f, FENCE_PROC, LAYER_ON, "own procfs, others' processes hidden, %s",
               f->policy->proc_machine ? "secrets masked" : "nothing of the machine");
    if (f->given) return; /* with GPUs; see note_devices() */
    if (f->policy->devices && f->policy->devices[0])
        fence_note(f, FENCE_DEVICES, LAYER_ON, "the minimal set and what policy %s adds",
                   f->policy->name);
    else
        fence_note(f, FENCE_DEVICES, LAYER_ON, "null, zero, full, random and urandom%s",
                   f->policy->devpts ? ", own pseudo-terminals" : "");
}

/* A run with GPUs has a second fence about them. */
static void note_devices(struct fence *f, const struct cgroup *cg) {
    const char *detail = "";
    if (!f->given) return;
    if (cgroup_enforces(cg, CGROUP_DEVICES, &detail))
        fence_note(f, FENCE_DEVICES, LAYER_ON, "the minimal set and the GPUs lent; and %s", detail);
    else
        fence_note(f, FENCE_DEVICES, LAYER_WEAKER,
                   "the minimal set and the GPUs lent, by what /dev holds alone: %s", detail);
}

int report_layers(struct fence *f, const struct cgroup *cg, struct result *r, struct error *err) {
    note_user(f);
    note_fixed(f);
    note_cgroup(f, cg);
    note_devices(f, cg);
    weaken_report(f);
    r->layers = calloc(FENCE_LAYERS, sizeof *r->layers);
    if (!r->layers) return error_sys(err, ENOMEM, "fence report");
    for (int i = 0; i < FENCE_LAYERS; i++) {
        const struct fence_note *note = &f->notes[i];
        struct layer *l = &r->layers[r->layer_count++];
        l->name = strdup(fence_layer_name((enum fence_layer)i));
        l->state = note->written ? note->state : LAYER_OFF;
        l->detail = note->written ? str_printf("%.*s", (int)sizeof note->detail, note->detail)
                                  : strdup("not reached");
        if (!l->name || !l->detail) return error_sys(err, ENOMEM, "fence report");
    }
    return 0;
}

/* ---- limits ---- */

static int add_limit(struct result *r, const char *name, int64_t value, enum enforcer by,
                     const char *detail, struct error *err) {
    struct limit_report *grown = realloc(r->limits, (r->limit_count + 1) * sizeof *grown);
    if (!grown) return error_sys(err, ENOMEM, "limits report");
    r->limits = grown;
    struct limit_report *l = &grown[r->limit_count++];
    *l = (struct limit_report){.name = strdup(name), .value = value, .by = by};
    l->detail = strdup(detail);
    return l->name && l->detail ? 0 : error_sys(err, ENOMEM, "limits report");
}

static const char no_limit[] = "no limit was asked for";

/* A limit that a control group enforces, or else `otherwise` does. */
static int add_grouped(struct result *r, const struct cgroup *cg, const char *name, int64_t value,
                       enum cgroup_control control, enum enforcer otherwise, const char *how,
                       struct error *err) {
    const char *detail = "";
    if (value == 0) return add_limit(r, name, 0, ENFORCER_NONE, no_limit, err);
    if (cgroup_enforces(cg, control, &detail))
        return add_limit(r, name, value, ENFORCER_KERNEL, detail, err);
    _cleanup_free_ char *text = str_printf("%s, since: %s", how, detail);
    return add_limit(r, name, value, otherwise, text ? text : how, err);
}

/* What a control group enforces, or nothing does. */
static int add_kernel(struct result *r, const struct cgroup *cg, const char *name, int64_t value,
                      enum cgroup_control control, struct error *err) {
    const char *detail = "";
    if (value == 0) return add_limit(r, name, 0, ENFORCER_NONE, no_limit, err);
    bool on = cgroup_enforces(cg, control, &detail);
    return add_limit(r, name, value, on ? ENFORCER_KERNEL : ENFORCER_NONE, detail, err);
}

static int add_plain(struct result *r, const char *name, int64_t value, enum enforcer by,
                     const char *detail, struct error *err) {
    if (value == 0) return add_limit(r, name, 0, ENFORCER_NONE, no_limit, err);
    return add_limit(r, name, value, by, detail, err);
}

static int add_cpu(struct result *r, const struct cgroup *cg, int64_t value, struct error *err) {
    const char *detail = "";
    if (value == 0) return add_limit(r, "cpu", 0, ENFORCER_NONE, no_limit, err);
    if (!cgroup_enforces(cg, CGROUP_CPU, &detail))
        return add_limit(r, "cpu", value, ENFORCER_WATCHER,
                         "summed over the sandbox's processes; no control group", err);
    _cleanup_free_ char *text = str_printf("%s, read at intervals", detail);
    return add_limit(r, "cpu", value, ENFORCER_WATCHER, text ? text : detail, err);
}

static int add_output(struct result *r, const struct spec *s, struct error *err) {
    bool inherited = s->stdout_mode == STDIO_INHERIT || s->stderr_mode == STDIO_INHERIT;
    if (inherited && s->limits.output_bytes)
        return add_limit(r, "output", s->limits.output_bytes, ENFORCER_NONE,
                         "a stream is the launcher's own descriptor, which nobody counts", err);
    return add_plain(r, "output", s->limits.output_bytes, ENFORCER_WATCHER, "counted as it arrives",
                     err);
}

/* The file systems are always capped, by the kernel's default at the least. */
static int add_sized(struct result *r, const char *name, int64_t value, const char *otherwise,
                     struct error *err) {
    return add_limit(r, name, value, ENFORCER_KERNEL, value ? "size of the tmpfs" : otherwise, err);
}

static int add_gate(struct result *r, const struct cgroup *cg, const struct spec_gate *g,
                    struct error *err) {
    const char *detail = "";
    if (add_limit(r, "init-wall", g->init_wall_ms, ENFORCER_WATCHER, "timer of the launcher", err) <
            0 ||
        add_plain(r, "init-cpu", g->init_cpu_ms, ENFORCER_WATCHER, "read at intervals", err) < 0)
        return -1;
    if (cgroup_enforces(cg, CGROUP_FREEZE, &detail))
        return add_limit(r, "gate-freeze", 1, ENFORCER_KERNEL, detail, err);
    _cleanup_free_ char *text = str_printf("runs on until it is killed: %s", detail);
    return add_limit(r, "gate-freeze", 1, ENFORCER_NONE, text ? text : detail, err);
}

/* A policy for GPUs leaves it to the memory limit, as far as the launcher itself may go. */
static int add_memlock(struct result *r, const struct policy *p, struct error *err) {
    struct rlimit own;
    if (getrlimit(RLIMIT_MEMLOCK, &own) < 0) return error_sys(err, errno, "RLIMIT_MEMLOCK");
    bool bounded = own.rlim_max != RLIM_INFINITY;
    int64_t most = bounded ? (int64_t)own.rlim_max : 0;
    bool short_of = bounded && (!p->memlock_bytes || p->memlock_bytes > most);
    return add_limit(r, "memlock", short_of ? most : p->memlock_bytes, ENFORCER_RLIMIT,
                     short_of           ? "RLIMIT_MEMLOCK; less than the policy's, as the "
                                          "launcher may have no more itself"
                     : p->memlock_bytes ? "RLIMIT_MEMLOCK"
                                        : "none of its own: the memory limit counts it",
                     err);
}

int report_limits(const struct fence *f, const struct cgroup *cg, struct result *r,
                  struct error *err) {
    const struct spec_limits *l = &f->spec->limits;
    static const char half[] = "default: half of the machine's memory";
    if (add_plain(r, "wall", l->wall_ms, ENFORCER_WATCHER, "timer of the launcher", err) < 0 ||
        add_cpu(r, cg, l->cpu_ms, err) < 0 ||
        add_grouped(r, cg, "memory", l->memory_bytes, CGROUP_MEMORY, ENFORCER_WATCHER,
                    "resident memory looked at every 20 ms", err) < 0 ||
        add_grouped(r, cg, "pids", l->pids, CGROUP_PIDS, ENFORCER_RLIMIT,
                    "RLIMIT_NPROC, and a look every 20 ms", err) < 0 ||
        add_output(r, f->spec, err) < 0 || add_sized(r, "disk", l->disk_bytes, half, err) < 0 ||
        add_sized(r, "inodes", l->disk_inodes, "default: a million", err) < 0 ||
        add_sized(r, "tmp", l->tmp_bytes, half, err) < 0 ||
        add_plain(r, "open-files", l->open_files ? l->open_files : 1024, ENFORCER_RLIMIT,
                  "RLIMIT_NOFILE", err) < 0 ||
        add_plain(r, "file-size", l->file_bytes, ENFORCER_RLIMIT, "RLIMIT_FSIZE", err) < 0 ||
        add_kernel(r, cg, "cpu-percent", l->cpu_percent, CGROUP_CPU_SHARE, err) < 0 ||
        add_kernel(r, cg, "memory-high", l->memory_high_bytes, CGROUP_MEMORY_HIGH, err) < 0 ||
        add_kernel(r, cg, "io", (int64_t)l->io_count, CGROUP_IO_RATE, err) < 0 ||
        add_kernel(r, cg, "cpus-exclusive", l->cpus_exclusive, CGROUP_EXCLUSIVE, err) < 0)
        return -1;
    if (f->given && add_memlock(r, f->policy, err) < 0) return -1;
    if (f->spec->clock.kind == CLOCK_GATED && add_gate(r, cg, &f->spec->clock.gate, err) < 0)
        return -1;
    if (!f->spec->cpus) return 0;
    const char *detail = "";
    bool on = cgroup_enforces(cg, CGROUP_CPUSET, &detail);
    return add_limit(r, "cpus", 1, on ? ENFORCER_KERNEL : ENFORCER_NONE, detail, err);
}

/* ---- what the spec requires ---- */

static bool is_met(const struct result *r, const char *name, const char **why, bool *known) {
    *known = true;
    for (size_t i = 0; i < r->layer_count; i++)
        if (strcmp(r->layers[i].name, name) == 0) {
            *why = r->layers[i].detail;
            return r->layers[i].state == LAYER_ON;
        }
    for (size_t i = 0; i < r->limit_count; i++)
        if (strcmp(r->limits[i].name, name) == 0) {
            *why = r->limits[i].detail;
            return r->limits[i].by != ENFORCER_NONE;
        }
    *known = false;
    *why = "no layer or limit has this name";
    return false;
}

int report_check(const struct spec *spec, const struct result *r, struct error *err) {
    _cleanup_buf_ struct buf unmet = {0};
    bool malformed = false;
    for (size_t i = 0; spec->require && spec->require[i]; i++) {
        const char *why = "";
        bool known = true;
        if (is_met(r, spec->require[i], &why, &known)) continue;
        malformed |= !known;
        buf_printf(&unmet, "%s%s (%s)", unmet.len ? "; " : "", spec->require[i], why);
    }
    if (!unmet.len) return 0;
    return error_set(err, malformed ? ERROR_INVALID : ERROR_DENIED,
                     "required, but not enforced in full: %s", buf_text(&unmet));
}
