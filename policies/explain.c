/* A policy's answer to one call, in words and as a document. */
#include "common/cleanup.h"
#include "policies/policy_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* All that is asked: the mentions of one call. */
struct asked {
    const struct policy *p;
    const struct policy_question *question;
    int number;
    struct policy_use *uses; /* of all calls, owned */
    size_t from, count;      /* where those of this one are */
};

static void asked_clear(struct asked *a) {
    free(a->uses);
}

static int ask(struct asked *a, struct error *err) {
    const char *call = a->question->call;
    a->number = policy_call_number(call);
    if (a->number == POLICY_CALL_UNKNOWN || policy_call_optional(call)) {
        _cleanup_free_ char *shown = str_printable(call, strnlen(call, 64));
        return error_set(err, ERROR_NOT_FOUND, "no system call \"%s\" is known here",
                         shown ? shown : "?");
    }
    if (a->number == POLICY_CALL_ABSENT) return 0;
    size_t all = 0;
    if (policy_uses(a->p, &a->uses, &all, err) < 0) return -1;
    while (a->from < all && a->uses[a->from].number != a->number) a->from++;
    if (a->from < all) a->count = policy_use_run(a->uses, all, a->from);
    return 0;
}

static const struct policy_rule *rule_at(const struct asked *a, size_t i) {
    return &a->p->rules[a->uses[a->from + i].rule];
}

/* Whether calls are left that no rule of this one answers. */
static bool reaches_default(const struct asked *a) {
    return a->count == 0 || a->uses[a->from + a->count - 1].conditional;
}

static void put_answer(struct buf *out, enum policy_action action, int errno_value) {
    switch (action) {
    case POLICY_ALLOW: buf_puts(out, "allowed"); return;
    case POLICY_LOG: buf_puts(out, "allowed and logged by the kernel"); return;
    case POLICY_KILL: buf_puts(out, "forbidden: the run ends as a policy-violation"); return;
    case POLICY_ERRNO: break;
    }
    buf_printf(out, "refused with %s (%s)", policy_errno_name(errno_value),
               strerrordesc_np(errno_value));
}

/* ---- conditions ---- */

/* The registers that a rule's conditions name, so that constants which depend on
 * an argument before them can be found. */
static void set_context(const struct policy_rule *rule, uint64_t *args) {
    for (size_t i = 0; i < rule->condition_count; i++) {
        const struct policy_condition *c = &rule->conditions[i];
        args[c->argument] = c->compare == POLICY_IN ? c->values[0] : c->value;
    }
}

static void put_bits(const struct asked *a, unsigned argument, uint64_t bits, struct buf *out) {
    const char *separator = "";
    for (unsigned i = 0; i < 64; i++) {
        uint64_t args[6] = {0};
        args[argument] = bits & (UINT64_C(1) << i);
        if (!args[argument]) continue;
        buf_puts(out, separator);
        policy_argument_text(a->number, argument, args, out);
        separator = ", ";
    }
}

/* (argument & mask) == 0: which flags must not be there, or which may. */
static void put_flags(const struct asked *a, const struct policy_condition *c, struct buf *out) {
    uint64_t width = c->mask > UINT32_MAX ? UINT64_MAX : UINT32_MAX;
    bool mostly = __builtin_popcountll(c->mask) > __builtin_popcountll(width & ~c->mask);
    buf_puts(out, mostly ? " has no flags but " : " has none of ");
    put_bits(a, c->argument, mostly ? width & ~c->mask : c->mask, out);
}

static void put_values(const struct asked *a, const struct policy_rule *rule,
                       const struct policy_condition *c, struct buf *out) {
    static const char *const words[] = {
        [POLICY_EQ] = " is ",           [POLICY_NE] = " is not ",
        [POLICY_LT] = " is less than ", [POLICY_LE] = " is at most ",
        [POLICY_GT] = " is more than ", [POLICY_GE] = " is at least ",
        [POLICY_MASKED_EQ] = " is ",    [POLICY_IN] = " is ",
    };
    uint64_t args[6] = {0};
    set_context(rule, args);
    size_t n = c->compare == POLICY_IN ? c->value_count : 1;
    buf_puts(out, n > 1 ? " is one of " : words[c->compare]);
    for (size_t i = 0; i < n; i++) {
        args[c->argument] = c->compare == POLICY_IN ? c->values[i] : c->value;
        buf_puts(out, i ? ", " : "");
        policy_argument_text(a->number, c->argument, args, out);
    }
}

static void put_condition(const struct asked *a, const struct policy_rule *rule,
                          const struct policy_condition *c, struct buf *out) {
    const char *name = policy_argument_name(a->number, c->argument);
    if (name) buf_puts(out, name);
    else buf_printf(out, "argument %u", c->argument);
    bool whole = c->mask == UINT32_MAX || c->mask == UINT64_MAX;
    if (c->compare == POLICY_MASKED_EQ && c->value == 0 && !whole) {
        put_flags(a, c, out);
        return;
    }
    if (!whole) buf_printf(out, " & 0x%" PRIx64, c->mask);
    put_values(a, rule, c, out);
}

static void put_conditions(const struct asked *a, const struct policy_rule *rule, struct buf *out) {
    for (size_t i = 0; i < rule->condition_count; i++) {
        buf_puts(out, i ? " and " : "");
        put_condition(a, rule, &rule->conditions[i], out);
    }
}

void policy_rule_conditions(const struct policy_rule *rule, struct buf *out) {
    struct asked a = {.number = -1};
    for (size_t i = 0; a.number < 0 && rule->calls[i]; i++)
        a.number = policy_call_number(rule->calls[i]);
    put_conditions(&a, rule, out);
}

/* ---- as text ---- */

static void put_rule(const struct asked *a, size_t i, struct buf *out) {
    const struct policy_rule *rule = rule_at(a, i);
    if (a->count > 1 || rule->condition_count) buf_printf(out, "  %zu. ", i + 1);
    else buf_puts(out, "  ");
    if (rule->condition_count) {
        buf_puts(out, "when ");
        put_conditions(a, rule, out);
        buf_puts(out, ": ");
    } else if (a->count > 1) {
        buf_puts(out, "otherwise ");
    }
    put_answer(out, rule->action, rule->errno_value);
    buf_printf(out, "\n     rule %s: %s\n", rule->name, rule->reason);
}

static void put_default(const struct asked *a, struct buf *out) {
    if (a->count) buf_printf(out, "  %zu. otherwise ", a->count + 1);
    else buf_puts(out, "  ");
    put_answer(out, a->p->default_action, a->p->default_errno);
    buf_puts(out,
             a->count ? "\n     the default\n" : "\n     the default: no rule names the call\n");
}

static void put_decision(const struct asked *a, struct buf *out) {
    const struct policy_rule *rule = policy_decide(a->p, a->number, a->question->args);
    buf_puts(out, "  => ");
    policy_call_text(a->number, a->question->args, out);
    buf_puts(out, " is ");
    if (rule) put_answer(out, rule->action, rule->errno_value);
    else put_answer(out, a->p->default_action, a->p->default_errno);
    buf_printf(out, " by %s%s\n", rule ? "rule " : "the default", rule ? rule->name : "");
}

int policy_explain(const struct policy *p, const struct policy_question *question, struct buf *out,
                   struct error *err) {
    _cleanup_(asked_clear) struct asked a = {.p = p, .question = question};
    if (ask(&a, err) < 0) return -1;
    if (a.number == POLICY_CALL_ABSENT) {
        buf_printf(out, "%s in policy %s:\n  this architecture has no such call\n", question->call,
                   p->name);
        return 0;
    }
    buf_printf(out, "%s (call %d) in policy %s:\n", question->call, a.number, p->name);
    for (size_t i = 0; i < a.count; i++) put_rule(&a, i, out);
    if (reaches_default(&a)) put_default(&a, out);
    if (question->given) put_decision(&a, out);
    return buf_failed(out) ? error_sys(err, ENOMEM, "policy %s", p->name) : 0;
}

/* ---- as a document ---- */

const char *policy_action_name(enum policy_action action) {
    static const char *const names[] = {[POLICY_ALLOW] = "allow",
                                        [POLICY_ERRNO] = "errno",
                                        [POLICY_KILL] = "kill",
                                        [POLICY_LOG] = "log"};
    return names[action];
}

/* `rule` NULL: the default. */
static void answer_json(const struct asked *a, const struct policy_rule *rule, const char *key,
                        struct json_writer *w) {
    enum policy_action action = rule ? rule->action : a->p->default_action;
    int errno_value = rule ? rule->errno_value : a->p->default_errno;
    _cleanup_buf_ struct buf when = {0};
    if (rule) put_conditions(a, rule, &when);
    json_open_object(w, key);
    json_put_string(w, "rule", rule ? rule->name : NULL);
    json_put_string(w, "when", when.len ? buf_text(&when) : NULL);
    json_put_string(w, "action", policy_action_name(action));
    json_put_string(w, "errno", action == POLICY_ERRNO ? policy_errno_name(errno_value) : NULL);
    json_put_string(w, "reason", rule ? rule->reason : NULL);
    json_close_object(w);
}

int policy_explain_json(const struct policy *p, const struct policy_question *question,
                        struct json_writer *w, struct error *err) {
    _cleanup_(asked_clear) struct asked a = {.p = p, .question = question};
    if (ask(&a, err) < 0) return -1;
    json_open_object(w, NULL);
    json_put_string(w, "policy", p->name);
    if (a.number >= 0) json_put_int(w, "number", a.number);
    else json_put_null(w, "number");
    json_open_array(w, "answers");
    for (size_t i = 0; i < a.count; i++) answer_json(&a, rule_at(&a, i), NULL, w);
    if (a.number >= 0 && reaches_default(&a)) answer_json(&a, NULL, NULL, w);
    json_close_array(w);
    if (question->given && a.number >= 0)
        answer_json(&a, policy_decide(p, a.number, question->args), "decided", w);
    json_close_object(w);
    return 0;
}
