/*
 * From what a program was seen to call to the smallest policy for it.
 *
 * A call whose arguments nobody looks at is allowed as a whole. Of the others,
 * the values seen are: one rule for each family of sockets or level of options,
 * so that the values of one do not open those of another, and one a call else.
 * What the base allows keeps the base's name and reason; the base's refusals are
 * kept as they are, so that a program that copes with one copes again.
 */
#include "policies/propose.h"
#include "common/cleanup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Always allowed. First the launcher's own last calls, made under the filter; then
 * what the moment decides on and not the program: a thread may or may not reach
 * its end before the process does (and crashes when it cannot), a lock be free or
 * not, a signal come in a call or between two. */
static const char *const given_calls[] = {"read",   "write",      "execve",       "exit_group",
                                          "exit",   "futex",      "rt_sigreturn", "restart_syscall",
                                          "munmap", "sched_yield"};

enum { MOST_VALUES = 64, MOST_COMBINATIONS = 256 };

static struct grant *add_grant(struct proposing *p, int number, const struct policy_rule *owner) {
    struct grant *grown = realloc(p->grants, (p->grant_count + 1) * sizeof *grown);
    if (!grown) return NULL;
    p->grants = grown;
    struct grant *g = &grown[p->grant_count];
    *g = (struct grant){.number = number, .owner = owner, .call = policy_call_named(number)};
    if (!g->call) return NULL;
    p->grant_count++;
    return g;
}

/* The rule of the base that lets it through, or NULL. */
static const struct policy_rule *owner_of(const struct policy *base, int number,
                                          const uint64_t *args) {
    const struct policy_rule *rule = policy_decide(base, number, args);
    return policy_allows(base, rule) ? rule : NULL;
}

/* Values of one group are compared together; this argument tells groups apart. */
static uint64_t group_of(const char *call, const uint64_t *args) {
    if (strcmp(call, "socket") == 0 || strcmp(call, "socketpair") == 0) return args[0];
    return strcmp(call, "setsockopt") == 0 ? args[1] : 0;
}

static bool has_value(const struct policy_observation *const *list, size_t n, unsigned argument,
                      uint64_t value) {
    for (size_t i = 0; i < n; i++)
        if (list[i]->args[argument] == value) return true;
    return false;
}

size_t grant_values(const struct grant *g, unsigned argument) {
    size_t n = 0;
    for (size_t i = 0; i < g->seen_count; i++)
        if (!has_value(g->seen, i, argument, g->seen[i]->args[argument])) n++;
    return n;
}

/* The arguments that tell the calls of a grant from others. */
static void set_conditions(struct grant *g, const struct policy *base) {
    size_t combinations = 1;
    for (unsigned a = 0; a < 6; a++) {
        g->bits[a] = policy_observed_bits(base, g->number, a);
        if (!g->bits[a]) continue;
        size_t n = grant_values(g, a);
        combinations *= n;
        /* A policy cannot say so much: an argument with that many values is none
         * that tells anything. */
        if (n <= MOST_VALUES && combinations <= MOST_COMBINATIONS) continue;
        g->bits[a] = 0;
        combinations /= n;
    }
    for (unsigned a = 0; a < 6; a++) g->conditional |= g->bits[a] != 0;
}

static struct grant *find_grant(const struct proposing *p, int number,
                                const struct policy_rule *owner, const uint64_t *args) {
    for (size_t i = 0; i < p->grant_count; i++) {
        struct grant *g = &p->grants[i];
        if (g->number == number && g->owner == owner &&
            (!g->seen_count || group_of(g->call, g->seen[0]->args) == group_of(g->call, args)))
            return g;
    }
    return NULL;
}

static int grant_one(struct proposing *p, const struct policy_observation *o) {
    const struct policy_rule *owner = owner_of(p->base, o->number, o->args);
    struct grant *g = find_grant(p, o->number, owner, o->args);
    if (!g && !(g = add_grant(p, o->number, owner))) return -1;
    const struct policy_observation **grown = realloc(g->seen, (g->seen_count + 1) * sizeof *grown);
    if (!grown) return -1;
    g->seen = grown;
    g->seen[g->seen_count++] = o;
    return 0;
}

static bool is_granted(const struct proposing *p, int number) {
    for (size_t i = 0; i < p->grant_count; i++)
        if (p->grants[i].number == number) return true;
    return false;
}

/* One of several grants of a call that needs no condition makes the others idle. */
static void drop_idle(struct proposing *p) {
    for (size_t i = 0; i < p->grant_count; i++)
        for (size_t j = 0; j < p->grant_count; j++)
            if (i != j && p->grants[i].number == p->grants[j].number && !p->grants[i].conditional &&
                !p->grants[i].idle)
                p->grants[j].idle = true;
}

static int grant_all(struct proposing *p) {
    static const uint64_t none[6];
    for (size_t i = 0; i < p->seen->count; i++)
        if (!p->seen->list[i].refused && grant_one(p, &p->seen->list[i]) < 0) return -1;
    for (size_t i = 0; i < ARRAY_SIZE(given_calls); i++) {
        int number = policy_call_number(given_calls[i]);
        if (!is_granted(p, number) && !add_grant(p, number, owner_of(p->base, number, none)))
            return -1;
    }
    for (size_t i = 0; i < p->grant_count; i++) set_conditions(&p->grants[i], p->base);
    drop_idle(p);
    return 0;
}

/* ---- for people ---- */

/* "ioctl(…, TCGETS, …)": arguments that nobody looked at were not kept. */
static void put_call(const struct policy *base, const struct policy_observation *o,
                     struct buf *out) {
    _cleanup_free_ char *name = policy_call_named(o->number);
    buf_puts(out, name ? name : "?");
    uint64_t any = 0;
    for (unsigned a = 0; a < 6; a++) any |= policy_observed_bits(base, o->number, a);
    if (!any) return;
    for (unsigned a = 0; a < policy_argument_count(o->number, o->args); a++) {
        buf_puts(out, a ? ", " : "(");
        if (policy_observed_bits(base, o->number, a))
            policy_argument_text(o->number, a, o->args, out);
        else buf_puts(out, "…");
    }
    buf_putc(out, ')');
}

static int list_call(const struct policy *base, char ***list, const struct policy_observation *o) {
    _cleanup_buf_ struct buf text = {0};
    put_call(base, o, &text);
    return buf_failed(&text) ? -1 : strv_push(list, buf_text(&text));
}

static int list_calls(const struct proposing *p, struct policy_proposal *out) {
    out->beyond = calloc(1, sizeof *out->beyond);
    out->refused = calloc(1, sizeof *out->refused);
    if (!out->beyond || !out->refused) return -1;
    for (size_t i = 0; i < p->seen->count; i++) {
        const struct policy_observation *o = &p->seen->list[i];
        if (o->refused
                ? list_call(p->base, &out->refused, o) < 0
                : !owner_of(p->base, o->number, o->args) && list_call(p->base, &out->beyond, o) < 0)
            return -1;
    }
    return 0;
}

static void proposing_clear(struct proposing *p) {
    for (size_t i = 0; i < p->grant_count; i++) {
        free(p->grants[i].call);
        free(p->grants[i].seen);
    }
    free(p->grants);
    strv_free(p->names);
    json_writer_free(p->w);
}

int policy_propose(const struct policy *base, const struct policy_observations *seen,
                   const char *name, const char *description, struct policy_proposal *out,
                   struct error *err) {
    *out = (struct policy_proposal){0};
    _cleanup_(proposing_clear) struct proposing p = {
        .base = base, .seen = seen, .w = json_writer_new(true), .names = calloc(1, sizeof(char *))};
    if (!p.w || !p.names || grant_all(&p) < 0 || list_calls(&p, out) < 0)
        return error_sys(err, ENOMEM, "proposal");
    proposal_write(&p, name, description);
    size_t len = 0;
    const char *text = json_writer_text(p.w, &len);
    out->text = text ? strndup(text, len) : NULL;
    if (!out->text) return error_sys(err, ENOMEM, "proposal");
    /* What is proposed must be what a launcher takes. */
    _cleanup_policy_ struct policy check = {0};
    if (policy_parse("the proposal", out->text, len, &check, err) < 0) return -1;
    return 0;
}

void policy_proposal_clear(struct policy_proposal *p) {
    free(p->text);
    strv_free(p->beyond);
    strv_free(p->refused);
    *p = (struct policy_proposal){0};
}
