#include "orchestrator/daemon/store_call.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/store_sql.h"

#include <inttypes.h>
#include <string.h>

#define CALL_FACTS                                                                     \
    "id, experiment, number, key, role, version, model, echoed, request_sha256, stop," \
    " input_tokens, cached_tokens, output_tokens, reasoning_tokens, cost, latency_ms," \
    " retries, error, began, created_ns"

static void read_facts(const struct query *q, struct call_row *r) {
    *r = (struct call_row){.id = query_int(q, 0),
                           .experiment = query_int(q, 1),
                           .number = query_int(q, 2),
                           .key = query_string(q, 3),
                           .role = query_string(q, 4),
                           .version = query_int(q, 5),
                           .model = query_string(q, 6),
                           .echoed = query_string(q, 7),
                           .request_sha256 = query_string(q, 8),
                           .stop = query_string(q, 9),
                           .input = query_int(q, 10),
                           .cached = query_int(q, 11),
                           .output = query_int(q, 12),
                           .reasoned = query_int(q, 13),
                           .cost = query_double(q, 14),
                           .latency_ms = query_int(q, 15),
                           .retries = query_int(q, 16),
                           .error = query_string(q, 17),
                           .began = query_string(q, 18),
                           .created_ns = query_int(q, 19)};
}

/* 1: found, and checked to be the same; 0: none. */
static int find_same(struct store *s, struct call_row *row, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT id, number, request_sha256 FROM calls WHERE experiment=?1 AND key=?2"
                    " AND (reply IS NOT NULL OR (began=?3 AND ?4=0))"
                    " ORDER BY reply IS NULL, id LIMIT 1",
                    "issi", row->experiment, row->key, row->began,
                    (int64_t)(row->reply != NULL)) < 0)
        return -1;
    int rc = query_step(&q);
    if (rc <= 0) return rc;
    row->id = query_int(&q, 0);
    row->number = query_int(&q, 1);
    if (str_eq(query_text(&q, 2), row->request_sha256)) return 1;
    return error_set(err, ERROR_EXISTS,
                     "key %s: call %" PRId64 " has it, which asked something else", row->key,
                     row->number);
}

static int notify(struct store *s, const struct call_row *row, struct error *err) {
    char number[24], tokens[24], cost[32];
    snprintf(number, sizeof number, "%" PRId64, row->number);
    snprintf(tokens, sizeof tokens, "%" PRId64, row->input + row->output);
    snprintf(cost, sizeof cost, "%.6f", row->cost);
    return store_notify(s, err, "experiment.call", ID_EXPERIMENT, row->experiment, "number", number,
                        "role", row->role, "model", row->model, "tokens", tokens, "cost", cost,
                        "error", row->error, NULL);
}

static int read_number(struct store *s, struct call_row *row, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err, "SELECT number FROM calls WHERE id=?", "i", row->id) < 0) return -1;
    int rc = query_step(&q);
    if (rc > 0) row->number = query_int(&q, 0);
    return rc > 0 ? 0 : -1;
}

int call_add(struct store *s, struct call_row *row, bool *made, struct error *err) {
    *made = false;
    int same = find_same(s, row, err);
    if (same) return same < 0 ? -1 : 0;
    row->created_ns = clock_real_ns();
    if (store_sql(s, err,
                  "INSERT INTO calls(experiment, number, key, role, version, model, echoed,"
                  " request_sha256, request, reply, reasoning, stop, input_tokens, cached_tokens,"
                  " output_tokens, reasoning_tokens, cost, latency_ms, retries, error, began,"
                  " created_ns) VALUES(?1,"
                  " 1 + (SELECT coalesce(max(number), 0) FROM calls WHERE experiment=?1),"
                  " ?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                  "issosssssssiiiidiissi", row->experiment, row->key, row->role, row->version,
                  row->model, row->echoed, row->request_sha256, row->request, row->reply,
                  row->reasoning, row->stop, row->input, row->cached, row->output, row->reasoned,
                  row->cost, row->latency_ms, row->retries, row->error, row->began,
                  row->created_ns) < 0)
        return -1;
    row->id = store_last_id(s);
    *made = true;
    return read_number(s, row, err) < 0 ? -1 : notify(s, row, err);
}

int call_get(struct store *s, int64_t experiment, int64_t number, struct call_row *out,
             struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT " CALL_FACTS ", request, reply, reasoning FROM calls"
                    " WHERE experiment=? AND number=?",
                    "ii", experiment, number) < 0)
        return -1;
    int rc = query_step(&q);
    if (rc == 0)
        return error_set(err, ERROR_NOT_FOUND, "e%" PRId64 " has no call %" PRId64, experiment,
                         number);
    if (rc < 0) return -1;
    read_facts(&q, out);
    out->request = query_string(&q, 20);
    out->reply = query_string(&q, 21);
    out->reasoning = query_string(&q, 22);
    return 0;
}

int call_by_key(struct store *s, int64_t experiment, const char *key, int64_t *number,
                struct error *err) {
    _cleanup_query_ struct query q;
    *number = 0;
    if (query_start(&q, s, err,
                    "SELECT number FROM calls WHERE experiment=? AND key=? AND reply IS NOT NULL",
                    "is", experiment, key) < 0)
        return -1;
    int rc = query_step(&q);
    if (rc > 0) *number = query_int(&q, 0);
    return rc < 0 ? -1 : 0;
}

int call_list(struct store *s, int64_t experiment, int64_t after, int64_t limit,
              struct call_row **out, size_t *count, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT " CALL_FACTS " FROM calls WHERE experiment=? AND number>?"
                    " ORDER BY number LIMIT ?",
                    "iii", experiment, after, limit) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        struct call_row *grown = reallocarray(*out, *count + 1, sizeof *grown);
        if (!grown) return error_sys(err, ENOMEM, "calls");
        *out = grown;
        read_facts(&q, &grown[(*count)++]);
    }
    return rc;
}

int call_sum(struct store *s, int64_t experiment, struct call_totals *out, struct error *err) {
    _cleanup_query_ struct query q;
    *out = (struct call_totals){0};
    if (query_start(&q, s, err,
                    "SELECT count(*), coalesce(sum(input_tokens), 0),"
                    " coalesce(sum(cached_tokens), 0), coalesce(sum(output_tokens), 0),"
                    " coalesce(sum(reasoning_tokens), 0), coalesce(sum(cost), 0.0)"
                    " FROM calls WHERE experiment=?",
                    "i", experiment) < 0)
        return -1;
    if (query_step(&q) <= 0) return -1;
    *out = (struct call_totals){query_int(&q, 0), query_int(&q, 1), query_int(&q, 2),
                                query_int(&q, 3), query_int(&q, 4), query_double(&q, 5)};
    return 0;
}

void call_clear(struct call_row *r) {
    char *const texts[] = {r->key,     r->role,  r->model,     r->echoed, r->request_sha256,
                           r->request, r->reply, r->reasoning, r->stop,   r->error,
                           r->began};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) free(texts[i]);
    *r = (struct call_row){0};
}

void calls_free(struct call_row *rows, size_t count) {
    for (size_t i = 0; i < count; i++) call_clear(&rows[i]);
    free(rows);
}
