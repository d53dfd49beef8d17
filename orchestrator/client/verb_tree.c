/* paddock tree: the versions of an experiment. */
#include "common/cleanup.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/measure.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/results.h"
#include "orchestrator/client/table.h"
#include "orchestrator/client/tree.h"

#include <math.h>

#define HYPOTHESIS_COLUMNS 60

static const struct arg args_tree[] = {
    {.name = "full", .kind = ARG_FLAG, .help = "hypotheses and reasons uncut"}, {.name = NULL}};

/* The score that was made last. */
static const struct json *newest_score(const struct json *version) {
    size_t count = reply_count(version, "scores");
    return count ? reply_at(version, "scores", count - 1) : NULL;
}

static void add_line(struct table *t, const struct tree_line *line, bool full) {
    const struct json *v = line->version;
    _cleanup_buf_ struct buf time = {0}, fsr = {0}, hypothesis = {0};
    progress_seconds(reply_number(v, "seconds", NAN), &time);
    measure_fsr(newest_score(v), &fsr);
    const char *reason = reply_text(v, "reason");
    const char *text = reply_text_or(v, "hypothesis", "");
    progress_text(text, full ? SIZE_MAX : HYPOTHESIS_COLUMNS, &hypothesis);
    const char *outcome = reply_text_or(v, "outcome", reply_text_or(v, "state", "?"));
    bool root = !reply_text(v, "parent");
    table_cell(t, line->label);
    table_cell(t, root ? "record" : outcome);
    table_cell(t, buf_text(&time));
    results_metric(t, reply_number(v, "metric", NAN));
    table_cell(t, buf_text(&fsr));
    table_cell(t, buf_text(&hypothesis));
    table_cell(t, reason && !str_eq(outcome, "valid") ? reason : "");
}

static int print_text(const struct cli *cli, const struct json *experiment, bool full,
                      struct error *err) {
    static const char *const heads[] = {"VERSION", "OUTCOME",    ">TIME",  ">METRIC",
                                        ">FSR",    "HYPOTHESIS", "REASON", NULL};
    _cleanup_tree_ struct tree tree = {0};
    _cleanup_table_ struct table *t = table_new(heads);
    _cleanup_buf_ struct buf out = {0};
    if (tree_layout(experiment, true, &tree, err) < 0) return -1;
    for (size_t i = 0; i < tree.count; i++) add_line(t, &tree.lines[i], full);
    buf_printf(&out, "%s  ", reply_text_or(experiment, "id", "?"));
    results_task(experiment, &out);
    buf_puts(&out, "  ");
    _cleanup_buf_ struct buf agent = {0};
    results_agent(experiment, &agent);
    progress_text(buf_text(&agent), SIZE_MAX, &out);
    buf_printf(&out, "  %s\n", reply_text_or(experiment, "state", "?"));
    if (table_print(t, cli->colour, &out) < 0) return error_sys(err, ENOMEM, "table");
    return cli_print(&out, err);
}

static int run(struct cli *cli, const struct args *args, struct error *err) {
    const char *id = args->operands[0];
    _cleanup_json_ struct json *doc = NULL;
    if (reply_check_id(id, "e", err) < 0) return -1;
    struct http *http = cli_http(cli, err);
    if (!http || http_getf(http, &doc, err, "/v1/experiments/%s", id) < 0) return -1;
    return cli->json ? cli_print_json(doc, err)
                     : print_text(cli, doc, args_given(args, "full"), err);
}

const struct verb verb_tree = {
    .name = "tree",
    .summary = "show the tree of an experiment's versions",
    .operands = "EXPERIMENT",
    .least = 1,
    .most = 1,
    .args = args_tree,
    .help = "Each line is a version below its parent, with outcome, time and newest FSR.",
    .example = "paddock tree e1",
    .run = run,
};
