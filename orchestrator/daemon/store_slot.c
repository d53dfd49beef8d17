/* Slots and scores: the rows a measurement fills in and ends in. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/store_measure.h"
#include "orchestrator/daemon/store_sql.h"

#include <inttypes.h>
#include <string.h>

const char *const slot_state_names[] = {"pending", "done", "failed", "skipped", "void", NULL};

int block_add(struct store *s, int64_t measurement, struct slot_row *slots, size_t count,
              struct error *err) {
    for (size_t i = 0; i < count; i++)
        if (store_sql(s, err,
                      "INSERT INTO slots(measurement, block, position, arm, state)"
                      " VALUES(?,?,?,?,'pending')",
                      "iiii", measurement, slots[i].block, slots[i].position, slots[i].arm) < 0)
            return -1;
    return store_sql(s, err, "UPDATE measurements SET blocks=blocks+1 WHERE id=?", "i",
                     measurement);
}

static enum slot_state state_of(const char *name) {
    int i = 0;
    while (slot_state_names[i + 1] && strcmp(slot_state_names[i], name) != 0) i++;
    return (enum slot_state)i;
}

int slot_list(struct store *s, int64_t measurement, struct slot_row **out, size_t *count,
              struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT id, measurement, block, position, arm, seed, state, run, wall_ns,"
                    " metric, outcome, rule, reason FROM slots WHERE measurement=?"
                    " ORDER BY block, position",
                    "i", measurement) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        struct slot_row *grown = reallocarray(*out, *count + 1, sizeof *grown);
        if (!grown) return error_sys(err, ENOMEM, "slots");
        *out = grown;
        grown[(*count)++] = (struct slot_row){query_int(&q, 0),
                                              query_int(&q, 1),
                                              query_int(&q, 2),
                                              query_int(&q, 3),
                                              query_int(&q, 4),
                                              query_string(&q, 5),
                                              state_of(query_text(&q, 6)),
                                              query_int(&q, 7),
                                              query_int(&q, 8),
                                              query_double(&q, 9),
                                              query_string(&q, 10),
                                              query_string(&q, 11),
                                              query_string(&q, 12)};
    }
    return rc;
}

int slot_set_run(struct store *s, int64_t id, int64_t run, const char *seed, struct error *err) {
    return store_sql(s, err, "UPDATE slots SET run=?, seed=? WHERE id=?", "isi", run, seed, id);
}

int slot_end(struct store *s, const struct slot_row *row, struct error *err) {
    const char *state = slot_state_names[row->state];
    if (store_sql(s, err,
                  "UPDATE slots SET state=?, wall_ns=?, metric=?, outcome=?, rule=?, reason=?"
                  " WHERE id=? AND state='pending'",
                  "somsssi", state, row->wall_ns, row->metric, row->outcome, row->rule, row->reason,
                  row->id) < 0)
        return -1;
    char block[24], arm[24];
    snprintf(block, sizeof block, "%" PRId64, row->block);
    snprintf(arm, sizeof arm, "%" PRId64, row->arm);
    return store_notify(s, err, "measurement.slot", ID_MEASUREMENT, row->measurement, "block",
                        block, "arm", arm, "state", state, "outcome", row->outcome, NULL);
}

int64_t slots_left_out(const struct slot_row *rows, size_t count) {
    int64_t blocks = 0, last = -1;
    for (size_t i = 0; i < count; i++) /* in the order of blocks */
        if (rows[i].state == SLOT_VOID && rows[i].block != last) {
            last = rows[i].block;
            blocks++;
        }
    return blocks;
}

void slots_free(struct slot_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(rows[i].seed);
        free(rows[i].outcome);
        free(rows[i].rule);
        free(rows[i].reason);
    }
    free(rows);
}

int score_add(struct store *s, const struct score_row *row, struct error *err) {
    return store_sql(s, err,
                     "INSERT INTO scores(measurement, arm, version, outcome, reason, document,"
                     " created_ns) VALUES(?,?,?,?,?,?,?)",
                     "iiisssi", row->measurement, row->arm, row->version, row->outcome, row->reason,
                     row->document, clock_real_ns());
}

int score_list(struct store *s, int64_t measurement, int64_t version, struct score_row **out,
               size_t *count, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT measurement, arm, version, outcome, reason, document, created_ns"
                    " FROM scores WHERE measurement=?1 OR version=?2 ORDER BY id",
                    "ii", measurement, version) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        struct score_row *grown = reallocarray(*out, *count + 1, sizeof *grown);
        if (!grown) return error_sys(err, ENOMEM, "scores");
        *out = grown;
        grown[(*count)++] = (struct score_row){
            query_int(&q, 0),    query_int(&q, 1),    query_int(&q, 2), query_string(&q, 3),
            query_string(&q, 4), query_string(&q, 5), query_int(&q, 6)};
    }
    return rc;
}

void scores_free(struct score_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(rows[i].outcome);
        free(rows[i].reason);
        free(rows[i].document);
    }
    free(rows);
}
