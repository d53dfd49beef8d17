/*
 * What became of each version of a search, in the order in which they were made:
 * did it fail, and if not, was it better than everything before it? Pure.
 */
#ifndef PADDOCK_ORCHESTRATOR_REPORT_STEPS_H
#define PADDOCK_ORCHESTRATOR_REPORT_STEPS_H

#include <stddef.h>

enum step_class {
    STEP_BUGGY,     /* invalid, by whatever rule that is the version's own fault */
    STEP_ABANDONED, /* the agent gave it up before anything was run */
    STEP_SAME,      /* valid, and no better than the best before it */
    STEP_FIRST,     /* valid, with nothing to compare it to */
    STEP_IMPROVED,  /* valid, and better than the best before it */
    STEP_OTHER,     /* unfinished, cancelled, or the machine's fault: counts for nothing */
    STEP_COUNT,
};
extern const char *const step_class_names[]; /* "buggy", …, NULL */

struct step_version {
    const char *outcome; /* NULL: not done */
    double value;        /* less is better (seconds, or a metric turned round); NaN: none */
};

/* `record` is the value of what the search began with; NaN: not known, so that the
 * first valid version is STEP_FIRST. */
void steps_classify(const struct step_version *versions, size_t count, double record,
                    enum step_class *out);

#endif
