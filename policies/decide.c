/* Which rule of a policy answers a call, by the rules themselves. */
#include "common/cleanup.h"
#include "policies/policy_internal.h"

#include <string.h>

static bool is_one_of(const struct policy_condition *c, uint64_t value) {
    for (size_t i = 0; i < c->value_count; i++)
        if (value == c->values[i]) return true;
    return false;
}

bool policy_condition_holds(const struct policy_condition *c, const uint64_t *args) {
    uint64_t value = args[c->argument];
    switch (c->compare) {
    case POLICY_EQ: return value == c->value;
    case POLICY_NE: return value != c->value;
    case POLICY_LT: return value < c->value;
    case POLICY_LE: return value <= c->value;
    case POLICY_GT: return value > c->value;
    case POLICY_GE: return value >= c->value;
    case POLICY_MASKED_EQ: return (value & c->mask) == c->value;
    case POLICY_IN: break;
    }
    return is_one_of(c, value & c->mask);
}

bool policy_rule_names(const struct policy_rule *rule, const char *call) {
    for (size_t i = 0; rule->calls[i]; i++)
        if (strcmp(policy_call_name(rule->calls[i]), call) == 0) return true;
    return false;
}

static bool all_hold(const struct policy_rule *rule, const uint64_t *args) {
    for (size_t i = 0; i < rule->condition_count; i++)
        if (!policy_condition_holds(&rule->conditions[i], args)) return false;
    return true;
}

const struct policy_rule *policy_decide(const struct policy *p, int number, const uint64_t *args) {
    const struct policy_rule *plain = NULL;
    _cleanup_free_ char *call = policy_call_named(number);
    if (!call) return NULL;
    for (size_t i = 0; i < p->rule_count; i++) {
        const struct policy_rule *rule = &p->rules[i];
        if (!policy_rule_names(rule, call) || !all_hold(rule, args)) continue;
        if (rule->condition_count) return rule;
        plain = rule;
    }
    return plain;
}

bool policy_allows(const struct policy *p, const struct policy_rule *rule) {
    enum policy_action action = rule ? rule->action : p->default_action;
    return action == POLICY_ALLOW || action == POLICY_LOG;
}
