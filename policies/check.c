/*
 * What a policy must not say.
 *
 * libseccomp does not refuse contradictory rules: which of two wins depends on
 * the order they came in and on the layout of the program. So every pair of
 * rules about one call must agree or exclude each other, and this is proved
 * here before libseccomp sees them.
 */
#include "common/cleanup.h"
#include "policies/policy_internal.h"

#include <stdlib.h>
#include <string.h>

struct checker {
    const struct policy *p;
    const struct json *rules; /* the array in the document */
    struct error *err;
};

static const struct json *call_value(const struct checker *c, const struct policy_use *use) {
    return json_at(json_find(json_at(c->rules, use->rule), "calls"), use->call);
}

static const struct policy_rule *rule_of(const struct checker *c, const struct policy_use *use) {
    return &c->p->rules[use->rule];
}

static bool same_answer(const struct policy_rule *a, enum policy_action action, int errno_value) {
    return a->action == action && (action != POLICY_ERRNO || a->errno_value == errno_value);
}

static int check_names(const struct checker *c) {
    for (size_t i = 0; i < c->p->rule_count; i++) {
        char **calls = c->p->rules[i].calls;
        for (size_t j = 0; calls[j]; j++) {
            if (policy_call_number(calls[j]) != POLICY_CALL_UNKNOWN) continue;
            const char *name = policy_call_name(calls[j]);
            if (policy_call_optional(calls[j]) && str_is_name(name)) continue;
            struct policy_use use = {.rule = i, .call = j};
            _cleanup_free_ char *shown = str_printable(name, strnlen(name, 64));
            return json_error(
                call_value(c, &use), c->err,
                "no system call \"%s\" is known here (\"?name\" if it may be unknown)",
                shown ? shown : "?");
        }
    }
    return 0;
}

static bool exact(const struct policy_condition *c) {
    return c->compare == POLICY_EQ || c->compare == POLICY_MASKED_EQ || c->compare == POLICY_IN;
}

/* libseccomp 2.5.4 miscompiles the others when a call has several rules: the
 * branch of a failed half of a comparison misses the rules behind it. */
static bool all_exact(const struct policy_rule *rule) {
    size_t n = 0;
    while (n < rule->condition_count && exact(&rule->conditions[n])) n++;
    return n == rule->condition_count;
}

static size_t value_count(const struct policy_condition *c) {
    return c->compare == POLICY_IN ? c->value_count : 1;
}

static uint64_t value_at(const struct policy_condition *c, size_t i) {
    return c->compare == POLICY_IN ? c->values[i] : c->value;
}

/* Whether no argument can satisfy both: each pair of values differs in a bit
 * that both compare. */
static bool excludes(const struct policy_condition *a, const struct policy_condition *b) {
    if (a->argument != b->argument || !exact(a) || !exact(b)) return false;
    for (size_t i = 0; i < value_count(a); i++)
        for (size_t j = 0; j < value_count(b); j++)
            if (((value_at(a, i) ^ value_at(b, j)) & a->mask & b->mask) == 0) return false;
    return true;
}

static bool rules_exclude(const struct policy_rule *a, const struct policy_rule *b) {
    for (size_t i = 0; i < a->condition_count; i++)
        for (size_t j = 0; j < b->condition_count; j++)
            if (excludes(&a->conditions[i], &b->conditions[j])) return true;
    return false;
}

/* Two mentions of one call, the second not before the first. */
static int check_pair(const struct checker *c, const struct policy_use *a,
                      const struct policy_use *b) {
    const struct policy_rule *x = rule_of(c, a);
    const struct policy_rule *y = rule_of(c, b);
    const struct json *at = call_value(c, b);
    if (a->rule == b->rule) return json_error(at, c->err, "named twice in this rule");
    if (!a->conditional && !b->conditional)
        return json_error(at, c->err, "rule \"%s\" decides this call already", x->name);
    bool same = same_answer(x, y->action, y->errno_value);
    if (a->conditional != b->conditional && same)
        return json_error(at, c->err, "rule \"%s\" gives the same answer under conditions",
                          x->name);
    if (a->conditional && b->conditional && (!all_exact(x) || !all_exact(y)))
        return json_error(at, c->err,
                          "beside rule \"%s\" only eq, masked-eq and in are compiled correctly",
                          x->name);
    if (a->conditional && b->conditional && !same && !rules_exclude(x, y))
        return json_error(at, c->err,
                          "rule \"%s\" may hold for the same arguments and answers otherwise",
                          x->name);
    return 0;
}

/* All mentions of one call. */
static int check_call(const struct checker *c, const struct policy_use *uses, size_t n) {
    for (size_t j = 1; j < n; j++)
        for (size_t i = 0; i < j; i++)
            if (check_pair(c, &uses[i], &uses[j]) < 0) return -1;
    if (!uses[n - 1].conditional) return 0;
    for (size_t i = 0; i < n; i++)
        if (same_answer(rule_of(c, &uses[i]), c->p->default_action, c->p->default_errno))
            return json_error(call_value(c, &uses[i]), c->err,
                              "the conditions change nothing: the default gives the same answer");
    return 0;
}

/* The launcher itself calls execve under the filter, as its last act. */
static int check_execve(const struct checker *c, const struct policy_use *uses, size_t count) {
    int number = policy_call_number("execve");
    for (size_t i = 0; i < count; i++) {
        enum policy_action action = rule_of(c, &uses[i])->action;
        if (uses[i].number == number && !uses[i].conditional &&
            (action == POLICY_ALLOW || action == POLICY_LOG))
            return 0;
    }
    return json_error(c->rules, c->err, "must allow execve, or nothing could be started");
}

int policy_check(const struct policy *p, const struct json *doc, struct error *err) {
    const struct checker c = {p, json_find(doc, "rules"), err};
    _cleanup_free_ struct policy_use *uses = NULL;
    size_t count = 0;
    if (check_names(&c) < 0) return -1;
    if (policy_uses(p, &uses, &count, err) < 0) return -1;
    for (size_t i = 0, n; i < count; i += n) {
        n = policy_use_run(uses, count, i);
        if (check_call(&c, &uses[i], n) < 0) return -1;
    }
    return check_execve(&c, uses, count);
}
