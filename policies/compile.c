/* A policy's system-call part to a classic BPF program, by libseccomp. */
#include "common/cleanup.h"
#include "common/file.h"
#include "policies/policy_internal.h"

#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { MAX_PARTS = 32 };

struct compiler {
    const struct policy *p;
    struct policy_use *uses;
    size_t use_count;
    uint32_t otherwise[MAX_PARTS]; /* part → what it answers when no condition holds */
    size_t part_count;
    struct policy_route *routes;
    size_t route_count;
};

static void cleanup_context(scmp_filter_ctx *ctx) {
    if (*ctx) seccomp_release(*ctx);
}

static void compiler_clear(struct compiler *c) {
    free(c->uses);
    free(c->routes);
}

static uint32_t action_code(enum policy_action action, int errno_value) {
    switch (action) {
    case POLICY_ALLOW: return SCMP_ACT_ALLOW;
    case POLICY_LOG: return SCMP_ACT_LOG;
    case POLICY_ERRNO: return SCMP_ACT_ERRNO((uint32_t)errno_value);
    case POLICY_KILL: break;
    }
    /* Not the kernel's own kill, which leaves no word of what was called: the
     * launcher is asked, never lets the call pass, and ends the run. Who cannot
     * listen turns these into kills (policy_filter_unheard()). */
    return SCMP_ACT_NOTIFY;
}

static uint32_t rule_code(const struct policy_rule *rule) {
    return action_code(rule->action, rule->errno_value);
}

static uint32_t default_code(const struct policy *p) {
    return action_code(p->default_action, p->default_errno);
}

/* The answer of a call, whose mentions are uses[0…n-1], when no condition holds. */
static uint32_t otherwise_of(const struct compiler *c, const struct policy_use *uses, size_t n) {
    const struct policy_use *last = &uses[n - 1];
    return last->conditional ? default_code(c->p) : rule_code(&c->p->rules[last->rule]);
}

/* The part that answers `otherwise`; part 0 is that of the default. */
static int part_of(struct compiler *c, uint32_t otherwise, size_t *part, struct error *err) {
    for (*part = 0; *part < c->part_count; (*part)++)
        if (c->otherwise[*part] == otherwise) return 0;
    if (c->part_count == MAX_PARTS)
        return error_set(err, ERROR_LIMIT, "calls with conditions have more than %d other answers",
                         MAX_PARTS);
    c->otherwise[c->part_count++] = otherwise;
    return 0;
}

/* Chooses the part of each call with conditions. */
static int plan(struct compiler *c, struct error *err) {
    c->otherwise[0] = default_code(c->p);
    c->part_count = 1;
    c->routes = calloc(c->use_count + 1, sizeof *c->routes);
    if (!c->routes) return error_sys(err, ENOMEM, "filter");
    for (size_t i = 0, n; i < c->use_count; i += n) {
        n = policy_use_run(c->uses, c->use_count, i);
        if (!c->uses[i].conditional) continue;
        size_t part;
        if (part_of(c, otherwise_of(c, &c->uses[i], n), &part, err) < 0) return -1;
        if (part > 0) c->routes[c->route_count++] = (struct policy_route){c->uses[i].number, part};
    }
    return 0;
}

static size_t routed_to(const struct compiler *c, int number) {
    for (size_t i = 0; i < c->route_count; i++)
        if (c->routes[i].number == number) return c->routes[i].part;
    return 0;
}

static enum scmp_compare compare_code(enum policy_compare compare) {
    static const enum scmp_compare codes[] = {
        [POLICY_EQ] = SCMP_CMP_EQ,        [POLICY_NE] = SCMP_CMP_NE,
        [POLICY_LT] = SCMP_CMP_LT,        [POLICY_LE] = SCMP_CMP_LE,
        [POLICY_GT] = SCMP_CMP_GT,        [POLICY_GE] = SCMP_CMP_GE,
        [POLICY_IN] = SCMP_CMP_MASKED_EQ, [POLICY_MASKED_EQ] = SCMP_CMP_MASKED_EQ,
    };
    return codes[compare];
}

static struct scmp_arg_cmp comparison(const struct policy_condition *c, size_t choice) {
    struct scmp_arg_cmp cmp = {.arg = c->argument, .op = compare_code(c->compare)};
    cmp.datum_a = c->value;
    if (c->compare == POLICY_MASKED_EQ || c->compare == POLICY_IN) {
        cmp.datum_a = c->mask;
        cmp.datum_b = c->compare == POLICY_IN ? c->values[choice] : c->value;
    }
    return cmp;
}

/* One libseccomp rule for each combination of the conditions' choices, counted
 * like the digits of a number. */
static int add_combinations(scmp_filter_ctx ctx, const struct policy_rule *rule, int number,
                            struct error *err) {
    size_t choice[6] = {0};
    for (;;) {
        struct scmp_arg_cmp cmp[6];
        for (size_t i = 0; i < rule->condition_count; i++)
            cmp[i] = comparison(&rule->conditions[i], choice[i]);
        int rc = seccomp_rule_add_exact_array(ctx, rule_code(rule), number,
                                              (unsigned)rule->condition_count, cmp);
        if (rc < 0)
            return error_sys(err, -rc, "libseccomp refuses rule \"%s\" for call %d", rule->name,
                             number);
        size_t i = 0;
        while (i < rule->condition_count) {
            size_t most =
                rule->conditions[i].compare == POLICY_IN ? rule->conditions[i].value_count : 1;
            if (++choice[i] < most) break;
            choice[i++] = 0;
        }
        if (i == rule->condition_count) return 0;
    }
}

/* libseccomp refuses rules that answer what the filter answers anyway, and
 * drops conditions beside a rule without: neither reaches it. */
static int add_rules(const struct compiler *c, scmp_filter_ctx ctx, size_t part,
                     struct error *err) {
    for (size_t i = 0, n; i < c->use_count; i += n) {
        n = policy_use_run(c->uses, c->use_count, i);
        if (routed_to(c, c->uses[i].number) != part) continue;
        bool conditional = c->uses[i].conditional;
        for (size_t j = i; j < i + n; j++) {
            const struct policy_rule *rule = &c->p->rules[c->uses[j].rule];
            if (c->uses[j].conditional != conditional) continue;
            if (rule_code(rule) == c->otherwise[part]) continue;
            if (add_combinations(ctx, rule, c->uses[j].number, err) < 0) return -1;
        }
    }
    return 0;
}

static int export_program(scmp_filter_ctx ctx, struct policy_part *out, struct error *err) {
    _cleanup_close_ int fd = memfd_create("paddock-filter", MFD_CLOEXEC);
    if (fd < 0) return error_sys(err, errno, "memfd_create");
    int rc = seccomp_export_bpf(ctx, fd);
    if (rc < 0) return error_sys(err, -rc, "libseccomp cannot export the filter");
    _cleanup_buf_ struct buf bytes = {0};
    if (lseek(fd, 0, SEEK_SET) < 0) return error_sys(err, errno, "filter");
    if (file_read_fd(fd, BPF_MAXINSNS * sizeof(struct sock_filter), &bytes, err) < 0)
        return error_wrap(err, "filter");
    if (bytes.len == 0 || bytes.len % sizeof(struct sock_filter))
        return error_set(err, ERROR_INTERNAL, "libseccomp exported %zu bytes", bytes.len);
    out->count = bytes.len / sizeof(struct sock_filter);
    out->insns = (struct sock_filter *)buf_steal(&bytes);
    return 0;
}

static int compile_part(const struct compiler *c, size_t part, struct policy_part *out,
                        struct error *err) {
    _cleanup_(cleanup_context) scmp_filter_ctx ctx = seccomp_init(c->otherwise[part]);
    if (!ctx) return error_set(err, ERROR_INTERNAL, "libseccomp cannot start a filter");
    int rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0) rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_NNP, 0);
    if (rc == 0) rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    if (rc < 0) return error_sys(err, -rc, "libseccomp refuses an attribute");
    if (add_rules(c, ctx, part, err) < 0) return -1;
    return export_program(ctx, out, err);
}

static int compile_parts(const struct compiler *c, struct policy_filter *out, struct error *err) {
    struct policy_part parts[MAX_PARTS] = {0};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < c->part_count; i++) rc = compile_part(c, i, &parts[i], err);
    if (rc == 0) rc = policy_join(parts, c->part_count, c->routes, c->route_count, out, err);
    for (size_t i = 0; i < c->part_count; i++) free(parts[i].insns);
    return rc == 0 ? policy_shrink(out, err) : rc;
}

int policy_compile(const struct policy *p, struct policy_filter *out, struct error *err) {
    *out = (struct policy_filter){0};
    /* Level 5 is what Linux 5.0 offers, the first with notifications. Saying so
     * keeps the program the same whatever kernel compiles it, and libseccomp from
     * probing this one. */
    seccomp_api_set(5);
    _cleanup_(compiler_clear) struct compiler c = {.p = p};
    int rc = policy_uses(p, &c.uses, &c.use_count, err);
    if (rc == 0) rc = plan(&c, err);
    if (rc == 0) rc = compile_parts(&c, out, err);
    if (rc < 0) return error_wrap(err, "policy %s", p->name);
    digest_hex_of(out->insns, out->count * sizeof *out->insns, out->sha256);
    return 0;
}
