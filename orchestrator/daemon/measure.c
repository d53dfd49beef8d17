#include "orchestrator/daemon/measure.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/daemon/measure_search.h"
#include "orchestrator/judge/fsr.h"
#include "orchestrator/judge/rule.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define LEVEL 0.95

int measure_load(struct measure *m, int64_t id, struct error *err) {
    struct store *s = m->d->store;
    if (measurement_get(s, id, &m->row, err) < 0) return -1;
    if (arm_list(s, id, &m->arms, &m->arm_count, err) < 0) return -1;
    int64_t spent_ns = 0;
    if (measurement_spent(s, id, &spent_ns, err) < 0) return -1;
    m->level = LEVEL;
    m->spent_s = (double)spent_ns / (double)NS_PER_SEC;
    return slot_list(s, id, &m->slots, &m->slot_count, err);
}

void measure_clear(struct measure *m) {
    task_clear(&m->task);
    measurement_clear(&m->row);
    arms_free(m->arms, m->arm_count);
    slots_free(m->slots, m->slot_count);
}

bool measure_active(const struct arm_row *arm) {
    return strcmp(arm->state, "active") == 0;
}

bool measure_calibrates(const struct measure *m) {
    return str_eq(m->row.kind, "calibrate");
}

double measure_block_s(const struct measure *m) {
    return m->row.blocks > 0 ? m->spent_s / (double)m->row.blocks : 0;
}

size_t measure_candidates(const struct measure *m) {
    size_t n = 0;
    for (size_t i = measure_calibrates(m) ? 0 : 2; i < m->arm_count; i++)
        n += measure_active(&m->arms[i]);
    return n;
}

static const struct slot_row *slot_of(const struct measure *m, int64_t block, int64_t arm) {
    for (size_t i = 0; i < m->slot_count; i++)
        if (m->slots[i].block == block && m->slots[i].arm == arm) return &m->slots[i];
    return NULL;
}

/* A row of the table, should every column have its time. */
static bool fill_block(const struct measure *m, const struct measure_table *t, int64_t block,
                       double *row) {
    for (size_t k = 0; k < t->arms; k++) {
        const struct slot_row *slot = slot_of(m, block, (int64_t)t->columns[k]);
        if (!slot || slot->state != SLOT_DONE || slot->wall_ns <= 0) return false;
        row[k] = (double)slot->wall_ns / (double)NS_PER_SEC;
    }
    return true;
}

int measure_table(const struct measure *m, struct measure_table *out, struct error *err) {
    *out = (struct measure_table){0};
    for (size_t i = 0; i < m->arm_count && out->arms < ARRAY_SIZE(out->columns); i++)
        if (measure_active(&m->arms[i])) out->columns[out->arms++] = i;
    out->times = calloc((size_t)m->row.blocks * out->arms + 1, sizeof *out->times);
    if (!out->times) return error_sys(err, ENOMEM, "measurement");
    for (int64_t b = 0; b < m->row.blocks; b++)
        if (fill_block(m, out, b, out->times + out->blocks * out->arms)) out->blocks++;
    return 0;
}

/* Whether the rule's word on some arm may still change. */
static bool is_unsettled(const struct measure *m) {
    for (size_t i = 0; i < m->arm_count; i++)
        if (measure_active(&m->arms[i]) && !measure_finding(m, i).settled) return true;
    return false;
}

static int look(const struct measure *m, enum blocks_next *next, struct error *err) {
    struct measure_table t;
    if (measure_table(m, &t, err) < 0) return -1;
    struct blocks_rule rule = {.min = (size_t)m->row.blocks_min,
                               .max = (size_t)m->row.blocks_max,
                               .half_width = m->row.half_width};
    int rc = 0;
    if (t.blocks >= 2 && t.arms >= 3)
        rc = blocks_decide(t.times, t.blocks, t.arms, &rule, next, err);
    free(t.times);
    return rc;
}

int measure_decide(const struct measure *m, enum blocks_next *next, struct error *err) {
    *next = BLOCKS_GO_ON;
    if (m->row.blocks >= 2 && !measure_calibrates(m) && look(m, next, err) < 0) return -1;
    bool more = m->row.blocks < m->row.blocks_max &&
                blocks_fit(m->spent_s, (size_t)m->row.blocks, m->row.budget_s);
    if (*next == BLOCKS_RESOLVED && more && is_unsettled(m)) *next = BLOCKS_GO_ON;
    if (*next == BLOCKS_GO_ON && !more) *next = BLOCKS_SPENT;
    return 0;
}

/* ---- scores ---- */

struct record_rule measure_rule(const struct task *t) {
    return (struct record_rule){.has_target = t->has_target,
                                .higher_is_better = t->higher_is_better,
                                .target = t->target,
                                .p = t->p};
}

struct record_finding measure_finding(const struct measure *m, size_t arm) {
    struct record_rule rule = measure_rule(&m->task);
    _cleanup_free_ double *metrics = calloc(m->slot_count + 1, sizeof *metrics);
    size_t n = 0;
    for (size_t i = 0; metrics && i < m->slot_count; i++)
        if (m->slots[i].arm == (int64_t)arm && m->slots[i].state == SLOT_DONE)
            metrics[n++] = m->slots[i].metric;
    return record_rule_judge(&rule, metrics, n);
}

/* "mean loss 2.41 bits per byte over 5 runs, target at most 2.3" */
static char *missed(const struct task *t, const struct record_finding *f) {
    struct record_rule rule = measure_rule(t);
    return record_rule_reason(&rule, f, t->metric, t->unit);
}

static void put_numbers(struct json_writer *w, const struct fsr_interval *f,
                        const struct measure *m) {
    double needed = fsr_blocks_needed(f, fsr_half_width_wanted(m->row.half_width));
    json_put_double(w, "fsr", f->estimate);
    json_put_double(w, "low", f->bounded ? f->low : NAN);
    json_put_double(w, "high", f->bounded ? f->high : NAN);
    json_put_bool(w, "bounded", f->bounded);
    json_put_double(w, "level", m->level);
    json_put_double(w, "mean_s", f->mean_c);
    json_put_double(w, "mean_a_s", f->mean_a);
    json_put_double(w, "mean_b_s", f->mean_b);
    json_put_double(w, "gap_s", f->gap);
    json_put_double(w, "gap_low_s", f->gap_low);
    json_put_double(w, "gap_high_s", f->gap_high);
    json_put_double(w, "gap_to_noise", f->gap_to_noise);
    json_put_double(w, "cv", f->cv);
    json_put_double(w, "df", f->df);
    json_put_bool(w, "trimmed", f->trimmed);
    json_put_int(w, "blocks", (int64_t)f->blocks);
    json_put_double(w, "blocks_needed", needed);
    json_put_double(w, "seconds_needed", needed * measure_block_s(m));
}

/* The rule that a candidate fell to; NULL: none did, or it is not known. */
static const char *rule_of(const struct measure *m, size_t arm, const char *outcome,
                           const struct record_finding *found) {
    if (measure_active(&m->arms[arm])) return str_eq(outcome, "invalid-loss") ? found->rule : NULL;
    for (size_t i = 0; i < m->slot_count; i++)
        if (m->slots[i].arm == (int64_t)arm && m->slots[i].state == SLOT_FAILED)
            return m->slots[i].rule;
    return str_eq(outcome, "build-failed") ? RULE_BUILD_FAILED : NULL;
}

static int add_score(struct measure *m, size_t arm, const char *outcome, const char *reason,
                     const struct fsr_interval *f, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "score");
    json_open_object(w, NULL);
    if (f) put_numbers(w, f, m);
    struct record_finding found = measure_finding(m, arm);
    json_put_string(w, "rule", rule_of(m, arm, outcome, &found));
    json_put_double(w, "metric", found.mean);
    json_put_int(w, "metric_runs", (int64_t)found.runs);
    json_put_double(w, "metric_p", m->task.p > 0 ? found.p : NAN);
    if (measure_put_search(m, arm, f, w, err) < 0) return -1;
    if (measure_put_voids(m, arm, w, err) < 0) return -1;
    json_close_object(w);
    size_t len;
    const char *document = json_writer_text(w, &len);
    if (!document) return error_sys(err, ENOMEM, "score");
    struct score_row row = {.measurement = m->row.id,
                            .arm = (int64_t)arm,
                            .version = m->arms[arm].version,
                            .outcome = (char *)outcome,
                            .reason = (char *)reason,
                            .document = (char *)document};
    return score_add(m->d->store, &row, err);
}

/* A candidate that stayed to the end. */
static int score_active(struct measure *m, size_t arm, const struct fsr_interval *f,
                        struct error *err) {
    struct record_finding found = measure_finding(m, arm);
    enum fsr_outcome o = fsr_classify(f);
    /* Without a gap it ended before the runs were enough to tell. */
    if (!found.met && (found.settled || o != FSR_GAP_NONPOSITIVE)) {
        _cleanup_free_ char *why = missed(&m->task, &found);
        return add_score(m, arm, "invalid-loss", why, f, err);
    }
    _cleanup_free_ char *why = fsr_shortfall(f, m->row.half_width, measure_block_s(m));
    if (o == FSR_GAP_NONPOSITIVE)
        why = str_printf("the next record is not faster here: gap %.3g s", f->gap);
    return add_score(m, arm, fsr_outcome_name(o), why, f, err);
}

static int score_table(struct measure *m, const struct measure_table *t, struct error *err) {
    struct fsr_interval out[ARRAY_SIZE(t->columns)];
    if (t->arms < 3) return 0;
    if (t->blocks < 2) {
        for (size_t k = 2; k < t->arms; k++)
            if (add_score(m, t->columns[k], "no-resolution", "fewer than 2 whole blocks", NULL,
                          err) < 0)
                return -1;
        return 0;
    }
    if (fsr_estimate(t->times, t->blocks, t->arms, m->level, out, err) < 0) return -1;
    for (size_t k = 2; k < t->arms; k++)
        if (score_active(m, t->columns[k], &out[k - 2], err) < 0) return -1;
    return 0;
}

static int score_left(struct measure *m, struct error *err) {
    for (size_t i = 2; i < m->arm_count; i++) {
        const struct arm_row *a = &m->arms[i];
        if (!measure_active(a) && add_score(m, i, a->outcome, a->reason, NULL, err) < 0) return -1;
    }
    return 0;
}

/* Nothing can be said about those who were still in. */
static int score_none(struct measure *m, const char *outcome, const char *reason,
                      struct error *err) {
    for (size_t i = 2; i < m->arm_count; i++)
        if (measure_active(&m->arms[i]) && add_score(m, i, outcome, reason, NULL, err) < 0)
            return -1;
    return 0;
}

/* A record that misses its own target makes every comparison with it worthless. */
static char *record_fault(const struct measure *m) {
    for (size_t i = 0; i < 2 && m->row.blocks > 0; i++) {
        struct record_finding found = measure_finding(m, i);
        if (found.met || found.runs == 0) continue; /* none: all were void */
        _cleanup_free_ char *why = missed(&m->task, &found);
        return str_printf("record %" PRId64 ": %s", m->row.step + (int64_t)i, why ? why : "");
    }
    return NULL;
}

static int write_scores(struct measure *m, const char **outcome, const char **reason,
                        struct error *err) {
    if (score_left(m, err) < 0) return -1;
    if (strcmp(*outcome, "complete") != 0) return score_none(m, *outcome, *reason, err);
    struct measure_table t;
    if (measure_table(m, &t, err) < 0) return -1;
    int rc = score_table(m, &t, err);
    free(t.times);
    return rc;
}

int measure_end(struct measure *m, const char *outcome, const char *reason, struct error *err) {
    bool moved;
    bool complete = strcmp(outcome, "complete") == 0, calibrates = measure_calibrates(m);
    if (complete && calibrates && measure_write_calibration(m, err) < 0) return -1;
    _cleanup_free_ char *fault =
        complete && !calibrates && measure_candidates(m) > 0 ? record_fault(m) : NULL;
    if (fault) {
        outcome = "invalid-environment";
        reason = fault;
    }
    _cleanup_store_tx_ struct store_tx tx = {0};
    if (store_begin(&tx, m->d->store, err) < 0) return -1;
    if (measurement_finish(m->d->store, m->row.id, MEASUREMENT_DONE, outcome, reason, &moved, err) <
        0)
        return -1;
    if (!moved) return 0; /* cancelled meanwhile */
    if (!calibrates && write_scores(m, &outcome, &reason, err) < 0) return -1;
    return store_commit(&tx, err);
}
