/* Measurements: made, shown, cancelled. */
#include "common/cleanup.h"
#include "orchestrator/daemon/api.h"
#include "orchestrator/daemon/create.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/lane.h"
#include "orchestrator/daemon/measure.h"
#include "orchestrator/daemon/view.h"

#include <inttypes.h>

/* What a calibration found; null until it is done. */
static int put_calibration(struct daemon *d, const struct measurement_row *m, struct json_writer *w,
                           struct error *err) {
    char id[ID_MAX];
    _cleanup_free_ char *dir = measure_calibration_dir(d, err);
    _cleanup_free_ char *name = str_printf("%s.json", id_format(ID_MEASUREMENT, m->id, id));
    if (!dir) return -1;
    if (!name) return error_sys(err, ENOMEM, "calibration");
    view_document(w, "calibration", dir, name);
    return 0;
}

static int answer(struct daemon *d, int64_t id, struct response *p, struct error *err) {
    _cleanup_measurement_ struct measurement_row m = {0};
    if (measurement_get(d->store, id, &m, err) < 0) return -1;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "measurement");
    json_open_object(w, NULL);
    view_measurement(w, &m);
    if (view_plan_of(w, d->store, &m, err) < 0) return -1;
    if (view_voids_of(w, d->store, id, err) < 0) return -1;
    if (view_scores_of(w, d->store, id, 0, err) < 0) return -1;
    if (str_eq(m.kind, "calibrate") && put_calibration(d, &m, w, err) < 0) return -1;
    json_close_object(w);
    return response_json(p, w, err);
}

int api_measurement(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    int64_t id;
    return api_id(q, ID_MEASUREMENT, &id, err) < 0 ? -1 : answer(d, id, p, err);
}

int api_measurements(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    static const char *const known[] = {"limit", "before", NULL};
    int64_t limit = API_LIST_DEFAULT, before = 0;
    if (request_query_known(q, known, err) < 0 ||
        request_query_int(q, "limit", 1, API_LIST_MAX, &limit, err) < 0 ||
        request_query_int(q, "before", 0, INT64_MAX, &before, err) < 0)
        return -1;
    struct measurement_row *rows = NULL;
    size_t count = 0;
    int rc = measurement_list(d->store, before, limit, &rows, &count, err);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (rc == 0 && w) {
        json_open_object(w, NULL);
        json_open_array(w, "measurements");
        for (size_t i = 0; i < count; i++) {
            json_open_object(w, NULL);
            view_measurement(w, &rows[i]);
            json_close_object(w);
        }
        json_close_array(w);
        json_close_object(w);
        rc = response_json(p, w, err);
    }
    measurements_free(rows, count);
    return w ? rc : error_sys(err, ENOMEM, "measurements");
}

int api_measurement_create(struct daemon *d, struct request *q, struct response *p,
                           struct error *err) {
    _cleanup_measurement_ struct measurement_row m = {0};
    if (create_measurement(d, q->body, &m, err) < 0) return -1;
    lanes_wake(d);
    p->status = 201;
    return answer(d, m.id, p, err);
}

static int cancel(struct daemon *d, int64_t id, struct error *err) {
    bool moved;
    _cleanup_store_tx_ struct store_tx tx = {0};
    _cleanup_measurement_ struct measurement_row m = {0};
    if (store_begin(&tx, d->store, err) < 0) return -1;
    if (measurement_get(d->store, id, &m, err) < 0) return -1;
    if (measurement_finish(d->store, id, MEASUREMENT_CANCELLED, NULL, NULL, &moved, err) < 0)
        return -1;
    if (!moved)
        return error_set(err, ERROR_EXISTS, "measurement m%" PRId64 " is over: %s", id,
                         measurement_state_names[m.state]);
    return store_commit(&tx, err);
}

int api_measurement_cancel(struct daemon *d, struct request *q, struct response *p,
                           struct error *err) {
    int64_t id;
    if (api_id(q, ID_MEASUREMENT, &id, err) < 0 || cancel(d, id, err) < 0) return -1;
    lanes_wake(d);
    return answer(d, id, p, err);
}
