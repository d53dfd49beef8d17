/* What the runs of a score document say: declared in score.h. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/judge/record_rule.h"
#include "orchestrator/judge/score.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

void score_table_clear(struct score_table *t) {
    free(t->times);
    free(t->blocks);
    *t = (struct score_table){0};
}

static int64_t last_block(const struct score *s) {
    int64_t last = -1;
    for (size_t i = 0; i < s->run_count; i++)
        if (s->runs[i].block > last) last = s->runs[i].block;
    return last;
}

/* Whole blocks move up over those that lack a run. */
static void keep_whole(struct score_table *t, size_t blocks) {
    for (size_t b = 0; b < blocks; b++) {
        const double *row = t->times + b * t->arm_count;
        bool whole = true;
        for (size_t k = 0; k < t->arm_count; k++) whole = whole && row[k] > 0;
        if (!whole) continue;
        memmove(t->times + t->block_count * t->arm_count, row, t->arm_count * sizeof *row);
        t->blocks[t->block_count++] = (int64_t)b;
    }
}

int score_table(const struct score *s, struct score_table *out, struct error *err) {
    size_t column[SCORE_ARMS_MAX] = {0}, blocks = (size_t)(last_block(s) + 1);
    for (size_t i = 0; i < s->arm_count; i++) {
        column[i] = out->arm_count;
        if (s->arms[i].active) out->columns[out->arm_count++] = i;
    }
    out->times = calloc(blocks * out->arm_count + 1, sizeof *out->times);
    out->blocks = calloc(blocks + 1, sizeof *out->blocks);
    if (!out->times || !out->blocks) return error_sys(err, ENOMEM, "score");
    for (size_t i = 0; i < s->run_count; i++) {
        const struct score_run *r = &s->runs[i];
        if (!r->counts || !s->arms[r->arm].active) continue;
        double *cell = &out->times[(size_t)r->block * out->arm_count + column[r->arm]];
        if (*cell > 0)
            return json_error(r->node, err, "another run counts for block %" PRId64 " of this arm",
                              r->block);
        *cell = (double)r->wall_ns / (double)NS_PER_SEC;
    }
    keep_whole(out, blocks);
    return 0;
}

double score_mean_metric(const struct score *s, size_t arm) {
    double sum = 0;
    int64_t n = 0;
    for (size_t i = 0; i < s->run_count; i++)
        if (s->runs[i].counts && s->runs[i].arm == (int64_t)arm) {
            sum += s->runs[i].metric;
            n++;
        }
    return n ? sum / (double)n : NAN;
}

bool score_meets_target(const struct score *s, size_t arm) {
    const struct record_rule rule = {.has_target = s->has_target,
                                     .higher_is_better = s->higher_is_better,
                                     .target = s->target,
                                     .p = s->p};
    _cleanup_free_ double *metrics = calloc(s->run_count + 1, sizeof *metrics);
    size_t n = 0;
    for (size_t i = 0; metrics && i < s->run_count; i++)
        if (s->runs[i].counts && s->runs[i].arm == (int64_t)arm) metrics[n++] = s->runs[i].metric;
    return record_rule_judge(&rule, metrics, n).met;
}

/* The candidate's own place among the columns. */
static size_t column_of(const struct score_table *t, size_t arm) {
    size_t k = 0;
    while (k < t->arm_count && t->columns[k] != arm) k++;
    return k;
}

int score_make_estimate(const struct score *s, struct score_estimate *out, bool *has,
                        struct error *err) {
    _cleanup_score_table_ struct score_table t = {0};
    struct fsr_interval all[SCORE_ARMS_MAX];
    *has = false;
    if (score_table(s, &t, err) < 0) return -1;
    size_t k = column_of(&t, s->arm);
    bool records = s->arms[0].active && s->arms[1].active;
    if (!str_eq(s->measured, "complete") || !records || k >= t.arm_count || t.block_count < 2)
        return 0;
    if (fsr_estimate(t.times, t.block_count, t.arm_count, s->level, all, err) < 0) return -1;
    out->i = all[k - 2];
    out->blocks = steal_ptr(&t.blocks);
    out->block_count = t.block_count;
    *has = true;
    return 0;
}

static double plain_mean(const struct score *s, size_t arm) {
    double sum = 0;
    int64_t n = 0;
    for (size_t i = 0; i < s->run_count; i++)
        if (s->runs[i].counts && s->runs[i].arm == (int64_t)arm) {
            sum += (double)s->runs[i].wall_ns / (double)NS_PER_SEC;
            n++;
        }
    return n ? sum / (double)n : NAN;
}

int score_means(const struct score *s, double means[SCORE_ARMS_MAX], struct error *err) {
    _cleanup_score_table_ struct score_table t = {0};
    struct fsr_interval all[SCORE_ARMS_MAX];
    for (size_t i = 0; i < SCORE_ARMS_MAX; i++)
        means[i] = i < s->arm_count ? plain_mean(s, i) : NAN;
    if (score_table(s, &t, err) < 0) return -1;
    if (t.block_count < 2 || t.arm_count < 3) return 0;
    if (fsr_estimate(t.times, t.block_count, t.arm_count, s->level, all, err) < 0) return -1;
    means[t.columns[0]] = all[0].mean_a;
    means[t.columns[1]] = all[0].mean_b;
    for (size_t k = 2; k < t.arm_count; k++) means[t.columns[k]] = all[k - 2].mean_c;
    return 0;
}

const char *score_expect_outcome(const struct score *s, const struct score_estimate *estimate) {
    const struct score_arm *a = &s->arms[s->arm];
    if (!a->active) return a->outcome;
    if (!str_eq(s->measured, "complete")) return s->measured;
    if (!estimate) return fsr_outcome_name(FSR_NO_RESOLUTION);
    if (!score_meets_target(s, s->arm)) return "invalid-loss";
    return fsr_outcome_name(fsr_classify(&estimate->i));
}

void score_arm_name(const struct score_arm *a, struct buf *out) {
    if (a->version) buf_puts(out, a->version);
    else buf_printf(out, "record %" PRId64, a->record);
}
