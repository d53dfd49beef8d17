#include "orchestrator/report/document.h"

#include "common/cleanup.h"

#include <math.h>

void report_step_name(const struct report_task *t, struct buf *out) {
    buf_printf(out, "%s:%lld", t->name, (long long)t->step);
}

static void put_task(const struct report_task *t, struct json_writer *w, const char *key) {
    _cleanup_buf_ struct buf name = {0};
    report_step_name(t, &name);
    json_put_string(w, key, buf_text(&name));
}

/* ---- groups ---- */

static void put_interval(const struct stats_interval *i, struct json_writer *w, const char *key) {
    json_open_object(w, key);
    json_put_double(w, "estimate", i->estimate);
    json_put_double(w, "low", i->low);
    json_put_double(w, "high", i->high);
    json_close_object(w);
}

static void put_group(const struct group *g, struct json_writer *w) {
    json_open_object(w, NULL);
    json_put_string(w, "by", group_kind_names[g->kind]);
    json_put_string(w, "model", g->model);
    json_put_string(w, "hints", g->hints);
    json_put_string(w, "search", g->search);
    json_put_int(w, "experiments", (int64_t)g->experiments);
    json_put_int(w, "counted", (int64_t)g->fsr.count);
    json_put_int(w, "strata", (int64_t)g->fsr.strata);
    json_put_int(w, "strata_of_one", (int64_t)g->fsr.lone);
    put_interval(&g->fsr.mean, w, "mean");
    put_interval(&g->fsr.iqm, w, "iqm");
    json_open_object(w, "worth");
    for (int i = 0; i < WORTH_COUNT; i++)
        json_put_int(w, report_worth_names[i], (int64_t)g->worth[i]);
    json_close_object(w);
    json_put_double(w, "cost", g->cost);
    json_put_int(w, "tokens", g->tokens);
    json_put_double(w, "recovered_s", g->fsr.count ? g->recovered_s : NAN);
    json_put_double(w, "cost_per_recovered_s", group_cost_per_second(g));
    json_close_object(w);
}

void report_json_groups(const struct groups *g, struct json_writer *w, const char *key) {
    json_open_array(w, key);
    for (size_t i = 0; i < g->count; i++) put_group(&g->groups[i], w);
    json_close_array(w);
}

/* ---- steps and rules ---- */

static void put_counts(const size_t counts[STEP_COUNT], struct json_writer *w) {
    json_open_object(w, NULL);
    for (int i = 0; i < STEP_COUNT; i++) json_put_int(w, step_class_names[i], (int64_t)counts[i]);
    json_close_object(w);
}

void report_json_series(const struct groups *g, struct json_writer *w, const char *key) {
    json_open_array(w, key);
    for (size_t i = 0; i < g->series_count; i++) {
        const struct series *s = &g->series[i];
        json_open_object(w, NULL);
        json_put_string(w, "model", s->model);
        json_put_string(w, "search", s->search);
        json_put_int(w, "experiments", (int64_t)s->experiments);
        json_open_array(w, "steps");
        for (size_t n = 0; n < s->length; n++) put_counts(s->counts[n], w);
        json_close_array(w);
        json_close_object(w);
    }
    json_close_array(w);
}

static void put_rules(const struct groups *g, struct json_writer *w) {
    json_open_array(w, "rules");
    for (size_t i = 0; i < g->rule_count; i++) {
        const struct broken_rule *rule = &g->rules[i];
        json_open_object(w, NULL);
        json_put_string(w, "rule", rule->rule);
        json_put_string(w, "outcome", rule->outcome);
        json_put_bool(w, "measured", rule->measured);
        json_put_int(w, "versions", (int64_t)rule->versions);
        json_put_string(w, "example", rule->example->id);
        json_close_object(w);
    }
    json_close_array(w);
}

/* ---- tasks and experiments ---- */

static void put_tasks(const struct report *r, struct json_writer *w) {
    json_open_array(w, "tasks");
    for (size_t i = 0; i < r->task_count; i++) {
        const struct report_task *t = r->tasks[i];
        json_open_object(w, NULL);
        put_task(t, w, "task");
        json_put_string(w, "title", t->title);
        json_put_string(w, "digest", t->digest);
        json_put_string(w, "from", t->from);
        json_put_string(w, "to", t->to);
        json_put_bool(w, "scored", t->scored);
        json_put_string(w, "metric", t->metric);
        json_put_string(w, "unit", t->unit);
        json_put_double(w, "record_s", t->record_s);
        json_put_string(w, "known_change", t->known_diff ? NULL : t->unknown);
        json_close_object(w);
    }
    json_close_array(w);
}

static void put_score(const struct report_score *s, struct json_writer *w) {
    if (!s->outcome) {
        json_put_null(w, "score");
        return;
    }
    json_open_object(w, "score");
    json_put_string(w, "measurement", s->measurement);
    json_put_string(w, "outcome", s->outcome);
    json_put_string(w, "reason", s->reason);
    json_put_double(w, "fsr", s->fsr);
    json_put_double(w, "low", s->low);
    json_put_double(w, "high", s->high);
    json_put_double(w, "level", s->level);
    json_put_double(w, "mean_s", s->mean_s);
    json_put_double(w, "mean_a_s", s->mean_a_s);
    json_put_double(w, "mean_b_s", s->mean_b_s);
    json_put_double(w, "luck_fsr", s->luck_fsr);
    json_close_object(w);
}

static void put_version(const struct report_experiment *e, const struct report_version *v,
                        struct json_writer *w) {
    json_open_object(w, NULL);
    json_put_string(w, "id", v->id);
    json_put_string(w, "parent", report_is_root(v) ? NULL : e->versions[v->parent].id);
    json_put_string(w, "outcome", v->outcome);
    json_put_string(w, "rule", v->rule);
    json_put_string(w, "class", report_is_root(v) ? NULL : step_class_names[v->step]);
    json_put_double(w, "seconds", v->seconds);
    json_put_double(w, "metric", v->metric);
    json_put_string(w, "hypothesis", v->hypothesis);
    put_score(&v->score, w);
    json_close_object(w);
}

static void put_spent(const struct report_spent *s, struct json_writer *w) {
    json_open_object(w, "spent");
    json_put_int(w, "calls", s->calls);
    json_put_int(w, "input_tokens", s->input);
    json_put_int(w, "cached_tokens", s->cached);
    json_put_int(w, "output_tokens", s->output);
    json_put_int(w, "reasoning_tokens", s->reasoned);
    json_put_double(w, "cost", s->cost);
    json_close_object(w);
}

static void put_likeness(const struct report_experiment *e, struct json_writer *w) {
    if (!e->compared) {
        json_put_null(w, "similarity");
        return;
    }
    json_open_object(w, "similarity");
    json_put_double(w, "f1", e->likeness.f1);
    json_put_double(w, "precision", e->likeness.precision);
    json_put_double(w, "recall", e->likeness.recall);
    json_put_int(w, "words", (int64_t)e->likeness.ours);
    json_put_int(w, "known_words", (int64_t)e->likeness.known);
    json_put_int(w, "common_words", (int64_t)e->likeness.common);
    json_close_object(w);
}

static void put_experiment(const struct report_experiment *e, struct json_writer *w) {
    json_open_object(w, NULL);
    json_put_string(w, "id", e->id);
    put_task(e->task, w, "task");
    json_put_string(w, "agent", e->agent);
    json_put_string(w, "label", e->label);
    json_put_string(w, "sweep", e->sweep);
    json_put_string(w, "key", e->key);
    json_put_string(w, "model", e->model);
    json_put_string(w, "hints", e->hints);
    json_put_string(w, "search", e->search);
    if (e->seed) json_put_int(w, "seed", e->seed);
    else json_put_null(w, "seed");
    json_put_string(w, "state", e->state);
    json_put_string(w, "reason", e->reason);
    json_put_string(w, "worth", report_worth_names[e->worth]);
    json_put_double(w, "fsr", e->fsr);
    json_put_double(w, "recovered_s", e->recovered_s);
    json_put_string(w, "best", e->best == SIZE_MAX ? NULL : e->versions[e->best].id);
    put_spent(&e->spent, w);
    put_likeness(e, w);
    json_open_array(w, "versions");
    for (size_t i = 0; i < e->count; i++) put_version(e, &e->versions[i], w);
    json_close_array(w);
    json_close_object(w);
}

void report_json(const struct report *r, const struct groups *g, struct json_writer *w) {
    json_open_object(w, NULL);
    json_put_string(w, "format", "paddock-report");
    json_put_int(w, "version", REPORT_VERSION);
    json_put_string(w, "title", r->title);
    json_put_string(w, "created", r->created);
    json_put_string(w, "paddock", r->paddock);
    put_tasks(r, w);
    report_json_groups(g, w, "groups");
    report_json_series(g, w, "steps");
    put_rules(g, w);
    json_open_array(w, "experiments");
    for (size_t i = 0; i < r->count; i++) put_experiment(&r->experiments[i], w);
    json_close_array(w);
    json_close_object(w);
}
