#include "orchestrator/daemon/create.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "images/store.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/phase.h"
#include "orchestrator/daemon/snapshot.h"
#include "orchestrator/version/edit.h"

#include <inttypes.h>
#include <string.h>

#define NAME_MAX_BYTES 200 /* of agents and labels */

static void unlock_files(pthread_rwlock_t **lock) {
    if (*lock) pthread_rwlock_unlock(*lock);
}

/* Keeps gc away from files that no row refers to yet, to the end of the scope. */
#define HOLD_FILES(d)                                                                  \
    __attribute__((cleanup(unlock_files))) pthread_rwlock_t *held_files = &(d)->files; \
    pthread_rwlock_rdlock(held_files)

int create_load_task(const char *dir, const char *digest, struct task *out, struct error *err) {
    if (task_load(dir, out, err) < 0) return -1;
    if (strcmp(out->digest, digest) == 0) return 0;
    return error_set(err, ERROR_EXISTS,
                     "task %s: its folder has changed since this began; start anew", out->name);
}

/* A text of the body: 1 to max bytes when given. */
static void check_text(struct json_reader *r, const char *key, const char *text, size_t max) {
    if (!text || (*text && strlen(text) <= max)) return;
    json_reader_fail(r, json_find(r->object, key), "must have 1 to %zu bytes", max);
}

/* ---- experiments ---- */

struct experiment_wish {
    char *ref, *agent, *label;
};

static void wish_clear(struct experiment_wish *w) {
    free(w->ref);
    free(w->agent);
    free(w->label);
}

static int decode_experiment(const struct json *body, struct experiment_wish *out,
                             struct error *err) {
    struct json_reader r;
    json_object(&r, body, err);
    json_get_string(&r, "task", JSON_REQUIRED, &out->ref);
    json_get_string(&r, "agent", JSON_REQUIRED, &out->agent);
    json_get_string(&r, "label", JSON_OPTIONAL, &out->label);
    check_text(&r, "task", out->ref, 4000);
    check_text(&r, "agent", out->agent, NAME_MAX_BYTES);
    check_text(&r, "label", out->label, NAME_MAX_BYTES);
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
    return phase_data_check(d, t, err);
}

static int store_experiment(struct daemon *d, struct experiment_row *e, struct version_row *root,
                            struct error *err) {
    _cleanup_store_tx_ struct store_tx tx = {0};
    if (store_begin(&tx, d->store, err) < 0) return -1;
    if (experiment_add(d->store, e, err) < 0) return -1;
    root->experiment = e->id;
    if (version_add(d->store, root, err) < 0) return -1;
    return store_commit(&tx, err);
}

int create_experiment(struct daemon *d, const struct json *body, struct experiment_row *out,
                      struct version_row *root, struct error *err) {
    _cleanup_(wish_clear) struct experiment_wish wish = {0};
    _cleanup_task_ struct task task = {0};
    if (decode_experiment(body, &wish, err) < 0) return -1;
    if (find_task(wish.ref, &task, &out->step, err) < 0) return -1;
    if (create_check_machine(d, &task, err) < 0) return -1;
    char snapshot[DIGEST_HEX];
    HOLD_FILES(d);
    if (snapshot_put(d, task.records[out->step - 1].dir, snapshot, err) < 0) return -1;
    out->task = strdup(task.name);
    out->task_dir = strdup(task.dir);
    out->task_digest = strdup(task.digest);
    out->agent = steal_ptr(&wish.agent);
    out->label = steal_ptr(&wish.label);
    out->state = strdup("open");
    root->hypothesis = str_printf("record %" PRId64, out->step);
    root->snapshot = strdup(snapshot);
    return store_experiment(d, out, root, err);
}

/* ---- versions ---- */

struct version_wish {
    char *parent, *hypothesis;
    bool next_record;
    struct edit *edits;
    size_t edit_count;
};

static void version_wish_clear(struct version_wish *w) {
    free(w->parent);
    free(w->hypothesis);
    edits_free(w->edits, w->edit_count);
}

static int decode_version(const struct json *body, struct version_wish *out, struct error *err) {
    static const char *const bases[] = {"next-record", NULL};
    int base = -1;
    struct json_reader r;
    json_object(&r, body, err);
    json_get_string(&r, "parent", JSON_REQUIRED, &out->parent);
    json_get_string(&r, "hypothesis", JSON_REQUIRED, &out->hypothesis);
    json_get_enum(&r, "base", JSON_OPTIONAL, bases, &base);
    const struct json *edits = json_get_array(&r, "edits", JSON_OPTIONAL);
    check_text(&r, "hypothesis", out->hypothesis, HYPOTHESIS_MAX);
    if (json_object_end(&r) < 0) return -1;
    out->next_record = base == 0;
    if (edits) return edits_decode(edits, &out->edits, &out->edit_count, err);
    return 0;
}

static bool may_edit(const void *context, const char *path) {
    return task_may_edit(context, path);
}

/* The parent's files, or those of the next record, in a fresh folder. */
static char *base_files(struct daemon *d, const struct task *t, int64_t step, bool next_record,
                        const char *parent_snapshot, struct error *err) {
    if (!next_record) return snapshot_checkout(d, parent_snapshot, err);
    if ((size_t)step >= t->record_count) {
        error_set(err, ERROR_NOT_FOUND, "task %s: no record behind %" PRId64, t->name, step);
        return NULL;
    }
    _cleanup_tmp_ char *dir = daemon_tmp(d, err);
    _cleanup_close_ int to = dir ? dir_open(dir, err) : -1;
    _cleanup_close_ int from = to < 0 ? -1 : dir_open(t->records[step].dir, err);
    struct tree_stats stats;
    if (from < 0 || tree_copy(from, to, &stats, err) < 0) return NULL;
    return steal_ptr(&dir);
}

static int edit_and_pack(struct daemon *d, const char *dir, const struct task *t,
                         const struct version_wish *w, char sha256[DIGEST_HEX], struct error *err) {
    struct edit_rules rules = {.may_edit = may_edit,
                               .context = t,
                               .source_bytes = (uint64_t)t->max_source_bytes,
                               .source_files = (uint64_t)t->max_source_files};
    _cleanup_close_ int fd = dir_open(dir, err);
    if (fd < 0) return -1;
    if (edits_apply(fd, w->edits, w->edit_count, &rules, err) < 0) return -1;
    return snapshot_put_within(d, dir, t->max_packed_bytes, sha256, err);
}

static int find_parent(struct daemon *d, int64_t experiment, const char *name,
                       struct version_row *out, struct error *err) {
    int64_t id;
    if (id_parse(ID_VERSION, name, &id, err) < 0 || version_get(d->store, id, out, err) < 0) {
        if (err && err->kind == ERROR_NOT_FOUND) err->kind = ERROR_INVALID; /* of the body */
        return error_wrap(err, "request body: $.parent: %s", name);
    }
    if (out->experiment == experiment) return 0;
    return error_set(err, ERROR_INVALID, "request body: $.parent: %s is of experiment e%" PRId64,
                     name, out->experiment);
}

static int store_version(struct daemon *d, struct version_row *row, struct error *err) {
    _cleanup_store_tx_ struct store_tx tx = {0};
    if (store_begin(&tx, d->store, err) < 0) return -1;
    _cleanup_experiment_ struct experiment_row e = {0};
    if (experiment_get(d->store, row->experiment, &e, err) < 0) return -1;
    if (strcmp(e.state, "open") != 0)
        return error_set(err, ERROR_EXISTS, "experiment e%" PRId64 " is over: %s", e.id, e.state);
    if (version_add(d->store, row, err) < 0) return -1;
    return store_commit(&tx, err);
}

int create_version(struct daemon *d, int64_t experiment, const struct json *body,
                   struct version_row *out, struct error *err) {
    _cleanup_(version_wish_clear) struct version_wish wish = {0};
    _cleanup_experiment_ struct experiment_row e = {0};
    _cleanup_version_ struct version_row parent = {0};
    _cleanup_task_ struct task task = {0};
    if (experiment_get(d->store, experiment, &e, err) < 0) return -1;
    if (decode_version(body, &wish, err) < 0) return -1;
    if (find_parent(d, experiment, wish.parent, &parent, err) < 0) return -1;
    if (create_load_task(e.task_dir, e.task_digest, &task, err) < 0) return -1;
    HOLD_FILES(d);
    _cleanup_tmp_ char *dir = base_files(d, &task, e.step, wish.next_record, parent.snapshot, err);
    char snapshot[DIGEST_HEX];
    if (!dir || edit_and_pack(d, dir, &task, &wish, snapshot, err) < 0) return -1;
    out->experiment = experiment;
    out->parent = parent.id;
    out->depth = parent.depth + 1;
    out->hypothesis = steal_ptr(&wish.hypothesis);
    out->snapshot = strdup(snapshot);
    return store_version(d, out, err);
}
