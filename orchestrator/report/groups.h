/*
 * Experiments taken together: by model, hints and search, by one of these alone, and
 * all of them; what became of their versions over the steps of the search; and by
 * which rules versions were invalid.
 */
#ifndef PADDOCK_ORCHESTRATOR_REPORT_GROUPS_H
#define PADDOCK_ORCHESTRATOR_REPORT_GROUPS_H

#include "orchestrator/report/report.h"
#include "orchestrator/report/stats.h"

enum group_kind { GROUP_CELL, GROUP_MODEL, GROUP_HINTS, GROUP_SEARCH, GROUP_ALL, GROUP_KINDS };
extern const char *const group_kind_names[]; /* "cell", "model", …, NULL */

struct group {
    enum group_kind kind;
    const char *model, *hints, *search; /* borrowed; NULL: all */
    size_t experiments;
    size_t worth[WORTH_COUNT];
    struct stats_summary fsr; /* over those that count; strata are the steps of tasks */
    /* What those that count have cost and recovered; cost NaN: no model was called. */
    double cost, recovered_s;
    int64_t tokens;
};

/* What became of the n-th versions (n from 1) of all experiments of one model and
 * search. */
struct series {
    const char *model, *search; /* borrowed */
    size_t experiments, length;
    size_t (*counts)[STEP_COUNT]; /* owned; [n − 1] */
};

struct broken_rule {
    const char *rule, *outcome; /* borrowed; rule "–": none is named */
    bool measured;              /* seen when it was measured, not by the search */
    size_t versions;
    const struct report_version *example; /* the first */
};

struct groups {
    struct group *groups; /* by kind, then in the order of their names */
    size_t count;
    struct series *series;
    size_t series_count;
    struct broken_rule *rules; /* the most frequent first */
    size_t rule_count;
};

int groups_make(const struct report *r, struct groups *out, struct error *err);
void groups_clear(struct groups *g);
#define _cleanup_groups_ __attribute__((cleanup(groups_clear)))

/* The order in which names are shown: hints "none", "1", "2", …, "1+2", …; searches as
 * the paper lists them; else as bytes; "–" last. */
int groups_order(const char *a, const char *b);
/* Money for each recovered second; NaN when no second was recovered or nothing paid. */
double group_cost_per_second(const struct group *g);

/* ---- shared by groups.c and series.c ---- */
int series_make(const struct report *r, struct groups *out, struct error *err);
int rules_make(const struct report *r, struct groups *out, struct error *err);

#endif
