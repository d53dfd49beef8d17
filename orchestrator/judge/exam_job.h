/*
 * The job of paddock-examine: one examination, as a struct and as JSON.
 *
 *     {"kind": "lockstep", "spec", "dir", "wall_ms", "held_out", "block_bytes",
 *      "streams", "tokens", "rounds", "vocabulary", "seed": "decimal"}
 *     {"kind": "program", "spec", "dir", "wall_ms"}
 *     {"kind": "audit", "spec", "dir", "wall_ms", "shuffled_spec", "shuffled_dir",
 *      "babble_spec", "babble_dir", "babble_bits", "output", "stream", "pattern",
 *      "tolerance", "loss_per_bit"}
 *
 * The spec of a lockstep has stdin and stdout "inherit", that of a program stdin
 * "null" and stdout "file". Those of an audit are of the train phase: `spec` on
 * the fresh stream; `output` is the timed run's stdout.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_EXAM_JOB_H
#define PADDOCK_ORCHESTRATOR_JUDGE_EXAM_JOB_H

#include "common/error.h"
#include "common/json.h"
#include "tasks/task.h"

#include <stdint.h>

struct exam_job {
    enum task_examiner kind;
    char *spec;      /* absolute path of the sandbox spec */
    char *dir;       /* absolute path of the run folder */
    int64_t wall_ms; /* for the whole examination, fence and all; the spec's own wall limit
                        should be the first to strike */
    char *held_out;  /* absolute path of the held-out text */
    int64_t block_bytes;
    int64_t streams, tokens, rounds, vocabulary;
    uint64_t seed;
    char *shuffled_spec, *shuffled_dir; /* absolute paths, as are the next four */
    char *babble_spec, *babble_dir;
    char *output, *stream; /* the timed run's stdout; its validation stream */
    char *pattern;
    double babble_bits; /* per byte of the babble, under its true probabilities */
    double tolerance, loss_per_bit;
};

int exam_job_encode(const struct exam_job *job, struct json_writer *w, struct error *err);
/* Strict; `out` zero before, exam_job_clear() after. */
int exam_job_decode(const struct json *doc, struct exam_job *out, struct error *err);
int exam_job_load(const char *path, struct exam_job *out, struct error *err);
void exam_job_clear(struct exam_job *job);
#define _cleanup_exam_job_ __attribute__((cleanup(exam_job_clear)))

#endif
