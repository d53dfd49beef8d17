/*
 * What is to be built, handed to an init that was cloned before it was known
 * (declared in fence.h): copied once into shared memory that both have at the
 * same address, so that a pointer means the same to both.
 */
#include "common/buf.h"
#include "common/cleanup.h"
#include "sandbox/fence.h"

#include <string.h>

/* NULL when the arena is full. Memory there is zero and never given back. */
static void *take(struct fence_page *page, size_t size) {
    size_t at = (page->used + 15) & ~(size_t)15;
    if (size > sizeof page->arena - at) return NULL;
    page->used = at + size;
    return page->arena + at;
}

static bool copy_bytes(struct fence_page *page, const void *from, size_t size, void **out) {
    *out = take(page, size);
    if (*out && size) memcpy(*out, from, size);
    return *out;
}

static bool copy_text(struct fence_page *page, const char *from, char **out) {
    void *to = NULL;
    *out = NULL;
    if (!from) return true;
    bool ok = copy_bytes(page, from, strlen(from) + 1, &to);
    *out = to;
    return ok;
}

static bool copy_list(struct fence_page *page, char *const *from, char ***out) {
    size_t n = 0;
    *out = NULL;
    if (!from) return true;
    while (from[n]) n++;
    char **list = *out = take(page, (n + 1) * sizeof *list);
    for (size_t i = 0; list && i < n; i++)
        if (!copy_text(page, from[i], &list[i])) return false;
    return list;
}

/* Whether one of `given` sets the same variable. */
static bool is_set(char *const *given, const char *variable) {
    size_t n = strcspn(variable, "=") + 1;
    for (; given && *given; given++)
        if (strncmp(*given, variable, n) == 0) return true;
    return false;
}

/* The spec's, what comes with GPUs, and for a gated program where it talks to the clock. */
static bool copy_environment(struct fence_page *page, const struct spec *from, char *const *given,
                             char ***out) {
    char control[40];
    size_t n = 0;
    if (from->clock.kind != CLOCK_GATED && !given) return copy_list(page, from->env, out);
    _cleanup_free_ char **env = calloc(strv_len(from->env) + strv_len(given) + 2, sizeof *env);
    if (!env) return false;
    for (size_t i = 0; from->env[i]; i++)
        if (!is_set(given, from->env[i])) env[n++] = from->env[i];
    for (size_t i = 0; given && given[i]; i++) env[n++] = given[i];
    snprintf(control, sizeof control, "PADDOCK_CONTROL=%d", SPEC_CONTROL_FD);
    if (from->clock.kind == CLOCK_GATED) env[n] = control;
    return copy_list(page, env, out);
}

static bool copy_spec(struct fence_page *page, const struct spec *from, char *const *given) {
    struct spec *to = &page->order.spec;
    to->network = from->network;
    to->listen = from->listen;
    to->limits = from->limits;
    to->learn = from->learn;
    to->clock.kind = from->clock.kind;
    to->clock.gate.data_count = from->clock.gate.data_count;
    return copy_list(page, from->argv, &to->argv) &&
           copy_environment(page, from, given, &to->env) && copy_text(page, from->cwd, &to->cwd) &&
           copy_text(page, from->hostname, &to->hostname);
}

static bool copy_policy(struct fence_page *page, const struct policy *from,
                        const struct policy_filter *filter) {
    struct policy *to = &page->order.policy;
    void *insns = NULL;
    to->loopback = from->loopback;
    to->listen = from->listen;
    to->memlock_bytes = from->memlock_bytes;
    page->order.filter = *filter;
    if (!copy_bytes(page, filter->insns, filter->count * sizeof *filter->insns, &insns))
        return false;
    page->order.filter.insns = insns;
    return copy_text(page, from->name, &to->name);
}

static bool copy_plan(struct fence_page *page, const struct mount_plan *from,
                      struct mount_plan *to) {
    void *steps = NULL;
    if (!copy_bytes(page, from->steps, from->count * sizeof *from->steps, &steps)) return false;
    *to = (struct mount_plan){.steps = steps, .count = from->count};
    for (size_t i = 0; i < to->count; i++) {
        to->steps[i].from = -1;
        to->steps[i].fd = -1; /* of the launcher's table; ours comes by message */
        if (!copy_text(page, from->steps[i].target, &to->steps[i].target) ||
            !copy_text(page, from->steps[i].source, &to->steps[i].source))
            return false;
    }
    return true;
}

static int too_large(struct error *err) {
    return error_set(err, ERROR_LIMIT,
                     "the spec is too large: more than %d MiB of arguments, "
                     "environment and mounts",
                     ORDER_BYTES >> 20);
}

int order_write_host(struct fence *f, struct error *err) {
    struct order *o = &f->page->order;
    o->identity = f->identity;
    o->procs = f->procs;
    return copy_plan(f->page, &f->base, &o->base) ? 0 : too_large(err);
}

void order_take_host(struct fence *f) {
    const struct order *o = &f->page->order;
    f->identity = o->identity;
    f->procs = o->procs;
    f->base = o->base;
}

int order_write(struct fence *f, struct error *err) {
    struct order *o = &f->page->order;
    memcpy(o->stdio_ours, f->stdio_ours, sizeof o->stdio_ours);
    o->own_proc = f->own_proc;
    o->limit_nproc = f->limit_nproc;
    o->other_root = strcmp(f->spec->image, "host") != 0;
    return copy_spec(f->page, f->spec, f->given) && copy_policy(f->page, f->policy, f->filter) &&
                   copy_plan(f->page, &f->plan, &o->plan)
               ? 0
               : too_large(err);
}

void order_take(struct fence *f) {
    struct order *o = &f->page->order;
    f->spec = &o->spec;
    f->policy = &o->policy;
    f->filter = &o->filter;
    f->plan = o->plan;
    memcpy(f->stdio_ours, o->stdio_ours, sizeof f->stdio_ours);
    f->own_proc = o->own_proc;
    f->limit_nproc = o->limit_nproc;
}
