/* paddock task calibrate: what a task's steps are worth on this machine. */
#include "common/cleanup.h"
#include "orchestrator/client/calibration.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/interrupt.h"
#include "orchestrator/client/measure.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/paths/paths.h"

#include <string.h>

#define PATIENCE_S 60

static const struct arg args_calibrate[] = {
    {.name = "blocks",
     .kind = ARG_INT,
     .value = "N",
     .min = 2,
     .max = 1000,
     .help = "runs of each record (default 7, or the task's least when that is more)"},
    {.name = "budget",
     .kind = ARG_NUMBER,
     .value = "SECONDS",
     .help = "begin no block that would end later"},
    {.name = "no-wait", .kind = ARG_FLAG, .help = "print the measurement's id and leave"},
    {.name = "quiet", .letter = 'q', .kind = ARG_FLAG, .help = "no progress"},
    {.name = NULL}};

static char *create(struct http *http, const char *task, const struct args *args,
                    struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    _cleanup_json_ struct json *doc = NULL;
    /* The daemon has another current folder. */
    _cleanup_free_ char *ref = strchr(task, '/') ? paths_absolute(task, err) : strdup(task);
    if (!w || !ref) return NULL;
    json_put_bool(w, "calibrate", true);
    json_put_string(w, "task", ref);
    if (args_given(args, "blocks")) json_put_int(w, "blocks_max", args_int(args, "blocks", 0));
    if (args_given(args, "budget")) json_put_double(w, "budget_s", args_number(args, "budget", 0));
    json_close_object(w);
    if (http_post(http, "/v1/measurements", w, &doc, err) < 0) return NULL;
    const char *id = reply_text_or(doc, "id", "");
    return reply_check_id(id, "m", err) < 0 ? NULL : strdup(id);
}

static int print(const struct cli *cli, const struct json *measurement, struct error *err) {
    const struct json *found = reply_find(measurement, "calibration");
    if (!found)
        return error_set(err, ERROR_SYSTEM, "%s: %s", reply_text_or(measurement, "id", "?"),
                         reply_text_or(measurement, "reason", "it found nothing"));
    if (cli->json) return cli_print_json(found, err);
    _cleanup_buf_ struct buf out = {0};
    calibration_text(found, cli->colour, &out);
    const char *reason = reply_text(measurement, "reason");
    if (reason) {
        progress_text(reason, SIZE_MAX, &out);
        buf_putc(&out, '\n');
    }
    return cli_print(&out, err);
}

static int run(struct cli *cli, const struct args *args, struct error *err) {
    struct http *http = cli_http(cli, err);
    _cleanup_free_ char *id = http ? create(http, args->operands[0], args, err) : NULL;
    if (!id) return -1;
    _cleanup_json_ struct json *doc = NULL;
    if (args_given(args, "no-wait")) {
        _cleanup_buf_ struct buf out = {0};
        buf_printf(&out, "%s\n", id);
        if (!cli->json) return cli_print(&out, err);
        return http_getf(http, &doc, err, "/v1/measurements/%s", id) < 0 ? -1
                                                                         : cli_print_json(doc, err);
    }
    interrupt_watch();
    http_set_patience(http, PATIENCE_S);
    _cleanup_progress_ struct progress progress;
    progress_open(&progress, args_given(args, "quiet"));
    progress_say(&progress, "%s waits for the lane", id);
    if (measure_follow(http, id, &progress, interrupt_flag(), &doc, err) < 0) return -1;
    progress_close(&progress);
    return print(cli, doc, err);
}

const struct verb verb_task_calibrate = {
    .name = "task calibrate",
    .summary = "measure a task's records and say what can be scored here",
    .operands = "TASK[:STEP]",
    .least = 1,
    .most = 1,
    .args = args_calibrate,
    .help = "All records (or the two of a step) are run in randomised blocks. For each: time,\n"
            "variation, gap to the next against the noise, what doing nothing would score, and\n"
            "how many blocks a score takes. `paddock task show` shows it again.",
    .example = "paddock task calibrate tinygpt --blocks 10",
    .run = run,
};
