#include "orchestrator/daemon/store_run.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/store_sql.h"

#include <inttypes.h>
#include <string.h>

const char *const run_state_names[] = {"running", "done", "void", NULL};

#define RUN_COLUMNS                                                                       \
    "id, version, measurement, arm, slot, phase, purpose, state, pid, start_ticks, seed," \
    " result_sha256, ended, wall_ns, metric, reason, created_ns, ended_ns, outside,"      \
    " daemon_cpu_ns"

static enum run_state state_of(const char *name) {
    if (strcmp(name, "running") == 0) return RUN_RUNNING;
    return strcmp(name, "done") == 0 ? RUN_DONE : RUN_VOID;
}

static void read_run(const struct query *q, struct run_row *r) {
    *r = (struct run_row){
        .id = query_int(q, 0),
        .owner = {query_int(q, 1), query_int(q, 2), query_int(q, 3), query_int(q, 4)},
        .phase = query_string(q, 5),
        .purpose = query_string(q, 6),
        .state = state_of(query_text(q, 7)),
        .pid = query_int(q, 8),
        .start_ticks = query_int(q, 9),
        .seed = query_string(q, 10),
        .result_sha256 = query_string(q, 11),
        .ended = query_string(q, 12),
        .wall_ns = query_int(q, 13),
        .metric = query_double(q, 14),
        .reason = query_string(q, 15),
        .created_ns = query_int(q, 16),
        .ended_ns = query_int(q, 17),
        .outside = query_int(q, 18) != 0,
        .daemon_cpu_ns = query_int(q, 19)};
}

/* The event's members: what a follower needs to place the run. */
static int notify(struct store *s, const char *type, const struct run_row *r, const char *state,
                  struct error *err) {
    char version[ID_MAX], measurement[ID_MAX];
    id_format(ID_VERSION, r->owner.version, version);
    id_format(ID_MEASUREMENT, r->owner.measurement, measurement);
    return store_notify(s, err, type, ID_RUN, r->id, "phase", r->phase, "version",
                        r->owner.version ? version : NULL, "measurement",
                        r->owner.measurement ? measurement : NULL, "state", state, "ended",
                        r->ended, "reason", r->reason, NULL);
}

int run_add(struct store *s, struct run_row *row, struct error *err) {
    row->created_ns = clock_real_ns();
    row->state = RUN_RUNNING;
    const struct run_owner *o = &row->owner;
    if (store_sql(s, err,
                  "INSERT INTO runs(version, measurement, arm, slot, phase, purpose, state, seed,"
                  " created_ns) VALUES(?,?,?,?,?,?,'running',?,?)",
                  "ooiosssi", o->version, o->measurement, o->arm, o->slot, row->phase,
                  o->measurement ? "measure" : "explore", row->seed, row->created_ns) < 0)
        return -1;
    row->id = store_last_id(s);
    return notify(s, "run.started", row, NULL, err);
}

int run_set_process(struct store *s, int64_t id, int64_t pid, int64_t start_ticks,
                    struct error *err) {
    return store_sql(s, err, "UPDATE runs SET pid=?, start_ticks=? WHERE id=?", "ooi", pid,
                     start_ticks, id);
}

int run_end(struct store *s, const struct run_row *row, struct error *err) {
    if (store_sql(s, err,
                  "UPDATE runs SET state=?, result_sha256=?, ended=?, wall_ns=?, metric=?,"
                  " reason=?, ended_ns=?, outside=?, daemon_cpu_ns=? WHERE id=?",
                  "sssomsiioi", run_state_names[row->state], row->result_sha256, row->ended,
                  row->wall_ns, row->metric, row->reason, clock_real_ns(), (int64_t)row->outside,
                  row->daemon_cpu_ns, row->id) < 0)
        return -1;
    return notify(s, "run.ended", row, run_state_names[row->state], err);
}

int run_get(struct store *s, int64_t id, struct run_row *out, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err, "SELECT " RUN_COLUMNS " FROM runs WHERE id=?", "i", id) < 0)
        return -1;
    int rc = query_step(&q);
    if (rc == 0) return error_set(err, ERROR_NOT_FOUND, "no run r%" PRId64, id);
    if (rc > 0) read_run(&q, out);
    return rc > 0 ? 0 : -1;
}

int run_latest(struct store *s, const struct run_owner *o, const char *phase, struct run_row *out,
               bool *found, int64_t *voids, struct error *err) {
    *found = false;
    *voids = 0;
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT " RUN_COLUMNS " FROM runs WHERE version IS ? AND measurement IS ?"
                    " AND arm=? AND slot IS ? AND phase=? ORDER BY id DESC",
                    "ooios", o->version, o->measurement, o->arm, o->slot, phase) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        if (state_of(query_text(&q, 7)) == RUN_VOID) {
            if ((*voids)++ == 0 && !*found) out->reason = query_string(&q, 15);
        } else if (!*found) {
            run_clear(out);
            read_run(&q, out);
            *found = true;
        }
    }
    return rc;
}

int run_running(struct store *s, struct run_row **out, size_t *count, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT " RUN_COLUMNS " FROM runs WHERE state='running' ORDER BY id", "") < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        struct run_row *grown = reallocarray(*out, *count + 1, sizeof *grown);
        if (!grown) return error_sys(err, ENOMEM, "runs");
        *out = grown;
        read_run(&q, &grown[(*count)++]);
    }
    return rc;
}

int run_list(struct store *s, int64_t version, int64_t before, int64_t limit, struct run_row **out,
             size_t *count, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT " RUN_COLUMNS " FROM runs WHERE (?1=0 OR version=?1)"
                    " AND (?2=0 OR id<?2) ORDER BY id DESC LIMIT ?3",
                    "iii", version, before, limit) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        struct run_row *grown = reallocarray(*out, *count + 1, sizeof *grown);
        if (!grown) return error_sys(err, ENOMEM, "runs");
        *out = grown;
        read_run(&q, &grown[(*count)++]);
    }
    return rc;
}

int run_list_measured(struct store *s, int64_t measurement, struct run_row **out, size_t *count,
                      struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err, "SELECT " RUN_COLUMNS " FROM runs WHERE measurement=? ORDER BY id",
                    "i", measurement) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        struct run_row *grown = reallocarray(*out, *count + 1, sizeof *grown);
        if (!grown) return error_sys(err, ENOMEM, "runs");
        *out = grown;
        read_run(&q, &grown[(*count)++]);
    }
    return rc;
}

void run_clear(struct run_row *r) {
    free(r->phase);
    free(r->purpose);
    free(r->seed);
    free(r->result_sha256);
    free(r->ended);
    free(r->reason);
    *r = (struct run_row){0};
}

void runs_free(struct run_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) run_clear(&rows[i]);
    free(rows);
}
