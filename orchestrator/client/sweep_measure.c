/* The bests of a sweep, measured (declared in sweep_run.h). */
#include "common/buf.h"
#include "common/cleanup.h"
#include "orchestrator/client/measure.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/results.h"
#include "orchestrator/client/sweep_run.h"

#include <math.h>
#include <string.h>

#define ARMS_MAX  16
#define LOOK_BACK 1000 /* measurements that may be going on since an earlier life */

static int follow(struct sweep *s, const char *id, struct error *err) {
    _cleanup_json_ struct json *doc = NULL;
    if (measure_follow(s->http, id, s->progress, s->interrupted, &doc, err) < 0) return -1;
    progress_say(s->progress, "%s %s: %s", id, reply_text_or(doc, "outcome", "?"),
                 reply_text_or(doc, "reason", ""));
    return strv_push(&s->measurements, id) < 0 ? error_sys(err, ENOMEM, "sweep") : 0;
}

static int measure(struct sweep *s, char *const *versions, struct error *err) {
    const struct measure_wish wish = {.blocks_min = s->file->blocks_min,
                                      .blocks_max = s->file->blocks_max,
                                      .budget_s = s->file->budget_s > 0 ? s->file->budget_s : NAN,
                                      .half_width = NAN};
    /* A measurement has no key: when the answer is lost, the next life finds it. */
    http_set_repeatable(s->http, false);
    _cleanup_free_ char *id = measure_create(s->http, versions, &wish, err);
    http_set_repeatable(s->http, true);
    if (!id) return -1;
    progress_say(s->progress, "%s measures %zu versions", id, strv_len(versions));
    return follow(s, id, err);
}

/* Whether the measurement has one of these versions among its arms. */
static bool has_one(const struct json *measurement, char *const *versions) {
    for (size_t i = 0; i < reply_count(measurement, "arms"); i++) {
        const char *v = reply_text(reply_at(measurement, "arms", i), "version");
        for (char *const *one = versions; v && *one; one++)
            if (str_eq(*one, v)) return true;
    }
    return false;
}

/* Measurements of these versions that an earlier life asked for and that are not over
 * are waited for, so that nothing is measured twice. */
static int follow_pending(struct sweep *s, char *const *versions, struct error *err) {
    _cleanup_json_ struct json *list = NULL;
    if (http_getf(s->http, &list, err, "/v1/measurements?limit=%d", LOOK_BACK) < 0) return -1;
    for (size_t i = 0; i < reply_count(list, "measurements"); i++) {
        const struct json *m = reply_at(list, "measurements", i);
        const char *id = reply_text_or(m, "id", ""), *state = reply_text_or(m, "state", "");
        _cleanup_json_ struct json *whole = NULL;
        if (str_eq(state, "done") || str_eq(state, "cancelled")) continue;
        if (reply_check_id(id, "m", err) < 0 ||
            http_getf(s->http, &whole, err, "/v1/measurements/%s", id) < 0)
            return -1;
        if (has_one(whole, versions) && follow(s, id, err) < 0) return -1;
    }
    return 0;
}

/* The best version of a cell that has no score yet. */
static int add_best(struct sweep *s, size_t i, char ***out, struct error *err) {
    _cleanup_json_ struct json *doc = NULL;
    _cleanup_strv_ char **best = NULL;
    if (s->jobs[i].state != SWEEP_OVER) return 0;
    if (http_getf(s->http, &doc, err, "/v1/experiments/%s", s->jobs[i].experiment) < 0 ||
        results_top(doc, 1, &best, err) < 0)
        return -1;
    for (size_t k = 0; best && k < reply_count(doc, "versions"); k++) {
        const struct json *v = reply_at(doc, "versions", k);
        if (!str_eq(reply_text_or(v, "id", ""), best[0])) continue;
        if (reply_count(v, "scores") > 0) return 0;
        return strv_push(out, best[0]) < 0 ? error_sys(err, ENOMEM, "sweep") : 0;
    }
    return 0;
}

static int measure_chunks(struct sweep *s, char **versions, size_t most, struct error *err) {
    size_t count = versions ? strv_len(versions) : 0;
    for (size_t at = 0; at < count; at += most) {
        char *some[ARMS_MAX + 1] = {0};
        for (size_t k = 0; k < most && at + k < count; k++) some[k] = versions[at + k];
        if (measure(s, some, err) < 0) return -1;
    }
    return 0;
}

static int bests_of(struct sweep *s, size_t first, size_t end, char ***out, struct error *err) {
    for (size_t i = first; i < end; i++)
        if (add_best(s, i, out, err) < 0) return -1;
    return 0;
}

/* All cells of one task and step. */
static int measure_step(struct sweep *s, size_t first, size_t end, struct error *err) {
    size_t most = s->file->measure == SWEEP_EACH ? 1 : ARMS_MAX;
    _cleanup_strv_ char **pending = NULL, **versions = NULL;
    if (bests_of(s, first, end, &pending, err) < 0) return -1;
    if (!pending) return 0;
    if (follow_pending(s, pending, err) < 0 || bests_of(s, first, end, &versions, err) < 0)
        return -1;
    return measure_chunks(s, versions, most, err);
}

static int is_race(struct sweep *s, const char *experiment, bool *out, struct error *err) {
    _cleanup_json_ struct json *e = NULL, *task = NULL;
    if (http_getf(s->http, &e, err, "/v1/experiments/%s", experiment) < 0) return -1;
    _cleanup_free_ char *path = http_task_path(e);
    if (!path) return error_sys(err, ENOMEM, "sweep");
    if (http_getf(s->http, &task, err, "/v1/tasks/%s", path) < 0) return -1;
    *out = reply_is_race(task);
    return 0;
}

int sweep_run_measurements(struct sweep *s, struct error *err) {
    const struct sweep_file *f = s->file;
    if (f->measure == SWEEP_NONE) return 0;
    for (size_t first = 0, end; first < f->count; first = end) {
        bool race = false;
        for (end = first; end < f->count && str_eq(f->cells[end].task, f->cells[first].task);)
            end++;
        if (!s->jobs[first].experiment) continue;
        if (is_race(s, s->jobs[first].experiment, &race, err) < 0 ||
            (race && measure_step(s, first, end, err) < 0))
            return -1;
    }
    return 0;
}
