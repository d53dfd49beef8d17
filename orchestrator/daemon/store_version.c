#include "orchestrator/daemon/store_version.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/store_sql.h"

#include <inttypes.h>
#include <string.h>

const char *const version_state_names[] = {"queued", "building",  "training", "examining",
                                           "done",   "cancelled", NULL};

#define VERSION_COLUMNS                                                                     \
    "id, experiment, parent, depth, hypothesis, snapshot, state, outcome, reason, wall_ns," \
    " metric, ticket, created_ns, ended_ns, rule, key, note"

static enum version_state state_of(const char *name) {
    for (int i = 0; version_state_names[i]; i++)
        if (strcmp(version_state_names[i], name) == 0) return (enum version_state)i;
    return VERSION_CANCELLED;
}

static void read_version(const struct query *q, struct version_row *r) {
    *r = (struct version_row){.id = query_int(q, 0),
                              .experiment = query_int(q, 1),
                              .parent = query_int(q, 2),
                              .depth = query_int(q, 3),
                              .hypothesis = query_string(q, 4),
                              .snapshot = query_string(q, 5),
                              .state = state_of(query_text(q, 6)),
                              .outcome = query_string(q, 7),
                              .reason = query_string(q, 8),
                              .wall_ns = query_int(q, 9),
                              .metric = query_double(q, 10),
                              .ticket = query_int(q, 11),
                              .created_ns = query_int(q, 12),
                              .ended_ns = query_int(q, 13),
                              .rule = query_string(q, 14),
                              .key = query_string(q, 15),
                              .note = query_string(q, 16)};
}

int version_add(struct store *s, struct version_row *row, struct error *err) {
    bool root = row->parent == 0;
    /* Nothing is run of a record, which is known, nor of what was given up. */
    const char *outcome = root ? "record" : row->outcome;
    row->created_ns = clock_real_ns();
    row->ended_ns = outcome ? row->created_ns : 0;
    row->state = outcome ? VERSION_DONE : VERSION_QUEUED;
    if (store_sql(s, err,
                  "INSERT INTO versions(experiment, parent, depth, hypothesis, snapshot, state,"
                  " outcome, reason, key, note, ticket, created_ns, ended_ns)"
                  " VALUES(?,?,?,?,?,?,?,?,?,?,"
                  " 1 + (SELECT coalesce(max(seq), 0) FROM events), ?, ?)",
                  "ioisssssssio", row->experiment, row->parent, row->depth, row->hypothesis,
                  row->snapshot, version_state_names[row->state], outcome, row->reason, row->key,
                  row->note, row->created_ns, row->ended_ns) < 0)
        return -1;
    row->id = store_last_id(s);
    char experiment[ID_MAX], parent[ID_MAX];
    id_format(ID_EXPERIMENT, row->experiment, experiment);
    id_format(ID_VERSION, row->parent, parent);
    return store_notify(s, err, "version.created", ID_VERSION, row->id, "experiment", experiment,
                        "parent", row->parent ? parent : NULL, "snapshot", row->snapshot, "outcome",
                        outcome, NULL);
}

int version_get(struct store *s, int64_t id, struct version_row *out, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err, "SELECT " VERSION_COLUMNS " FROM versions WHERE id=?", "i", id) < 0)
        return -1;
    int rc = query_step(&q);
    if (rc == 0) return error_set(err, ERROR_NOT_FOUND, "no version v%" PRId64, id);
    if (rc > 0) read_version(&q, out);
    return rc > 0 ? 0 : -1;
}

int version_list(struct store *s, int64_t experiment, struct version_row **out, size_t *count,
                 struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT " VERSION_COLUMNS " FROM versions WHERE experiment=? ORDER BY id", "i",
                    experiment) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        struct version_row *grown = reallocarray(*out, *count + 1, sizeof *grown);
        if (!grown) return error_sys(err, ENOMEM, "versions");
        *out = grown;
        read_version(&q, &grown[(*count)++]);
    }
    return rc;
}

int version_set_state(struct store *s, int64_t id, enum version_state state, bool *moved,
                      struct error *err) {
    const char *name = version_state_names[state];
    int64_t ended = state == VERSION_CANCELLED ? clock_real_ns() : 0;
    *moved = false;
    if (store_sql(s, err,
                  "UPDATE versions SET state=?1, ended_ns=?2 WHERE id=?3 AND state<>?1"
                  " AND state NOT IN ('done', 'cancelled')",
                  "soi", name, ended, id) < 0)
        return -1;
    if (store_changes(s) == 0) return 0;
    *moved = true;
    return store_notify(s, err, "version.state", ID_VERSION, id, "state", name, NULL);
}

int version_finish(struct store *s, const struct version_row *row, bool *moved, struct error *err) {
    *moved = false;
    if (store_sql(s, err,
                  "UPDATE versions SET state='done', outcome=?, rule=?, reason=?, wall_ns=?,"
                  " metric=?, ended_ns=? WHERE id=? AND state NOT IN ('done', 'cancelled')",
                  "sssomii", row->outcome, row->rule, row->reason, row->wall_ns, row->metric,
                  clock_real_ns(), row->id) < 0)
        return -1;
    if (store_changes(s) == 0) return 0;
    *moved = true;
    return store_notify(s, err, "version.done", ID_VERSION, row->id, "outcome", row->outcome,
                        "rule", row->rule, "reason", row->reason, NULL);
}

int version_by_key(struct store *s, int64_t experiment, const char *key, int64_t *id,
                   struct error *err) {
    _cleanup_query_ struct query q;
    *id = 0;
    if (query_start(&q, s, err, "SELECT id FROM versions WHERE experiment=? AND key=?", "is",
                    experiment, key) < 0)
        return -1;
    int rc = query_step(&q);
    if (rc > 0) *id = query_int(&q, 0);
    return rc < 0 ? -1 : 0;
}

int version_set_note(struct store *s, int64_t id, const char *note, struct error *err) {
    if (store_sql(s, err, "UPDATE versions SET note=? WHERE id=?", "si", note, id) < 0) return -1;
    return store_notify(s, err, "version.noted", ID_VERSION, id, NULL);
}

bool version_is_over(const struct version_row *row) {
    return row->state == VERSION_DONE || row->state == VERSION_CANCELLED;
}

void version_clear(struct version_row *r) {
    free(r->hypothesis);
    free(r->snapshot);
    free(r->outcome);
    free(r->rule);
    free(r->reason);
    free(r->key);
    free(r->note);
    *r = (struct version_row){0};
}

void versions_free(struct version_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) version_clear(&rows[i]);
    free(rows);
}
