#include "orchestrator/report/groups.h"

#include "common/buf.h"
#include "common/cleanup.h"

#include <math.h>
#include <string.h>

const char *const group_kind_names[] = {"cell", "model", "hints", "search", "all", NULL};

/* ---- names in order ---- */

static int place_of(const char *name) {
    static const char *const known[] = {"none", "flat",       "tree",   "forest",
                                        "aide", "multi-aide", "greedy", NULL};
    for (int i = 0; known[i]; i++)
        if (str_eq(known[i], name)) return i;
    return str_eq(name, "–") ? 1000 : 100;
}

int groups_order(const char *a, const char *b) {
    int x = place_of(a), y = place_of(b);
    if (x != y) return x < y ? -1 : 1;
    /* "3" before "1+2" */
    bool numbers = *a >= '0' && *a <= '9' && *b >= '0' && *b <= '9';
    if (numbers && strlen(a) != strlen(b)) return strlen(a) < strlen(b) ? -1 : 1;
    return strcmp(a, b);
}

static int compare_groups(const void *a, const void *b) {
    const struct group *x = a, *y = b;
    if (x->kind != y->kind) return x->kind < y->kind ? -1 : 1;
    int order = x->model ? groups_order(x->model, y->model) : 0;
    if (order == 0 && x->search) order = groups_order(x->search, y->search);
    if (order == 0 && x->hints) order = groups_order(x->hints, y->hints);
    return order;
}

/* ---- members ---- */

static bool agrees(const char *wanted, const char *has) {
    return !wanted || str_eq(wanted, has);
}

static bool is_member(const struct group *g, const struct report_experiment *e) {
    return agrees(g->model, e->model) && agrees(g->hints, e->hints) && agrees(g->search, e->search);
}

static struct group group_of(const struct report_experiment *e, enum group_kind kind) {
    return (struct group){.kind = kind,
                          .model = kind == GROUP_CELL || kind == GROUP_MODEL ? e->model : NULL,
                          .hints = kind == GROUP_CELL || kind == GROUP_HINTS ? e->hints : NULL,
                          .search = kind == GROUP_CELL || kind == GROUP_SEARCH ? e->search : NULL};
}

static bool is_known(const struct groups *g, const struct report_experiment *e,
                     enum group_kind kind) {
    for (size_t i = 0; i < g->count; i++)
        if (g->groups[i].kind == kind && is_member(&g->groups[i], e)) return true;
    return false;
}

static size_t stratum_of(const struct report *r, const struct report_task *t) {
    size_t i = 0;
    while (i < r->task_count && r->tasks[i] != t) i++;
    return i;
}

static void add_member(struct group *g, const struct report_experiment *e) {
    g->experiments++;
    g->worth[e->worth]++;
    if (!report_counts(e)) return;
    g->recovered_s += e->recovered_s;
    if (!e->spent.calls) return;
    g->cost = (isnan(g->cost) ? 0 : g->cost) + e->spent.cost;
    g->tokens += e->spent.input + e->spent.output;
}

static int fill_group(const struct report *r, struct group *g, struct error *err) {
    _cleanup_free_ struct stats_value *values = calloc(r->count + 1, sizeof *values);
    if (!values) return error_sys(err, ENOMEM, "groups");
    size_t count = 0;
    g->cost = NAN;
    for (size_t i = 0; i < r->count; i++) {
        const struct report_experiment *e = &r->experiments[i];
        if (!is_member(g, e)) continue;
        add_member(g, e);
        if (report_counts(e))
            values[count++] = (struct stats_value){e->fsr, stratum_of(r, e->task)};
    }
    return stats_summarise(values, count, &g->fsr, err);
}

int groups_make(const struct report *r, struct groups *out, struct error *err) {
    out->groups = calloc(r->count * GROUP_KINDS + 1, sizeof *out->groups);
    if (!out->groups) return error_sys(err, ENOMEM, "groups");
    for (size_t i = 0; i < r->count; i++)
        for (int kind = 0; kind < GROUP_KINDS; kind++)
            if (!is_known(out, &r->experiments[i], (enum group_kind)kind))
                out->groups[out->count++] = group_of(&r->experiments[i], (enum group_kind)kind);
    qsort(out->groups, out->count, sizeof *out->groups, compare_groups);
    for (size_t i = 0; i < out->count; i++)
        if (fill_group(r, &out->groups[i], err) < 0) return -1;
    return series_make(r, out, err) < 0 ? -1 : rules_make(r, out, err);
}

double group_cost_per_second(const struct group *g) {
    return g->recovered_s > 0 ? g->cost / g->recovered_s : NAN;
}

void groups_clear(struct groups *g) {
    for (size_t i = 0; i < g->series_count; i++) free(g->series[i].counts);
    free(g->series);
    free(g->groups);
    free(g->rules);
    *g = (struct groups){0};
}
