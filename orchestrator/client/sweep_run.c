#include "orchestrator/client/sweep_run.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "orchestrator/client/race.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/results.h"
#include "orchestrator/paths/paths.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#define POLL_NS   100000000L
#define TRIES_MAX 3

void sweep_clear(struct sweep *s) {
    for (size_t i = 0; s->jobs && i < s->file->count; i++) free(s->jobs[i].experiment);
    free(s->jobs);
    strv_free(s->measurements);
    *s = (struct sweep){0};
}

/* ---- experiments ---- */

static int get_experiment(struct sweep *s, size_t i, struct json **out, struct error *err) {
    return http_getf(s->http, out, err, "/v1/experiments/%s", s->jobs[i].experiment);
}

/* The version that a cumulative cell starts from: the best of the cell before, found
 * by single runs; NULL: it has none, and the record it is. */
static int find_start(struct sweep *s, const struct sweep_cell *c, char **out, struct error *err) {
    _cleanup_json_ struct json *before = NULL;
    _cleanup_strv_ char **best = NULL;
    if (c->before == SIZE_MAX) return 0;
    if (get_experiment(s, c->before, &before, err) < 0 || results_top(before, 1, &best, err) < 0)
        return -1;
    if (best && !(*out = strdup(best[0]))) return error_sys(err, ENOMEM, "sweep");
    return 0;
}

/* The config of a cell, NULL for agents that have none. */
static int cell_config(struct sweep *s, const struct sweep_cell *c, struct json **out,
                       struct error *err) {
    _cleanup_free_ char *start = NULL;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!c->search) return 0;
    if (!w) return error_sys(err, ENOMEM, "sweep");
    if (find_start(s, c, &start, err) < 0 || sweep_file_config(s->file, c, start, w, NULL, err) < 0)
        return -1;
    *out = json_written(w, "config", err);
    return *out ? 0 : -1;
}

/* Makes it, or finds it by its key. */
static int open_cell(struct sweep *s, size_t i, struct error *err) {
    const struct sweep_cell *c = &s->file->cells[i];
    struct sweep_job *job = &s->jobs[i];
    const char *folder = sweep_replay_folder(c), *label = agent_label(folder);
    _cleanup_json_ struct json *config = NULL, *doc = NULL;
    if (cell_config(s, c, &config, err) < 0) return error_wrap(err, "%s", c->key);
    const struct agent_wish wish = {.task = c->task,
                                    .agent = folder ? "replay" : c->agent,
                                    .label = label ? label : folder,
                                    .key = c->key,
                                    .sweep = s->file->name,
                                    .config = config};
    if (agent_create(s->http, &wish, &doc, err) < 0) return error_wrap(err, "%s", c->key);
    job->experiment = strdup(reply_text_or(doc, "id", ""));
    if (!job->experiment) return error_sys(err, ENOMEM, "sweep");
    if (!str_eq(reply_text_or(doc, "state", ""), "open")) {
        job->state = SWEEP_OVER;
        s->over++;
    }
    return 0;
}

/* ---- agents ---- */

static int start_agent(struct sweep *s, size_t i, struct error *err) {
    struct sweep_job *job = &s->jobs[i];
    const char *agent = s->file->cells[i].agent, *dir = sweep_replay_folder(&s->file->cells[i]);
    _cleanup_free_ char *program = paths_program("paddock-agent", err);
    _cleanup_free_ char *folder = NULL;
    if (!program) return -1;
    char *argv[] = {program,         "--with-parent", "--agent", (char *)agent, "--experiment",
                    job->experiment, "--quiet",       NULL,      NULL,          NULL};
    if (dir) {
        folder = dir[0] == '/' ? strdup(dir) : str_printf("%s/%s", s->file->dir, dir);
        if (!folder) return error_sys(err, ENOMEM, "sweep");
        argv[3] = (char *)"replay";
        argv[7] = (char *)"--replay";
        argv[8] = folder;
    }
    job->pid = race_spawn(program, argv, false, err);
    if (job->pid < 0) return -1;
    job->state = SWEEP_RUNS;
    job->tries++;
    progress_say(s->progress, "%s %s", job->experiment, s->file->cells[i].key);
    return 0;
}

static bool may_start(const struct sweep *s, size_t i) {
    size_t before = s->file->cells[i].before;
    return s->jobs[i].state == SWEEP_TODO &&
           (before == SIZE_MAX || s->jobs[before].state == SWEEP_OVER);
}

static size_t running(const struct sweep *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->file->count; i++) n += s->jobs[i].state == SWEEP_RUNS;
    return n;
}

static int start_some(struct sweep *s, struct error *err) {
    size_t runs = running(s);
    for (size_t i = 0; i < s->file->count && runs < (size_t)s->file->parallel; i++) {
        if (!may_start(s, i)) continue;
        if (!s->jobs[i].experiment && open_cell(s, i, err) < 0) return -1;
        if (s->jobs[i].state != SWEEP_TODO) continue;
        if (start_agent(s, i, err) < 0) return -1;
        runs++;
    }
    return 0;
}

static void say_over(struct sweep *s, size_t i, const struct json *doc) {
    size_t versions = reply_count(doc, "versions"), valid = 0;
    for (size_t k = 0; k < versions; k++)
        valid += str_eq(reply_text_or(reply_at(doc, "versions", k), "outcome", ""), "valid");
    progress_say(s->progress, "%s %s: %zu of %zu versions valid, %lld calls, $%.2f (%zu of %zu)",
                 s->jobs[i].experiment, reply_text_or(doc, "state", ""), valid,
                 versions ? versions - 1 : 0, (long long)reply_int(doc, "spent.calls", 0),
                 reply_number(doc, "spent.cost", 0), s->over, s->file->count);
}

/* The agent of a cell is gone: is the experiment over? An agent that was killed, or
 * whose server was away, is started again a few times. */
static int take_end(struct sweep *s, size_t i, struct error *err) {
    struct sweep_job *job = &s->jobs[i];
    _cleanup_json_ struct json *doc = NULL;
    if (get_experiment(s, i, &doc, err) < 0) return -1;
    if (!str_eq(reply_text_or(doc, "state", ""), "open")) {
        job->state = SWEEP_OVER;
        s->over++;
        say_over(s, i, doc);
        return 0;
    }
    job->state = job->tries < TRIES_MAX ? SWEEP_TODO : SWEEP_LEFT;
    if (job->state == SWEEP_LEFT) {
        s->left++;
        progress_say(s->progress, "%s stays open: its agent ended %d times before it was done",
                     job->experiment, job->tries);
    }
    return 0;
}

static int reap(struct sweep *s, struct error *err) {
    for (size_t i = 0; i < s->file->count; i++) {
        struct sweep_job *job = &s->jobs[i];
        if (job->state != SWEEP_RUNS || waitpid(job->pid, NULL, WNOHANG) != job->pid) continue;
        job->pid = 0;
        if (take_end(s, i, err) < 0) return -1;
    }
    return 0;
}

static void end_agents(struct sweep *s) {
    for (size_t i = 0; i < s->file->count; i++)
        if (s->jobs[i].state == SWEEP_RUNS) kill(s->jobs[i].pid, SIGTERM);
    for (size_t i = 0; i < s->file->count; i++)
        if (s->jobs[i].state == SWEEP_RUNS) waitpid(s->jobs[i].pid, NULL, 0);
}

/* What waits for a cell that was left waits in vain. */
static bool any_left_to_do(const struct sweep *s) {
    for (size_t i = 0; i < s->file->count; i++)
        if (s->jobs[i].state == SWEEP_RUNS || may_start(s, i)) return true;
    return false;
}

static int play(struct sweep *s, struct error *err) {
    while (any_left_to_do(s)) {
        if (*s->interrupted)
            return error_set(err, ERROR_CANCELLED,
                             "interrupted; the experiments stay open: the same command goes on");
        if (start_some(s, err) < 0 || reap(s, err) < 0) return -1;
        progress_status(s->progress, "%zu of %zu experiments over, %zu running", s->over,
                        s->file->count, running(s));
        if (running(s)) nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
    }
    return 0;
}

int sweep_run_agents(struct sweep *s, struct error *err) {
    s->jobs = calloc(s->file->count + 1, sizeof *s->jobs);
    if (!s->jobs) return error_sys(err, ENOMEM, "sweep");
    int rc = play(s, err);
    if (rc < 0) end_agents(s);
    return rc;
}
