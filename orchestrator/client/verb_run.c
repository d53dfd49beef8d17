/* paddock run: agents race on a task, and their best versions are measured. */
#include "common/cleanup.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/interrupt.h"
#include "orchestrator/client/measure.h"
#include "orchestrator/client/race.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/results.h"
#include "orchestrator/paths/paths.h"
#include "tasks/task.h"

#include <string.h>

#define PATIENCE_S 60

static const struct arg args_run[] = {
    {.name = "agent",
     .letter = 'a',
     .kind = ARG_LIST,
     .value = "AGENT",
     .help = "reference, noop, replay:DIR or model:CONFIG.json; may be given several times"},
    {.name = "coder",
     .kind = ARG_TEXT,
     .value = "CODER",
     .help = "in place of the config's: whole, blocks, diff or command:COMMAND"},
    {.name = "coder-mount",
     .kind = ARG_LIST,
     .value = "DIR",
     .help = "a folder that the command may read; may be given several times"},
    {.name = "label", .kind = ARG_TEXT, .value = "TEXT", .help = "a label of the experiments"},
    {.name = "no-score", .kind = ARG_FLAG, .help = "no measurement at the end"},
    {.name = "top",
     .kind = ARG_INT,
     .value = "N",
     .min = 1,
     .max = 16,
     .help = "measure the N fastest valid versions of each agent (default 1)"},
    MEASURE_ARGS,
    {.name = "wait", .kind = ARG_FLAG, .help = "wait for the results (the default)"},
    {.name = "no-wait", .kind = ARG_FLAG, .help = "start the agents, print ids, measure nothing"},
    {.name = "quiet", .letter = 'q', .kind = ARG_FLAG, .help = "no progress"},
    {.name = NULL}};

/* What one `paddock run` holds. */
struct session {
    struct race race;
    struct progress progress;
    struct json *task;
    struct json **experiments; /* at the end; one for each racer */
    struct json *measurement;  /* NULL: none was made */
};

static void session_clear(struct session *s) {
    progress_close(&s->progress);
    for (size_t i = 0; s->experiments && i < s->race.count; i++) json_free(s->experiments[i]);
    free(s->experiments);
    json_free(s->measurement);
    json_free(s->task);
    race_clear(&s->race);
}

static int parse_agents(struct session *s, char *const *specs, struct error *err) {
    size_t count = specs ? strv_len(specs) : 0;
    if (count == 0)
        return error_set(err, ERROR_INVALID,
                         "which agent? --agent reference, noop, replay:DIR or model:CONFIG.json");
    s->race.racers = calloc(count, sizeof *s->race.racers);
    s->experiments = calloc(count, sizeof *s->experiments);
    if (!s->race.racers || !s->experiments) return error_sys(err, ENOMEM, "agents");
    for (; s->race.count < count; s->race.count++)
        if (racer_parse(specs[s->race.count], &s->race.racers[s->race.count], err) < 0) return -1;
    return 0;
}

/* The daemon has another current folder, so a path is made absolute. */
static char *absolute_ref(const char *ref, struct error *err) {
    char *copy = strchr(ref, '/') ? paths_absolute(ref, err) : strdup(ref);
    if (!copy) error_wrap(err, "task %s", ref);
    return copy;
}

static int load_task(struct session *s, const char *ref, struct error *err) {
    _cleanup_free_ char *name = NULL;
    int64_t step = 1;
    if (task_ref_parse(ref, &name, &step, err) < 0) return -1;
    _cleanup_free_ char *escaped = http_escape(name);
    if (!escaped) return error_sys(err, ENOMEM, "task");
    if (http_getf(s->race.http, &s->task, err, "/v1/tasks/%s", escaped) < 0) return -1;
    s->race.metric = reply_text_or(s->task, "metric", "metric");
    return 0;
}

static int read_experiments(struct session *s, struct error *err) {
    for (size_t i = 0; i < s->race.count; i++) {
        json_free(s->experiments[i]);
        s->experiments[i] = NULL;
        if (http_getf(s->race.http, &s->experiments[i], err, "/v1/experiments/%s",
                      s->race.racers[i].experiment) < 0)
            return -1;
    }
    return 0;
}

/* The best valid versions of each experiment, as one measurement. */
static int measure_best(struct session *s, const struct args *args, struct error *err) {
    _cleanup_strv_ char **best = NULL;
    for (size_t i = 0; i < s->race.count; i++) {
        size_t most = (size_t)args_int(args, "top", 1);
        if (results_top(s->experiments[i], most, &best, err) < 0) return -1;
    }
    if (!best) {
        progress_say(&s->progress, "no version is valid: there is nothing to measure");
        return 0;
    }
    const struct measure_wish wish = measure_wish_of(args);
    _cleanup_free_ char *id = measure_create(s->race.http, best, &wish, err);
    if (!id) return -1;
    progress_say(&s->progress, "%s measures the best valid versions of each experiment (%zu)", id,
                 strv_len(best));
    return measure_follow(s->race.http, id, &s->progress, interrupt_flag(), &s->measurement, err);
}

static int print_text(const struct cli *cli, struct session *s, struct error *err) {
    _cleanup_buf_ struct buf out = {0};
    if (results_table((const struct json *const *)s->experiments, s->race.count, s->measurement,
                      NULL, cli->colour, &out, err) < 0)
        return -1;
    if (s->measurement) {
        measure_search(s->measurement, cli->colour, &out);
        buf_putc(&out, '\n');
        measure_summary(s->measurement, &out);
    }
    return cli_print(&out, err);
}

static int print_json(struct session *s, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    json_open_array(w, "experiments");
    for (size_t i = 0; i < s->race.count; i++) json_put_value(w, NULL, s->experiments[i]);
    json_close_array(w);
    if (s->measurement) json_put_value(w, "measurement", s->measurement);
    else json_put_null(w, "measurement");
    json_close_object(w);
    return cli_print_writer(w, err);
}

static int print_started(const struct cli *cli, struct session *s, struct error *err) {
    if (cli->json) return read_experiments(s, err) < 0 ? -1 : print_json(s, err);
    _cleanup_buf_ struct buf out = {0};
    for (size_t i = 0; i < s->race.count; i++)
        buf_printf(&out, "%s\n", s->race.racers[i].experiment);
    return cli_print(&out, err);
}

static bool is_scored(const struct session *s, const struct args *args) {
    return !args_given(args, "no-score") && reply_is_race(s->task);
}

static int race_to_the_end(struct session *s, const struct args *args, struct error *err) {
    http_set_patience(s->race.http, PATIENCE_S);
    if (race_follow(&s->race, interrupt_flag(), err) < 0 || read_experiments(s, err) < 0) return -1;
    if (!is_scored(s, args)) return 0;
    /* Read again: a score is part of its version. */
    return measure_best(s, args, err) < 0 ? -1 : read_experiments(s, err);
}

static int run(struct cli *cli, const struct args *args, struct error *err) {
    _cleanup_(session_clear) struct session s = {.progress = {.fd = -1}};
    if (parse_agents(&s, args_list(args, "agent"), err) < 0) return -1;
    s.race.coder =
        (struct agent_coder_wish){args_text(args, "coder"), args_list(args, "coder-mount")};
    interrupt_watch();
    progress_open(&s.progress, args_given(args, "quiet"));
    s.race.progress = &s.progress;
    s.race.http = cli_http(cli, err);
    _cleanup_free_ char *task = absolute_ref(args->operands[0], err);
    if (!task || !s.race.http || load_task(&s, task, err) < 0) return -1;
    bool detached = args_given(args, "no-wait");
    if (race_start(&s.race, task, args_text(args, "label"), detached, err) < 0) return -1;
    if (detached) return print_started(cli, &s, err);
    if (race_to_the_end(&s, args, err) < 0) return -1;
    progress_close(&s.progress);
    bool failed = false;
    for (size_t i = 0; i < s.race.count; i++) failed |= s.race.racers[i].failed;
    if ((cli->json ? print_json(&s, err) : print_text(cli, &s, err)) < 0) return -1;
    return failed ? CLI_FAILED : CLI_OK;
}

const struct verb verb_run = {
    .name = "run",
    .summary = "let agents race on a task and measure their best versions",
    .operands = "TASK[:STEP]",
    .least = 1,
    .most = 1,
    .args = args_run,
    .help = "Each --agent becomes an experiment. The best valid version of each is measured\n"
            "afresh, all in one measurement beside the two records of the step; the table\n"
            "shows FSR with its 95 % interval. What the search itself saw of it, one run, is\n"
            "shown apart: it is no score. Ctrl-C cancels what was started.",
    .example = "paddock run tinygpt:1 --agent reference --agent noop\n"
               "paddock run tinygpt:1 --agent model:agent.json\n"
               "paddock run tinygpt:1 --agent model:agent.json --coder 'command:my-agent --yes'\n"
               "paddock run tinygpt:1 --agent replay:tests/replays/tinygpt-bad --no-score",
    .run = run,
};
