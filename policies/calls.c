/* Names of system calls, and which rules name which call. */
#include "common/cleanup.h"
#include "policies/policy_internal.h"

#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

/* Calls younger than libseccomp 2.5.4. From 424 on a call has the same number
 * on every architecture (Documentation/process/adding-syscalls.rst). */
static const struct {
    const char *name;
    int number;
} younger[] = {
    {"cachestat", 451},         {"fchmodat2", 452},        {"map_shadow_stack", 453},
    {"futex_wake", 454},        {"futex_wait", 455},       {"futex_requeue", 456},
    {"statmount", 457},         {"listmount", 458},        {"lsm_get_self_attr", 459},
    {"lsm_set_self_attr", 460}, {"lsm_list_modules", 461}, {"mseal", 462},
    {"setxattrat", 463},        {"getxattrat", 464},       {"listxattrat", 465},
    {"removexattrat", 466},     {"open_tree_attr", 467},   {"file_getattr", 468},
    {"file_setattr", 469},
};

bool policy_call_optional(const char *name) {
    return name[0] == '?';
}

const char *policy_call_name(const char *name) {
    return policy_call_optional(name) ? name + 1 : name;
}

int policy_call_number(const char *name) {
    name = policy_call_name(name);
    int number = seccomp_syscall_resolve_name(name);
    if (number >= 0) return number;
    if (number != __NR_SCMP_ERROR) return POLICY_CALL_ABSENT;
    for (size_t i = 0; i < ARRAY_SIZE(younger); i++)
        if (strcmp(younger[i].name, name) == 0) return younger[i].number;
    return POLICY_CALL_UNKNOWN;
}

char *policy_call_named(int number) {
    _cleanup_free_ char *known = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
    if (known) return steal_ptr(&known);
    for (size_t i = 0; i < ARRAY_SIZE(younger); i++)
        if (younger[i].number == number) return strdup(younger[i].name);
    return str_printf("call-%d", number);
}

static int compare_uses(const void *a, const void *b) {
    const struct policy_use *x = a;
    const struct policy_use *y = b;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    if (x->conditional != y->conditional) return x->conditional ? -1 : 1;
    return x->rule < y->rule ? -1 : x->rule > y->rule;
}

int policy_uses(const struct policy *p, struct policy_use **uses, size_t *count,
                struct error *err) {
    size_t most = 1;
    for (size_t i = 0; i < p->rule_count; i++) most += strv_len(p->rules[i].calls);
    struct policy_use *list = calloc(most, sizeof *list);
    if (!list) return error_sys(err, ENOMEM, "policy %s", p->name);
    size_t n = 0;
    for (size_t i = 0; i < p->rule_count; i++) {
        const struct policy_rule *rule = &p->rules[i];
        for (size_t j = 0; rule->calls[j]; j++) {
            int number = policy_call_number(rule->calls[j]);
            if (number < 0) continue;
            list[n++] = (struct policy_use){number, i, j, rule->condition_count > 0};
        }
    }
    qsort(list, n, sizeof *list, compare_uses);
    *uses = list;
    *count = n;
    return 0;
}

size_t policy_use_run(const struct policy_use *uses, size_t count, size_t from) {
    size_t n = 0;
    while (from + n < count && uses[from + n].number == uses[from].number) n++;
    return n;
}
