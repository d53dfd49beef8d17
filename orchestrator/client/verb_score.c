/* paddock score: a new measurement of versions. */
#include "common/cleanup.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/interrupt.h"
#include "orchestrator/client/measure.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/table.h"

#include <math.h>

#define PATIENCE_S 60

static const struct arg args_score[] = {
    MEASURE_ARGS,
    {.name = "no-wait", .kind = ARG_FLAG, .help = "print the measurement's id and leave"},
    {.name = "quiet", .letter = 'q', .kind = ARG_FLAG, .help = "no progress"},
    {.name = NULL}};

static int print_text(const struct cli *cli, const struct json *measurement, struct error *err) {
    static const char *const heads[] = {"VERSION", "OUTCOME", ">TIME", ">FSR", "REASON", NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    for (size_t i = 0; i < reply_count(measurement, "scores"); i++) {
        const struct json *score = reply_at(measurement, "scores", i);
        _cleanup_buf_ struct buf time = {0}, fsr = {0};
        progress_seconds(reply_number(score, "mean_s", NAN), &time);
        measure_fsr(score, &fsr);
        table_cell(t, reply_text(score, "version"));
        table_cell(t, reply_text(score, "outcome"));
        table_cell(t, buf_text(&time));
        table_cell(t, buf_text(&fsr));
        table_cell(t, reply_text_or(score, "reason", ""));
    }
    _cleanup_buf_ struct buf out = {0};
    if (table_print(t, cli->colour, &out) < 0) return error_sys(err, ENOMEM, "table");
    measure_search(measurement, cli->colour, &out);
    buf_putc(&out, '\n');
    measure_summary(measurement, &out);
    return cli_print(&out, err);
}

static int print_id(const struct cli *cli, struct http *http, const char *id, struct error *err) {
    _cleanup_json_ struct json *doc = NULL;
    _cleanup_buf_ struct buf out = {0};
    buf_printf(&out, "%s\n", id);
    if (!cli->json) return cli_print(&out, err);
    return http_getf(http, &doc, err, "/v1/measurements/%s", id) < 0 ? -1
                                                                     : cli_print_json(doc, err);
}

static int run(struct cli *cli, const struct args *args, struct error *err) {
    for (char *const *id = args->operands; *id; id++)
        if (reply_check_id(*id, "v", err) < 0) return -1;
    struct http *http = cli_http(cli, err);
    const struct measure_wish wish = measure_wish_of(args);
    _cleanup_free_ char *id = http ? measure_create(http, args->operands, &wish, err) : NULL;
    if (!id) return -1;
    if (args_given(args, "no-wait")) return print_id(cli, http, id, err);
    interrupt_watch();
    http_set_patience(http, PATIENCE_S);
    _cleanup_progress_ struct progress progress;
    progress_open(&progress, args_given(args, "quiet"));
    _cleanup_json_ struct json *doc = NULL;
    progress_say(&progress, "%s waits for the lane", id);
    if (measure_follow(http, id, &progress, interrupt_flag(), &doc, err) < 0) return -1;
    progress_close(&progress);
    return cli->json ? cli_print_json(doc, err) : print_text(cli, doc, err);
}

const struct verb verb_score = {
    .name = "score",
    .summary = "measure versions anew and print their FSR",
    .operands = "VERSION…",
    .least = 1,
    .most = -1,
    .args = args_score,
    .help = "All versions must be of one task and step. They share the two arms of the\n"
            "records; every arm is run in each block, in random order, with fresh seeds.",
    .example = "paddock score v2 v5 --blocks-max 8",
    .run = run,
};
