/* Making experiments. */
#include "common/cleanup.h"
#include "images/store.h"
#include "orchestrator/daemon/create.h"
#include "orchestrator/daemon/create_inside.h"
#include "orchestrator/daemon/gpu_run.h"
#include "orchestrator/daemon/phase.h"
#include "orchestrator/daemon/snapshot.h"

#include <inttypes.h>
#include <string.h>

struct experiment_wish {
    char *ref, *agent, *label, *key, *sweep, *config;
};

static void wish_clear(struct experiment_wish *w) {
    free(w->ref);
    free(w->agent);
    free(w->label);
    free(w->key);
    free(w->sweep);
    free(w->config);
}

static int decode_experiment(const struct json *body, struct experiment_wish *out,
                             struct error *err) {
    struct json_reader r;
    json_object(&r, body, err);
    json_get_string(&r, "task", JSON_REQUIRED, &out->ref);
    json_get_string(&r, "agent", JSON_REQUIRED, &out->agent);
    json_get_string(&r, "label", JSON_OPTIONAL, &out->label);
    json_get_string(&r, "key", JSON_OPTIONAL, &out->key);
    json_get_string(&r, "sweep", JSON_OPTIONAL, &out->sweep);
    out->config = create_object_text(&r, "config", OBJECT_MAX);
    create_check_text(&r, "task", out->ref, 4000);
    create_check_text(&r, "agent", out->agent, NAME_MAX_BYTES);
    create_check_text(&r, "label", out->label, NAME_MAX_BYTES);
    create_check_text(&r, "key", out->key, KEY_MAX_BYTES);
    create_check_text(&r, "sweep", out->sweep, NAME_MAX_BYTES);
    return json_object_end(&r);
}

/* Steps lead from one record to the next; a task of one record is its own step 1
 * when it is not a race towards a next record. */
static int check_step(const struct task *t, int64_t step, struct error *err) {
    int64_t steps =
        t->kind == TASK_TIME_TO_TARGET ? (int64_t)t->record_count - 1 : (int64_t)t->record_count;
    if (step >= 1 && step <= steps) return 0;
    return error_set(err, ERROR_NOT_FOUND, "task %s: step %" PRId64 ": it has %" PRId64, t->name,
                     step, steps);
}

static int find_task(const char *ref, struct task *out, int64_t *step, struct error *err) {
    _cleanup_free_ char *name = NULL;
    if (task_ref_parse(ref, &name, step, err) < 0) return -1;
    _cleanup_free_ char *dir = task_find(name, err);
    if (!dir || task_load(dir, out, err) < 0) return -1;
    return check_step(out, *step, err);
}

int create_check_machine(struct daemon *d, const struct task *t, struct error *err) {
    _cleanup_image_ struct image image = {0};
    if (image_resolve(d->images, t->image, &image, err) < 0)
        return error_wrap(err, "task %s", t->name);
    if (gpu_run_check(d, t, err) < 0) return error_wrap(err, "task %s", t->name);
    return phase_data_check(d, t, err);
}

/* The experiment that was made with this key before, if it was made of the same;
 * *id is 0 when there is none. */
static int find_made(struct daemon *d, const struct experiment_row *want, int64_t *id,
                     struct error *err) {
    _cleanup_experiment_ struct experiment_row have = {0};
    *id = 0;
    if (!want->key) return 0;
    if (experiment_by_key(d->store, want->key, id, err) < 0) return -1;
    if (*id == 0) return 0;
    if (experiment_get(d->store, *id, &have, err) < 0) return -1;
    if (str_eq(have.task_dir, want->task_dir) && have.step == want->step &&
        str_eq(have.agent, want->agent) && str_eq(have.config, want->config))
        return 0;
    return error_set(err, ERROR_EXISTS,
                     "key %s: is that of e%" PRId64 ", which has another task, agent or config",
                     want->key, *id);
}

/* Another request with the same key may have been first: then nothing is added, and
 * *id is that one's. */
static int store_experiment(struct daemon *d, struct experiment_row *e, struct version_row *root,
                            int64_t *id, struct error *err) {
    _cleanup_store_tx_ struct store_tx tx = {0};
    if (store_begin(&tx, d->store, err) < 0) return -1;
    if (find_made(d, e, id, err) < 0) return -1;
    if (*id) return 0;
    if (experiment_add(d->store, e, err) < 0) return -1;
    root->experiment = *id = e->id;
    if (version_add(d->store, root, err) < 0) return -1;
    return store_commit(&tx, err);
}

static int fill_row(struct experiment_wish *wish, const struct task *t, struct experiment_row *out,
                    struct error *err) {
    out->task = strdup(t->name);
    out->task_dir = strdup(t->dir);
    out->task_digest = strdup(t->digest);
    out->agent = steal_ptr(&wish->agent);
    out->label = steal_ptr(&wish->label);
    out->key = steal_ptr(&wish->key);
    out->sweep = steal_ptr(&wish->sweep);
    out->config = steal_ptr(&wish->config);
    out->state = strdup("open");
    return out->task && out->task_dir && out->task_digest && out->state
               ? 0
               : error_sys(err, ENOMEM, "experiment");
}

int create_experiment(struct daemon *d, const struct json *body, int64_t *id, bool *made,
                      struct error *err) {
    _cleanup_(wish_clear) struct experiment_wish wish = {0};
    _cleanup_task_ struct task task = {0};
    _cleanup_experiment_ struct experiment_row e = {0};
    _cleanup_version_ struct version_row root = {0};
    *made = false;
    if (decode_experiment(body, &wish, err) < 0) return -1;
    if (find_task(wish.ref, &task, &e.step, err) < 0) return -1;
    if (fill_row(&wish, &task, &e, err) < 0 || find_made(d, &e, id, err) < 0) return -1;
    if (*id) return 0;
    if (create_check_machine(d, &task, err) < 0) return -1;
    char snapshot[DIGEST_HEX];
    HOLD_FILES(d);
    if (snapshot_put(d, task.records[e.step - 1].dir, snapshot, err) < 0) return -1;
    root.hypothesis = str_printf("record %" PRId64, e.step);
    root.snapshot = strdup(snapshot);
    if (!root.hypothesis || !root.snapshot) return error_sys(err, ENOMEM, "experiment");
    if (store_experiment(d, &e, &root, id, err) < 0) return -1;
    *made = e.id == *id;
    return 0;
}
