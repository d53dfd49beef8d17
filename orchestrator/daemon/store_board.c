#include "orchestrator/daemon/store_board.h"

#include "common/cleanup.h"
#include "orchestrator/daemon/store_sql.h"

int board_scores(struct store *s, const char *task_digest, int64_t step, struct score_row **out,
                 size_t *count, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT s.measurement, s.arm, s.version, s.outcome, s.reason, s.document,"
                    " s.created_ns FROM scores s JOIN measurements m ON m.id = s.measurement"
                    " WHERE m.task_digest=? AND m.step=?"
                    " AND s.id = (SELECT max(id) FROM scores WHERE version = s.version"
                    " AND outcome <> 'invalid-environment')"
                    " ORDER BY s.version",
                    "si", task_digest, step) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        struct score_row *grown = reallocarray(*out, *count + 1, sizeof *grown);
        if (!grown) return error_sys(err, ENOMEM, "board");
        *out = grown;
        grown[(*count)++] = (struct score_row){
            query_int(&q, 0),    query_int(&q, 1),    query_int(&q, 2), query_string(&q, 3),
            query_string(&q, 4), query_string(&q, 5), query_int(&q, 6)};
    }
    return rc;
}

int experiment_valid_count(struct store *s, int64_t experiment, int64_t *count, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT count(*) FROM versions WHERE experiment=? AND outcome='valid'"
                    " AND parent IS NOT NULL",
                    "i", experiment) < 0)
        return -1;
    int rc = query_step(&q);
    if (rc > 0) *count = query_int(&q, 0);
    return rc > 0 ? 0 : -1;
}
