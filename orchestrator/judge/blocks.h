/*
 * The plan of a measurement: randomised complete blocks. Each block runs every
 * arm once, in an order drawn for it, each run with a program seed of its own;
 * the drift of the machine then falls on all arms alike. And when to stop.
 *
 * Order and seeds follow from the installation's secret, so that a restarted
 * daemon carries on with the same plan, and nobody else can foresee a seed.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_BLOCKS_H
#define PADDOCK_ORCHESTRATOR_JUDGE_BLOCKS_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes the arms 0 … arms − 1 in the order in which block `block` runs them. */
void blocks_order(const uint8_t secret[32], const char *measurement, size_t block, size_t arms,
                  size_t *order);

/* The program's seed (PADDOCK_SEED) of one run. `attempt` counts from 0: a run
 * that was void and is repeated gets another seed. */
uint64_t blocks_seed(const uint8_t secret[32], const char *measurement, size_t block, size_t arm,
                     unsigned attempt);

struct blocks_rule {
    size_t min, max;   /* blocks */
    double half_width; /* of each candidate's FSR, as fsr_half_width() gives it */
};

enum blocks_next {
    BLOCKS_GO_ON,
    BLOCKS_RESOLVED, /* every candidate's 99 % interval is narrow enough */
    BLOCKS_NO_GAP,   /* at 99 %, the next record is not faster than the first here */
    BLOCKS_SPENT,    /* `max` blocks are done, or the time allowed is */
};
const char *blocks_next_name(enum blocks_next n); /* "go-on", "resolved", "no-gap", "spent" */

/* The level at which a measurement looks whether it may stop. */
#define BLOCKS_LOOK_LEVEL 0.99

/* Whether to run another block, after `blocks` whole ones (times as for
 * fsr_estimate()). Every look is a chance to stop at an interval that is narrow
 * by luck, so it looks at 3, 5, 7, 10, 14, 20, 28, … blocks only, at the 99 %
 * level; and who stops there reports that very interval, which is what makes it
 * worth 95 %. Otherwise the 95 % interval of all blocks run is reported. What
 * all this comes to: docs/explanation/fsr.md. */
int blocks_decide(const double *times, size_t blocks, size_t arms, const struct blocks_rule *rule,
                  enum blocks_next *next, struct error *err);

/* Whether one more block, as long as those so far were on average, ends within
 * the time allowed; both times in seconds, `budget_s` 0: no bound. The first
 * block always fits, for nobody knows how long it takes. */
bool blocks_fit(double spent_s, size_t blocks, double budget_s);

#endif
