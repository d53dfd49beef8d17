/*
 * What the search saw of a version, beside what it is worth: the one run that
 * made it the best is the luckiest of many, and never part of a score.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_MEASURE_SEARCH_H
#define PADDOCK_ORCHESTRATOR_DAEMON_MEASURE_SEARCH_H

#include "orchestrator/daemon/measure.h"
#include "orchestrator/judge/fsr.h"

/* Writes the member "search" of a score: the exploratory run of the arm's
 * version as an FSR-like figure against the records of this measurement, how
 * many valid versions its experiment has, and what luck alone would make of the
 * best of so many. Null when there is nothing to compare. `f` may be NULL. */
int measure_put_search(const struct measure *m, size_t arm, const struct fsr_interval *f,
                       struct json_writer *w, struct error *err);

#endif
