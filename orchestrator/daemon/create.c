#include "orchestrator/daemon/create.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/daemon/create_inside.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/snapshot.h"
#include "orchestrator/version/edit.h"

#include <inttypes.h>
#include <string.h>

int create_load_task(const char *dir, const char *digest, struct task *out, struct error *err) {
    if (task_load(dir, out, err) < 0) return -1;
    if (strcmp(out->digest, digest) == 0) return 0;
    return error_set(err, ERROR_EXISTS,
                     "task %s: its folder has changed since this began; start anew", out->name);
}

void create_check_text(struct json_reader *r, const char *key, const char *text, size_t max) {
    if (!text || (*text && strlen(text) <= max)) return;
    json_reader_fail(r, json_find(r->object, key), "must have 1 to %zu bytes", max);
}

char *create_object_text(struct json_reader *r, const char *key, size_t max) {
    const struct json *v = json_get_object(r, key, JSON_OPTIONAL);
    if (!v) return NULL;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (w) json_put_value(w, NULL, v);
    size_t len = 0;
    const char *text = w ? json_writer_text(w, &len) : NULL;
    if (!text) json_reader_fail(r, v, "out of memory");
    else if (len > max) json_reader_fail(r, v, "has %zu bytes, at most %zu", len, max);
    else return strdup(text);
    return NULL;
}

struct version_wish {
    char *parent, *hypothesis, *key, *note, *abandoned;
    bool next_record;
    struct edit *edits;
    size_t edit_count;
};

static void version_wish_clear(struct version_wish *w) {
    free(w->parent);
    free(w->hypothesis);
    free(w->key);
    free(w->note);
    free(w->abandoned);
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
    json_get_string(&r, "key", JSON_OPTIONAL, &out->key);
    json_get_string(&r, "abandoned", JSON_OPTIONAL, &out->abandoned);
    out->note = create_object_text(&r, "note", OBJECT_MAX);
    const struct json *edits = json_get_array(&r, "edits", JSON_OPTIONAL);
    create_check_text(&r, "hypothesis", out->hypothesis, HYPOTHESIS_MAX);
    create_check_text(&r, "key", out->key, KEY_MAX_BYTES);
    create_check_text(&r, "abandoned", out->abandoned, ABANDONED_MAX);
    if (out->abandoned && (base == 0 || (edits && json_count(edits) > 0)))
        json_reader_fail(&r, json_find(body, "abandoned"), "goes with neither edits nor base");
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

/* The version that was made with this key before; *id is 0 when there is none. */
static int find_made(struct daemon *d, int64_t experiment, const char *key, int64_t parent,
                     int64_t *id, struct error *err) {
    _cleanup_version_ struct version_row have = {0};
    *id = 0;
    if (!key) return 0;
    if (version_by_key(d->store, experiment, key, id, err) < 0) return -1;
    if (*id == 0) return 0;
    if (version_get(d->store, *id, &have, err) < 0) return -1;
    if (have.parent == parent) return 0;
    return error_set(err, ERROR_EXISTS, "key %s: is that of v%" PRId64 ", which has another parent",
                     key, *id);
}

/* Another request with the same key may have been first: *id is that one's then. */
static int store_version(struct daemon *d, struct version_row *row, int64_t *id,
                         struct error *err) {
    _cleanup_store_tx_ struct store_tx tx = {0};
    if (store_begin(&tx, d->store, err) < 0) return -1;
    if (find_made(d, row->experiment, row->key, row->parent, id, err) < 0) return -1;
    if (*id) return 0;
    _cleanup_experiment_ struct experiment_row e = {0};
    if (experiment_get(d->store, row->experiment, &e, err) < 0) return -1;
    if (strcmp(e.state, "open") != 0)
        return error_set(err, ERROR_EXISTS, "experiment e%" PRId64 " is over: %s", e.id, e.state);
    if (version_add(d->store, row, err) < 0) return -1;
    *id = row->id;
    return store_commit(&tx, err);
}

static int pack_version(struct daemon *d, const struct experiment_row *e,
                        const struct version_row *parent, const struct version_wish *wish,
                        char sha256[DIGEST_HEX], struct error *err) {
    _cleanup_task_ struct task task = {0};
    if (create_load_task(e->task_dir, e->task_digest, &task, err) < 0) return -1;
    _cleanup_tmp_ char *dir =
        base_files(d, &task, e->step, wish->next_record, parent->snapshot, err);
    return dir ? edit_and_pack(d, dir, &task, wish, sha256, err) : -1;
}

int create_version(struct daemon *d, int64_t experiment, const struct json *body, int64_t *id,
                   bool *made, struct error *err) {
    _cleanup_(version_wish_clear) struct version_wish wish = {0};
    _cleanup_experiment_ struct experiment_row e = {0};
    _cleanup_version_ struct version_row parent = {0}, row = {0};
    char snapshot[DIGEST_HEX];
    *made = false;
    if (experiment_get(d->store, experiment, &e, err) < 0) return -1;
    if (decode_version(body, &wish, err) < 0) return -1;
    if (find_parent(d, experiment, wish.parent, &parent, err) < 0) return -1;
    if (find_made(d, experiment, wish.key, parent.id, id, err) < 0) return -1;
    if (*id) return 0;
    HOLD_FILES(d);
    if (pack_version(d, &e, &parent, &wish, snapshot, err) < 0) return -1;
    row = (struct version_row){.experiment = experiment,
                               .parent = parent.id,
                               .depth = parent.depth + 1,
                               .hypothesis = steal_ptr(&wish.hypothesis),
                               .snapshot = strdup(snapshot),
                               .outcome = wish.abandoned ? strdup("abandoned") : NULL,
                               .reason = steal_ptr(&wish.abandoned),
                               .key = steal_ptr(&wish.key),
                               .note = steal_ptr(&wish.note)};
    if (!row.snapshot || (row.reason && !row.outcome)) return error_sys(err, ENOMEM, "version");
    if (store_version(d, &row, id, err) < 0) return -1;
    *made = row.id == *id;
    return 0;
}

int create_note(struct daemon *d, int64_t version, const struct json *body, struct error *err) {
    struct json_reader r;
    json_object(&r, body, err);
    _cleanup_free_ char *note = create_object_text(&r, "note", OBJECT_MAX);
    if (!note) json_get(&r, "note", JSON_REQUIRED);
    if (json_object_end(&r) < 0) return -1;
    _cleanup_store_tx_ struct store_tx tx = {0};
    _cleanup_version_ struct version_row v = {0};
    if (store_begin(&tx, d->store, err) < 0 || version_get(d->store, version, &v, err) < 0 ||
        version_set_note(d->store, version, note, err) < 0)
        return -1;
    return store_commit(&tx, err);
}
