/*
 * A report made by hand: experiments are added to a struct that report_clear() frees.
 */
#ifndef PADDOCK_TESTS_UNIT_REPORT_SAMPLE_H
#define PADDOCK_TESTS_UNIT_REPORT_SAMPLE_H

#include "common/cleanup.h"
#include "orchestrator/report/groups.h"

#include <math.h>
#include <string.h>

#define SAMPLE_MOST 32

static inline char *sample_text(const char *text) {
    return text ? strdup(text) : NULL;
}

static inline struct report_task *sample_task(struct report *r, const char *name, int64_t step) {
    if (!r->tasks) r->tasks = calloc(SAMPLE_MOST, sizeof(*r->tasks));
    struct report_task *t = r->tasks[r->task_count++] = calloc(1, sizeof *t);
    t->name = sample_text(name);
    t->step = step;
    t->scored = true;
    t->record_s = NAN;
    return t;
}

static inline struct report_version *sample_version(struct report_experiment *e,
                                                    const char *outcome, double seconds) {
    if (!e->versions) e->versions = calloc(SAMPLE_MOST, sizeof *e->versions);
    struct report_version *v = &e->versions[e->count];
    const struct report_score none = {NULL, NULL, NULL, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    *v = (struct report_version){.parent = e->count ? 0 : SIZE_MAX,
                                 .outcome = sample_text(outcome),
                                 .seconds = seconds,
                                 .metric = NAN,
                                 .score = none};
    v->id = str_printf("v%lld", (long long)(100 * e->number + (int64_t)e->count));
    v->state = sample_text(outcome ? "done" : "queued");
    e->count++;
    return v;
}

/* With its root. */
static inline struct report_experiment *sample_experiment(struct report *r, struct report_task *t,
                                                          const char *model, const char *hints,
                                                          const char *search) {
    if (!r->experiments) {
        r->experiments = calloc(SAMPLE_MOST, sizeof *r->experiments);
        r->title = sample_text("Sample");
        r->created = sample_text("2026-01-01T00:00:00Z");
        r->paddock = sample_text("0");
    }
    struct report_experiment *e = &r->experiments[r->count++];
    *e = (struct report_experiment){.number = (int64_t)r->count,
                                    .task = t,
                                    .id = str_printf("e%zu", r->count),
                                    .agent = sample_text("model"),
                                    .state = sample_text("done"),
                                    .model = sample_text(model),
                                    .hints = sample_text(hints),
                                    .search = sample_text(search)};
    sample_version(e, "record", NAN);
    return e;
}

static inline void sample_score(struct report_version *v, const char *outcome, double fsr) {
    v->score.measurement = sample_text("m1");
    v->score.outcome = sample_text(outcome);
    v->score.fsr = fsr;
    v->score.low = fsr - 0.1;
    v->score.high = fsr + 0.1;
    v->score.mean_a_s = 10;
    v->score.mean_b_s = 8;
    v->score.mean_s = 10 - 2 * fsr;
}

#endif
