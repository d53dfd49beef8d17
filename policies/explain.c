/* A policy's answer to one call, in words. */
#include "common/cleanup.h"
#include "policies/policy_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void put_answer(struct buf *out, enum policy_action action, int errno_value) {
    switch (action) {
    case POLICY_ALLOW: buf_puts(out, "allowed"); return;
    case POLICY_LOG: buf_puts(out, "allowed and logged by the kernel"); return;
    case POLICY_KILL: buf_puts(out, "killed: the process ends with SIGSYS"); return;
    case POLICY_ERRNO: break;
    }
    buf_printf(out, "refused with %s (%s)", strerrorname_np(errno_value),
               strerrordesc_np(errno_value));
}

static void put_condition(struct buf *out, const struct policy_condition *c) {
    static const char *const words[] = {
        "equal to",     "not equal to", "less than", "at most",
        "greater than", "at least",     "equal to",  "one of",
    };
    buf_printf(out, "argument %u", c->argument);
    if (c->mask == UINT32_MAX) buf_puts(out, " (its 32 bits)");
    else if (c->mask != UINT64_MAX) buf_printf(out, " & 0x%" PRIx64, c->mask);
    buf_printf(out, " is %s %s", words[c->compare], c->text);
}

static void put_rule(struct buf *out, const struct policy_rule *rule) {
    buf_puts(out, "  ");
    put_answer(out, rule->action, rule->errno_value);
    for (size_t i = 0; i < rule->condition_count; i++) {
        buf_puts(out, i ? " and " : " when ");
        put_condition(out, &rule->conditions[i]);
    }
    buf_printf(out, "\n    rule %s: %s\n", rule->name, rule->reason);
}

static void put_default(struct buf *out, const struct policy *p, bool otherwise) {
    buf_puts(out, otherwise ? "  otherwise " : "  ");
    put_answer(out, p->default_action, p->default_errno);
    buf_puts(out,
             otherwise ? "\n    the default\n" : "\n    the default: no rule names the call\n");
}

static size_t find_uses(const struct policy_use *uses, size_t count, int number, size_t *from) {
    for (*from = 0; *from < count; (*from)++)
        if (uses[*from].number == number) return policy_use_run(uses, count, *from);
    return 0;
}

int policy_explain(const struct policy *p, const char *call, struct buf *out, struct error *err) {
    int number = policy_call_number(call);
    if (number == POLICY_CALL_UNKNOWN || policy_call_optional(call)) {
        _cleanup_free_ char *shown = str_printable(call, strnlen(call, 64));
        return error_set(err, ERROR_NOT_FOUND, "no system call \"%s\" is known here",
                         shown ? shown : "?");
    }
    if (number == POLICY_CALL_ABSENT) {
        buf_printf(out, "%s in policy %s:\n  this architecture has no such call\n", call, p->name);
        return 0;
    }
    _cleanup_free_ struct policy_use *uses = NULL;
    size_t count = 0;
    if (policy_uses(p, &uses, &count, err) < 0) return -1;
    size_t from;
    size_t n = find_uses(uses, count, number, &from);
    buf_printf(out, "%s (call %d) in policy %s:\n", call, number, p->name);
    for (size_t i = from; i < from + n; i++) {
        const struct policy_rule *rule = &p->rules[uses[i].rule];
        if (!uses[i].conditional && n > 1) buf_puts(out, "  otherwise:\n");
        put_rule(out, rule);
    }
    if (n == 0 || uses[from + n - 1].conditional) put_default(out, p, n > 0);
    return buf_failed(out) ? error_sys(err, ENOMEM, "policy %s", p->name) : 0;
}
