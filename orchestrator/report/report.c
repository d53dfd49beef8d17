#include "orchestrator/report/report.h"

#include "common/buf.h"
#include "common/cleanup.h"

#include <math.h>
#include <string.h>

const char *const report_worth_names[] = {"scored",     "nothing-valid", "invalid-when-measured",
                                          "unresolved", "withdrawn",     "unmeasured",
                                          "open",       "failed",        "no-fsr",
                                          NULL};

bool report_is_root(const struct report_version *v) {
    return v->parent == SIZE_MAX;
}

/* Less is better. */
static double value_of(const struct report_task *t, const struct report_version *v) {
    if (t->scored) return v->seconds;
    return t->higher_is_better ? -v->metric : v->metric;
}

size_t report_best(const struct report_experiment *e) {
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < e->count; i++) {
        const struct report_version *v = &e->versions[i];
        double value = value_of(e->task, v);
        if (report_is_root(v) || !str_eq(v->outcome, "valid") || isnan(value)) continue;
        if (best == SIZE_MAX || value < value_of(e->task, &e->versions[best])) best = i;
    }
    return best;
}

bool report_counts(const struct report_experiment *e) {
    return e->worth == WORTH_SCORED || e->worth == WORTH_NOTHING || e->worth == WORTH_INVALID;
}

/* Nothing valid, and not because the machine failed. */
static enum report_worth worth_of_nothing(const struct report_experiment *e) {
    if (!str_eq(e->state, "done")) return WORTH_FAILED;
    for (size_t i = 0; i < e->count; i++)
        if (str_eq(e->versions[i].outcome, "invalid-environment")) return WORTH_UNMEASURED;
    return WORTH_NOTHING;
}

static enum report_worth worth_of_score(const struct report_score *s) {
    if (!s->outcome || str_eq(s->outcome, "invalid-environment")) return WORTH_UNMEASURED;
    if (str_eq(s->outcome, "no-resolution")) return WORTH_UNRESOLVED;
    if (str_eq(s->outcome, "gap-nonpositive")) return WORTH_WITHDRAWN;
    bool scored = str_eq(s->outcome, "scored") || str_eq(s->outcome, "scored-wide");
    if (!scored) return WORTH_INVALID;
    return isfinite(s->fsr) ? WORTH_SCORED : WORTH_UNMEASURED;
}

static enum report_worth worth_of(const struct report_experiment *e) {
    if (!e->task->scored) return WORTH_NO_FSR;
    if (str_eq(e->state, "open")) return WORTH_OPEN;
    if (e->best == SIZE_MAX) return worth_of_nothing(e);
    return worth_of_score(&e->versions[e->best].score);
}

static void value_experiment(struct report_experiment *e) {
    e->best = report_best(e);
    e->worth = worth_of(e);
    e->fsr = e->recovered_s = NAN;
    if (!report_counts(e)) return;
    e->fsr = e->recovered_s = 0;
    if (e->worth != WORTH_SCORED) return;
    const struct report_score *s = &e->versions[e->best].score;
    e->fsr = s->fsr;
    e->recovered_s = s->mean_a_s - s->mean_s;
}

/* Measured beside a candidate, where nobody has calibrated the task here. */
static double record_seconds(const struct report *r, const struct report_task *t) {
    double seconds = t->record_s;
    for (size_t i = 0; i < r->count && isnan(seconds); i++)
        for (size_t j = 0; r->experiments[i].task == t && j < r->experiments[i].count; j++)
            if (isnan(seconds)) seconds = r->experiments[i].versions[j].score.mean_a_s;
    return seconds;
}

static int classify(struct report_experiment *e, struct error *err) {
    _cleanup_free_ struct step_version *steps = calloc(e->count + 1, sizeof *steps);
    _cleanup_free_ enum step_class *classes = calloc(e->count + 1, sizeof *classes);
    size_t count = 0;
    if (!steps || !classes) return error_sys(err, ENOMEM, "%s", e->id);
    for (size_t i = 0; i < e->count; i++) {
        const struct report_version *v = &e->versions[i];
        if (report_is_root(v)) continue;
        steps[count++] = (struct step_version){v->outcome, value_of(e->task, v)};
    }
    steps_classify(steps, count, e->task->scored ? e->task->record_s : NAN, classes);
    count = 0;
    for (size_t i = 0; i < e->count; i++)
        e->versions[i].step = report_is_root(&e->versions[i]) ? STEP_OTHER : classes[count++];
    return 0;
}

/* A change too long to compare is not compared. */
static void compare(struct report_experiment *e) {
    const char *known = e->task->known_diff;
    e->compared = e->change && known &&
                  similarity_of_diffs(e->change, strlen(e->change), known, strlen(known),
                                      &e->likeness, NULL) == 0;
}

int report_assess(struct report *r, struct error *err) {
    for (size_t i = 0; i < r->task_count; i++)
        r->tasks[i]->record_s = record_seconds(r, r->tasks[i]);
    for (size_t i = 0; i < r->count; i++) {
        value_experiment(&r->experiments[i]);
        compare(&r->experiments[i]);
        if (classify(&r->experiments[i], err) < 0) return -1;
    }
    return 0;
}

void report_task_free(struct report_task *t) {
    if (!t) return;
    free(t->name);
    free(t->title);
    free(t->from);
    free(t->to);
    free(t->metric);
    free(t->unit);
    free(t->digest);
    free(t->known_diff);
    free(t->unknown);
    free(t);
}

static void version_clear(struct report_version *v) {
    free(v->id);
    free(v->hypothesis);
    free(v->state);
    free(v->outcome);
    free(v->rule);
    free(v->reason);
    free(v->kind);
    free(v->summary);
    free(v->diff);
    free(v->score.measurement);
    free(v->score.outcome);
    free(v->score.reason);
}

void report_experiment_clear(struct report_experiment *e) {
    for (size_t i = 0; i < e->count; i++) version_clear(&e->versions[i]);
    free(e->versions);
    free(e->id);
    free(e->agent);
    free(e->label);
    free(e->key);
    free(e->sweep);
    free(e->state);
    free(e->reason);
    free(e->model);
    free(e->hints);
    free(e->search);
    free(e->change);
    *e = (struct report_experiment){0};
}

void report_clear(struct report *r) {
    for (size_t i = 0; i < r->count; i++) report_experiment_clear(&r->experiments[i]);
    for (size_t i = 0; i < r->task_count; i++) report_task_free(r->tasks[i]);
    free(r->experiments);
    free(r->tasks);
    free(r->title);
    free(r->created);
    free(r->paddock);
    *r = (struct report){0};
}
