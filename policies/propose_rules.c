/* A proposal as a policy file. */
#include "common/cleanup.h"
#include "policies/propose.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char beyond_reason[] =
    "seen while learning; the policy it was learned from refuses it";

static void open_rule(struct proposing *p, const char *name, const char *action,
                      const char *reason) {
    json_open_object(p->w, NULL);
    json_put_string(p->w, "name", name);
    json_put_string(p->w, "action", action);
    json_put_string(p->w, "reason", reason);
}

static bool taken(char *const *names, const char *name) {
    for (; *names; names++)
        if (strcmp(*names, name) == 0) return true;
    return false;
}

/* "name", "name-call", "name-call-2", …: the first that no rule has. NULL when
 * out of memory. */
static char *take_name(struct proposing *p, const char *name, const char *call) {
    for (int i = 0;; i++) {
        _cleanup_free_ char *wish = i == 0   ? strdup(name)
                                    : i == 1 ? str_printf("%.30s-%.24s", name, call)
                                             : str_printf("%.30s-%.24s-%d", name, call, i);
        if (!wish) return NULL;
        if (taken(p->names, wish)) continue;
        return strv_push(&p->names, wish) < 0 ? NULL : steal_ptr(&wish);
    }
}

/* ---- conditions ---- */

static void put_value(struct proposing *p, const struct grant *g, unsigned argument,
                      const uint64_t *args, const char *key) {
    _cleanup_buf_ struct buf text = {0};
    policy_argument_text(g->number, argument, args, &text);
    if (str_eq(buf_text(&text), "0")) json_put_int(p->w, key, 0);
    else json_put_string(p->w, key, buf_text(&text));
}

static void put_condition(struct proposing *p, const struct grant *g, unsigned argument) {
    uint64_t bits = g->bits[argument];
    bool wide = bits > UINT32_MAX;
    bool whole = bits == UINT32_MAX || bits == UINT64_MAX;
    bool one = whole && grant_values(g, argument) == 1;
    json_open_object(p->w, NULL);
    json_put_int(p->w, "argument", argument);
    json_put_int(p->w, "bits", wide ? 64 : 32);
    json_put_string(p->w, "compare", one ? "eq" : "in");
    if (!whole) {
        char hex[20];
        snprintf(hex, sizeof hex, "0x%" PRIx64, bits);
        json_put_string(p->w, "mask", hex);
    }
    if (!one) json_open_array(p->w, "values");
    for (size_t i = 0; i < g->seen_count; i++) {
        bool again = false;
        for (size_t j = 0; j < i; j++)
            again |= g->seen[j]->args[argument] == g->seen[i]->args[argument];
        if (!again) put_value(p, g, argument, g->seen[i]->args, one ? "value" : NULL);
    }
    if (!one) json_close_array(p->w);
    json_close_object(p->w);
}

static void put_conditional(struct proposing *p, const struct grant *g) {
    const char *base_name = g->owner ? g->owner->name : "beyond-base";
    _cleanup_free_ char *name = take_name(p, base_name, g->call);
    open_rule(p, name, "allow", g->owner ? g->owner->reason : beyond_reason);
    json_open_array(p->w, "when");
    for (unsigned a = 0; a < 6; a++)
        if (g->bits[a]) put_condition(p, g, a);
    json_close_array(p->w);
    json_open_array(p->w, "calls");
    json_put_string(p->w, NULL, g->call);
    json_close_array(p->w);
    json_close_object(p->w);
}

/* ---- rules ---- */

static bool stands(const struct grant *g, const struct policy_rule *owner, bool conditional) {
    return !g->idle && g->owner == owner && g->conditional == conditional;
}

static void put_plain(struct proposing *p, const struct policy_rule *owner) {
    bool open = false;
    for (size_t i = 0; i < p->grant_count; i++) {
        const struct grant *g = &p->grants[i];
        if (!stands(g, owner, false)) continue;
        if (!open) {
            _cleanup_free_ char *name = take_name(p, owner ? owner->name : "beyond-base", "whole");
            open_rule(p, name, "allow", owner ? owner->reason : beyond_reason);
            json_open_array(p->w, "calls");
            open = true;
        }
        json_put_string(p->w, NULL, g->call);
    }
    if (!open) return;
    json_close_array(p->w);
    json_close_object(p->w);
}

static void put_allowed(struct proposing *p, const struct policy_rule *owner) {
    put_plain(p, owner);
    for (size_t i = 0; i < p->grant_count; i++)
        if (stands(&p->grants[i], owner, true)) put_conditional(p, &p->grants[i]);
}

static bool is_whole(const struct proposing *p, const char *call) {
    for (size_t i = 0; i < p->grant_count; i++)
        if (!p->grants[i].idle && !p->grants[i].conditional && strcmp(p->grants[i].call, call) == 0)
            return true;
    return false;
}

/* A refusal of the base, for what is not allowed as a whole now. */
static void put_refusal(struct proposing *p, const struct policy_rule *rule) {
    bool open = false;
    for (size_t i = 0; rule->calls[i]; i++) {
        if (is_whole(p, policy_call_name(rule->calls[i]))) continue;
        if (!open) {
            _cleanup_free_ char *name = take_name(p, rule->name, "refused");
            bool kills = rule->action == POLICY_KILL;
            open_rule(p, name, kills ? "kill" : "errno", rule->reason);
            if (!kills) json_put_string(p->w, "errno", policy_errno_name(rule->errno_value));
            json_open_array(p->w, "calls");
            open = true;
        }
        json_put_string(p->w, NULL, rule->calls[i]);
    }
    if (!open) return;
    json_close_array(p->w);
    json_close_object(p->w);
}

static bool came_before(const struct policy_observations *seen, size_t i) {
    for (size_t j = 0; j < i; j++)
        if (seen->list[j].number == seen->list[i].number && seen->list[j].refused) return true;
    return false;
}

/* What was refused while learning, and the base would not refuse by a rule: the
 * program must meet the same answer. */
static void put_met_refusals(struct proposing *p) {
    for (size_t i = 0; i < p->seen->count; i++) {
        const struct policy_observation *o = &p->seen->list[i];
        if (!o->refused || came_before(p->seen, i)) continue;
        const struct policy_rule *rule = policy_decide(p->base, o->number, o->args);
        bool by_rule = rule && !policy_allows(p->base, rule);
        bool by_default =
            p->base->default_action == POLICY_ERRNO && p->base->default_errno == o->refused;
        _cleanup_free_ char *call = policy_call_named(o->number);
        if (by_rule || by_default || !call || policy_call_number(call) < 0) continue;
        if (is_whole(p, call)) continue;
        _cleanup_free_ char *name = take_name(p, "never-learned", call);
        open_rule(p, name, "errno", "refused while learning, and the program went on");
        json_put_string(p->w, "errno", policy_errno_name(o->refused));
        json_open_array(p->w, "calls");
        json_put_string(p->w, NULL, call);
        json_close_array(p->w);
        json_close_object(p->w);
    }
}

static void put_default(const struct policy *base, struct json_writer *w) {
    bool kills = base->default_action == POLICY_KILL;
    json_open_object(w, "default");
    json_put_string(w, "action", kills ? "kill" : "errno");
    if (!kills) json_put_string(w, "errno", policy_errno_name(base->default_errno));
    json_close_object(w);
}

void proposal_write(struct proposing *p, const char *name, const char *description) {
    const struct policy *base = p->base;
    json_open_object(p->w, NULL);
    json_put_string(p->w, "name", name);
    json_put_string(p->w, "description", description);
    put_default(base, p->w);
    json_put_bool(p->w, "loopback", base->loopback);
    if (base->listen) json_put_bool(p->w, "listen", true);
    json_put_bool(p->w, "devpts", base->devpts);
    json_put_bool(p->w, "exec_workspace", base->exec_workspace);
    json_put_bool(p->w, "exec_tmp", base->exec_tmp);
    if (base->gpus) {
        json_put_bool(p->w, "gpus", true);
        json_put_int(p->w, "memlock_bytes", base->memlock_bytes);
        json_put_int(p->w, "gpu_shm_bytes", base->gpu_shm_bytes);
    }
    if (base->devices && base->devices[0]) json_put_strv(p->w, "devices", base->devices);
    json_open_array(p->w, "rules");
    for (size_t i = 0; i < base->rule_count; i++)
        if (policy_allows(base, &base->rules[i])) put_allowed(p, &base->rules[i]);
    put_allowed(p, NULL);
    for (size_t i = 0; i < base->rule_count; i++)
        if (!policy_allows(base, &base->rules[i]) && !base->rules[i].condition_count)
            put_refusal(p, &base->rules[i]);
    put_met_refusals(p);
    json_close_array(p->w);
    json_close_object(p->w);
}
