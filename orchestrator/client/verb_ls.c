/* paddock ls: what there is. */
#include "common/cleanup.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/results.h"
#include "orchestrator/client/table.h"

#include <math.h>

static const struct arg args_ls[] = {
    {.name = "runs", .kind = ARG_FLAG, .help = "runs instead of experiments"},
    {.name = "measurements", .kind = ARG_FLAG, .help = "measurements instead of experiments"},
    {.name = "sweep", .kind = ARG_TEXT, .value = "NAME", .help = "experiments of this sweep"},
    {.name = "limit",
     .letter = 'n',
     .kind = ARG_INT,
     .value = "N",
     .min = 1,
     .max = 1000,
     .help = "the newest N (default 20)"},
    {.name = NULL}};

static void seconds_cell(struct table *t, double seconds) {
    _cleanup_buf_ struct buf text = {0};
    progress_seconds(seconds, &text);
    table_cell(t, buf_text(&text));
}

static void experiment_row(struct table *t, const struct json *e) {
    _cleanup_buf_ struct buf agent = {0}, task = {0};
    results_agent(e, &agent);
    results_task(e, &task);
    table_cell(t, reply_text(e, "id"));
    table_cell(t, buf_text(&task));
    table_cell(t, buf_text(&agent));
    table_cell(t, reply_text(e, "state"));
    table_cell(t, reply_text(e, "created"));
    int64_t calls = reply_int(e, "spent.calls", 0);
    table_cellf(t, calls ? "%lld" : "", (long long)calls);
    table_cellf(t, calls ? "$%.2f" : "", reply_number(e, "spent.cost", 0));
    table_cell(t, reply_text_or(e, "reason", ""));
}

static void run_row(struct table *t, const struct json *r) {
    table_cell(t, reply_text(r, "id"));
    table_cell(t, reply_text(r, "version"));
    table_cell(t, reply_text(r, "phase"));
    table_cell(t, reply_text(r, "state"));
    table_cell(t, reply_text(r, "ended"));
    seconds_cell(t, reply_number(r, "wall_s", NAN));
    table_cell(t, reply_text_or(r, "reason", ""));
}

static void measurement_row(struct table *t, const struct json *m) {
    _cleanup_buf_ struct buf task = {0};
    results_task(m, &task);
    table_cell(t, reply_text(m, "id"));
    table_cell(t, buf_text(&task));
    table_cell(t, reply_text(m, "state"));
    table_cellf(t, "%lld", (long long)reply_int(m, "blocks", 0));
    table_cell(t, reply_text(m, "outcome"));
    table_cell(t, reply_text(m, "created"));
}

struct kind {
    const char *route;
    const char *const *heads;
    void (*row)(struct table *t, const struct json *item);
};

static const struct kind *kind_of(const struct args *args, struct error *err) {
    static const char *const experiment_heads[] = {"ID",     "TASK",  "AGENT",  "STATE", "CREATED",
                                                   ">CALLS", ">COST", "REASON", NULL};
    static const char *const run_heads[] = {"ID",    "VERSION", "PHASE",  "STATE",
                                            "ENDED", ">TIME",   "REASON", NULL};
    static const char *const measurement_heads[] = {"ID",      "TASK",    "STATE", ">BLOCKS",
                                                    "OUTCOME", "CREATED", NULL};
    static const struct kind experiments = {"experiments", experiment_heads, experiment_row};
    static const struct kind runs = {"runs", run_heads, run_row};
    static const struct kind measurements = {"measurements", measurement_heads, measurement_row};
    bool of_runs = args_given(args, "runs"), of_measurements = args_given(args, "measurements");
    if (of_runs && of_measurements) {
        error_set(err, ERROR_INVALID, "--runs and --measurements exclude each other");
        return NULL;
    }
    return of_runs ? &runs : of_measurements ? &measurements : &experiments;
}

static int run(struct cli *cli, const struct args *args, struct error *err) {
    const struct kind *kind = kind_of(args, err);
    const char *sweep = args_text(args, "sweep");
    if (kind && sweep && !str_eq(kind->route, "experiments"))
        return error_set(err, ERROR_INVALID, "--sweep goes with experiments only");
    struct http *http = kind ? cli_http(cli, err) : NULL;
    _cleanup_json_ struct json *doc = NULL;
    _cleanup_free_ char *escaped = http_escape(sweep ? sweep : "");
    if (!escaped) return error_sys(err, ENOMEM, "ls");
    if (!http ||
        http_getf(http, &doc, err, "/v1/%s?limit=%lld%s%s", kind->route,
                  (long long)args_int(args, "limit", 20), sweep ? "&sweep=" : "", escaped) < 0)
        return -1;
    if (cli->json) return cli_print_json(doc, err);
    _cleanup_table_ struct table *t = table_new(kind->heads);
    for (size_t i = 0; i < reply_count(doc, kind->route); i++)
        kind->row(t, reply_at(doc, kind->route, i));
    _cleanup_buf_ struct buf out = {0};
    if (table_print(t, cli->colour, &out) < 0) return error_sys(err, ENOMEM, "table");
    return cli_print(&out, err);
}

const struct verb verb_ls = {
    .name = "ls",
    .summary = "list experiments, runs or measurements, newest first",
    .operands = "",
    .args = args_ls,
    .example = "paddock ls\npaddock ls --runs -n 5",
    .run = run,
};
