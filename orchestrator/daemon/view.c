#include "orchestrator/daemon/view.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/store_call.h"

#include <math.h>
#include <string.h>

#define DOCUMENT_MAX ((size_t)16 << 20)
#define RUNS_SHOWN   1000

void view_time(struct json_writer *w, const char *key, int64_t real_ns) {
    char text[32];
    if (real_ns) clock_format_utc(real_ns, text);
    json_put_string(w, key, real_ns ? text : NULL);
}

void view_id(struct json_writer *w, const char *key, char kind, int64_t id) {
    char name[ID_MAX];
    json_put_string(w, key, id ? id_format(kind, id, name) : NULL);
}

void view_seconds(struct json_writer *w, const char *key, int64_t ns) {
    json_put_double(w, key, ns ? (double)ns / (double)NS_PER_SEC : NAN);
}

void view_json(struct json_writer *w, const char *key, const char *text) {
    _cleanup_json_ struct json *doc = text ? json_parse(key, text, strlen(text), NULL) : NULL;
    if (doc) json_put_value(w, key, doc);
    else json_put_null(w, key);
}

int view_spent(struct json_writer *w, struct store *s, int64_t experiment, struct error *err) {
    struct call_totals t;
    if (call_sum(s, experiment, &t, err) < 0) return -1;
    json_open_object(w, "spent");
    json_put_int(w, "calls", t.calls);
    json_put_int(w, "input_tokens", t.input);
    json_put_int(w, "cached_tokens", t.cached);
    json_put_int(w, "output_tokens", t.output);
    json_put_int(w, "reasoning_tokens", t.reasoned);
    json_put_double(w, "cost", t.cost);
    json_close_object(w);
    return 0;
}

void view_experiment(struct json_writer *w, const struct experiment_row *e) {
    view_id(w, "id", ID_EXPERIMENT, e->id);
    json_put_string(w, "task", e->task);
    json_put_int(w, "step", e->step);
    json_put_string(w, "task_dir", e->task_dir);
    json_put_string(w, "task_digest", e->task_digest);
    json_put_string(w, "agent", e->agent);
    json_put_string(w, "label", e->label);
    json_put_string(w, "key", e->key);
    json_put_string(w, "sweep", e->sweep);
    view_json(w, "config", e->config);
    json_put_string(w, "state", e->state);
    json_put_string(w, "reason", e->reason);
    view_time(w, "created", e->created_ns);
    view_time(w, "finished", e->ended_ns);
}

void view_version(struct json_writer *w, const struct version_row *v) {
    view_id(w, "id", ID_VERSION, v->id);
    view_id(w, "experiment", ID_EXPERIMENT, v->experiment);
    view_id(w, "parent", ID_VERSION, v->parent);
    json_put_int(w, "depth", v->depth);
    json_put_string(w, "hypothesis", v->hypothesis);
    json_put_string(w, "snapshot", v->snapshot);
    json_put_string(w, "state", version_state_names[v->state]);
    json_put_string(w, "outcome", v->outcome);
    json_put_string(w, "rule", v->rule);
    json_put_string(w, "reason", v->reason);
    view_seconds(w, "seconds", v->wall_ns);
    json_put_double(w, "metric", v->metric);
    json_put_string(w, "key", v->key);
    view_json(w, "note", v->note);
    view_time(w, "created", v->created_ns);
    view_time(w, "finished", v->ended_ns);
}

void view_run(struct json_writer *w, const struct run_row *r) {
    view_id(w, "id", ID_RUN, r->id);
    view_id(w, "version", ID_VERSION, r->owner.version);
    view_id(w, "measurement", ID_MEASUREMENT, r->owner.measurement);
    if (r->owner.measurement) json_put_int(w, "arm", r->owner.arm);
    else json_put_null(w, "arm");
    json_put_string(w, "phase", r->phase);
    json_put_string(w, "purpose", r->purpose);
    json_put_string(w, "state", run_state_names[r->state]);
    /* A seed is a secret until its run is over. */
    json_put_string(w, "seed", r->state == RUN_RUNNING ? NULL : r->seed);
    json_put_string(w, "ended", r->ended);
    if (r->wall_ns) json_put_int(w, "wall_ns", r->wall_ns);
    else json_put_null(w, "wall_ns");
    view_seconds(w, "wall_s", r->wall_ns);
    json_put_double(w, "metric", r->metric);
    json_put_string(w, "reason", r->reason);
    json_put_string(w, "result_sha256", r->result_sha256);
    if (r->daemon_cpu_ns) json_put_int(w, "daemon_cpu_ns", r->daemon_cpu_ns);
    else json_put_null(w, "daemon_cpu_ns");
    view_time(w, "created", r->created_ns);
    view_time(w, "finished", r->ended_ns);
}

void view_measurement(struct json_writer *w, const struct measurement_row *m) {
    view_id(w, "id", ID_MEASUREMENT, m->id);
    json_put_string(w, "task", m->task);
    json_put_int(w, "step", m->step);
    json_put_string(w, "task_digest", m->task_digest);
    json_put_string(w, "kind", m->kind);
    json_put_string(w, "state", measurement_state_names[m->state]);
    json_put_string(w, "outcome", m->outcome);
    json_put_string(w, "reason", m->reason);
    json_put_int(w, "blocks_min", m->blocks_min);
    json_put_int(w, "blocks_max", m->blocks_max);
    json_put_double(w, "half_width", m->half_width);
    json_put_double(w, "budget_s", m->budget_s > 0 ? m->budget_s : NAN);
    json_put_int(w, "blocks", m->blocks);
    view_time(w, "created", m->created_ns);
    view_time(w, "finished", m->ended_ns);
}

/* Text that we wrote as JSON ourselves. */
static void put_json_text(struct json_writer *w, const char *key, const char *text) {
    _cleanup_json_ struct json *doc = json_parse(key, text, strlen(text), NULL);
    if (doc) json_put_value(w, key, doc);
    else json_put_null(w, key);
}

void view_event(struct json_writer *w, const struct event *e) {
    json_open_object(w, NULL);
    json_put_int(w, "seq", e->seq);
    view_time(w, "at", e->at_ns);
    json_put_string(w, "type", e->type);
    json_put_string(w, "subject", e->subject);
    put_json_text(w, "data", e->data);
    json_close_object(w);
}

int view_runs_of(struct json_writer *w, struct store *s, int64_t version, struct error *err) {
    struct run_row *runs = NULL;
    size_t count = 0;
    int rc = run_list(s, version, 0, RUNS_SHOWN, &runs, &count, err);
    json_open_array(w, "runs");
    for (size_t i = count; i > 0; i--) {
        json_open_object(w, NULL);
        view_run(w, &runs[i - 1]);
        json_close_object(w);
    }
    json_close_array(w);
    runs_free(runs, count);
    return rc;
}

/* The members of an object that we wrote ourselves. */
static void put_members(struct json_writer *w, const char *text) {
    _cleanup_json_ struct json *doc = json_parse("score", text, strlen(text), NULL);
    for (size_t i = 0; doc && i < json_count(doc); i++)
        json_put_value(w, json_key_at(doc, i), json_at(doc, i));
}

void view_score(struct json_writer *w, const struct score_row *r) {
    view_id(w, "measurement", ID_MEASUREMENT, r->measurement);
    view_id(w, "version", ID_VERSION, r->version);
    json_put_int(w, "arm", r->arm);
    json_put_string(w, "outcome", r->outcome);
    json_put_string(w, "reason", r->reason);
    put_members(w, r->document);
    view_time(w, "created", r->created_ns);
}

int view_scores_of(struct json_writer *w, struct store *s, int64_t measurement, int64_t version,
                   struct error *err) {
    struct score_row *rows = NULL;
    size_t count = 0;
    int rc = score_list(s, measurement, version, &rows, &count, err);
    json_open_array(w, "scores");
    for (size_t i = 0; i < count; i++) {
        json_open_object(w, NULL);
        view_score(w, &rows[i]);
        json_close_object(w);
    }
    json_close_array(w);
    scores_free(rows, count);
    return rc;
}

static int put_arms(struct json_writer *w, struct store *s, const struct measurement_row *m,
                    struct error *err) {
    struct arm_row *arms = NULL;
    size_t count = 0;
    int rc = arm_list(s, m->id, &arms, &count, err);
    json_open_array(w, "arms");
    for (size_t i = 0; i < count; i++) {
        json_open_object(w, NULL);
        json_put_int(w, "position", arms[i].position);
        json_put_string(w, "kind", arms[i].kind);
        if (!arms[i].version) json_put_int(w, "record", m->step + arms[i].position);
        view_id(w, "version", ID_VERSION, arms[i].version);
        json_put_string(w, "snapshot", arms[i].snapshot);
        json_put_string(w, "state", arms[i].state);
        json_put_string(w, "outcome", arms[i].outcome);
        json_put_string(w, "reason", arms[i].reason);
        json_close_object(w);
    }
    json_close_array(w);
    arms_free(arms, count);
    return rc;
}

static void put_slot(struct json_writer *w, const struct slot_row *r) {
    json_open_object(w, NULL);
    json_put_int(w, "block", r->block);
    json_put_int(w, "position", r->position);
    json_put_int(w, "arm", r->arm);
    json_put_string(w, "state", slot_state_names[r->state]);
    /* A seed is a secret until its run is over. */
    json_put_string(w, "seed", r->state == SLOT_PENDING ? NULL : r->seed);
    view_id(w, "run", ID_RUN, r->run);
    view_seconds(w, "wall_s", r->wall_ns);
    json_put_double(w, "metric", r->metric);
    json_put_string(w, "outcome", r->outcome);
    json_put_string(w, "rule", r->rule);
    json_put_string(w, "reason", r->reason);
    json_close_object(w);
}

int view_plan_of(struct json_writer *w, struct store *s, const struct measurement_row *m,
                 struct error *err) {
    if (put_arms(w, s, m, err) < 0) return -1;
    struct slot_row *slots = NULL;
    size_t count = 0;
    int rc = slot_list(s, m->id, &slots, &count, err);
    json_open_array(w, "slots");
    for (size_t i = 0; i < count; i++) put_slot(w, &slots[i]);
    json_close_array(w);
    slots_free(slots, count);
    return rc;
}

void view_document(struct json_writer *w, const char *key, const char *dir, const char *name) {
    _cleanup_free_ char *path = path_join(dir, name);
    _cleanup_json_ struct json *doc = path ? json_load(path, DOCUMENT_MAX, NULL) : NULL;
    if (doc) json_put_value(w, key, doc);
    else json_put_null(w, key);
}
