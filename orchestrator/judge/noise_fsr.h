/*
 * Noise FSR: what doing nothing scores. A search that tries many versions and
 * keeps the fastest single run finds the luckiest; even when all of them are
 * the record itself, the best looks like progress, and the more so the smaller
 * the gap is against the noise.
 *
 * `cv` is the coefficient of variation of a single run, `gap` the step's gap as
 * a fraction of the time of the record it starts from, `tries` how many single
 * runs the best is taken of. NaN unless gap > 0, cv ≥ 0 and tries ≥ 1.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_NOISE_FSR_H
#define PADDOCK_ORCHESTRATOR_JUDGE_NOISE_FSR_H

#include <stddef.h>

/* cv · e / gap, with e the expected largest of `tries` normal deviates (Blom
 * 1958), for records whose times are known exactly. */
double noise_fsr_formula(double cv, double gap, size_t tries);

/* The median over 2,001 simulated searches in which both records were timed
 * three times, as the benchmark does it, and noise has heavy tails (Student's t
 * with four degrees of freedom). Always the same for the same arguments. */
double noise_fsr_simulated(double cv, double gap, size_t tries);

#endif
