#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/store_sql.h"
#include "orchestrator/daemon/store_version.h"

#include <inttypes.h>

#define EXPERIMENT_COLUMNS                                                                      \
    "id, task, task_dir, task_digest, step, agent, label, state, reason, created_ns, ended_ns," \
    " key, sweep, config"

static void read_experiment(const struct query *q, struct experiment_row *r) {
    *r = (struct experiment_row){.id = query_int(q, 0),
                                 .task = query_string(q, 1),
                                 .task_dir = query_string(q, 2),
                                 .task_digest = query_string(q, 3),
                                 .step = query_int(q, 4),
                                 .agent = query_string(q, 5),
                                 .label = query_string(q, 6),
                                 .state = query_string(q, 7),
                                 .reason = query_string(q, 8),
                                 .created_ns = query_int(q, 9),
                                 .ended_ns = query_int(q, 10),
                                 .key = query_string(q, 11),
                                 .sweep = query_string(q, 12),
                                 .config = query_string(q, 13)};
}

int experiment_add(struct store *s, struct experiment_row *row, struct error *err) {
    row->created_ns = clock_real_ns();
    if (store_sql(s, err,
                  "INSERT INTO experiments(task, task_dir, task_digest, step, agent, label,"
                  " state, created_ns, key, sweep, config) VALUES(?,?,?,?,?,?,'open',?,?,?,?)",
                  "sssississs", row->task, row->task_dir, row->task_digest, row->step, row->agent,
                  row->label, row->created_ns, row->key, row->sweep, row->config) < 0)
        return -1;
    row->id = store_last_id(s);
    char step[24];
    snprintf(step, sizeof step, "%" PRId64, row->step);
    return store_notify(s, err, "experiment.created", ID_EXPERIMENT, row->id, "task", row->task,
                        "step", step, "agent", row->agent, "label", row->label, "sweep", row->sweep,
                        NULL);
}

int experiment_get(struct store *s, int64_t id, struct experiment_row *out, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err, "SELECT " EXPERIMENT_COLUMNS " FROM experiments WHERE id=?", "i",
                    id) < 0)
        return -1;
    int rc = query_step(&q);
    if (rc == 0) return error_set(err, ERROR_NOT_FOUND, "no experiment e%" PRId64, id);
    if (rc > 0) read_experiment(&q, out);
    return rc > 0 ? 0 : -1;
}

int experiment_by_key(struct store *s, const char *key, int64_t *id, struct error *err) {
    _cleanup_query_ struct query q;
    *id = 0;
    if (query_start(&q, s, err, "SELECT id FROM experiments WHERE key=?", "s", key) < 0) return -1;
    int rc = query_step(&q);
    if (rc > 0) *id = query_int(&q, 0);
    return rc < 0 ? -1 : 0;
}

int experiment_list(struct store *s, const char *sweep, int64_t before, int64_t limit,
                    struct experiment_row **out, size_t *count, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT " EXPERIMENT_COLUMNS " FROM experiments"
                    " WHERE (?1=0 OR id<?1) AND (?3 IS NULL OR sweep=?3)"
                    " ORDER BY id DESC LIMIT ?2",
                    "iis", before, limit, sweep) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        struct experiment_row *grown = reallocarray(*out, *count + 1, sizeof *grown);
        if (!grown) return error_sys(err, ENOMEM, "experiments");
        *out = grown;
        read_experiment(&q, &grown[(*count)++]);
    }
    return rc;
}

int experiment_finish(struct store *s, int64_t id, const char *state, const char *reason,
                      struct error *err) {
    if (store_sql(
            s, err,
            "UPDATE experiments SET state=?, reason=?, ended_ns=? WHERE id=? AND state='open'",
            "ssii", state, reason, clock_real_ns(), id) < 0)
        return -1;
    if (store_changes(s) == 0)
        return error_set(err, ERROR_EXISTS, "experiment e%" PRId64 " is over already", id);
    return store_notify(s, err, "experiment.finished", ID_EXPERIMENT, id, "state", state, "reason",
                        reason, NULL);
}

void experiment_clear(struct experiment_row *r) {
    free(r->task);
    free(r->task_dir);
    free(r->task_digest);
    free(r->agent);
    free(r->label);
    free(r->state);
    free(r->reason);
    free(r->key);
    free(r->sweep);
    free(r->config);
    *r = (struct experiment_row){0};
}

void experiments_free(struct experiment_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) experiment_clear(&rows[i]);
    free(rows);
}
