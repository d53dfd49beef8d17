/* Boards, and what a task's calibration found. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/daemon/api.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/measure.h"
#include "orchestrator/daemon/store_board.h"
#include "orchestrator/daemon/store_version.h"
#include "orchestrator/daemon/view.h"
#include "orchestrator/judge/board.h"

#include <string.h>

#define DOCUMENT_MAX ((size_t)4 << 20)

/* The scores of one step: those that are ranked come first, in their order. */
struct board {
    struct score_row *scores;
    size_t count;
    struct board_entry *ranked;
    size_t ranked_count;
};

static void board_clear(struct board *b) {
    scores_free(b->scores, b->count);
    free(b->ranked);
}

static bool is_scored(const struct score_row *r) {
    return str_eq(r->outcome, "scored") || str_eq(r->outcome, "scored-wide");
}

static int board_load(struct daemon *d, const struct task *t, int64_t step, struct board *b,
                      struct error *err) {
    if (board_scores(d->store, t->digest, step, &b->scores, &b->count, err) < 0) return -1;
    b->ranked = calloc(b->count + 1, sizeof *b->ranked);
    if (!b->ranked) return error_sys(err, ENOMEM, "board");
    for (size_t i = 0; i < b->count; i++) {
        const char *text = b->scores[i].document;
        _cleanup_json_ struct json *doc = json_parse("score", text, strlen(text), NULL);
        struct board_entry e = {.id = b->scores[i].version, .index = i};
        if (!is_scored(&b->scores[i]) || !doc || !json_find(doc, "low") || !json_find(doc, "high"))
            continue;
        if (json_as_double(json_find(doc, "low"), -1e300, 1e300, &e.low, NULL) < 0 ||
            json_as_double(json_find(doc, "high"), -1e300, 1e300, &e.high, NULL) < 0)
            continue;
        b->ranked[b->ranked_count++] = e;
    }
    board_rank(b->ranked, b->ranked_count);
    return 0;
}

/* The score and whose version it is. */
static int put_entry(struct json_writer *w, struct daemon *d, const struct score_row *r,
                     const struct board_entry *place, struct error *err) {
    _cleanup_version_ struct version_row v = {0};
    _cleanup_experiment_ struct experiment_row e = {0};
    if (version_get(d->store, r->version, &v, err) < 0 ||
        experiment_get(d->store, v.experiment, &e, err) < 0)
        return -1;
    json_open_object(w, NULL);
    if (place) {
        json_put_int(w, "rank", (int64_t)place->rank);
        json_put_bool(w, "tied", place->tied);
    }
    view_id(w, "experiment", ID_EXPERIMENT, e.id);
    json_put_string(w, "agent", e.agent);
    json_put_string(w, "label", e.label);
    view_score(w, r);
    json_close_object(w);
    return 0;
}

static int put_apart(struct json_writer *w, struct daemon *d, const struct board *b,
                     const char *key, const char *outcome, struct error *err) {
    json_open_array(w, key);
    for (size_t i = 0; i < b->count; i++)
        if (str_eq(b->scores[i].outcome, outcome) && put_entry(w, d, &b->scores[i], NULL, err) < 0)
            return -1;
    json_close_array(w);
    return 0;
}

static int put_board(struct json_writer *w, struct daemon *d, const struct board *b,
                     struct error *err) {
    json_open_array(w, "ranked");
    for (size_t i = 0; i < b->ranked_count; i++)
        if (put_entry(w, d, &b->scores[b->ranked[i].index], &b->ranked[i], err) < 0) return -1;
    json_close_array(w);
    if (put_apart(w, d, b, "unresolved", "no-resolution", err) < 0) return -1;
    return put_apart(w, d, b, "withdrawn", "gap-nonpositive", err);
}

static int load_named(const char *name, struct task *out, struct error *err) {
    _cleanup_free_ char *dir = task_find(name, err);
    return dir ? task_load(dir, out, err) : -1;
}

/* A step in the path: 1 to 1000. */
static int64_t step_of(const char *text) {
    size_t len = strlen(text);
    bool number = len >= 1 && len <= 4 && strspn(text, "0123456789") == len;
    return number ? strtoll(text, NULL, 10) : 0;
}

int api_board(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    _cleanup_task_ struct task task = {0};
    _cleanup_(board_clear) struct board board = {0};
    int64_t step = step_of(q->params[1]);
    if (load_named(q->params[0], &task, err) < 0) return -1;
    if (step < 1 || step >= (int64_t)task.record_count)
        return error_set(err, ERROR_NOT_FOUND, "task %s has no step %lld", task.name,
                         (long long)step);
    if (board_load(d, &task, step, &board, err) < 0) return -1;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "board");
    json_open_object(w, NULL);
    json_put_string(w, "task", task.name);
    json_put_int(w, "step", step);
    json_put_string(w, "task_digest", task.digest);
    if (put_board(w, d, &board, err) < 0) return -1;
    json_close_object(w);
    return response_json(p, w, err);
}

/* Its newest calibration of all records in the state it is in now. */
int api_task_calibration(struct daemon *d, struct request *q, struct response *p,
                         struct error *err) {
    _cleanup_task_ struct task task = {0};
    if (load_named(q->params[0], &task, err) < 0) return -1;
    _cleanup_free_ char *dir = measure_calibration_dir(d, err);
    if (!dir) return -1;
    _cleanup_free_ char *path = str_printf("%s/%s.json", dir, task.digest);
    if (!path) return error_sys(err, ENOMEM, "calibration");
    if (access(path, F_OK) < 0)
        return error_set(err, ERROR_NOT_FOUND,
                         "task %s was not calibrated here: paddock task calibrate %s", task.name,
                         task.name);
    if (file_read(path, DOCUMENT_MAX, &p->body, err) < 0) return -1;
    return 0;
}
