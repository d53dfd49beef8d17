#include "orchestrator/client/agent_inside.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/reply.h"

#include <stdlib.h>
#include <string.h>

#define WAIT_MS    10000 /* one long poll; an event that matters ends it at once */
#define PATIENCE_S 60    /* a daemon that is restarted is no reason to give up */

static void agent_close(struct agent *a) {
    if (a->kind->close) a->kind->close(a->state);
    json_free(a->task);
}

void agent_proposal_clear(struct agent_proposal *p) {
    free(p->parent);
    free(p->hypothesis);
    *p = (struct agent_proposal){0};
}

static struct json_writer *encode_wish(const struct agent_wish *wish) {
    struct json_writer *w = json_writer_new(false);
    if (!w) return NULL;
    json_open_object(w, NULL);
    json_put_string(w, "task", wish->task);
    json_put_string(w, "agent", wish->agent);
    if (wish->label) json_put_string(w, "label", wish->label);
    if (wish->key) json_put_string(w, "key", wish->key);
    if (wish->sweep) json_put_string(w, "sweep", wish->sweep);
    if (wish->config) json_put_value(w, "config", wish->config);
    json_close_object(w);
    return w;
}

int agent_create(struct http *http, const struct agent_wish *wish, struct json **out,
                 struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = encode_wish(wish);
    _cleanup_json_ struct json *doc = NULL;
    if (!w) return error_sys(err, ENOMEM, "experiment");
    if (http_post(http, "/v1/experiments", w, &doc, err) < 0) return -1;
    if (reply_check_id(reply_text_or(doc, "id", ""), "e", err) < 0)
        return error_wrap(err, "the new experiment");
    *out = steal_ptr(&doc);
    return 0;
}

const char *agent_label(const char *path) {
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash && slash[1] ? slash + 1 : NULL;
}

bool agent_is_over(const struct json *version) {
    const char *state = reply_text_or(version, "state", "");
    return str_eq(state, "done") || str_eq(state, "cancelled");
}

int agent_wait(struct agent *a, const char *id, struct json **doc, struct error *err) {
    for (;;) {
        if (http_getf(a->http, doc, err, "/v1/versions/%s", id) < 0) return -1;
        if (agent_is_over(*doc)) return 0;
        json_free(*doc);
        *doc = NULL;
        _cleanup_json_ struct json *events = NULL;
        if (follow_next(&a->follow, WAIT_MS, &events, err) < 0) return -1;
    }
}

static int submit(struct agent *a, const struct agent_proposal *p, struct json **doc,
                  struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "version");
    json_open_object(w, NULL);
    json_put_string(w, "parent", p->parent);
    json_put_string(w, "hypothesis", p->hypothesis);
    if (p->edits) {
        json_put_value(w, "edits", p->edits);
    } else {
        json_open_array(w, "edits");
        json_close_array(w);
    }
    if (p->base) json_put_string(w, "base", p->base);
    json_close_object(w);
    return http_postf(a->http, w, doc, err, "/v1/experiments/%s/versions", a->experiment);
}

void agent_say(const struct agent *a, const struct json *version) {
    if (a->quiet) return;
    _cleanup_buf_ struct buf line = {0};
    progress_version(version, reply_text_or(a->task, "metric", "metric"), &line);
    printf("%s\n", buf_text(&line));
    fflush(stdout);
}

/* Versions that an earlier life of this agent submitted may still be running. */
static int wait_for_all(struct agent *a, struct json **experiment, struct error *err) {
    if (http_getf(a->http, experiment, err, "/v1/experiments/%s", a->experiment) < 0) return -1;
    for (size_t i = 0; i < reply_count(*experiment, "versions"); i++) {
        const struct json *v = reply_at(*experiment, "versions", i);
        /* The root is the record itself; nothing is run of it. */
        if (agent_is_over(v) || !reply_text(v, "parent")) continue;
        const char *id = reply_text_or(v, "id", "");
        _cleanup_json_ struct json *done = NULL;
        if (reply_check_id(id, "v", err) < 0 || agent_wait(a, id, &done, err) < 0) return -1;
        json_free(*experiment);
        *experiment = NULL;
        return wait_for_all(a, experiment, err);
    }
    return 0;
}

/* Asks the kind for its next step, with all versions as the server has them. */
static int ask(struct agent *a, const char *refused, struct agent_proposal *p,
               enum agent_step *step, struct error *err) {
    _cleanup_json_ struct json *experiment = NULL;
    if (wait_for_all(a, &experiment, err) < 0) return -1;
    size_t count = reply_count(experiment, "versions");
    if (count == 0) return error_set(err, ERROR_INTERNAL, "%s has no root", a->experiment);
    _cleanup_free_ const struct json **versions = calloc(count, sizeof *versions);
    if (!versions) return error_sys(err, ENOMEM, "versions");
    for (size_t i = 0; i < count; i++) versions[i] = reply_at(experiment, "versions", i);
    qsort(versions, count, sizeof *versions, reply_by_number);
    const struct agent_view view = {.task = a->task,
                                    .experiment = experiment,
                                    .versions = versions,
                                    .count = count,
                                    .refused = refused};
    return a->kind->next(a->state, &view, p, step, err);
}

/* One round; *done tells when the kind has no more to propose. A proposal that
 * the daemon finds invalid is told to the kind, which may make a better one. */
static int round_once(struct agent *a, char **refused, bool *done, struct error *err) {
    _cleanup_(agent_proposal_clear) struct agent_proposal p = {0};
    enum agent_step step = AGENT_IS_DONE;
    if (ask(a, *refused, &p, &step, err) < 0) return -1;
    free(*refused);
    *refused = NULL;
    *done = step == AGENT_IS_DONE;
    if (*done) return 0;
    _cleanup_json_ struct json *created = NULL, *over = NULL;
    _cleanup_error_ struct error why = {0};
    if (submit(a, &p, &created, &why) < 0) {
        if (why.kind != ERROR_INVALID && why.kind != ERROR_LIMIT && why.kind != ERROR_DENIED) {
            error_move(err, &why);
            return -1;
        }
        *refused = strdup(error_text(&why));
        return *refused ? 0 : error_sys(err, ENOMEM, "proposal");
    }
    agent_say(a, created);
    const char *id = reply_text_or(created, "id", "");
    if (reply_check_id(id, "v", err) < 0 || agent_wait(a, id, &over, err) < 0) return -1;
    agent_say(a, over);
    return 0;
}

/* Round after round, as the kind proposes. */
static int play_rounds(struct agent *a, const struct agent_options *options, struct error *err) {
    _cleanup_free_ char *refused = NULL;
    if (a->kind->open && a->kind->open(options, &a->state, err) < 0) return -1;
    for (bool done = false; !done;)
        if (round_once(a, &refused, &done, err) < 0) return -1;
    return 0;
}

static int play(struct agent *a, const struct agent_options *options, struct agent_ending *end,
                struct error *err) {
    _cleanup_json_ struct json *experiment = NULL;
    if (follow_start(&a->follow, a->http, err) < 0 ||
        http_getf(a->http, &experiment, err, "/v1/experiments/%s", a->experiment) < 0)
        return -1;
    _cleanup_free_ char *path = http_task_path(experiment);
    if (!path) return error_sys(err, ENOMEM, "task");
    if (http_getf(a->http, &a->task, err, "/v1/tasks/%s", path) < 0) return -1;
    if (!a->kind->play) return play_rounds(a, options, err);
    const char *state = reply_text_or(experiment, "state", "");
    if (!str_eq(state, "open")) return error_set(err, ERROR_EXISTS, "it is over (%s)", state);
    return a->kind->play(a, experiment, end, err);
}

static int finish(struct agent *a, const struct error *failure, const char *reason,
                  struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "finish");
    if (error_is_set(failure)) reason = error_text(failure);
    json_open_object(w, NULL);
    json_put_string(w, "status", error_is_set(failure) ? "failed" : "done");
    if (reason) json_put_string(w, "reason", reason);
    json_close_object(w);
    _cleanup_error_ struct error why = {0};
    if (http_postf(a->http, w, NULL, &why, "/v1/experiments/%s/finish", a->experiment) == 0)
        return 0;
    /* Said twice, because the first answer was lost; or somebody cancelled it. */
    return why.kind == ERROR_EXISTS && a->kind->play ? 0 : error_move(err, &why);
}

/* Nothing is lost: the same agent started on the same experiment goes on. */
static int leave_open(const struct agent *a, const struct error *failure, struct error *err) {
    return error_set(err, ERROR_BUSY,
                     "agent %s, %s: %s; the experiment stays open: paddock-agent --experiment %s "
                     "--agent %s goes on with it",
                     a->kind->name, a->experiment, error_text(failure), a->experiment,
                     a->kind->name);
}

int agent_run(struct http *http, const struct agent_kind *kind, const struct agent_options *options,
              const char *experiment, bool quiet, struct error *err) {
    if (reply_check_id(experiment, "e", err) < 0) return -1;
    _cleanup_(agent_close) struct agent a = {
        .http = http, .kind = kind, .experiment = experiment, .quiet = quiet};
    http_set_patience(http, PATIENCE_S);
    _cleanup_error_ struct error failure = {0}, unfinished = {0};
    struct agent_ending end = {0};
    int played = play(&a, options, &end, &failure);
    _cleanup_free_ char *reason = end.reason;
    if (played < 0 && end.stays_open) return leave_open(&a, &failure, err);
    if (finish(&a, &failure, reason, &unfinished) < 0 && played == 0)
        return error_move(err, &unfinished);
    if (played < 0) error_move(err, &failure);
    return played < 0 ? error_wrap(err, "agent %s, %s", kind->name, experiment) : 0;
}
