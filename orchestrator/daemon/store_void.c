#include "orchestrator/daemon/store_void.h"

#include "orchestrator/daemon/store_sql.h"

#include <errno.h>
#include <stdlib.h>

int void_count(struct store *s, const struct run_owner *o, const char *phase, int64_t *count,
               char **reason, struct error *err) {
    _cleanup_query_ struct query q;
    *count = 0;
    if (query_start(&q, s, err,
                    "SELECT reason FROM runs WHERE measurement IS ? AND arm=? AND slot IS ?"
                    " AND phase=? AND outside=1 ORDER BY id DESC",
                    "oios", o->measurement, o->arm, o->slot, phase) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0)
        if ((*count)++ == 0) *reason = query_string(&q, 0);
    return rc;
}

int void_tally(struct store *s, int64_t measurement, struct void_tally *out, size_t arms,
               struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT arm, count(*), sum(outside) FROM runs WHERE measurement=?"
                    " AND phase='train' AND slot IS NOT NULL AND (state='done' OR outside=1)"
                    " GROUP BY arm",
                    "i", measurement) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        int64_t arm = query_int(&q, 0);
        if (arm < 0 || (size_t)arm >= arms) continue;
        out[arm].runs += query_int(&q, 1);
        out[arm].voids += query_int(&q, 2);
    }
    return rc;
}

int void_list(struct store *s, int64_t measurement, struct run_row **out, size_t *count,
              struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err, "SELECT id FROM runs WHERE measurement=? AND outside=1 ORDER BY id",
                    "i", measurement) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        struct run_row *grown = reallocarray(*out, *count + 1, sizeof *grown);
        if (!grown) return error_sys(err, ENOMEM, "runs");
        *out = grown;
        grown[*count] = (struct run_row){0};
        if (run_get(s, query_int(&q, 0), &grown[(*count)++], err) < 0) return -1;
    }
    return rc;
}

int measurement_set_fingerprint(struct store *s, int64_t id, const char *text, struct error *err) {
    return store_sql(s, err, "UPDATE measurements SET fingerprint=? WHERE id=?", "si", text, id);
}

int measurement_fingerprint(struct store *s, int64_t id, char **text, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err, "SELECT fingerprint FROM measurements WHERE id=?", "i", id) < 0)
        return -1;
    int rc = query_step(&q);
    if (rc > 0) *text = query_string(&q, 0);
    return rc < 0 ? -1 : 0;
}
