/*
 * Fisher's exact test of two shares, one-sided.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_FISHER_H
#define PADDOCK_ORCHESTRATOR_JUDGE_FISHER_H

#include <stdint.h>

/* Of n runs of a candidate k were void, of m others l. How probable it is that as
 * many of the k + l void ones or more fall to the candidate, if each run was as
 * likely to be void as any other. 1 when there is nothing to compare with. */
double fisher_p(int64_t k, int64_t n, int64_t l, int64_t m);

#endif
