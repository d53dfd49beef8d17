/*
 * The record rule: whether an arm's runs, all together, meet the target.
 *
 * Without a `p` the mean metric must meet it. With one, the mean must meet it
 * at a one-sided p below that over the arm's runs with fresh seeds: Student's t
 * of the mean against the target, as rule 2 of the NanoGPT speedrun has it
 * ("statistically significant at p < 0.01 that the mean is below the target").
 * One run is never significant. Pure.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_RECORD_RULE_H
#define PADDOCK_ORCHESTRATOR_JUDGE_RECORD_RULE_H

#include <stdbool.h>
#include <stddef.h>

struct record_rule {
    bool has_target; /* false: everything meets it */
    bool higher_is_better;
    double target;
    double p; /* 0: the mean alone decides */
};

struct record_finding {
    bool met;
    bool settled;     /* so clear that more runs are not needed: see below */
    const char *rule; /* why not: "target-missed", "target-not-significant"; NULL when met */
    size_t runs;
    double mean; /* NaN without runs */
    double p;    /* that the mean is no better than the target; NaN for fewer than 2 runs */
};

/* `metrics` are those of all runs of the arm that count, in any order. Runs that
 * do not vary at all leave nothing to chance: p is 0 when their value meets the
 * target and 1 when not.
 *
 * Who looks after every few runs and stops at the first p below 0.01 lets three
 * times as many pass by luck as p says. A measurement therefore stops early only
 * when it is settled: met with a p below a fifth of the rule's, or missed as
 * clearly. When the runs allowed are spent, `met` is the word. */
struct record_finding record_rule_judge(const struct record_rule *rule, const double *metrics,
                                        size_t runs);

/* Why it is not met, in one sentence; `metric` and `unit` are the task's. In
 * fresh memory; NULL when memory ran out. */
char *record_rule_reason(const struct record_rule *rule, const struct record_finding *f,
                         const char *metric, const char *unit);

#endif
