#include "orchestrator/client/report_collect.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/report_read.h"

#include <string.h>

#define PAGE 500 /* experiments of a list asked for at once */

struct collector {
    struct http *http;
    const struct report_request *request;
    struct report *report;
    size_t room, task_room;
    size_t diff_bytes;
};

/* ---- which experiments ---- */

static int add_id(char ***ids, const char *id, struct error *err) {
    if (reply_check_id(id, "e", err) < 0) return -1;
    for (char **known = *ids; known && *known; known++)
        if (str_eq(*known, id)) return 0;
    return strv_push(ids, id) < 0 ? error_sys(err, ENOMEM, "experiments") : 0;
}

static int add_sweep(struct http *http, const char *sweep, char ***ids, struct error *err) {
    _cleanup_free_ char *name = http_escape(sweep);
    if (!name) return error_sys(err, ENOMEM, "sweep");
    size_t found = 0;
    for (int64_t before = INT64_MAX; before > 1;) {
        _cleanup_json_ struct json *doc = NULL;
        if (http_getf(http, &doc, err, "/v1/experiments?sweep=%s&limit=%d&before=%lld", name, PAGE,
                      (long long)before) < 0)
            return -1;
        size_t count = reply_count(doc, "experiments");
        for (size_t i = 0; i < count; i++) {
            const char *id = reply_text_or(reply_at(doc, "experiments", i), "id", "");
            if (add_id(ids, id, err) < 0) return -1;
            before = reply_id_number(id);
        }
        found += count;
        if (count < PAGE) break;
    }
    return found ? 0 : error_set(err, ERROR_NOT_FOUND, "sweep %s has no experiments here", sweep);
}

static int find_experiments(const struct collector *c, char ***ids, struct error *err) {
    char *const *list = c->request->sweeps;
    for (; list && *list; list++)
        if (add_sweep(c->http, *list, ids, err) < 0) return -1;
    for (list = c->request->experiments; list && *list; list++)
        if (add_id(ids, *list, err) < 0) return -1;
    return 0;
}

/* ---- tasks ---- */

/* What may be missing; why is kept. -1 only when nobody answers. */
static int get_optional(struct http *http, struct json **out, char **why, struct error *err,
                        const char *path) {
    _cleanup_error_ struct error e = {0};
    if (http_get(http, path, out, &e) == 0) return 0;
    if (http_probe(http, NULL, NULL) < 0) return error_move(err, &e);
    if (why) *why = strdup(error_text(&e));
    return 0;
}

static int read_record_time(struct collector *c, const char *name, struct report_task *t,
                            struct error *err) {
    _cleanup_json_ struct json *doc = NULL;
    _cleanup_free_ char *path = str_printf("/v1/tasks/%s/calibration", name);
    if (!path) return error_sys(err, ENOMEM, "task");
    if (get_optional(c->http, &doc, NULL, err, path) < 0) return -1;
    if (!doc || !str_eq(reply_text(doc, "task_digest"), t->digest)) return 0;
    for (size_t i = 0; i < reply_count(doc, "records"); i++) {
        const struct json *record = reply_at(doc, "records", i);
        if (reply_int(record, "record", 0) == t->step)
            t->record_s = reply_number(record, "mean_s", t->record_s);
    }
    return 0;
}

static int read_known_change(struct collector *c, const char *name, const struct json *doc,
                             struct report_task *t, struct error *err) {
    if (!str_eq(reply_text(doc, "digest"), t->digest)) {
        t->unknown = strdup("the task has changed since");
        return 0;
    }
    _cleanup_json_ struct json *hint = NULL;
    _cleanup_free_ char *path = str_printf("/v1/tasks/%s/hints/%lld/0", name, (long long)t->step);
    if (!path) return error_sys(err, ENOMEM, "task");
    if (get_optional(c->http, &hint, &t->unknown, err, path) < 0) return -1;
    const char *text = reply_text(hint, "text");
    t->known_diff = text ? strdup(text) : NULL;
    return 0;
}

/* Read from the folder that the experiment was made of. */
static struct report_task *fetch_task(struct collector *c, const struct json *experiment,
                                      struct error *err) {
    _cleanup_free_ char *name = http_task_path(experiment);
    _cleanup_free_ char *path = name ? str_printf("/v1/tasks/%s", name) : NULL;
    _cleanup_free_ char *gone = NULL;
    _cleanup_json_ struct json *doc = NULL;
    if (!path) {
        error_sys(err, ENOMEM, "task");
        return NULL;
    }
    if (get_optional(c->http, &doc, &gone, err, path) < 0) return NULL;
    struct report_task *t = report_read_task(experiment, doc, err);
    if (!t) return NULL;
    if (!doc) t->unknown = steal_ptr(&gone);
    else if (read_record_time(c, name, t, err) < 0 || read_known_change(c, name, doc, t, err) < 0) {
        report_task_free(t);
        return NULL;
    }
    return t;
}

/* Experiments of a task in another state are not of the same task. */
static bool is_task_of(const struct report_task *t, const struct json *experiment) {
    return str_eq(t->name, reply_text(experiment, "task")) &&
           t->step == reply_int(experiment, "step", 1) &&
           str_eq(t->digest, reply_text(experiment, "task_digest"));
}

static int compare_tasks(const struct report_task *a, const struct report_task *b) {
    int order = strcmp(a->name, b->name);
    if (order == 0) order = (a->step > b->step) - (a->step < b->step);
    return order ? order : strcmp(a->digest ? a->digest : "", b->digest ? b->digest : "");
}

static int insert_task(struct collector *c, struct report_task *t, struct error *err) {
    struct report *r = c->report;
    if (r->task_count == c->task_room) {
        size_t room = c->task_room ? 2 * c->task_room : 16;
        struct report_task **more = reallocarray(r->tasks, room, sizeof *more);
        if (!more) return error_sys(err, ENOMEM, "tasks");
        r->tasks = more;
        c->task_room = room;
    }
    size_t at = r->task_count++;
    for (; at > 0 && compare_tasks(r->tasks[at - 1], t) > 0; at--) r->tasks[at] = r->tasks[at - 1];
    r->tasks[at] = t;
    return 0;
}

static struct report_task *task_of(struct collector *c, const struct json *experiment,
                                   struct error *err) {
    for (size_t i = 0; i < c->report->task_count; i++)
        if (is_task_of(c->report->tasks[i], experiment)) return c->report->tasks[i];
    struct report_task *t = fetch_task(c, experiment, err);
    if (t && insert_task(c, t, err) < 0) {
        report_task_free(t);
        return NULL;
    }
    return t;
}

/* ---- diffs ---- */

static int get_diff(struct collector *c, const char *version, const char *against, char **out,
                    struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    _cleanup_free_ char *path = str_printf("/v1/versions/%s/diff?against=%s", version, against);
    if (!path) return error_sys(err, ENOMEM, "diff");
    if (http_bytes(c->http, path, &text, NULL, err) < 0) return -1;
    buf_append(&text, "", 0);
    *out = buf_steal(&text);
    if (!*out) *out = strdup("");
    return *out ? 0 : error_sys(err, ENOMEM, "diff");
}

/* Cut behind a whole line. */
static void cut_diff(struct collector *c, struct report_version *v) {
    size_t len = strlen(v->diff), most = REPORT_DIFF_MAX;
    if (most > REPORT_DIFFS_MAX - c->diff_bytes) most = REPORT_DIFFS_MAX - c->diff_bytes;
    if (len > most) {
        while (most && v->diff[most - 1] != '\n') most--;
        v->diff_left_out = len - most;
        v->diff[most] = '\0';
        len = most;
    }
    c->diff_bytes += len;
}

static int fetch_diffs(struct collector *c, struct report_experiment *e, struct error *err) {
    for (size_t i = 0; i < e->count; i++) {
        struct report_version *v = &e->versions[i];
        if (report_is_root(v) || str_eq(v->outcome, "abandoned")) continue;
        if (get_diff(c, v->id, e->versions[v->parent].id, &v->diff, err) < 0) return -1;
        cut_diff(c, v);
    }
    return 0;
}

static int fetch_change(struct collector *c, struct report_experiment *e, struct error *err) {
    size_t best = report_best(e);
    if (best == SIZE_MAX || !e->task->known_diff) return 0;
    return get_diff(c, e->versions[best].id, e->versions[0].id, &e->change, err);
}

/* ---- all of it ---- */

static int add_experiment(struct collector *c, const char *id, struct error *err) {
    struct report *r = c->report;
    _cleanup_json_ struct json *doc = NULL;
    if (http_getf(c->http, &doc, err, "/v1/experiments/%s", id) < 0) return -1;
    if (r->count == c->room) {
        size_t room = c->room ? 2 * c->room : 64;
        struct report_experiment *more = reallocarray(r->experiments, room, sizeof *more);
        if (!more) return error_sys(err, ENOMEM, "experiments");
        r->experiments = more;
        c->room = room;
    }
    struct report_experiment *e = &r->experiments[r->count++];
    *e = (struct report_experiment){0};
    e->task = task_of(c, doc, err);
    if (!e->task || report_read_experiment(doc, e, err) < 0) return -1;
    if (c->request->diffs && fetch_diffs(c, e, err) < 0) return -1;
    return fetch_change(c, e, err);
}

static int by_number(const void *a, const void *b) {
    const struct report_experiment *x = a, *y = b;
    return (x->number > y->number) - (x->number < y->number);
}

static char *title_of(const struct report_request *request) {
    if (request->title) return strdup(request->title);
    _cleanup_buf_ struct buf title = {0};
    for (char *const *s = request->sweeps; s && *s; s++)
        buf_printf(&title, "%s%s", title.len ? ", " : "", *s);
    if (title.len == 0) buf_puts(&title, "Experiments");
    return buf_steal(&title);
}

static int put_head(struct collector *c, struct error *err) {
    char now[32];
    clock_format_utc(clock_real_ns(), now);
    c->report->created = strdup(now);
    c->report->paddock = strdup(PADDOCK_VERSION);
    c->report->title = title_of(c->request);
    bool whole = c->report->created && c->report->paddock && c->report->title;
    return whole ? 0 : error_sys(err, ENOMEM, "report");
}

int report_collect(struct http *http, const struct report_request *request, struct report *out,
                   struct error *err) {
    struct collector c = {.http = http, .request = request, .report = out};
    _cleanup_strv_ char **ids = NULL;
    if (put_head(&c, err) < 0 || find_experiments(&c, &ids, err) < 0) return -1;
    size_t count = ids ? strv_len(ids) : 0;
    for (size_t i = 0; i < count; i++) {
        progress_status(request->progress, "%s, %zu of %zu experiments", ids[i], i + 1, count);
        if (add_experiment(&c, ids[i], err) < 0) return error_wrap(err, "%s", ids[i]);
    }
    if (out->count) qsort(out->experiments, out->count, sizeof *out->experiments, by_number);
    return report_assess(out, err);
}
