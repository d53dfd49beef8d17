/* What became of versions: over the steps of the search, and by which rule. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "orchestrator/report/groups.h"

#include <string.h>

static struct series *find_series(struct groups *g, const struct report_experiment *e) {
    for (size_t i = 0; i < g->series_count; i++)
        if (str_eq(g->series[i].model, e->model) && str_eq(g->series[i].search, e->search))
            return &g->series[i];
    struct series *fresh = &g->series[g->series_count++];
    *fresh = (struct series){.model = e->model, .search = e->search};
    return fresh;
}

static size_t steps_of(const struct report_experiment *e) {
    size_t steps = 0;
    for (size_t i = 0; i < e->count; i++) steps += !report_is_root(&e->versions[i]);
    return steps;
}

static int grow(struct series *s, size_t length) {
    if (length <= s->length) return 0;
    void *more = reallocarray(s->counts, length, sizeof *s->counts);
    if (!more) return -1;
    s->counts = more;
    memset(s->counts + s->length, 0, (length - s->length) * sizeof *s->counts);
    s->length = length;
    return 0;
}

static int compare_series(const void *a, const void *b) {
    const struct series *x = a, *y = b;
    int order = groups_order(x->model, y->model);
    return order ? order : groups_order(x->search, y->search);
}

int series_make(const struct report *r, struct groups *out, struct error *err) {
    out->series = calloc(r->count + 1, sizeof *out->series);
    if (!out->series) return error_sys(err, ENOMEM, "steps");
    for (size_t i = 0; i < r->count; i++) {
        const struct report_experiment *e = &r->experiments[i];
        struct series *s = find_series(out, e);
        if (grow(s, steps_of(e)) < 0) return error_sys(err, ENOMEM, "steps");
        s->experiments++;
        for (size_t v = 0, n = 0; s->counts && v < e->count; v++)
            if (!report_is_root(&e->versions[v])) s->counts[n++][e->versions[v].step]++;
    }
    qsort(out->series, out->series_count, sizeof *out->series, compare_series);
    return 0;
}

/* ---- rules ---- */

static int count_rule(struct groups *g, size_t *room, const struct report_version *v,
                      const char *rule, const char *outcome, bool measured) {
    if (!rule) rule = "–";
    for (size_t i = 0; i < g->rule_count; i++) {
        struct broken_rule *known = &g->rules[i];
        if (known->measured != measured || !str_eq(known->rule, rule) ||
            !str_eq(known->outcome, outcome))
            continue;
        known->versions++;
        return 0;
    }
    if (g->rule_count == *room) {
        size_t more = *room ? 2 * *room : 16;
        struct broken_rule *rules = reallocarray(g->rules, more, sizeof *rules);
        if (!rules) return -1;
        g->rules = rules;
        *room = more;
    }
    g->rules[g->rule_count++] = (struct broken_rule){rule, outcome, measured, 1, v};
    return 0;
}

static bool is_broken(const char *outcome) {
    static const char *const fine[] = {"valid",         "record",          "scored", "scored-wide",
                                       "no-resolution", "gap-nonpositive", NULL};
    for (const char *const *f = fine; outcome && *f; f++)
        if (str_eq(*f, outcome)) return false;
    return outcome;
}

static int compare_rules(const void *a, const void *b) {
    const struct broken_rule *x = a, *y = b;
    if (x->measured != y->measured) return x->measured ? 1 : -1;
    if (x->versions != y->versions) return x->versions > y->versions ? -1 : 1;
    int order = strcmp(x->rule, y->rule);
    return order ? order : strcmp(x->outcome, y->outcome);
}

int rules_make(const struct report *r, struct groups *out, struct error *err) {
    size_t room = 0;
    for (size_t i = 0; i < r->count; i++) {
        for (size_t j = 0; j < r->experiments[i].count; j++) {
            const struct report_version *v = &r->experiments[i].versions[j];
            const char *scored = v->score.outcome;
            if ((is_broken(v->outcome) &&
                 count_rule(out, &room, v, v->rule, v->outcome, false) < 0) ||
                (is_broken(scored) && count_rule(out, &room, v, NULL, scored, true) < 0))
                return error_sys(err, ENOMEM, "rules");
        }
    }
    if (out->rule_count) qsort(out->rules, out->rule_count, sizeof *out->rules, compare_rules);
    return 0;
}
