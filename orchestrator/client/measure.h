/*
 * Measurements: asking for one, following it, and what came out of it.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_MEASURE_H
#define PADDOCK_ORCHESTRATOR_CLIENT_MEASURE_H

#include "common/error.h"
#include "orchestrator/client/args.h"
#include "orchestrator/client/follow.h"
#include "orchestrator/client/http.h"
#include "orchestrator/client/progress.h"

#include <stdbool.h>

/* Options of every verb that may measure: --blocks-min, --blocks-max,
 * --budget, --half-width. */
#define MEASURE_ARGS                                               \
    {.name = "blocks-min",                                         \
     .kind = ARG_INT,                                              \
     .value = "N",                                                 \
     .min = 2,                                                     \
     .max = 1000,                                                  \
     .help = "repeats at least (default: the task's)"},            \
        {.name = "blocks-max",                                     \
         .kind = ARG_INT,                                          \
         .value = "N",                                             \
         .min = 2,                                                 \
         .max = 1000,                                              \
         .help = "repeats at most (default: the task's)"},         \
        {.name = "budget",                                         \
         .kind = ARG_NUMBER,                                       \
         .value = "SECONDS",                                       \
         .help = "begin no repeat that would end later"},          \
    {                                                              \
        .name = "half-width", .kind = ARG_NUMBER, .value = "W",    \
        .help = "stop when the interval of FSR is ±W or narrower" \
    }

struct measure_wish {
    int64_t blocks_min, blocks_max; /* 0: the task's */
    double budget_s, half_width;    /* NAN: the task's */
};
/* What the options of MEASURE_ARGS say. */
struct measure_wish measure_wish_of(const struct args *args);

/* Asks for a measurement of these versions; its id in fresh memory. */
char *measure_create(struct http *http, char *const *versions, const struct measure_wish *wish,
                     struct error *err);

/* Follows it to its end, one line for each slot; *out is the last reading. When
 * *interrupted becomes true it is cancelled: ERROR_CANCELLED. */
int measure_follow(struct http *http, const char *id, struct progress *progress,
                   const volatile bool *interrupted, struct json **out, struct error *err);

/* "record 1", "record 2", "v5": the arm of this position in a measurement. */
void measure_arm_name(const struct json *measurement, int64_t position, struct buf *out);
/* "block 2/5  record 1 9.80 s" of a slot. */
void measure_slot(const struct json *measurement, const struct json *slot, struct buf *out);
/* The newest score of a version in a measurement, or NULL. */
const struct json *measure_score(const struct json *measurement, const char *version);
/* "1.02 [0.91, 1.13]"; "–" when a score has no figure. */
void measure_fsr(const struct json *score, struct buf *out);
/* What the search saw of each candidate, apart from its score: nothing when no
 * candidate has been run by a search. */
void measure_search(const struct json *measurement, bool bold, struct buf *out);
/* Lines about the measurement as a whole: arms, blocks, noise. */
void measure_summary(const struct json *measurement, struct buf *out);

#endif
