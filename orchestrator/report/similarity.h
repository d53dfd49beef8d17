/*
 * How like one change is to another, by the words of their diffs.
 *
 * A change is taken as two bags of words: those of its removed lines and those of
 * its added lines, each word as often as it occurs; a word is a run of letters,
 * digits and underscores, or any other character that is no space. With c the
 * words that both changes have in the same bag, a and b how many each has,
 *
 *     precision = c/a    recall = c/b    F1 = 2c / (a + b)
 *
 * Where a word stands, in which file and in which order, does not count. So this
 * sees renamed variables as a difference and a reordering as none: it says how much
 * of the known text was written again, not whether the idea is the same.
 */
#ifndef PADDOCK_ORCHESTRATOR_REPORT_SIMILARITY_H
#define PADDOCK_ORCHESTRATOR_REPORT_SIMILARITY_H

#include "common/error.h"

#include <stddef.h>

#define SIMILARITY_DIFF_MAX ((size_t)4 << 20) /* bytes of one diff; beyond: ERROR_LIMIT */

struct similarity {
    size_t ours, known, common;   /* words */
    double precision, recall, f1; /* NaN where it is 0/0 */
};

/* Of two unified diffs; what is no hunk (names, modes, binary files) is skipped. */
int similarity_of_diffs(const char *ours, size_t ours_len, const char *known, size_t known_len,
                        struct similarity *out, struct error *err);

#endif
