/* Versions: made, shown, their files. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/daemon/api.h"
#include "orchestrator/daemon/create.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/lane.h"
#include "orchestrator/daemon/snapshot.h"
#include "orchestrator/daemon/view.h"
#include "orchestrator/version/diff.h"
#include "orchestrator/version/workspace.h"

#include <inttypes.h>

#define FILE_SENT_MAX ((size_t)128 << 20)

static int answer(struct daemon *d, int64_t id, struct response *p, struct error *err) {
    _cleanup_version_ struct version_row v = {0};
    if (version_get(d->store, id, &v, err) < 0) return -1;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "version");
    json_open_object(w, NULL);
    view_version(w, &v);
    if (view_runs_of(w, d->store, id, err) < 0) return -1;
    if (view_scores_of(w, d->store, 0, id, err) < 0) return -1;
    json_close_object(w);
    return response_json(p, w, err);
}

/* The version of the route. */
static int find(struct daemon *d, const struct request *q, struct version_row *out,
                struct error *err) {
    int64_t id;
    return api_id(q, ID_VERSION, &id, err) < 0 ? -1 : version_get(d->store, id, out, err);
}

int api_version(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    int64_t id;
    return api_id(q, ID_VERSION, &id, err) < 0 ? -1 : answer(d, id, p, err);
}

int api_version_create(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    int64_t experiment, id;
    bool made;
    if (api_id(q, ID_EXPERIMENT, &experiment, err) < 0) return -1;
    if (create_version(d, experiment, q->body, &id, &made, err) < 0) return -1;
    if (made) lanes_wake(d);
    p->status = made ? 201 : 200;
    return answer(d, id, p, err);
}

int api_version_note(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    int64_t id;
    if (api_id(q, ID_VERSION, &id, err) < 0 || create_note(d, id, q->body, err) < 0) return -1;
    return answer(d, id, p, err);
}

static int cancel(struct daemon *d, int64_t id, struct error *err) {
    bool moved;
    _cleanup_store_tx_ struct store_tx tx = {0};
    _cleanup_version_ struct version_row v = {0};
    if (store_begin(&tx, d->store, err) < 0) return -1;
    if (version_get(d->store, id, &v, err) < 0) return -1;
    if (version_set_state(d->store, id, VERSION_CANCELLED, &moved, err) < 0) return -1;
    if (!moved)
        return error_set(err, ERROR_EXISTS, "version v%" PRId64 " is over: %s", id,
                         version_state_names[v.state]);
    return store_commit(&tx, err);
}

int api_version_cancel(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    int64_t id;
    if (api_id(q, ID_VERSION, &id, err) < 0 || cancel(d, id, err) < 0) return -1;
    lanes_wake(d);
    return answer(d, id, p, err);
}

/* ---- files ---- */

static int list_files(const char *dir, struct response *p, struct error *err) {
    _cleanup_listing_ struct listing files = {0};
    _cleanup_close_ int fd = dir_open(dir, err);
    if (fd < 0 || workspace_list(fd, &files, err) < 0) return -1;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "files");
    json_open_object(w, NULL);
    workspace_encode(&files, w, "files");
    json_close_object(w);
    return response_json(p, w, err);
}

int api_version_files(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    _cleanup_version_ struct version_row v = {0};
    if (find(d, q, &v, err) < 0) return -1;
    _cleanup_tmp_ char *dir = snapshot_checkout(d, v.snapshot, err);
    return dir ? list_files(dir, p, err) : -1;
}

int api_version_file(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    static const char *const known[] = {"path", NULL};
    _cleanup_version_ struct version_row v = {0};
    _cleanup_free_ char *path = NULL;
    if (find(d, q, &v, err) < 0 || request_query_known(q, known, err) < 0 ||
        request_query(q, "path", &path, err) < 0)
        return -1;
    if (!path) return error_set(err, ERROR_INVALID, "query: path: is required");
    _cleanup_tmp_ char *dir = snapshot_checkout(d, v.snapshot, err);
    _cleanup_close_ int fd = dir ? dir_open(dir, err) : -1;
    if (fd < 0) return -1;
    p->content_type = "application/octet-stream";
    return workspace_read(fd, path, FILE_SENT_MAX, &p->body, err);
}

int api_version_snapshot(struct daemon *d, struct request *q, struct response *p,
                         struct error *err) {
    _cleanup_version_ struct version_row v = {0};
    if (find(d, q, &v, err) < 0) return -1;
    p->fd = snapshot_open(d, v.snapshot, err);
    p->content_type = "application/zstd";
    return p->fd < 0 ? -1 : 0;
}

/* The other side of a diff: as asked, else the parent. */
static int find_against(struct daemon *d, const struct request *q, const struct version_row *v,
                        struct version_row *out, struct error *err) {
    _cleanup_free_ char *name = NULL;
    int64_t id = v->parent;
    if (request_query(q, "against", &name, err) < 0) return -1;
    if (name && id_parse(ID_VERSION, name, &id, err) < 0)
        return error_wrap(err, "query: against: %s", name);
    if (id == 0)
        return error_set(err, ERROR_INVALID, "v%" PRId64 " has no parent: name one with against",
                         v->id);
    return version_get(d->store, id, out, err);
}

int api_version_diff(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    static const char *const known[] = {"against", NULL};
    _cleanup_version_ struct version_row v = {0}, other = {0};
    if (find(d, q, &v, err) < 0 || request_query_known(q, known, err) < 0) return -1;
    if (find_against(d, q, &v, &other, err) < 0) return -1;
    _cleanup_tmp_ char *old_dir = snapshot_checkout(d, other.snapshot, err);
    _cleanup_tmp_ char *new_dir = old_dir ? snapshot_checkout(d, v.snapshot, err) : NULL;
    _cleanup_close_ int old = new_dir ? dir_open(old_dir, err) : -1;
    _cleanup_close_ int new = old < 0 ? -1 : dir_open(new_dir, err);
    p->content_type = "text/x-diff; charset=utf-8";
    return new < 0 ? -1 : diff_trees(old, new, &p->body, err);
}
