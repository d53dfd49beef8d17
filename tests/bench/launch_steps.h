/*
 * Where the time of a launch goes: the stamps of sandbox/steps.h over many
 * launches, as medians.
 */
#ifndef PADDOCK_TESTS_BENCH_LAUNCH_STEPS_H
#define PADDOCK_TESTS_BENCH_LAUNCH_STEPS_H

#include "tests/bench/bench.h"

/* Launches b->runs times and prints the table; the bench's exit status. */
int launch_steps(struct bench *b, const char *launcher, const char *spec);

#endif
