#include "orchestrator/gpu/pool.h"

#include "common/cleanup.h"
#include "common/log.h"
#include "orchestrator/gpu/health.h"
#include "orchestrator/gpu/nvml.h"
#include "sandbox/gpu_lease.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#define ANCESTORS_MOST 64

struct slot { /* of one GPU, by the order of NVML */
    char uuid[64];
    char *holder; /* owned; NULL: not lent by us */
    int64_t pid;
    int64_t baseline; /* memory in use when it was seen empty; -1: never yet */
    struct gpu_reading before;
    char fault[256]; /* of the holder's run; "": none */
};

struct gpu_pool {
    pthread_mutex_t mutex;
    struct nvml *nvml;
    char absent[256];
    int folder; /* of leases and quarantine */
    struct slot slots[READING_GPUS_MOST];
    size_t count;
};

const char *gpu_state_name(enum gpu_state state) {
    static const char *const names[] = {"free", "lent", "busy", "sick"};
    return names[state];
}

void gpu_list_clear(struct gpu_list *l) {
    free(l->items);
    *l = (struct gpu_list){0};
}

static bool is_named(const char *name, const struct gpu_reading *r) {
    char index[24];
    snprintf(index, sizeof index, "%" PRId64, r->index);
    return str_eq(name, index) || (r->uuid[0] && str_eq(name, r->uuid));
}

bool gpu_chosen(const struct gpu_choice *c, const struct gpu_reading *r) {
    if (c->all) return true;
    for (size_t i = 0; c->names && c->names[i]; i++)
        if (is_named(c->names[i], r)) return true;
    return false;
}

struct gpu_pool *gpu_pool_new(struct error *err) {
    struct gpu_pool *p = calloc(1, sizeof *p);
    if (!p) {
        error_sys(err, ENOMEM, "GPUs");
        return NULL;
    }
    _cleanup_error_ struct error why = {0};
    pthread_mutex_init(&p->mutex, NULL);
    p->folder = -1;
    p->nvml = nvml_open(&why);
    if (p->nvml && (p->folder = gpu_lease_folder(&why)) < 0) {
        nvml_close(p->nvml);
        p->nvml = NULL;
    }
    if (!p->nvml) snprintf(p->absent, sizeof p->absent, "%s", error_text(&why));
    return p;
}

void gpu_pool_free(struct gpu_pool *p) {
    if (!p) return;
    for (size_t i = 0; i < p->count; i++) free(p->slots[i].holder);
    if (p->folder >= 0) close(p->folder);
    nvml_close(p->nvml);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

static inline void unlock(pthread_mutex_t **m) {
    pthread_mutex_unlock(*m);
}

#define HOLD(p)                                                                   \
    __attribute__((cleanup(unlock), unused)) pthread_mutex_t *held = &(p)->mutex; \
    pthread_mutex_lock(held)

static struct slot *slot_of(struct gpu_pool *p, const char *uuid) {
    for (size_t i = 0; i < p->count; i++)
        if (str_eq(p->slots[i].uuid, uuid)) return &p->slots[i];
    if (p->count == READING_GPUS_MOST) return NULL;
    struct slot *s = &p->slots[p->count++];
    *s = (struct slot){.baseline = -1};
    snprintf(s->uuid, sizeof s->uuid, "%s", uuid);
    return s;
}

/* ---- whose processes ---- */

static int64_t parent_of(int64_t pid) {
    char path[40], text[1024];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    _cleanup_fclose_ FILE *f = fopen(path, "re");
    if (!f) return -1;
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    const char *at = strrchr(text, ')'); /* the name may hold anything */
    long long parent = 0;
    return at && sscanf(at + 1, " %*c %lld", &parent) == 1 ? parent : -1;
}

/* Orphans of a sandbox go to its own init, so the chain leads to the launcher. One that
 * is gone by now was on the GPU no longer than we took to look. */
static bool is_descendant(const void *context, int64_t pid) {
    const struct slot *s = context;
    for (int i = 0; i < ANCESTORS_MOST; i++) {
        if (pid == s->pid) return true;
        int64_t parent = parent_of(pid);
        if (parent < 0) return i == 0;
        if (parent <= 1) return false;
        pid = parent;
    }
    return false;
}

/* ---- one look ---- */

static void put_out(struct gpu_pool *p, const char *uuid, const char *why) {
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *already = gpu_sick_reason(p->folder, uuid);
    if (already || !uuid[0]) return;
    log_warn("GPU %s is out of the pool: %s", uuid, why);
    if (gpu_sick_set(p->folder, uuid, why, &err) < 0) log_error("%s", error_text(&err));
}

static void note(struct gpu_pool *p, const struct gpu_reading *r) {
    char why[256];
    struct slot *s = slot_of(p, r->uuid);
    if (!s) return;
    if (s->holder && !s->fault[0] &&
        health_disturbed(&s->before, r, is_descendant, s, why, sizeof why))
        snprintf(s->fault, sizeof s->fault, "GPU %.48s: %.200s", r->uuid, why);
    if (health_sick(r, why, sizeof why)) put_out(p, r->uuid, why);
    if (!s->holder && r->process_count == 0 && s->baseline < 0) s->baseline = r->memory_used;
}

/* A GPU that has left the bus is not in the list at all. */
static void note_missing(struct gpu_pool *p, const struct gpu_readings *now) {
    for (size_t i = 0; i < p->count; i++) {
        struct slot *s = &p->slots[i];
        if (!s->holder || s->fault[0] || gpu_readings_find(now, s->uuid)) continue;
        char uuid[sizeof s->uuid]; /* for the compiler cannot tell the two parts of s apart */
        memcpy(uuid, s->uuid, sizeof uuid);
        snprintf(s->fault, sizeof s->fault, "GPU %.48s: it does not answer any more", uuid);
        put_out(p, s->uuid, "it stopped to answer during a run");
    }
}

static int look(struct gpu_pool *p, struct gpu_readings *now, struct error *err) {
    if (!p->nvml) return error_set(err, ERROR_UNSUPPORTED, "%s", p->absent);
    if (nvml_read(p->nvml, now, err) < 0) return -1;
    for (size_t i = 0; i < now->count; i++)
        if (now->items[i].uuid[0]) note(p, &now->items[i]);
    note_missing(p, now);
    return 0;
}

static enum gpu_state state_of(struct gpu_pool *p, const struct gpu_reading *r, char *detail,
                               size_t size) {
    detail[0] = '\0';
    if (!r->uuid[0]) return health_sick(r, detail, size), GPU_SICK;
    const struct slot *s = slot_of(p, r->uuid);
    _cleanup_free_ char *sick = gpu_sick_reason(p->folder, r->uuid);
    if (sick) return snprintf(detail, size, "%s", sick), GPU_SICK;
    if (health_sick(r, detail, size)) return GPU_SICK;
    if (s && s->holder) return snprintf(detail, size, "run %s", s->holder), GPU_LENT;
    _cleanup_free_ char *holder = gpu_lease_holder(p->folder, r->uuid);
    if (holder) return snprintf(detail, size, "%s", *holder ? holder : "somebody"), GPU_LENT;
    if (health_busy(r, s ? s->baseline : -1, detail, size)) return GPU_BUSY;
    return GPU_FREE;
}

int gpu_pool_list(struct gpu_pool *p, struct gpu_list *out, struct error *err) {
    HOLD(p);
    _cleanup_gpu_readings_ struct gpu_readings now = {0};
    _cleanup_error_ struct error bad = {0};
    if (look(p, &now, &bad) < 0) {
        snprintf(out->absent, sizeof out->absent, "%s", error_text(&bad));
        return 0;
    }
    memcpy(out->driver, now.driver, sizeof out->driver);
    out->items = calloc(now.count + 1, sizeof *out->items);
    if (!out->items) return error_sys(err, ENOMEM, "GPUs");
    for (size_t i = 0; i < now.count; i++) {
        struct gpu_status *s = &out->items[out->count++];
        s->reading = now.items[i];
        s->state = state_of(p, &now.items[i], s->detail, sizeof s->detail);
    }
    return 0;
}

/* ---- lending ---- */

struct count {
    int64_t healthy;
    struct buf reasons; /* of those that are not healthy, or not free */
};

static int too_few(const struct count *c, int64_t wanted, struct error *err) {
    return error_set(err, ERROR_UNSUPPORTED,
                     "task needs %" PRId64 " GPU%s, this machine has %" PRId64 " healthy%s%s",
                     wanted, wanted == 1 ? "" : "s", c->healthy, c->reasons.len ? ": " : "",
                     buf_text(&c->reasons));
}

static int choose(struct gpu_pool *p, const struct gpu_choice *from, int64_t wanted,
                  struct gpu_readings *now, char ***chosen, struct error *err) {
    _cleanup_error_ struct error bad = {0};
    struct count c = {0};
    int64_t found = 0;
    char detail[256];
    int rc = 0;
    if (look(p, now, &bad) < 0) buf_puts(&c.reasons, error_text(&bad));
    for (size_t i = 0; i < now->count && rc == 0; i++) {
        const struct gpu_reading *r = &now->items[i];
        if (!gpu_chosen(from, r)) continue;
        enum gpu_state state = state_of(p, r, detail, sizeof detail);
        if (state != GPU_SICK) c.healthy++;
        if (state != GPU_FREE)
            buf_printf(&c.reasons, "%sGPU %" PRId64 " is %s (%s)", c.reasons.len ? "; " : "",
                       r->index, gpu_state_name(state), detail);
        else if (chosen && found < wanted && ++found && strv_push(chosen, r->uuid) < 0)
            rc = error_sys(err, ENOMEM, "GPUs");
    }
    if (rc == 0 && c.healthy < wanted) rc = too_few(&c, wanted, err);
    else if (rc == 0 && chosen && found < wanted)
        rc = error_set(err, ERROR_BUSY, "waits for %" PRId64 " free GPUs: %s", wanted,
                       buf_text(&c.reasons));
    buf_free(&c.reasons);
    return rc;
}

int gpu_pool_check(struct gpu_pool *p, const struct gpu_choice *from, int64_t count,
                   struct error *err) {
    HOLD(p);
    _cleanup_gpu_readings_ struct gpu_readings now = {0};
    return choose(p, from, count, &now, NULL, err);
}

int gpu_pool_take(struct gpu_pool *p, const struct gpu_choice *from, int64_t count,
                  const char *holder, char ***lent, struct error *err) {
    HOLD(p);
    _cleanup_gpu_readings_ struct gpu_readings now = {0};
    _cleanup_strv_ char **chosen = NULL;
    if (choose(p, from, count, &now, &chosen, err) < 0) return -1;
    for (size_t i = 0; chosen && chosen[i]; i++) {
        struct slot *s = slot_of(p, chosen[i]);
        s->holder = strdup(holder);
        s->pid = getpid();
        s->fault[0] = '\0';
        s->before = *gpu_readings_find(&now, chosen[i]);
    }
    *lent = steal_ptr(&chosen);
    return 0;
}

void gpu_pool_follow(struct gpu_pool *p, const char *holder, int64_t pid) {
    HOLD(p);
    for (size_t i = 0; i < p->count; i++)
        if (str_eq(p->slots[i].holder, holder)) p->slots[i].pid = pid;
}

void gpu_pool_look(struct gpu_pool *p) {
    HOLD(p);
    _cleanup_gpu_readings_ struct gpu_readings now = {0};
    _cleanup_error_ struct error err = {0};
    if (look(p, &now, &err) < 0) log_warn("GPUs: %s", error_text(&err));
}

char *gpu_pool_fault(struct gpu_pool *p, const char *holder) {
    HOLD(p);
    for (size_t i = 0; i < p->count; i++)
        if (str_eq(p->slots[i].holder, holder) && p->slots[i].fault[0])
            return strdup(p->slots[i].fault);
    return NULL;
}

/* Whose sandbox is over leaves an empty GPU; what is left is nobody's. */
static void check_empty(struct gpu_pool *p, const struct slot *s, const struct gpu_readings *now) {
    char why[200], text[256];
    const struct gpu_reading *r = gpu_readings_find(now, s->uuid);
    if (!r || !health_busy(r, s->baseline, why, sizeof why)) return;
    snprintf(text, sizeof text, "not empty after run %.24s: %s", s->holder, why);
    put_out(p, s->uuid, text);
}

void gpu_pool_give(struct gpu_pool *p, const char *holder, bool watched) {
    HOLD(p);
    _cleanup_gpu_readings_ struct gpu_readings now = {0};
    _cleanup_error_ struct error err = {0};
    bool told = watched && look(p, &now, &err) == 0;
    for (size_t i = 0; i < p->count; i++) {
        struct slot *s = &p->slots[i];
        if (!s->holder || !str_eq(s->holder, holder)) continue;
        if (told) check_empty(p, s, &now);
        free(s->holder);
        s->holder = NULL;
    }
}

int gpu_pool_quarantine(struct gpu_pool *p, const char *name, const char *reason,
                        struct error *err) {
    HOLD(p);
    _cleanup_gpu_readings_ struct gpu_readings now = {0};
    if (look(p, &now, err) < 0) return -1;
    for (size_t i = 0; i < now.count; i++) {
        const struct gpu_reading *r = &now.items[i];
        char why[256];
        if (!is_named(name, r) || !r->uuid[0]) continue;
        if (!reason && health_sick(r, why, sizeof why))
            return error_set(err, ERROR_EXISTS, "GPU %s is still sick: %s", r->uuid, why);
        return gpu_sick_set(p->folder, r->uuid, reason, err);
    }
    return error_set(err, ERROR_NOT_FOUND, "no GPU %s", name);
}
