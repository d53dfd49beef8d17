/*
 * What a report is made of: experiments with their versions, scores and costs, as
 * one plain struct. Who fills it (client/report_collect.h) knows the API; who writes
 * it out (document.h, page.h) knows nothing but this.
 *
 * An experiment is worth the FSR of its best version, which is the one that its
 * search found fastest, and of no other: to take the best of several scores would
 * reward whoever measures more often. What has no score is never a number. One
 * exception, by definition: an experiment that is done and has nothing valid to hand
 * in, or whose best turned out invalid when it was measured, leaves the record as it
 * was, and that is an FSR of 0. Both are counted apart.
 */
#ifndef PADDOCK_ORCHESTRATOR_REPORT_REPORT_H
#define PADDOCK_ORCHESTRATOR_REPORT_REPORT_H

#include "common/error.h"
#include "orchestrator/report/similarity.h"
#include "orchestrator/report/steps.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Strings are owned, NULL where there is none; numbers are NaN where there is none. */

struct report_task {
    char *name, *title;
    int64_t step;
    char *from, *to; /* titles of its two records */
    char *metric, *unit;
    char *digest;
    bool scored; /* it races for time, so that there is an FSR */
    bool higher_is_better;
    double record_s;  /* how long record `step` takes on this machine */
    char *known_diff; /* the known change, hint level 0 … */
    char *unknown;    /* … or why there is none */
};

struct report_score {
    char *measurement;
    char *outcome; /* NULL: there is no score */
    char *reason;
    double fsr, low, high, level;
    double mean_s, mean_a_s, mean_b_s;
    double luck_fsr; /* what noise alone makes of the best of so many versions */
};

struct report_version {
    char *id;
    size_t parent; /* its place among the experiment's; SIZE_MAX: it is a root */
    char *hypothesis, *state, *outcome, *rule, *reason;
    double seconds, metric;
    char *kind, *summary;      /* of its note: "draft", "debug"; what its agent says of it */
    struct report_score score; /* the newest */
    char *diff;                /* against the parent; NULL: not asked for */
    size_t diff_left_out;      /* bytes of it that were cut off */
    enum step_class step;      /* made by report_assess() */
};

struct report_spent {
    int64_t calls, input, cached, output, reasoned;
    double cost; /* USD */
};

enum report_worth {
    WORTH_SCORED,     /* `fsr` is its best version's */
    WORTH_NOTHING,    /* done, and no version is valid: 0 */
    WORTH_INVALID,    /* its best was invalid when measured: 0 */
    WORTH_UNRESOLVED, /* measured, but the machine is too noisy for a number */
    WORTH_WITHDRAWN,  /* measured, but the next record is not faster here */
    WORTH_UNMEASURED,
    WORTH_OPEN,   /* not over yet */
    WORTH_FAILED, /* its agent failed or was cancelled, and left nothing valid */
    WORTH_NO_FSR, /* its task does not race for time */
    WORTH_COUNT,
};
extern const char *const report_worth_names[]; /* "scored", "nothing-valid", …, NULL */

struct report_experiment {
    char *id, *agent, *label, *key, *sweep, *state, *reason;
    int64_t number; /* of its id */
    struct report_task *task;
    char *model, *hints, *search; /* what it is sorted by; never NULL: "–" */
    int64_t seed;                 /* of its config; 0: none */
    struct report_spent spent;
    struct report_version *versions; /* in the order in which they were made */
    size_t count;
    char *change; /* the diff from root to best version; NULL: none, or not asked for */

    /* made by report_assess() */
    size_t best; /* SIZE_MAX: none */
    enum report_worth worth;
    double fsr;         /* NaN unless it counts */
    double recovered_s; /* the same in seconds */
    bool compared;      /* whether `likeness` is there */
    struct similarity likeness;
};

struct report {
    char *title;
    char *created;              /* RFC 3339 */
    char *paddock;              /* version */
    struct report_task **tasks; /* by name and step */
    size_t task_count;
    struct report_experiment *experiments; /* by number */
    size_t count;
};

/* Finds the best versions, what each experiment is worth, the class of each version,
 * and how like each best is to the known change. */
int report_assess(struct report *r, struct error *err);
/* The place of the fastest valid version (of one with the best metric, where the task
 * does not race for time), roots left out; SIZE_MAX: none is valid. */
size_t report_best(const struct report_experiment *e);
bool report_is_root(const struct report_version *v);
/* Whether it enters into means. */
bool report_counts(const struct report_experiment *e);

void report_task_free(struct report_task *t);
void report_experiment_clear(struct report_experiment *e);
void report_clear(struct report *r);
#define _cleanup_report_ __attribute__((cleanup(report_clear)))

#endif
