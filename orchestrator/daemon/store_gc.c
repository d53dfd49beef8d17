#include "orchestrator/daemon/store_gc.h"

#include "common/cleanup.h"
#include "orchestrator/daemon/store_sql.h"

int store_gc_runs(struct store *s, int64_t before_ns, int64_t **ids, size_t *count,
                  struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT r.id FROM runs r LEFT JOIN versions v ON v.id=r.version"
                    " WHERE r.measurement IS NULL AND r.state<>'running' AND r.ended_ns<?"
                    " AND (v.id IS NULL OR v.state IN ('done', 'cancelled'))"
                    " AND (r.state='void' OR EXISTS (SELECT 1 FROM runs n WHERE"
                    " n.version=r.version AND n.phase=r.phase AND n.measurement IS NULL"
                    " AND n.state='done' AND n.id>r.id))",
                    "i", before_ns) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        int64_t *grown = reallocarray(*ids, *count + 1, sizeof *grown);
        if (!grown) return error_sys(err, ENOMEM, "gc");
        *ids = grown;
        grown[(*count)++] = query_int(&q, 0);
    }
    return rc;
}

static int ask(struct query *q, bool *yes) {
    int rc = query_step(q);
    if (rc > 0) *yes = query_int(q, 0) != 0;
    return rc < 0 ? -1 : 0;
}

int store_gc_snapshot_busy(struct store *s, const char *sha256, bool *busy, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT EXISTS (SELECT 1 FROM versions WHERE snapshot=?1"
                    " AND state NOT IN ('done', 'cancelled')) OR EXISTS (SELECT 1 FROM arms a"
                    " JOIN measurements m ON m.id=a.measurement WHERE a.snapshot=?1"
                    " AND m.state NOT IN ('done', 'cancelled'))",
                    "s", sha256) < 0)
        return -1;
    return ask(&q, busy);
}

int store_gc_snapshot_known(struct store *s, const char *sha256, bool *known, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT EXISTS (SELECT 1 FROM versions WHERE snapshot=?1)"
                    " OR EXISTS (SELECT 1 FROM arms WHERE snapshot=?1)",
                    "s", sha256) < 0)
        return -1;
    return ask(&q, known);
}
