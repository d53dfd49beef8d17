/*
 * The examiner's side of the lockstep protocol (docs/architecture.md): what the
 * candidate's predict program thinks comes next, one token at a time. A token is
 * sent only after the scores for it are in; the scores are normalised here.
 *
 * As many segments as there are streams are asked about a second time, anywhere
 * behind their first: what is a function of the tokens since the last RESET and
 * of the model gives the same answers. A program that learns while it is examined,
 * or remembers across a RESET, does not, and is found out.
 *
 * Nothing the other side sends has a length, an offset or a number of its own:
 * every size follows from the configuration. Memory is bounded by the larger of
 * 1 MiB and one row of scores, beside the list of segments and a number for each
 * position.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_LOCKSTEP_H
#define PADDOCK_ORCHESTRATOR_JUDGE_LOCKSTEP_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

#define LOCKSTEP_MAGIC          UINT32_C(0x534C4450)
#define LOCKSTEP_VERSION        1
#define LOCKSTEP_MAX_STREAMS    1024
#define LOCKSTEP_MAX_TOKENS     4096
#define LOCKSTEP_MAX_VOCABULARY 65536

enum lockstep_message { LOCKSTEP_END = 0, LOCKSTEP_RESET = 1, LOCKSTEP_STEP = 2 };

struct lockstep_config {
    const uint8_t *text; /* held-out text; a token is a byte */
    size_t len;
    size_t block_bytes; /* no segment crosses a multiple of this */
    uint32_t streams, tokens, rounds, vocabulary;
    uint64_t seed;       /* chooses the segments; secret until it is over */
    int64_t deadline_ns; /* on clock_mono_ns(); 0: none */
    int cancel_fd;       /* readable: call it off; −1: nobody does */
};

enum lockstep_outcome {
    LOCKSTEP_COMPLETE,
    LOCKSTEP_BAD_HELLO,
    LOCKSTEP_NOT_FINITE,
    LOCKSTEP_SHORT_ANSWER, /* closed within an answer */
    LOCKSTEP_CLOSED,       /* closed before one */
    LOCKSTEP_LATE,
    LOCKSTEP_EXTRA, /* sent more than it was asked for */
    LOCKSTEP_CANCELLED,
    LOCKSTEP_INCONSISTENT, /* asked the same again, it answered otherwise */
};
const char *lockstep_outcome_name(enum lockstep_outcome o); /* "complete", "bad-hello", … */

struct lockstep_report {
    enum lockstep_outcome outcome;
    char reason[160];   /* "" when complete; our own words and numbers only */
    double bits_total;  /* Σ −log2 p of the true next tokens, so far */
    uint64_t positions; /* tokens examined, so far: streams × tokens × rounds when complete;
                           what is asked again counts once */
    double again_bits;  /* mean absolute difference of a position asked again */
};

/* Examines the program that reads from `to` and writes to `from` (both are left
 * open, and non-blocking). SIGPIPE must be ignored. −1 only when our own side
 * fails: a configuration that cannot be examined, or no memory. */
int lockstep_run(const struct lockstep_config *config, int to, int from,
                 struct lockstep_report *report, struct error *err);

/* −log2 of softmax(scores)[token], in double; NAN when a score is not finite, and
 * then *bad is the index of the first such. */
double lockstep_bits(const float *scores, uint32_t vocabulary, uint32_t token, uint32_t *bad);

#endif
