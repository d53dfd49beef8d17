/*
 * score.json: the whole evidence of one score in one document, bound together by
 * a chain of digests (docs/reference/score.md has every key and the chain).
 *
 * Whoever measured makes a draft, without estimate and chain, and seals it;
 * anybody can read a sealed one again and check it: that the chain holds, and
 * that the estimate and the outcome are what the listed runs give. Both sides
 * use the same code. The bytes may come from anywhere: decoding is strict.
 *
 * What it proves is that the document is whole and agrees with itself, not that
 * whoever made it was honest (docs/explanation/evidence.md).
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_SCORE_H
#define PADDOCK_ORCHESTRATOR_JUDGE_SCORE_H

#include "common/buf.h"
#include "common/digest.h"
#include "common/error.h"
#include "common/json.h"
#include "orchestrator/judge/fsr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCORE_FORMAT     "paddock-score"
#define SCORE_VERSION    1
#define SCORE_METHOD     "fieller-pooled-cv-trimmed"
#define SCORE_LEVEL      0.95
#define SCORE_CHAIN_FROM SCORE_FORMAT " 1"
#define SCORE_BYTES_MAX  ((size_t)32 << 20) /* of a document */
#define SCORE_ARMS_MAX   64
#define SCORE_RUNS_MAX   50000

/* The files of a run's folder whose digests are kept. "artifacts" is the digest
 * of the tree (images/listing.h). */
enum score_file {
    SCORE_FILE_SPEC,
    SCORE_FILE_RESULT,
    SCORE_FILE_EXAM,
    SCORE_FILE_STDOUT,
    SCORE_FILE_STDERR,
    SCORE_FILE_ARTIFACTS,
    SCORE_FILE_COUNT,
};
extern const char *const score_file_names[]; /* "spec.json", …, NULL */

struct score_arm {
    int64_t position;    /* 0 and 1 are records i and i+1 */
    const char *kind;    /* "record", "candidate" */
    int64_t record;      /* its number; 0: a candidate */
    const char *version; /* NULL: a record */
    const char *snapshot;
    bool active; /* stayed to the end */
    const char *outcome, *reason;
};

struct score_run {
    const char *id, *phase;
    int64_t arm, block, position; /* block and position −1: outside of the blocks */
    bool is_void, counts;
    const char *seed, *ended, *outcome, *rule, *reason, *began, *finished;
    int64_t wall_ns;                     /* 0: none */
    double metric;                       /* NaN: none */
    const char *files[SCORE_FILE_COUNT]; /* digests; NULL: there was no such file */
    const struct json *exam, *result;    /* NULL: none */
    const struct json *node;             /* all of it, as the chain covers it */
};

struct score_estimate { /* of the candidate; blocks are those that count, in order */
    struct fsr_interval i;
    int64_t *blocks;
    size_t block_count;
};

/* Texts are borrowed from `doc`. Those that may be absent are NULL. Ids are what
 * they must be ("v12"), digests 64 lower-case hex digits; all others may hold
 * anything. */
struct score {
    struct json *doc; /* owned */
    const char *paddock, *measurement, *version, *parent, *snapshot, *created;
    size_t arm; /* of the candidate, an index of `arms` */
    const char *task, *task_digest, *metric_name, *unit;
    int64_t step;
    bool higher_is_better, has_target;
    double target;
    double p; /* of the record rule; 0: the mean alone decides */
    int64_t blocks_min, blocks_max;
    double half_width;
    double level; /* of the interval: SCORE_LEVEL, or BLOCKS_LOOK_LEVEL of one that stopped early */
    const struct json *phases, *machine;    /* machine: NULL: not stored */
    const char *measured, *measured_reason; /* how the whole measurement ended */

    struct score_arm *arms;
    size_t arm_count;
    struct score_run *runs; /* in the order in which they were begun */
    size_t run_count;

    const char *outcome, *rule, *reason;
    double metric;               /* mean over the candidate's runs that count; NaN: none */
    const struct json *findings; /* what else was noticed: objects with "rule" and "text" */
    bool has_estimate;
    struct score_estimate estimate;
    const struct json *reproduce; /* command lines */

    bool sealed; /* the rest is there */
    const char *start, *head;
    const char **links; /* one for each run */
};

/* Takes `doc` over, whatever comes of it. A draft lacks "chain" and, in
 * "verdict", "metric" and "estimate". `out` zero before, score_clear() after. */
int score_decode(struct json *doc, struct score *out, struct error *err);
int score_parse(const char *source, const char *text, size_t len, struct score *out,
                struct error *err);
void score_clear(struct score *s);
#define _cleanup_score_ __attribute__((cleanup(score_clear)))

/* The sealed document of a draft (or of a sealed one, whose estimate and chain
 * are made anew), one run a line. */
int score_seal(const struct score *draft, struct buf *out, struct error *err);

/* ---- what the runs say ---- */

/* Times of the active arms over the blocks in which each has a run that counts,
 * as fsr_estimate() takes them; `columns` are indices of `arms`. */
struct score_table {
    double *times;
    int64_t *blocks; /* their numbers */
    size_t block_count, arm_count;
    size_t columns[SCORE_ARMS_MAX];
};
int score_table(const struct score *s, struct score_table *out, struct error *err);
void score_table_clear(struct score_table *t);
#define _cleanup_score_table_ __attribute__((cleanup(score_table_clear)))

/* The mean metric over an arm's runs that count; NaN: none does. */
double score_mean_metric(const struct score *s, size_t arm);
/* Whether an arm's runs, all together, meet the target. */
bool score_meets_target(const struct score *s, size_t arm);
/* Each arm's mean time in seconds, as the estimate takes it; where there are too
 * few blocks for one, over its runs that count; NaN: it has none. */
int score_means(const struct score *s, double means[SCORE_ARMS_MAX], struct error *err);
/* The estimate from the runs; *has is false where there is none. */
int score_make_estimate(const struct score *s, struct score_estimate *out, bool *has,
                        struct error *err);
/* The outcome that the numbers give: one of fsr.h's names, "invalid-loss", the
 * arm's own or the measurement's. */
const char *score_expect_outcome(const struct score *s, const struct score_estimate *estimate);
/* "record 1", "v5" */
void score_arm_name(const struct score_arm *a, struct buf *out);

/* ---- the chain ---- */

/* The bytes that are hashed of a value: as one line of compact JSON, members in
 * their order, numbers as they stand. */
int score_canonical(const struct json *v, struct buf *out, struct error *err);
/* One step: SHA-256 over `before` and the values, each followed by a newline;
 * `b` may be NULL. What goes before the first is SCORE_CHAIN_FROM. */
int score_chain_step(const char *before, const struct json *a, const struct json *b,
                     char hex[DIGEST_HEX], struct error *err);

/* ---- checking ---- */

struct score_check {
    char *what;   /* "chain" */
    char *detail; /* what was compared, or what does not match; printable */
    bool ok;
};
struct score_report {
    struct score_check *checks;
    size_t count;
    bool failed;  /* one of them is not ok */
    bool no_room; /* memory ran out: `checks` lacks some */
};
/* Everything that can be checked with the document alone. */
int score_verify(const struct score *s, struct score_report *out, struct error *err);
/* One line more. */
void score_report_add(struct score_report *r, bool ok, const char *what, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void score_report_clear(struct score_report *r);
#define _cleanup_score_report_ __attribute__((cleanup(score_report_clear)))

#endif
