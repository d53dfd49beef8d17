#include "orchestrator/client/race.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "orchestrator/client/agent_model.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/paths/paths.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

#define WAIT_MS 250 /* short, so that Ctrl-C and the end of an agent are seen soon */

#define HYPOTHESIS_COLUMNS 90

extern char **environ;

int racer_parse(const char *spec, struct racer *out, struct error *err) {
    const char *colon = strchr(spec, ':');
    _cleanup_free_ char *name = strndup(spec, strcspn(spec, ":"));
    if (!name) return error_sys(err, ENOMEM, "agent");
    out->kind = agent_find(name, err);
    if (!out->kind) return -1;
    if ((out->kind->takes_dir || out->kind->takes_config) != (colon && colon[1]))
        return error_set(err, ERROR_INVALID, "--agent %s: %s", spec,
                         colon                     ? "this agent takes no file"
                         : out->kind->takes_config ? "needs a config, as in model:agent.json"
                                                   : "needs a folder, as in replay:DIR");
    if (colon) out->dir = paths_absolute(colon + 1, err);
    return colon && !out->dir ? -1 : 0;
}

void race_clear(struct race *r) {
    for (size_t i = 0; i < r->count; i++) {
        free(r->racers[i].dir);
        free(r->racers[i].experiment);
        strv_free(r->racers[i].versions);
    }
    free(r->racers);
    r->racers = NULL;
    r->count = 0;
}

pid_t race_spawn(const char *program, char *const *argv, bool detached, struct error *err) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    pid_t pid = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    int bad = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    /* stdout of ours is for results. */
    if (!bad) bad = posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    if (!bad && detached)
        bad = posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    if (!bad) bad = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    if (!bad && detached) bad = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
    if (!bad) bad = posix_spawn(&pid, program, &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return bad ? error_sys(err, bad, "start %s", program) : pid;
}

static int start_agent(struct racer *r, bool detached, struct error *err) {
    _cleanup_free_ char *program = paths_program("paddock-agent", err);
    if (!program) return -1;
    char *argv[] = {program,        "--agent",     (char *)r->kind->name,
                    "--experiment", r->experiment, "--quiet",
                    NULL,           NULL,          NULL};
    if (r->dir && r->kind->takes_dir) {
        argv[6] = "--replay";
        argv[7] = r->dir;
    }
    r->pid = race_spawn(program, argv, detached, err);
    return r->pid < 0 ? -1 : 0;
}

static int create(struct race *r, struct racer *racer, const char *task, const char *label,
                  struct error *err) {
    _cleanup_json_ struct json *config = NULL, *made = NULL;
    if (racer->kind->takes_config && agent_model_config(racer->dir, &r->coder, &config, err) < 0)
        return -1;
    const struct agent_wish wish = {
        .task = task, .agent = racer->kind->name, .label = label, .config = config};
    if (agent_create(r->http, &wish, &made, err) < 0) return -1;
    racer->experiment = strdup(reply_text_or(made, "id", ""));
    return racer->experiment ? 0 : error_sys(err, ENOMEM, "experiment");
}

int race_start(struct race *r, const char *task, const char *label, bool detached,
               struct error *err) {
    if (follow_start(&r->follow, r->http, err) < 0) return -1;
    for (size_t i = 0; i < r->count; i++) {
        struct racer *racer = &r->racers[i];
        /* A replay is known by its folder, an agent of models by its config. */
        const char *own = label ? label : agent_label(racer->dir);
        if (create(r, racer, task, own, err) < 0 || start_agent(racer, detached, err) < 0)
            return -1;
        progress_say(r->progress, "%s %s%s%s on %s", racer->experiment, racer->kind->name,
                     own ? " " : "", own ? own : "", task);
    }
    return 0;
}

static bool holds(char *const *list, const char *id) {
    for (; list && *list; list++)
        if (str_eq(*list, id)) return true;
    return false;
}

static struct racer *racer_of_version(struct race *r, const char *version) {
    for (size_t i = 0; version && i < r->count; i++)
        if (holds(r->racers[i].versions, version)) return &r->racers[i];
    return NULL;
}

static struct racer *racer_of_experiment(struct race *r, const char *experiment) {
    for (size_t i = 0; experiment && i < r->count; i++)
        if (str_eq(r->racers[i].experiment, experiment)) return &r->racers[i];
    return NULL;
}

/* Lines about a thing are made from the thing as it is now; an event only says
 * that there is something to see. */
static int get_version(struct race *r, const char *id, struct json **doc, struct error *err) {
    if (reply_check_id(id, "v", err) < 0) return -1;
    return http_getf(r->http, doc, err, "/v1/versions/%s", id);
}

static int say_version(struct race *r, const char *id, struct error *err) {
    _cleanup_json_ struct json *doc = NULL;
    _cleanup_buf_ struct buf line = {0};
    if (get_version(r, id, &doc, err) < 0) return -1;
    progress_version(doc, r->metric, &line);
    progress_say(r->progress, "%s", buf_text(&line));
    return 0;
}

static int say_run(struct race *r, const char *id, struct error *err) {
    _cleanup_json_ struct json *doc = NULL;
    _cleanup_buf_ struct buf line = {0};
    if (reply_check_id(id, "r", err) < 0 || http_getf(r->http, &doc, err, "/v1/runs/%s", id) < 0)
        return -1;
    if (reply_text(doc, "measurement")) return 0; /* of a measurement: another matter */
    progress_run(doc, r->metric, &line);
    progress_say(r->progress, "%s", buf_text(&line));
    return 0;
}

/* The first version of an experiment is the record that it starts from. */
static int on_created(struct race *r, const struct json *event, struct error *err) {
    const char *id = reply_text_or(event, "subject", "");
    struct racer *racer = racer_of_experiment(r, reply_text(event, "data.experiment"));
    if (!racer || holds(racer->versions, id)) return 0;
    if (strv_push(&racer->versions, id) < 0) return error_sys(err, ENOMEM, "versions");
    if (strv_len(racer->versions) == 1) {
        progress_say(r->progress, "%s %s starts from the record", id, racer->kind->name);
        return 0;
    }
    _cleanup_json_ struct json *doc = NULL;
    _cleanup_buf_ struct buf hypothesis = {0};
    if (get_version(r, id, &doc, err) < 0) return -1;
    progress_text(reply_text_or(doc, "hypothesis", ""), HYPOTHESIS_COLUMNS, &hypothesis);
    progress_say(r->progress, "%s %s: %s", id, racer->kind->name, buf_text(&hypothesis));
    /* What is over from the start is followed by no event that it is done. */
    return reply_text(event, "data.outcome") ? say_version(r, id, err) : 0;
}

/* What the models have cost so far, of all agents together. */
static void on_call(struct race *r, const struct json *event) {
    const char *why = reply_text(event, "data.error");
    if (!racer_of_experiment(r, reply_text(event, "subject"))) return;
    r->calls++;
    r->tokens += strtoll(reply_text_or(event, "data.tokens", "0"), NULL, 10);
    r->cost += strtod(reply_text_or(event, "data.cost", "0"), NULL);
    if (why) {
        _cleanup_buf_ struct buf shown = {0};
        progress_text(why, SIZE_MAX, &shown);
        progress_say(r->progress, "%s %s: no answer: %s", reply_text_or(event, "subject", ""),
                     reply_text_or(event, "data.role", ""), buf_text(&shown));
    }
    progress_status(r->progress, "%lld calls, %lld tokens, $%.2f", (long long)r->calls,
                    (long long)r->tokens, r->cost);
}

static int on_event(struct race *r, const struct json *event, struct error *err) {
    const char *type = reply_text_or(event, "type", "");
    const char *subject = reply_text_or(event, "subject", "");
    if (str_eq(type, "version.created")) return on_created(r, event, err);
    if (str_eq(type, "experiment.call")) on_call(r, event);
    if (str_eq(type, "version.state") && racer_of_version(r, subject))
        progress_status(r->progress, "%s %s", subject, reply_text_or(event, "data.state", ""));
    if (str_eq(type, "version.done") && racer_of_version(r, subject))
        return say_version(r, subject, err);
    if (str_eq(type, "run.ended") && racer_of_version(r, reply_text(event, "data.version")))
        return say_run(r, subject, err);
    if (str_eq(type, "data.prepared")) progress_say(r->progress, "data of %s prepared", subject);
    return 0;
}

static size_t reap(struct race *r) {
    size_t alive = 0;
    for (size_t i = 0; i < r->count; i++) {
        struct racer *racer = &r->racers[i];
        int status = 0;
        if (racer->pid > 0 && waitpid(racer->pid, &status, WNOHANG) == racer->pid) {
            racer->failed = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
            racer->pid = 0;
        }
        alive += racer->pid > 0;
    }
    return alive;
}

static int stop_all(struct race *r, struct error *err) {
    for (size_t i = 0; i < r->count; i++)
        if (r->racers[i].pid > 0) kill(r->racers[i].pid, SIGTERM);
    for (size_t i = 0; i < r->count; i++) {
        if (r->racers[i].pid > 0) waitpid(r->racers[i].pid, NULL, 0);
        http_postf(r->http, NULL, NULL, NULL, "/v1/experiments/%s/cancel", r->racers[i].experiment);
    }
    return error_set(err, ERROR_CANCELLED, "interrupted; the experiments are cancelled");
}

int race_follow(struct race *r, const volatile bool *interrupted, struct error *err) {
    for (bool alive = true;;) {
        _cleanup_json_ struct json *events = NULL;
        if (*interrupted) return stop_all(r, err);
        /* Once more after the last agent is gone: for the events of its end. */
        if (follow_next(&r->follow, alive ? WAIT_MS : 0, &events, err) < 0) return -1;
        size_t count = reply_count(events, "events");
        for (size_t i = 0; i < count; i++)
            if (on_event(r, reply_at(events, "events", i), err) < 0) return -1;
        if (!alive && count == 0) return 0;
        alive = reap(r) > 0;
    }
}
