#include "orchestrator/daemon/job.h"

#include "common/cleanup.h"
#include "orchestrator/daemon/create.h"
#include "orchestrator/daemon/measure.h"
#include "orchestrator/daemon/phase.h"
#include "orchestrator/judge/rule.h"

#include <math.h>
#include <string.h>

bool job_over(struct lane *l) {
    struct store *s = l->daemon->store;
    if (l->job.kind == QUEUE_VERSION) {
        _cleanup_version_ struct version_row v = {0};
        return version_get(s, l->job.id, &v, NULL) == 0 && version_is_over(&v);
    }
    _cleanup_measurement_ struct measurement_row m = {0};
    return measurement_get(s, l->job.id, &m, NULL) == 0 && measurement_is_over(&m);
}

enum lane_step job_step(struct lane *l, struct error *err) {
    return l->job.kind == QUEUE_VERSION ? job_version(l, err) : job_measurement(l, err);
}

static int set_state(struct store *s, int64_t id, enum version_state state, struct error *err) {
    bool moved;
    _cleanup_store_tx_ struct store_tx tx = {0};
    if (store_begin(&tx, s, err) < 0) return -1;
    if (version_set_state(s, id, state, &moved, err) < 0) return -1;
    return store_commit(&tx, err);
}

static int finish(struct store *s, struct version_row *v, const struct judged *j,
                  struct error *err) {
    bool moved;
    free(v->outcome);
    free(v->rule);
    free(v->reason);
    v->outcome = strdup(j->outcome);
    v->rule = j->rule ? strdup(j->rule) : NULL;
    v->reason = j->reason ? strdup(j->reason) : NULL;
    v->wall_ns = j->wall_ns;
    v->metric = j->metric;
    _cleanup_store_tx_ struct store_tx tx = {0};
    if (store_begin(&tx, s, err) < 0) return -1;
    if (version_finish(s, v, &moved, err) < 0) return -1;
    return store_commit(&tx, err);
}

int job_give_up(struct lane *l, const char *reason, struct error *err) {
    if (l->job.kind == QUEUE_MEASUREMENT) {
        _cleanup_measure_ struct measure m = {.lane = l, .d = l->daemon};
        if (measure_load(&m, l->job.id, err) < 0) return -1;
        return measure_end(&m, "invalid-environment", reason, err);
    }
    _cleanup_version_ struct version_row v = {0};
    _cleanup_judged_ struct judged j = {.metric = NAN};
    if (version_get(l->daemon->store, l->job.id, &v, err) < 0) return -1;
    judged_set(&j, "invalid-environment", RULE_NOT_RUN, reason);
    return finish(l->daemon->store, &v, &j, err);
}

/* The phases in their order, until one of them has the last word. */
static enum run_end run_phases(struct execution *x, int64_t version, struct judged *j,
                               struct error *err) {
    struct store *s = x->d->store;
    if (set_state(s, version, VERSION_BUILDING, err) < 0) return RUN_END_FAILED;
    enum run_end end = phase_data(x, j, err);
    if (end != RUN_END_DONE || j->outcome) return end;
    end = phase_build(x, j, err);
    if (end != RUN_END_DONE || j->outcome) return end;
    if (set_state(s, version, VERSION_TRAINING, err) < 0) return RUN_END_FAILED;
    _cleanup_run_ struct run_row train = {0};
    end = phase_train(x, &train, j, err);
    if (end != RUN_END_DONE || j->outcome) return end;
    if (set_state(s, version, VERSION_EXAMINING, err) < 0) return RUN_END_FAILED;
    return phase_examine(x, j, err);
}

static enum lane_step run_version(struct lane *l, struct version_row *v, const struct task *t,
                                  struct judged *j, struct error *err) {
    _cleanup_execution_ struct execution x = {
        .lane = l, .d = l->daemon, .task = t, .owner = {.version = v->id}, .snapshot = v->snapshot};
    switch (run_phases(&x, v->id, j, err)) {
    case RUN_END_STOPPED: return LANE_STOPPED;
    case RUN_END_CANCELLED: return LANE_OVER;
    case RUN_END_FAILED: return LANE_FAILED;
    default: return finish(l->daemon->store, v, j, err) < 0 ? LANE_FAILED : LANE_OVER;
    }
}

enum lane_step job_version(struct lane *l, struct error *err) {
    struct store *s = l->daemon->store;
    _cleanup_version_ struct version_row v = {0};
    _cleanup_experiment_ struct experiment_row e = {0};
    if (version_get(s, l->job.id, &v, err) < 0) return LANE_FAILED;
    if (version_is_over(&v)) return LANE_OVER;
    if (experiment_get(s, v.experiment, &e, err) < 0) return LANE_FAILED;
    _cleanup_task_ struct task task = {0};
    _cleanup_judged_ struct judged j = {.metric = NAN};
    _cleanup_error_ struct error bad = {0};
    if (create_load_task(e.task_dir, e.task_digest, &task, &bad) == 0)
        return run_version(l, &v, &task, &j, err);
    judged_set(&j, "invalid-environment", RULE_NOT_RUN, error_text(&bad));
    return finish(s, &v, &j, err) < 0 ? LANE_FAILED : LANE_OVER;
}
