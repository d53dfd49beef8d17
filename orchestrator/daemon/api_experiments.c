/* Experiments: made, listed, finished, cancelled. */
#include "common/cleanup.h"
#include "orchestrator/daemon/api.h"
#include "orchestrator/daemon/create.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/lane.h"
#include "orchestrator/daemon/view.h"

static int put_versions(struct json_writer *w, struct daemon *d, int64_t experiment,
                        struct error *err) {
    struct version_row *rows = NULL;
    size_t count = 0;
    int rc = version_list(d->store, experiment, &rows, &count, err);
    json_open_array(w, "versions");
    for (size_t i = 0; i < count && rc == 0; i++) {
        json_open_object(w, NULL);
        view_version(w, &rows[i]);
        rc = view_scores_of(w, d->store, 0, rows[i].id, err);
        json_close_object(w);
    }
    json_close_array(w);
    versions_free(rows, count);
    return rc;
}

static int answer(struct daemon *d, int64_t id, struct response *p, struct error *err) {
    _cleanup_experiment_ struct experiment_row e = {0};
    if (experiment_get(d->store, id, &e, err) < 0) return -1;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "experiment");
    json_open_object(w, NULL);
    view_experiment(w, &e);
    if (view_spent(w, d->store, id, err) < 0) return -1;
    if (put_versions(w, d, id, err) < 0) return -1;
    json_close_object(w);
    return response_json(p, w, err);
}

int api_experiment(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    int64_t id;
    return api_id(q, ID_EXPERIMENT, &id, err) < 0 ? -1 : answer(d, id, p, err);
}

int api_experiments(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    static const char *const known[] = {"limit", "before", "sweep", NULL};
    int64_t limit = API_LIST_DEFAULT, before = 0;
    _cleanup_free_ char *sweep = NULL;
    if (request_query_known(q, known, err) < 0 || request_query(q, "sweep", &sweep, err) < 0 ||
        request_query_int(q, "limit", 1, API_LIST_MAX, &limit, err) < 0 ||
        request_query_int(q, "before", 0, INT64_MAX, &before, err) < 0)
        return -1;
    struct experiment_row *rows = NULL;
    size_t count = 0;
    int rc = experiment_list(d->store, sweep, before, limit, &rows, &count, err);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (rc == 0 && w) {
        json_open_object(w, NULL);
        json_open_array(w, "experiments");
        for (size_t i = 0; i < count && rc == 0; i++) {
            json_open_object(w, NULL);
            view_experiment(w, &rows[i]);
            rc = view_spent(w, d->store, rows[i].id, err);
            json_close_object(w);
        }
        json_close_array(w);
        json_close_object(w);
        if (rc == 0) rc = response_json(p, w, err);
    }
    experiments_free(rows, count);
    return w ? rc : error_sys(err, ENOMEM, "experiments");
}

int api_experiment_create(struct daemon *d, struct request *q, struct response *p,
                          struct error *err) {
    int64_t id;
    bool made;
    if (create_experiment(d, q->body, &id, &made, err) < 0) return -1;
    if (made) lanes_wake(d);
    p->status = made ? 201 : 200;
    return answer(d, id, p, err);
}

static int finish(struct daemon *d, int64_t id, const char *state, const char *reason,
                  struct error *err) {
    _cleanup_store_tx_ struct store_tx tx = {0};
    if (store_begin(&tx, d->store, err) < 0) return -1;
    _cleanup_experiment_ struct experiment_row e = {0};
    if (experiment_get(d->store, id, &e, err) < 0) return -1;
    if (experiment_finish(d->store, id, state, reason, err) < 0) return -1;
    return store_commit(&tx, err);
}

int api_experiment_finish(struct daemon *d, struct request *q, struct response *p,
                          struct error *err) {
    static const char *const states[] = {"done", "failed", NULL};
    int64_t id;
    int state = 0;
    _cleanup_free_ char *reason = NULL;
    if (api_id(q, ID_EXPERIMENT, &id, err) < 0) return -1;
    struct json_reader r;
    json_object(&r, q->body, err);
    json_get_enum(&r, "status", JSON_REQUIRED, states, &state);
    json_get_string(&r, "reason", JSON_OPTIONAL, &reason);
    if (json_object_end(&r) < 0) return -1;
    return finish(d, id, states[state], reason, err) < 0 ? -1 : answer(d, id, p, err);
}

/* The experiment is over, and so are its versions that wait or run. */
static int cancel_all(struct daemon *d, int64_t id, struct error *err) {
    _cleanup_store_tx_ struct store_tx tx = {0};
    if (store_begin(&tx, d->store, err) < 0) return -1;
    _cleanup_experiment_ struct experiment_row e = {0};
    if (experiment_get(d->store, id, &e, err) < 0) return -1;
    if (experiment_finish(d->store, id, "cancelled", NULL, err) < 0) return -1;
    struct version_row *rows = NULL;
    size_t count = 0;
    int rc = version_list(d->store, id, &rows, &count, err);
    for (size_t i = 0; i < count && rc == 0; i++) {
        bool moved;
        rc = version_set_state(d->store, rows[i].id, VERSION_CANCELLED, &moved, err);
    }
    versions_free(rows, count);
    return rc < 0 ? -1 : store_commit(&tx, err);
}

int api_experiment_cancel(struct daemon *d, struct request *q, struct response *p,
                          struct error *err) {
    int64_t id;
    if (api_id(q, ID_EXPERIMENT, &id, err) < 0 || cancel_all(d, id, err) < 0) return -1;
    lanes_wake(d);
    return answer(d, id, p, err);
}
