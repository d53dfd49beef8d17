#include "orchestrator/client/report_read.h"

#include "common/cleanup.h"
#include "orchestrator/client/reply.h"

#include <math.h>
#include <string.h>

/* Copies of texts; false only when out of memory. */
static bool copy(const char *text, char **out) {
    *out = text ? strdup(text) : NULL;
    return !text || *out;
}

static bool take(const struct json *v, const char *path, char **out) {
    return copy(reply_text(v, path), out);
}

/* ---- what an experiment is sorted by: its config ---- */

static void put_hints(const struct json *config, struct buf *out) {
    const struct json *hints = reply_find(config, "hints");
    size_t count = reply_count(config, "hints");
    if (!hints) buf_puts(out, "–");
    else if (count == 0) buf_puts(out, "none");
    for (size_t i = 0; i < count; i++) {
        int64_t level = reply_int(reply_at(config, "hints", i), "", -1);
        buf_printf(out, "%s%lld", i ? "+" : "", (long long)level);
    }
}

/* A search that has no name is named by its settings. */
static void put_search(const struct json *config, struct buf *out) {
    const struct json *search = reply_find(config, "search");
    const char *name = reply_text(search, "");
    if (name) buf_puts(out, name);
    for (size_t i = 0; !name && search && i < json_count(search); i++) {
        double n = reply_number(json_at(search, i), "", NAN);
        if (isfinite(n))
            buf_printf(out, "%s%s=%g", out->len ? " " : "",
                       json_type(search) == JSON_OBJECT ? json_key_at(search, i) : "", n);
    }
    if (out->len == 0) buf_puts(out, "–");
}

static void put_model(const struct json *doc, const struct json *config, struct buf *out) {
    const char *model = reply_text(config, "model"), *label = reply_text(doc, "label");
    const char *agent = reply_text_or(doc, "agent", "?");
    if (model) buf_puts(out, model);
    else if (label && str_eq(agent, "replay")) buf_printf(out, "replay (%s)", label);
    else buf_puts(out, agent);
    const struct json *roles = reply_find(config, "models");
    for (size_t i = 0; roles && json_type(roles) == JSON_OBJECT && i < json_count(roles); i++)
        buf_printf(out, ", %s: %s", json_key_at(roles, i),
                   reply_text_or(json_at(roles, i), "", "?"));
}

static bool read_names(const struct json *doc, struct report_experiment *e) {
    const struct json *config = reply_find(doc, "config");
    _cleanup_buf_ struct buf model = {0}, hints = {0}, search = {0};
    put_model(doc, config, &model);
    put_hints(config, &hints);
    put_search(config, &search);
    e->model = buf_steal(&model);
    e->hints = buf_steal(&hints);
    e->search = buf_steal(&search);
    e->seed = reply_int(config, "seed", 0);
    return e->model && e->hints && e->search;
}

/* ---- versions ---- */

static bool read_score(const struct json *v, struct report_score *s) {
    size_t count = reply_count(v, "scores");
    const struct json *newest = count ? reply_at(v, "scores", count - 1) : NULL;
    s->fsr = reply_number(newest, "fsr", NAN);
    s->low = reply_number(newest, "low", NAN);
    s->high = reply_number(newest, "high", NAN);
    s->level = reply_number(newest, "level", NAN);
    s->mean_s = reply_number(newest, "mean_s", NAN);
    s->mean_a_s = reply_number(newest, "mean_a_s", NAN);
    s->mean_b_s = reply_number(newest, "mean_b_s", NAN);
    s->luck_fsr = reply_number(newest, "search.luck_fsr", NAN);
    return take(newest, "measurement", &s->measurement) && take(newest, "outcome", &s->outcome) &&
           take(newest, "reason", &s->reason);
}

/* What the agent says of it: the idea was its hypothesis, so the summary comes after. */
static bool read_note(const struct json *v, struct report_version *out) {
    const char *key = reply_text(v, "note.summary") ? "note.summary" : "note.change";
    return take(v, "note.kind", &out->kind) && take(v, key, &out->summary);
}

static bool read_version(const struct json *v, struct report_version *out) {
    out->parent = SIZE_MAX;
    out->seconds = reply_number(v, "seconds", NAN);
    out->metric = reply_number(v, "metric", NAN);
    return take(v, "id", &out->id) && take(v, "hypothesis", &out->hypothesis) &&
           take(v, "state", &out->state) && take(v, "outcome", &out->outcome) &&
           take(v, "rule", &out->rule) && take(v, "reason", &out->reason) &&
           read_score(v, &out->score) && read_note(v, out);
}

static int by_number(const void *a, const void *b) {
    int64_t x = reply_id_number(((const struct report_version *)a)->id);
    int64_t y = reply_id_number(((const struct report_version *)b)->id);
    return (x > y) - (x < y);
}

static const char *parent_of(const struct json *doc, const char *id) {
    for (size_t i = 0; i < reply_count(doc, "versions"); i++) {
        const struct json *v = reply_at(doc, "versions", i);
        if (str_eq(reply_text(v, "id"), id)) return reply_text(v, "parent");
    }
    return NULL;
}

/* A parent is older than its child. */
static void link_parents(const struct json *doc, struct report_experiment *e) {
    for (size_t i = 0; i < e->count; i++) {
        const char *parent = parent_of(doc, e->versions[i].id);
        for (size_t j = 0; parent && j < i; j++)
            if (str_eq(e->versions[j].id, parent)) e->versions[i].parent = j;
    }
}

static bool read_versions(const struct json *doc, struct report_experiment *e) {
    size_t count = reply_count(doc, "versions");
    e->versions = calloc(count + 1, sizeof *e->versions);
    if (!e->versions) return false;
    for (size_t i = 0; i < count; i++) {
        const struct json *v = reply_at(doc, "versions", i);
        if (reply_id_number(reply_text(v, "id")) == 0) continue;
        if (!read_version(v, &e->versions[e->count++])) return false;
    }
    qsort(e->versions, e->count, sizeof *e->versions, by_number);
    link_parents(doc, e);
    return true;
}

static struct report_spent read_spent(const struct json *doc) {
    return (struct report_spent){.calls = reply_int(doc, "spent.calls", 0),
                                 .input = reply_int(doc, "spent.input_tokens", 0),
                                 .cached = reply_int(doc, "spent.cached_tokens", 0),
                                 .output = reply_int(doc, "spent.output_tokens", 0),
                                 .reasoned = reply_int(doc, "spent.reasoning_tokens", 0),
                                 .cost = reply_number(doc, "spent.cost", 0)};
}

int report_read_experiment(const struct json *doc, struct report_experiment *out,
                           struct error *err) {
    const char *id = reply_text_or(doc, "id", "");
    if (reply_check_id(id, "e", err) < 0) return error_wrap(err, "answer");
    out->number = reply_id_number(id);
    out->best = SIZE_MAX;
    out->fsr = out->recovered_s = NAN;
    out->spent = read_spent(doc);
    bool whole = take(doc, "id", &out->id) && take(doc, "agent", &out->agent) &&
                 take(doc, "label", &out->label) && take(doc, "key", &out->key) &&
                 take(doc, "sweep", &out->sweep) && take(doc, "state", &out->state) &&
                 take(doc, "reason", &out->reason) && read_names(doc, out) &&
                 read_versions(doc, out);
    return whole ? 0 : error_sys(err, ENOMEM, "%s", id);
}

/* ---- tasks ---- */

static const char *record_title(const struct json *doc, int64_t record) {
    return record > 0 ? reply_text(reply_at(doc, "records", (size_t)record - 1), "title") : NULL;
}

struct report_task *report_read_task(const struct json *experiment, const struct json *doc,
                                     struct error *err) {
    struct report_task *t = calloc(1, sizeof *t);
    if (!t) goto lost;
    t->step = reply_int(experiment, "step", 1);
    t->record_s = NAN;
    t->scored = reply_is_race(doc);
    t->higher_is_better = reply_bool(doc, "higher_is_better", false);
    bool whole = copy(reply_text_or(experiment, "task", "?"), &t->name) &&
                 take(doc, "title", &t->title) && take(doc, "metric", &t->metric) &&
                 take(doc, "unit", &t->unit) && take(experiment, "task_digest", &t->digest) &&
                 copy(record_title(doc, t->step), &t->from) &&
                 copy(record_title(doc, t->step + 1), &t->to);
    if (whole) return t;
    report_task_free(t);
lost:
    error_sys(err, ENOMEM, "task");
    return NULL;
}
