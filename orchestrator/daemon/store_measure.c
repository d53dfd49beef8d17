#include "orchestrator/daemon/store_measure.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/store_sql.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

const char *const measurement_state_names[] = {"queued", "running", "done", "cancelled", NULL};

#define MEASUREMENT_COLUMNS                                                                  \
    "id, task, task_dir, task_digest, step, state, outcome, reason, blocks_min, blocks_max," \
    " half_width, blocks, ticket, created_ns, ended_ns, kind, coalesce(budget_s, 0)"

static int index_of(const char *const *names, const char *name) {
    int i = 0;
    while (names[i + 1] && strcmp(names[i], name) != 0) i++;
    return i;
}

static void read_measurement(const struct query *q, struct measurement_row *r) {
    *r = (struct measurement_row){
        .id = query_int(q, 0),
        .task = query_string(q, 1),
        .task_dir = query_string(q, 2),
        .task_digest = query_string(q, 3),
        .step = query_int(q, 4),
        .state = (enum measurement_state)index_of(measurement_state_names, query_text(q, 5)),
        .outcome = query_string(q, 6),
        .reason = query_string(q, 7),
        .blocks_min = query_int(q, 8),
        .blocks_max = query_int(q, 9),
        .half_width = query_double(q, 10),
        .blocks = query_int(q, 11),
        .ticket = query_int(q, 12),
        .created_ns = query_int(q, 13),
        .ended_ns = query_int(q, 14),
        .kind = query_string(q, 15),
        .budget_s = query_double(q, 16)};
}

static int add_arm(struct store *s, const struct arm_row *a, struct error *err) {
    return store_sql(s, err,
                     "INSERT INTO arms(measurement, position, kind, version, snapshot, state)"
                     " VALUES(?,?,?,?,?,'active')",
                     "iisos", a->measurement, a->position, a->kind, a->version, a->snapshot);
}

int measurement_add(struct store *s, struct measurement_row *row, struct arm_row *arms,
                    size_t arm_count, struct error *err) {
    row->created_ns = clock_real_ns();
    row->state = MEASUREMENT_QUEUED;
    if (store_sql(s, err,
                  "INSERT INTO measurements(task, task_dir, task_digest, step, state, blocks_min,"
                  " blocks_max, half_width, blocks, ticket, created_ns, kind, budget_s)"
                  " VALUES(?,?,?,?,'queued',?,?,?,0,"
                  " 1 + (SELECT coalesce(max(seq), 0) FROM events), ?, coalesce(?, 'score'), ?)",
                  "sssiiidism", row->task, row->task_dir, row->task_digest, row->step,
                  row->blocks_min, row->blocks_max, row->half_width, row->created_ns, row->kind,
                  row->budget_s > 0 ? row->budget_s : NAN) < 0)
        return -1;
    row->id = store_last_id(s);
    for (size_t i = 0; i < arm_count; i++) {
        arms[i].measurement = row->id;
        arms[i].position = (int64_t)i;
        if (add_arm(s, &arms[i], err) < 0) return -1;
    }
    return store_notify(s, err, "measurement.created", ID_MEASUREMENT, row->id, "task", row->task,
                        NULL);
}

int measurement_get(struct store *s, int64_t id, struct measurement_row *out, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err, "SELECT " MEASUREMENT_COLUMNS " FROM measurements WHERE id=?", "i",
                    id) < 0)
        return -1;
    int rc = query_step(&q);
    if (rc == 0) return error_set(err, ERROR_NOT_FOUND, "no measurement m%" PRId64, id);
    if (rc > 0) read_measurement(&q, out);
    return rc > 0 ? 0 : -1;
}

int measurement_list(struct store *s, int64_t before, int64_t limit, struct measurement_row **out,
                     size_t *count, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT " MEASUREMENT_COLUMNS " FROM measurements WHERE ?1=0 OR id<?1"
                    " ORDER BY id DESC LIMIT ?2",
                    "ii", before, limit) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        struct measurement_row *grown = reallocarray(*out, *count + 1, sizeof *grown);
        if (!grown) return error_sys(err, ENOMEM, "measurements");
        *out = grown;
        read_measurement(&q, &grown[(*count)++]);
    }
    return rc;
}

int measurement_start(struct store *s, int64_t id, struct error *err) {
    return store_sql(
        s, err, "UPDATE measurements SET state='running' WHERE id=? AND state='queued'", "i", id);
}

int measurement_spent(struct store *s, int64_t id, int64_t *ns, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT coalesce(sum(max(coalesce(ended_ns, ?1) - created_ns, 0)), 0) FROM runs"
                    " WHERE measurement=?2 AND slot IS NOT NULL",
                    "ii", clock_real_ns(), id) < 0)
        return -1;
    int rc = query_step(&q);
    if (rc > 0) *ns = query_int(&q, 0);
    return rc > 0 ? 0 : -1;
}

int measurement_finish(struct store *s, int64_t id, enum measurement_state state,
                       const char *outcome, const char *reason, bool *moved, struct error *err) {
    const char *name = measurement_state_names[state];
    *moved = false;
    if (store_sql(s, err,
                  "UPDATE measurements SET state=?, outcome=?, reason=?, ended_ns=? WHERE id=?"
                  " AND state NOT IN ('done', 'cancelled')",
                  "sssii", name, outcome, reason, clock_real_ns(), id) < 0)
        return -1;
    if (store_changes(s) == 0) return 0;
    *moved = true;
    return store_notify(s, err, "measurement.done", ID_MEASUREMENT, id, "state", name, "outcome",
                        outcome, "reason", reason, NULL);
}

bool measurement_is_over(const struct measurement_row *row) {
    return row->state == MEASUREMENT_DONE || row->state == MEASUREMENT_CANCELLED;
}

void measurement_clear(struct measurement_row *r) {
    free(r->task);
    free(r->task_dir);
    free(r->task_digest);
    free(r->outcome);
    free(r->reason);
    free(r->kind);
    *r = (struct measurement_row){0};
}

void measurements_free(struct measurement_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) measurement_clear(&rows[i]);
    free(rows);
}

int arm_list(struct store *s, int64_t measurement, struct arm_row **out, size_t *count,
             struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT measurement, position, kind, version, snapshot, state, outcome, reason"
                    " FROM arms WHERE measurement=? ORDER BY position",
                    "i", measurement) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        struct arm_row *grown = reallocarray(*out, *count + 1, sizeof *grown);
        if (!grown) return error_sys(err, ENOMEM, "arms");
        *out = grown;
        grown[(*count)++] = (struct arm_row){
            query_int(&q, 0),    query_int(&q, 1),    query_string(&q, 2), query_int(&q, 3),
            query_string(&q, 4), query_string(&q, 5), query_string(&q, 6), query_string(&q, 7)};
    }
    return rc;
}

int arm_leave(struct store *s, int64_t measurement, int64_t position, const char *outcome,
              const char *reason, struct error *err) {
    if (store_sql(s, err,
                  "UPDATE arms SET state='left', outcome=?, reason=?"
                  " WHERE measurement=? AND position=? AND state='active'",
                  "ssii", outcome, reason, measurement, position) < 0)
        return -1;
    return store_sql(s, err,
                     "UPDATE slots SET state='skipped'"
                     " WHERE measurement=? AND arm=? AND state='pending'",
                     "ii", measurement, position);
}

void arms_free(struct arm_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(rows[i].kind);
        free(rows[i].snapshot);
        free(rows[i].state);
        free(rows[i].outcome);
        free(rows[i].reason);
    }
    free(rows);
}
