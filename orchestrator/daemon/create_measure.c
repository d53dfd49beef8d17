/* Making measurements: which versions, of which step, how many blocks. */
#include "common/cleanup.h"
#include "orchestrator/daemon/create.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/snapshot.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

struct wish {
    char **versions;
    int64_t blocks_min, blocks_max; /* 0: the task's */
    double half_width;
};

static void wish_clear(struct wish *w) {
    strv_free(w->versions);
}

static int decode(const struct json *body, struct wish *out, struct error *err) {
    struct json_reader r;
    json_object(&r, body, err);
    json_get_strv(&r, "versions", JSON_REQUIRED, &out->versions);
    json_get_int(&r, "blocks_min", JSON_OPTIONAL, 2, 1000, &out->blocks_min);
    json_get_int(&r, "blocks_max", JSON_OPTIONAL, 2, 1000, &out->blocks_max);
    json_get_double(&r, "half_width", JSON_OPTIONAL, 0.001, 100, &out->half_width);
    size_t n = strv_len(out->versions);
    if (!r.failed && (n < 1 || n > MEASUREMENT_VERSIONS_MAX))
        json_reader_fail(&r, json_find(body, "versions"), "must have 1 to %d elements",
                         MEASUREMENT_VERSIONS_MAX);
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
    if (fill_row(w, &task, common, out, err) < 0) return -1;
    pthread_rwlock_rdlock(&d->files);
    int rc = add_record(d, &task, common->step, &arms[0], err);
    if (rc == 0) rc = add_record(d, &task, common->step + 1, &arms[1], err);
    if (rc == 0) rc = store_measurement(d, out, arms, *count, err);
    pthread_rwlock_unlock(&d->files);
    return rc;
}

int create_measurement(struct daemon *d, const struct json *body, struct measurement_row *out,
                       struct error *err) {
    _cleanup_(wish_clear) struct wish wish = {0};
    if (decode(body, &wish, err) < 0) return -1;
    _cleanup_experiment_ struct experiment_row common = {0};
    struct arm_row *arms = calloc(2 + MEASUREMENT_VERSIONS_MAX, sizeof *arms);
    if (!arms) return error_sys(err, ENOMEM, "arms");
    size_t count = 2;
    int rc = with_arms(d, &wish, arms, &count, &common, out, err);
    arms_free(arms, count);
    return rc;
}
