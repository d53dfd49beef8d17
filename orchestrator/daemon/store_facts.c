/* Small facts about the installation, built trees, and the queue. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/daemon/queue.h"
#include "orchestrator/daemon/store_sql.h"

int store_meta_get(struct store *s, const char *key, char **value, struct error *err) {
    *value = NULL;
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err, "SELECT value FROM meta WHERE key=?", "s", key) < 0) return -1;
    int rc = query_step(&q);
    if (rc > 0) *value = query_string(&q, 0);
    return rc < 0 ? -1 : 0;
}

int store_meta_set(struct store *s, const char *key, const char *value, struct error *err) {
    return store_sql(s, err,
                     "INSERT INTO meta(key, value) VALUES(?1,?2)"
                     " ON CONFLICT(key) DO UPDATE SET value=?2",
                     "ss", key, value);
}

int store_built_get(struct store *s, const char *key, char **dir, struct error *err) {
    *dir = NULL;
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err, "SELECT dir FROM built WHERE key=?", "s", key) < 0) return -1;
    int rc = query_step(&q);
    if (rc > 0) *dir = query_string(&q, 0);
    return rc < 0 ? -1 : 0;
}

int store_built_put(struct store *s, const char *key, const char *dir, const char *snapshot,
                    struct error *err) {
    return store_sql(s, err,
                     "INSERT OR REPLACE INTO built(key, dir, snapshot, created_ns)"
                     " VALUES(?,?,?,?)",
                     "sssi", key, dir, snapshot, clock_real_ns());
}

int store_built_delete(struct store *s, const char *key, struct error *err) {
    return store_sql(s, err, "DELETE FROM built WHERE key=?", "s", key);
}

int store_built_list(struct store *s, struct built_row **out, size_t *count, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err, "SELECT key, dir, snapshot FROM built", "") < 0) return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        struct built_row *grown = reallocarray(*out, *count + 1, sizeof *grown);
        if (!grown) return error_sys(err, ENOMEM, "built");
        *out = grown;
        grown[(*count)++] =
            (struct built_row){query_string(&q, 0), query_string(&q, 1), query_string(&q, 2)};
    }
    return rc;
}

void built_rows_free(struct built_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(rows[i].key);
        free(rows[i].dir);
        free(rows[i].snapshot);
    }
    free(rows);
}

int queue_load(struct store *s, struct queue_job **out, size_t *count, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT 0, id, ticket FROM versions WHERE state NOT IN ('done', 'cancelled')"
                    " UNION ALL SELECT 1, id, ticket FROM measurements"
                    " WHERE state NOT IN ('done', 'cancelled')",
                    "") < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        struct queue_job *grown = reallocarray(*out, *count + 1, sizeof *grown);
        if (!grown) return error_sys(err, ENOMEM, "queue");
        *out = grown;
        grown[(*count)++] = (struct queue_job){.kind = (enum queue_kind)query_int(&q, 0),
                                               .id = query_int(&q, 1),
                                               .ticket = query_int(&q, 2)};
    }
    return rc;
}
