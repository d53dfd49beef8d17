/*
 * Audits of a program that measures itself: it is given a validation stream and
 * prints its own loss on it. That number is believed only when the same program,
 * run again on counterfactual streams, reports what an honest one would:
 *
 *   fresh      other text of the same kind: the loss must stay
 *   shuffled   the same bytes in another order, where nothing can be predicted but
 *              how often each occurs: the loss must rise to the entropy of that, or
 *              what is reported has nothing to do with the stream, or the stream was
 *              trained on
 *   babble     babble (babble.h), and babble to train on: the loss must not be below
 *              what its true probabilities give, or less is reported than is. On
 *              shuffled bytes a model of real text is so far from what is possible
 *              that much can be taken off and nobody sees it; here it comes near.
 *
 * Nothing tells the program which of them it is given; the streams are drawn by the
 * installation's secret. What an audit cannot see is in docs/explanation.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_AUDIT_H
#define PADDOCK_ORCHESTRATOR_JUDGE_AUDIT_H

#include "common/error.h"
#include "orchestrator/judge/exam.h"
#include "tasks/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AUDIT_VAL "val.txt" /* the stream, beside the training text */

enum audit_stream { AUDIT_OFFICIAL, AUDIT_FRESH, AUDIT_SHUFFLED, AUDIT_BABBLE, AUDIT_STREAMS };
/* Their folders below the task's data: "train", "fresh", "shuffled", "babble". */
extern const char *const audit_folders[];

/* Beside what task_data_split() made in `dir`: a stream of half of the held-out
 * blocks into train/, of the other half into fresh/, the first with its bytes
 * shuffled into shuffled/, each with the training text; and babble of both into
 * babble/, from two bytes of context if it is then harder to predict than the task's
 * target, else from one. Sizes and times of the files are all alike but for fresh/. */
int audit_make_streams(const struct task *t, const uint8_t secret[32], const char *dir,
                       struct error *err);

/* Bits per byte that the babble costs under its true probabilities. */
int audit_babble_bits(const char *dir, double *bits, struct error *err);

/* The last number that a line matching the pattern has as its group; lines are
 * looked at up to 4,095 bytes, whatever they hold. Not found: *found is false. */
int audit_read_loss(const char *text, size_t len, const char *pattern, bool *found, double *loss,
                    struct error *err);

/* Bits per byte that a stream costs whoever knows how often each byte occurs, and
 * nothing else. */
double audit_entropy(const uint8_t *text, size_t len);

/* How far below a floor a loss may lie. Both floors are theorems, not measured: this
 * is for what an honest program rounds, or leaves out at the ends of its batches. */
#define AUDIT_SLACK_BITS 0.02

/* In the metric's unit. */
struct audit_losses {
    double reported[AUDIT_STREAMS]; /* NaN: nothing */
    double floor, babble_floor;     /* the shuffled stream's entropy; the babble's bits */
    double tolerance;               /* between the official stream and fresh text */
    double slack;
};
/* Outcome, metric and reason of `e`. */
int audit_judge(const struct audit_losses *l, struct exam *e, struct error *err);

#endif
