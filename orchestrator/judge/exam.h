/*
 * The outcome of an examination, as a struct and as exam.json in the run folder:
 * written once by paddock-examine, read by whoever judges the run.
 *
 *     {"kind", "outcome", "end", "reason", "metric", "positions", "bits_total",
 *      "held_out_sha256", "seed", "wall_ns"}
 *
 * and of an audit also "fresh", "shuffled", "floor", "babble", "babble_floor".
 *
 * `outcome` is one of the names of enum outcome (verdict.h): "valid",
 * "invalid-loss", "invalid-artifact", "invalid-tamper", "timeout", "invalid-environment" or
 * "cancelled". `end` says how the dialogue ended: a name of enum
 * lockstep_outcome, or for a program "complete" or "no-answer".
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_EXAM_H
#define PADDOCK_ORCHESTRATOR_JUDGE_EXAM_H

#include "common/digest.h"
#include "common/error.h"
#include "common/json.h"
#include "orchestrator/judge/verdict.h"
#include "tasks/task.h"

#include <stdbool.h>
#include <stdint.h>

struct exam {
    enum task_examiner kind;
    enum outcome outcome;
    char *end;
    char *reason;    /* NULL when valid */
    bool has_metric; /* whether `metric` holds one; always when valid */
    double metric;   /* of a lockstep: bits_total / positions */
    int64_t positions;
    double bits_total;
    char held_out_sha256[DIGEST_HEX]; /* "" for a program */
    uint64_t seed;
    int64_t wall_ns; /* of the whole examination */
    bool audited;    /* whether all below are there */
    double fresh;    /* of an audit: the losses on its streams … */
    double shuffled, floor;
    double babble, babble_floor; /* … and what these two must come up to */
};

int exam_encode(const struct exam *e, struct json_writer *w, struct error *err);
/* Strict; `out` zero before, exam_clear() after. */
int exam_decode(const struct json *doc, struct exam *out, struct error *err);
int exam_load(const char *path, struct exam *out, struct error *err);
int exam_save(const char *dir, const struct exam *e, struct error *err); /* <dir>/exam.json */
void exam_clear(struct exam *e);
#define _cleanup_exam_ __attribute__((cleanup(exam_clear)))

/* Reads what the program of an EXAMINER_PROGRAM printed: exactly one line, an
 * object with either a finite "metric" or a reason as "invalid". Fills outcome,
 * end, reason and metric of `e`; text that is neither is `invalid-environment`,
 * for the program is the task's own. */
int exam_read_answer(const char *text, size_t len, struct exam *e, struct error *err);

#endif
