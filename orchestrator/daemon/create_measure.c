/* Making measurements: which versions, of which step, how many blocks. */
#include "common/cleanup.h"
#include "orchestrator/daemon/create.h"
#include "orchestrator/daemon/gpu_run.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/snapshot.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define BUDGET_MAX_S     604800 /* a week */
#define CALIBRATE_BLOCKS 7      /* or the task's least when more: a step's noise has 4 df */

struct wish {
    char **versions;
    bool calibrate;
    char *task;                     /* of a calibration: "tinygpt", "tinygpt:2" */
    int64_t blocks_min, blocks_max; /* 0: the task's */
    double half_width, budget_s;
};

static void wish_clear(struct wish *w) {
    strv_free(w->versions);
    free(w->task);
}

static void check_subject(struct json_reader *r, const struct json *body, const struct wish *w) {
    size_t n = strv_len(w->versions);
    if (w->calibrate) {
        if (w->versions)
            json_reader_fail(r, json_find(body, "versions"), "a calibration is of records only");
        if (!w->task) json_reader_fail(r, body, "a calibration needs the key \"task\"");
        return;
    }
    if (w->task) json_reader_fail(r, json_find(body, "task"), "only a calibration names its task");
    if (!w->versions) json_reader_fail(r, body, "lacks the key \"versions\"");
    else if (n < 1 || n > MEASUREMENT_VERSIONS_MAX)
        json_reader_fail(r, json_find(body, "versions"), "must have 1 to %d elements",
                         MEASUREMENT_VERSIONS_MAX);
}

static int decode(const struct json *body, struct wish *out, struct error *err) {
    struct json_reader r;
    json_object(&r, body, err);
    json_get_strv(&r, "versions", JSON_OPTIONAL, &out->versions);
    json_get_bool(&r, "calibrate", JSON_OPTIONAL, &out->calibrate);
    json_get_string(&r, "task", JSON_OPTIONAL, &out->task);
    json_get_int(&r, "blocks_min", JSON_OPTIONAL, 2, 1000, &out->blocks_min);
    json_get_int(&r, "blocks_max", JSON_OPTIONAL, 2, 1000, &out->blocks_max);
    json_get_double(&r, "half_width", JSON_OPTIONAL, 0.001, 100, &out->half_width);
    json_get_double(&r, "budget_s", JSON_OPTIONAL, 1, BUDGET_MAX_S, &out->budget_s);
    if (!r.failed) check_subject(&r, body, out);
    return json_object_end(&r);
}

/* One candidate; all must be of one task and step. */
static int add_candidate(struct daemon *d, const char *name, struct experiment_row *common,
                         struct arm_row *arms, size_t *count, struct error *err) {
    _cleanup_version_ struct version_row v = {0};
    int64_t id;
    if (id_parse(ID_VERSION, name, &id, err) < 0 || version_get(d->store, id, &v, err) < 0) {
        if (err && err->kind == ERROR_NOT_FOUND) err->kind = ERROR_INVALID;
        return error_wrap(err, "request body: $.versions: %s", name);
    }
    if (str_eq(v.outcome, "abandoned"))
        return error_set(err, ERROR_INVALID,
                         "request body: $.versions: %s was abandoned: there is nothing to measure",
                         name);
    _cleanup_experiment_ struct experiment_row e = {0};
    if (experiment_get(d->store, v.experiment, &e, err) < 0) return -1;
    for (size_t i = 2; i < *count; i++)
        if (arms[i].version == id)
            return error_set(err, ERROR_INVALID, "request body: $.versions: %s is named twice",
                             name);
    if (!common->task) {
        *common = e;
        e = (struct experiment_row){0};
    } else if (strcmp(common->task_digest, e.task_digest) != 0 || common->step != e.step) {
        return error_set(err, ERROR_INVALID,
                         "request body: $.versions: %s is of %s:%" PRId64 ", others of %s:%" PRId64
                         " (or of another state of that task)",
                         name, e.task, e.step, common->task, common->step);
    }
    arms[(*count)++] = (struct arm_row){
        .kind = strdup("candidate"), .version = id, .snapshot = steal_ptr(&v.snapshot)};
    return 0;
}

static int add_record(struct daemon *d, const struct task *t, int64_t record, struct arm_row *arm,
                      struct error *err) {
    char sha256[DIGEST_HEX];
    if (snapshot_put(d, t->records[record - 1].dir, sha256, err) < 0) return -1;
    *arm = (struct arm_row){.kind = strdup("record"), .snapshot = strdup(sha256)};
    return 0;
}

static int fill_row(const struct wish *w, const struct task *t, const struct experiment_row *common,
                    struct measurement_row *out, struct error *err) {
    out->blocks_min = w->blocks_min ? w->blocks_min : t->blocks_min;
    out->blocks_max = w->blocks_max ? w->blocks_max : t->blocks_max;
    if (!w->blocks_max && out->blocks_max < out->blocks_min) out->blocks_max = out->blocks_min;
    if (!w->blocks_min && out->blocks_min > out->blocks_max) out->blocks_min = out->blocks_max;
    out->half_width = w->half_width > 0 ? w->half_width : t->half_width;
    out->budget_s = w->budget_s > 0 ? w->budget_s : t->budget_s;
    if (out->blocks_min > out->blocks_max)
        return error_set(err, ERROR_INVALID,
                         "request body: $.blocks_min: %" PRId64 " is above blocks_max, %" PRId64,
                         out->blocks_min, out->blocks_max);
    out->task = strdup(common->task);
    out->task_dir = strdup(common->task_dir);
    out->task_digest = strdup(common->task_digest);
    out->step = common->step;
    return 0;
}

static int store_measurement(struct daemon *d, struct measurement_row *row, struct arm_row *arms,
                             size_t count, struct error *err) {
    _cleanup_store_tx_ struct store_tx tx = {0};
    if (store_begin(&tx, d->store, err) < 0) return -1;
    if (measurement_add(d->store, row, arms, count, err) < 0) return -1;
    return store_commit(&tx, err);
}

static int with_arms(struct daemon *d, const struct wish *w, struct arm_row *arms, size_t *count,
                     struct experiment_row *common, struct measurement_row *out,
                     struct error *err) {
    for (size_t i = 0; w->versions[i]; i++)
        if (add_candidate(d, w->versions[i], common, arms, count, err) < 0) return -1;
    if (!common->task) return error_set(err, ERROR_INVALID, "request body: $.versions: is empty");
    _cleanup_task_ struct task task = {0};
    if (create_load_task(common->task_dir, common->task_digest, &task, err) < 0) return -1;
    if (task.kind != TASK_TIME_TO_TARGET || (size_t)common->step >= task.record_count)
        return error_set(err, ERROR_UNSUPPORTED,
                         "task %s: only races to a target with a next record are measured",
                         task.name);
    if (gpu_run_check(d, &task, err) < 0) return error_wrap(err, "task %s", task.name);
    if (fill_row(w, &task, common, out, err) < 0) return -1;
    pthread_rwlock_rdlock(&d->files);
    int rc = add_record(d, &task, common->step, &arms[0], err);
    if (rc == 0) rc = add_record(d, &task, common->step + 1, &arms[1], err);
    if (rc == 0) rc = store_measurement(d, out, arms, *count, err);
    pthread_rwlock_unlock(&d->files);
    return rc;
}

/* ---- calibrations ---- */

static int load_ladder(const struct wish *w, struct task *t, int64_t *step, struct error *err) {
    _cleanup_free_ char *name = NULL;
    *step = 0; /* all records */
    if (task_ref_parse(w->task, &name, step, err) < 0) return -1;
    if (strlen(name) == strlen(w->task)) *step = 0;
    _cleanup_free_ char *dir = task_find(name, err);
    if (!dir || task_load(dir, t, err) < 0) return -1;
    if (t->kind != TASK_TIME_TO_TARGET)
        return error_set(err, ERROR_UNSUPPORTED, "task %s: only races to a target are measured",
                         t->name);
    if (*step >= (int64_t)t->record_count)
        return error_set(err, ERROR_NOT_FOUND, "task %s has no step %" PRId64, t->name, *step);
    if (*step == 0 && t->record_count > MEASUREMENT_ARMS_MAX)
        return error_set(err, ERROR_UNSUPPORTED,
                         "task %s: at most %d records at once; calibrate step by step", t->name,
                         MEASUREMENT_ARMS_MAX);
    return 0;
}

/* As many blocks as asked for: there is nothing to stop at early. */
static void fill_calibration(const struct wish *w, const struct task *t, int64_t step,
                             struct measurement_row *out) {
    int64_t least = t->blocks_min > CALIBRATE_BLOCKS ? t->blocks_min : CALIBRATE_BLOCKS;
    out->blocks_max = w->blocks_max ? w->blocks_max : w->blocks_min ? w->blocks_min : least;
    out->blocks_min = out->blocks_max;
    out->half_width = w->half_width > 0 ? w->half_width : t->half_width;
    out->budget_s = w->budget_s;
    out->kind = strdup("calibrate");
    out->task = strdup(t->name);
    out->task_dir = strdup(t->dir);
    out->task_digest = strdup(t->digest);
    out->step = step ? step : 1;
}

static int create_calibration(struct daemon *d, const struct wish *w, struct measurement_row *out,
                              struct error *err) {
    _cleanup_task_ struct task task = {0};
    int64_t step;
    if (load_ladder(w, &task, &step, err) < 0 || create_check_machine(d, &task, err) < 0) return -1;
    fill_calibration(w, &task, step, out);
    size_t count = step ? 2 : task.record_count;
    struct arm_row *arms = calloc(count, sizeof *arms);
    if (!arms) return error_sys(err, ENOMEM, "arms");
    pthread_rwlock_rdlock(&d->files);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = add_record(d, &task, out->step + (int64_t)i, &arms[i], err);
    if (rc == 0) rc = store_measurement(d, out, arms, count, err);
    pthread_rwlock_unlock(&d->files);
    arms_free(arms, count);
    return rc;
}

int create_measurement(struct daemon *d, const struct json *body, struct measurement_row *out,
                       struct error *err) {
    _cleanup_(wish_clear) struct wish wish = {0};
    if (decode(body, &wish, err) < 0) return -1;
    if (wish.calibrate) return create_calibration(d, &wish, out, err);
    _cleanup_experiment_ struct experiment_row common = {0};
    struct arm_row *arms = calloc(2 + MEASUREMENT_VERSIONS_MAX, sizeof *arms);
    if (!arms) return error_sys(err, ENOMEM, "arms");
    size_t count = 2;
    int rc = with_arms(d, &wish, arms, &count, &common, out, err);
    arms_free(arms, count);
    return rc;
}
