/*
 * A measurement, slot by slot: its arms are built, then blocks are run until
 * the judge's rule says enough, then it is scored (job_score.c).
 *
 * Every step is read off the rows, so that a restarted daemon goes on where the
 * last one was killed, with the same plan.
 */
#include "common/cleanup.h"
#include "orchestrator/daemon/create.h"
#include "orchestrator/daemon/evidence.h"
#include "orchestrator/daemon/fingerprint.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/job.h"
#include "orchestrator/daemon/measure.h"
#include "orchestrator/daemon/store_void.h"
#include "orchestrator/judge/blocks.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static enum lane_step step_of(enum run_end end) {
    switch (end) {
    case RUN_END_STOPPED: return LANE_STOPPED;
    case RUN_END_CANCELLED: return LANE_OVER;
    case RUN_END_FAILED: return LANE_FAILED;
    default: return LANE_MORE;
    }
}

static struct execution execution_of(const struct measure *m, const struct arm_row *arm) {
    return (struct execution){
        .lane = m->lane,
        .d = m->d,
        .task = &m->task,
        .owner = {.version = arm->version, .measurement = m->row.id, .arm = arm->position},
        .snapshot = arm->snapshot};
}

/* A candidate leaves; without a record there is nothing to measure. What a
 * calibration is to find is just this: a record that does not get through here
 * leaves as a candidate does. */
static enum lane_step arm_failed(struct measure *m, const struct arm_row *arm,
                                 const struct judged *j, struct error *err) {
    if (arm->position < 2 && !measure_calibrates(m)) {
        _cleanup_free_ char *why =
            str_printf("record %" PRId64 " did not get through: %s: %s",
                       m->row.step + arm->position, j->outcome, j->reason ? j->reason : "?");
        return measure_end(m, "invalid-environment", why, err) < 0 ? LANE_FAILED : LANE_OVER;
    }
    _cleanup_store_tx_ struct store_tx tx = {0};
    if (store_begin(&tx, m->d->store, err) < 0 ||
        arm_leave(m->d->store, m->row.id, arm->position, j->outcome, j->reason, err) < 0 ||
        store_commit(&tx, err) < 0)
        return LANE_FAILED;
    return LANE_MORE;
}

/* Builds all arms before the first timed run. */
static enum lane_step build_arms(struct measure *m, struct error *err) {
    for (size_t i = 0; i < m->arm_count; i++) {
        if (!measure_active(&m->arms[i])) continue;
        _cleanup_execution_ struct execution x = execution_of(m, &m->arms[i]);
        _cleanup_judged_ struct judged j = {.metric = NAN};
        enum run_end end = phase_data(&x, &j, err);
        if (end == RUN_END_DONE && !j.outcome) end = phase_build(&x, &j, err);
        if (end != RUN_END_DONE) return step_of(end);
        if (j.outcome) return arm_failed(m, &m->arms[i], &j, err);
    }
    return LANE_OVER; /* here: all are built */
}

/* One block more: every active arm once, in the order drawn for it. */
static enum lane_step add_block(struct measure *m, struct error *err) {
    char name[ID_MAX];
    size_t block = (size_t)m->row.blocks, count = 0;
    _cleanup_free_ char *fingerprint = NULL;
    if (block == 0 && !(fingerprint = fingerprint_make(m->d, &m->task, m->lane->cpus, err)))
        return LANE_FAILED;
    size_t order[MEASUREMENT_ARMS_MAX];
    struct slot_row slots[MEASUREMENT_ARMS_MAX] = {0};
    blocks_order(m->d->secret, id_format(ID_MEASUREMENT, m->row.id, name), block, m->arm_count,
                 order);
    for (size_t i = 0; i < m->arm_count; i++) {
        if (!measure_active(&m->arms[order[i]])) continue;
        slots[count] = (struct slot_row){
            .block = (int64_t)block, .position = (int64_t)count, .arm = (int64_t)order[i]};
        count++;
    }
    _cleanup_store_tx_ struct store_tx tx = {0};
    if (store_begin(&tx, m->d->store, err) < 0 ||
        measurement_start(m->d->store, m->row.id, err) < 0 ||
        (fingerprint &&
         measurement_set_fingerprint(m->d->store, m->row.id, fingerprint, err) < 0) ||
        block_add(m->d->store, m->row.id, slots, count, err) < 0 || store_commit(&tx, err) < 0)
        return LANE_FAILED;
    return LANE_MORE;
}

/* A run that only missed the target still has a time and a metric: it is the
 * mean over the arm's runs that must meet the target. */
static bool counts(const struct judged *j) {
    return str_eq(j->outcome, "valid") ||
           (str_eq(j->outcome, "invalid-loss") && isfinite(j->metric));
}

static int write_slot(struct measure *m, struct slot_row *slot, const char *outcome,
                      const char *rule, const char *reason, struct error *err) {
    free(slot->outcome);
    free(slot->rule);
    free(slot->reason);
    slot->outcome = strdup(outcome);
    slot->rule = rule ? strdup(rule) : NULL;
    slot->reason = reason ? strdup(reason) : NULL;
    _cleanup_store_tx_ struct store_tx tx = {0};
    if (store_begin(&tx, m->d->store, err) < 0) return -1;
    if (slot_end(m->d->store, slot, err) < 0) return -1;
    return store_commit(&tx, err);
}

static int end_slot(struct measure *m, struct slot_row *slot, const struct judged *j,
                    struct error *err) {
    slot->state = counts(j) ? SLOT_DONE : SLOT_FAILED;
    slot->wall_ns = j->wall_ns;
    slot->metric = j->metric;
    return write_slot(m, slot, j->outcome, j->rule, j->reason, err);
}

/* The machine was not quiet enough for any of its runs: nothing is said about the
 * arm, and the block is left out of the estimate. */
static enum lane_step void_slot(struct measure *m, struct slot_row *slot, const struct judged *j,
                                struct error *err) {
    slot->state = SLOT_VOID;
    slot->metric = NAN;
    return write_slot(m, slot, "void", NULL, j->reason, err) < 0 ? LANE_FAILED : LANE_MORE;
}

static enum run_end run_phases(struct execution *x, const struct slot_row *slot, struct judged *j,
                               struct error *err) {
    enum run_end end = phase_data(x, j, err);
    if (end != RUN_END_DONE || j->outcome) return end;
    end = phase_build(x, j, err);
    if (end != RUN_END_DONE || j->outcome) return end;
    x->owner.slot = slot->id;
    x->in_slot = slot;
    _cleanup_run_ struct run_row train = {0};
    end = phase_train(x, &train, j, err);
    if (end == RUN_END_OUTSIDE) judged_set(j, NULL, NULL, train.reason);
    if (end != RUN_END_DONE || j->outcome) return end;
    return phase_examine(x, j, err);
}

static enum lane_step run_slot(struct measure *m, struct slot_row *slot, struct error *err) {
    const struct arm_row *arm = &m->arms[slot->arm];
    _cleanup_execution_ struct execution x = execution_of(m, arm);
    _cleanup_judged_ struct judged j = {.metric = NAN};
    enum run_end end = run_phases(&x, slot, &j, err);
    if (end == RUN_END_OUTSIDE) return void_slot(m, slot, &j, err);
    if (end != RUN_END_DONE) return step_of(end);
    if (end_slot(m, slot, &j, err) < 0) return LANE_FAILED;
    return counts(&j) ? LANE_MORE : arm_failed(m, arm, &j, err);
}

/* A slot that failed although its arm is still in: we were killed in between. */
static enum lane_step settle_failed(struct measure *m, const struct slot_row *slot,
                                    struct error *err) {
    struct judged j = {
        .outcome = slot->outcome, .rule = slot->rule, .reason = slot->reason, .metric = NAN};
    return arm_failed(m, &m->arms[slot->arm], &j, err);
}

/* Why no further block is run, in one sentence. */
static char *end_reason(const struct measure *m, enum blocks_next next) {
    int64_t left_out = slots_left_out(m->slots, m->slot_count);
    switch (next) {
    case BLOCKS_RESOLVED:
        return str_printf("every interval is narrow enough after %" PRId64 " blocks",
                          m->row.blocks);
    case BLOCKS_NO_GAP:
        return str_printf("record %" PRId64 " is not faster than record %" PRId64
                          " on this machine",
                          m->row.step + 1, m->row.step);
    default: break;
    }
    if (m->row.blocks < m->row.blocks_max)
        return str_printf("the budget of %.4g s is spent: %.4g s for %" PRId64
                          " blocks, and another would end beyond it",
                          m->row.budget_s, m->spent_s, m->row.blocks);
    if (left_out == 0) return str_printf("the %" PRId64 " blocks allowed are spent", m->row.blocks);
    return str_printf("the %" PRId64 " blocks allowed are spent, and %" PRId64
                      " of them left out, since the machine was not quiet enough",
                      m->row.blocks, left_out);
}

/* What is to be said when too few arms are left; NULL: enough are. */
static const char *nothing_left(const struct measure *m) {
    size_t least = measure_calibrates(m) ? 2 : 1;
    if (measure_candidates(m) >= least) return NULL;
    return least == 1 ? "no candidate is left" : "fewer than two records get through here";
}

/* All planned slots are over: another block, or the end? */
static enum lane_step next_block(struct measure *m, struct error *err) {
    enum blocks_next next = BLOCKS_GO_ON;
    if (m->row.blocks == 0) {
        enum lane_step built = build_arms(m, err);
        if (built != LANE_OVER) return built;
    }
    const char *left = nothing_left(m);
    if (left) return measure_end(m, "complete", left, err) < 0 ? LANE_FAILED : LANE_OVER;
    if (measure_decide(m, &next, err) < 0) return LANE_FAILED;
    if (next == BLOCKS_GO_ON) return add_block(m, err);
    /* Who stops where the interval is narrow reports the one it stopped on. */
    if (next == BLOCKS_RESOLVED && m->row.blocks < m->row.blocks_max) m->level = BLOCKS_LOOK_LEVEL;
    _cleanup_free_ char *why = end_reason(m, next);
    return measure_end(m, "complete", why, err) < 0 ? LANE_FAILED : LANE_OVER;
}

static enum lane_step step(struct measure *m, struct error *err) {
    for (size_t i = 0; i < m->slot_count; i++) {
        struct slot_row *slot = &m->slots[i];
        if (slot->state == SLOT_FAILED && measure_active(&m->arms[slot->arm]))
            return settle_failed(m, slot, err);
    }
    for (size_t i = 0; i < m->slot_count; i++)
        if (m->slots[i].state == SLOT_PENDING) return run_slot(m, &m->slots[i], err);
    return next_block(m, err);
}

/* Why its numbers no longer belong together, when the machine is not the one it began
 * on: it was moved, rebooted into another kernel, or an administrator changed how its
 * processor runs. *why is NULL when it is the same. */
static int check_fingerprint(const struct measure *m, char **why, struct error *err) {
    _cleanup_free_ char *then = NULL, *now = NULL, *differ = NULL;
    *why = NULL;
    if (m->row.blocks == 0) return 0;
    if (measurement_fingerprint(m->d->store, m->row.id, &then, err) < 0) return -1;
    if (!then) return 0;
    if (!(now = fingerprint_make(m->d, &m->task, m->lane->cpus, err)) ||
        !(differ = fingerprint_differ(then, now, err)))
        return -1;
    if (!*differ) return 0;
    *why = str_printf("the machine is not the one that it began on: another %s", differ);
    return *why ? 0 : error_sys(err, ENOMEM, "measurement");
}

enum lane_step job_measurement(struct lane *l, struct error *err) {
    _cleanup_measure_ struct measure m = {.lane = l, .d = l->daemon};
    if (measure_load(&m, l->job.id, err) < 0) return LANE_FAILED;
    if (measurement_is_over(&m.row)) return LANE_OVER;
    _cleanup_error_ struct error bad = {0};
    if (create_load_task(m.row.task_dir, m.row.task_digest, &m.task, &bad) < 0)
        return measure_end(&m, "invalid-environment", error_text(&bad), err) < 0 ? LANE_FAILED
                                                                                 : LANE_OVER;
    _cleanup_free_ char *moved = NULL;
    if (check_fingerprint(&m, &moved, err) < 0) return LANE_FAILED;
    if (moved)
        return measure_end(&m, "invalid-environment", moved, err) < 0 ? LANE_FAILED : LANE_OVER;
    enum lane_step done = step(&m, err);
    if (done == LANE_OVER) evidence_keep(m.d, m.row.id);
    return done;
}
