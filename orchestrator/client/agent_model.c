/*
 * The kind `model`: models ideate, code and analyse, the search says where.
 *
 * Everything it knows is in the daemon: config, nodes, notes, calls. Each round reads
 * them, asks the search what is next, and does that one thing; so one that was killed
 * goes on where it was, and has lost at most the call in flight.
 */
#include "orchestrator/client/agent_model.h"

#include "common/cleanup.h"
#include "orchestrator/client/agent_files.h"
#include "orchestrator/client/agent_node.h"
#include "orchestrator/client/reply.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static void shop_clear(struct agent_shop *s) {
    agent_brief_clear(&s->brief);
    agent_talk_clear(&s->talk);
    free(s->over);
}

/* ---- the record's value ---- */

/* What the newest calibration of the task says of the record; NAN: there is none. */
static int calibrated(struct agent *a, const struct json *experiment, double *out,
                      struct error *err) {
    _cleanup_json_ struct json *doc = NULL;
    _cleanup_error_ struct error why = {0};
    _cleanup_free_ char *path = http_task_path(experiment);
    *out = NAN;
    if (!path) return error_sys(err, ENOMEM, "calibration");
    if (http_getf(a->http, &doc, &why, "/v1/tasks/%s/calibration", path) < 0)
        return why.kind == ERROR_NOT_FOUND ? 0 : error_move(err, &why);
    int64_t step = reply_int(experiment, "step", 1);
    for (size_t i = 0; i < reply_count(doc, "records"); i++) {
        const struct json *r = reply_at(doc, "records", i);
        if (reply_int(r, "record", 0) == step)
            *out = reply_number(r, reply_is_race(a->task) ? "mean_s" : "metric", NAN);
    }
    return 0;
}

/* Submits a version that is no node, and waits for it; *out is its value. `edits` is an
 * array of them, or NULL: the record as it is. */
static int run_once(struct agent *a, const char *root, const char *key, const char *hypothesis,
                    const struct json *edits, double *out, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    _cleanup_json_ struct json *made = NULL, *over = NULL;
    if (!w) return error_sys(err, ENOMEM, "baseline");
    json_open_object(w, NULL);
    json_put_string(w, "parent", root);
    json_put_string(w, "key", key);
    json_put_string(w, "hypothesis", hypothesis);
    if (edits) json_put_value(w, "edits", edits);
    json_close_object(w);
    if (http_postf(a->http, w, &made, err, "/v1/experiments/%s/versions", a->experiment) < 0)
        return -1;
    const char *id = reply_text_or(made, "id", "");
    if (reply_check_id(id, "v", err) < 0 || agent_wait(a, id, &over, err) < 0) return -1;
    agent_say(a, over);
    *out = agent_tree_value(a->task, over);
    return 0;
}

/* What the start's version makes of the record, as edits: the files that the task lets
 * be changed. */
static int run_start(struct agent *a, const char *root, const char *start, double *out,
                     struct error *err) {
    _cleanup_json_ struct json *edits = NULL;
    _cleanup_free_ char *hypothesis = str_printf("The files of %s, to go on from.", start);
    if (!hypothesis) return error_sys(err, ENOMEM, "start");
    if (agent_files_edits(a, root, start, &edits, err) < 0) return error_wrap(err, "start");
    return run_once(a, root, AGENT_START_KEY, hypothesis, edits, out, err);
}

static int note_baseline(struct agent *a, const char *root, double value, const char *from,
                         struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "baseline");
    json_open_object(w, NULL);
    json_open_object(w, "note");
    json_open_object(w, "baseline");
    json_put_double(w, "value", value);
    json_put_string(w, "from", from);
    json_close_object(w);
    json_close_object(w);
    json_close_object(w);
    return http_postf(a->http, w, NULL, err, "/v1/versions/%s/note", root);
}

/* Found out once and then kept with the root, so that every later life of the agent
 * starts from the same. */
static int find_baseline(struct agent *a, const struct json *experiment, const char *root,
                         const struct agent_config *c, double *out, struct error *err) {
    const char *from = "none";
    bool run = c->baseline == BASELINE_RUN ||
               (c->baseline == BASELINE_AUTO && c->search.policy == SEARCH_GREEDY);
    *out = NAN;
    if (c->start && run_start(a, root, c->start, out, err) < 0) return -1;
    if (isfinite(*out)) return note_baseline(a, root, *out, "start", err);
    if (c->baseline == BASELINE_AUTO) {
        if (calibrated(a, experiment, out, err) < 0) return -1;
        if (isfinite(*out)) from = "calibration";
    }
    if (!isfinite(*out) && run) {
        if (run_once(a, root, AGENT_BASELINE_KEY,
                     "The record as it is: what the search starts from.", NULL, out, err) < 0)
            return -1;
        if (isfinite(*out)) from = "run";
    }
    return note_baseline(a, root, *out, from, err);
}

static int baseline(struct agent *a, const struct json *experiment, const struct agent_config *c,
                    double *out, struct error *err) {
    for (size_t i = 0; i < reply_count(experiment, "versions"); i++) {
        const struct json *v = reply_at(experiment, "versions", i);
        if (reply_text(v, "parent")) continue;
        const char *id = reply_text_or(v, "id", "");
        *out = reply_number(v, "note.baseline.value", NAN);
        if (reply_find(v, "note.baseline")) return 0;
        return reply_check_id(id, "v", err) < 0 ? -1
                                                : find_baseline(a, experiment, id, c, out, err);
    }
    return error_set(err, ERROR_INTERNAL, "%s has no root", a->experiment);
}

/* ---- rounds ---- */

static size_t pending_of(const struct agent_tree *t, size_t *first) {
    size_t pending = 0;
    for (size_t i = t->count; i-- > 1;) {
        if (t->nodes[i].state != SEARCH_PENDING) continue;
        pending++;
        *first = i;
    }
    return pending;
}

static int wait_for(struct agent *a, const struct agent_tree *t, size_t node, struct error *err) {
    _cleanup_json_ struct json *over = NULL;
    const char *id = agent_tree_id(t, node);
    if (reply_check_id(id, "v", err) < 0 || agent_wait(a, id, &over, err) < 0) return -1;
    agent_say(a, over);
    return 0;
}

static double seconds_of_runs(const struct json *version) {
    double sum = 0;
    for (size_t i = 0; i < reply_count(version, "runs"); i++) {
        double s = reply_number(reply_at(version, "runs", i), "wall_s", 0);
        if (isfinite(s)) sum += s;
    }
    return sum;
}

/* What all runs have taken, where a budget asks for it. */
static int check_time(struct agent_shop *s, const struct agent_tree *t, struct error *err) {
    double run_s = 0;
    for (size_t i = 1; s->config->budget.run_s > 0 && i < t->count; i++) {
        _cleanup_json_ struct json *v = NULL;
        if (http_getf(s->agent->http, &v, err, "/v1/versions/%s", agent_tree_id(t, i)) < 0)
            return -1;
        run_s += seconds_of_runs(v);
    }
    return agent_talk_check_time(&s->talk, run_s, err);
}

/* The first node before `end` that still wants its summary; 0: none does. */
static size_t unanalysed(const struct agent_shop *s, const struct agent_tree *t, size_t end) {
    for (size_t i = 1; s->config->analyses && i < end; i++)
        if (agent_node_wants_analysis(t, i)) return i;
    return 0;
}

/* One thing that is next. */
static int round_once(struct agent_shop *s, const struct search_settings *settings, double root,
                      bool *done, struct error *err) {
    _cleanup_agent_tree_ struct agent_tree t = {0};
    struct search_decision d;
    size_t first = 0;
    if (agent_tree_load(s->agent, root, &t, err) < 0 ||
        search_next(settings, t.nodes, t.count, &d, err) < 0)
        return -1;
    size_t pending = pending_of(&t, &first);
    if (d.answer == SEARCH_WAIT || (d.answer == SEARCH_DONE && pending))
        return wait_for(s->agent, &t, first, err);
    /* What happened is summed up before anybody decides on it. */
    size_t node = unanalysed(s, &t, d.answer == SEARCH_DONE ? t.count : d.first);
    if (node) return agent_node_analyse(s, &t, node, err);
    *done = d.answer == SEARCH_DONE;
    if (*done) return 0;
    if (s->config->parallel > 0 && pending >= (size_t)s->config->parallel)
        return wait_for(s->agent, &t, first, err);
    return check_time(s, &t, err) < 0 ? -1 : agent_node_make(s, &t, &d, err);
}

/* What was submitted is waited for, also when nothing further may be spent. */
static int wait_for_rest(struct agent *a, double root, struct error *err) {
    for (;;) {
        _cleanup_agent_tree_ struct agent_tree t = {0};
        size_t first = 0;
        if (agent_tree_load(a, root, &t, err) < 0) return -1;
        if (pending_of(&t, &first) == 0) return 0;
        if (wait_for(a, &t, first, err) < 0) return -1;
    }
}

static int play_rounds(struct agent_shop *s, double root, struct agent_ending *end,
                       struct error *err) {
    struct search_settings settings = s->config->search;
    settings.higher_is_better =
        !reply_is_race(s->agent->task) && reply_bool(s->agent->task, "higher_is_better", false);
    for (bool done = false; !done;) {
        _cleanup_error_ struct error why = {0};
        if (round_once(s, &settings, root, &done, &why) == 0) continue;
        end->stays_open = s->talk.passing;
        if (!s->talk.over) return error_move(err, &why);
        end->reason = steal_ptr(&s->talk.over);
        return wait_for_rest(s->agent, root, err);
    }
    return 0;
}

static int open_shop(struct agent_shop *s, const struct json *experiment, double root,
                     struct error *err) {
    s->task_dir = reply_text_or(experiment, "task_dir", "");
    if (agent_brief_make(s->agent, experiment, s->config, root, &s->brief, err) < 0) return -1;
    return agent_talk_open(&s->talk, s->agent->http, experiment, s->config, err);
}

static int play(struct agent *a, const struct json *experiment, struct agent_ending *end,
                struct error *err) {
    _cleanup_agent_config_ struct agent_config config = {0};
    _cleanup_(shop_clear) struct agent_shop s = {.agent = a, .config = &config};
    const struct json *given = reply_find(experiment, "config");
    double root = NAN;
    if (!given)
        return error_set(err, ERROR_INVALID, "%s has no config: an agent of models needs one",
                         a->experiment);
    if (agent_config_decode(given, &config, err) < 0 ||
        baseline(a, experiment, &config, &root, err) < 0 ||
        open_shop(&s, experiment, root, err) < 0)
        return -1;
    const struct talk talk = {.call = agent_talk_call, .context = &s.talk};
    s.brief.briefing.talk = &talk;
    return play_rounds(&s, root, end, err);
}

#define CONFIG_MAX ((size_t)64 << 10)

/* The document with another coder. */
static struct json *with_coder(const char *path, const struct json *doc,
                               const struct agent_coder_wish *coder, struct error *err) {
    static const char *const mine[] = {"coder", "coder_mounts", NULL};
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return json_written(w, path, err);
    json_open_object(w, NULL);
    for (size_t i = 0; json_type(doc) == JSON_OBJECT && i < json_count(doc); i++) {
        const char *key = json_key_at(doc, i);
        bool given =
            (coder->coder && str_eq(key, mine[0])) || (coder->mounts && str_eq(key, mine[1]));
        if (!given) json_put_value(w, key, json_at(doc, i));
    }
    if (coder->coder) json_put_string(w, mine[0], coder->coder);
    if (coder->mounts) json_put_strv(w, mine[1], coder->mounts);
    json_close_object(w);
    return json_written(w, path, err);
}

int agent_model_config(const char *path, const struct agent_coder_wish *coder, struct json **out,
                       struct error *err) {
    _cleanup_agent_config_ struct agent_config checked = {0};
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    _cleanup_json_ struct json *read = json_load(path, CONFIG_MAX, err);
    _cleanup_json_ struct json *doc = read ? with_coder(path, read, coder, err) : NULL;
    if (!doc || agent_config_decode(doc, &checked, err) < 0) return -1;
    _cleanup_free_ char *whole = realpath(path, NULL);
    if (!whole || !w) return error_sys(err, errno, "%s", path);
    char *slash = strrchr(whole, '/');
    if (slash) *slash = '\0';
    if (agent_config_absolute(doc, *whole ? whole : "/", w, NULL, err) < 0) return -1;
    *out = json_written(w, path, err);
    return *out ? 0 : -1;
}

const struct agent_kind agent_model = {
    .name = "model",
    .summary = "models ideate, code and analyse: model:CONFIG.json",
    .takes_config = true,
    .play = play,
};
