/* paddock report: what many experiments came to, as a page and as data. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/report_collect.h"
#include "orchestrator/client/table.h"
#include "orchestrator/report/document.h"
#include "orchestrator/report/page.h"

#include <math.h>

#define PATIENCE_S 60

static const struct arg args_report[] = {
    {.name = "sweep",
     .kind = ARG_LIST,
     .value = "NAME",
     .help = "all experiments of this sweep; may be given several times"},
    {.name = "output", .letter = 'o', .kind = ARG_TEXT, .value = "FILE", .help = "the page (HTML)"},
    {.name = "csv", .kind = ARG_TEXT, .value = "FILE", .help = "a line for each experiment"},
    {.name = "json-file", .kind = ARG_TEXT, .value = "FILE", .help = "the document of --json"},
    {.name = "title", .kind = ARG_TEXT, .value = "TEXT", .help = "the page's (default: the sweep)"},
    {.name = "no-charts", .kind = ARG_FLAG, .help = "a page of tables, with no script in it"},
    {.name = "no-diffs", .kind = ARG_FLAG, .help = "trees without what each version changed"},
    {.name = "d3",
     .kind = ARG_TEXT,
     .value = "FILE",
     .help = "the chart library (default: of the Debian package node-d3)"},
    {.name = "quiet", .letter = 'q', .kind = ARG_FLAG, .help = "no progress"},
    {.name = NULL}};

static int check(const struct args *args, const struct cli *cli, struct error *err) {
    if (!args_list(args, "sweep") && !args->operands)
        return error_set(err, ERROR_INVALID, "of what? --sweep NAME, or experiments (e1 e2 …)");
    bool some = cli->json || args_given(args, "output") || args_given(args, "csv") ||
                args_given(args, "json-file");
    if (!some) return error_set(err, ERROR_INVALID, "where to? -o FILE, --csv FILE or --json");
    return 0;
}

static int write_file(const char *path, const char *text, size_t len, struct error *err) {
    return file_write_atomic(path, text, len, 0644, err);
}

static int write_page(const struct args *args, const struct report *r, const struct groups *g,
                      struct error *err) {
    const char *path = args_text(args, "output");
    if (!path) return 0;
    const struct page_options options = {.charts = !args_given(args, "no-charts"),
                                         .library = args_text(args, "d3")};
    _cleanup_buf_ struct buf page = {0};
    if (page_write(r, g, &options, &page, err) < 0) return -1;
    return write_file(path, buf_text(&page), page.len, err);
}

static int write_csv(const struct args *args, const struct report *r, struct error *err) {
    const char *path = args_text(args, "csv");
    if (!path) return 0;
    _cleanup_buf_ struct buf csv = {0};
    report_csv(r, &csv);
    if (buf_failed(&csv)) return error_sys(err, ENOMEM, "%s", path);
    return write_file(path, buf_text(&csv), csv.len, err);
}

static int write_json(const struct args *args, const struct cli *cli, const struct report *r,
                      const struct groups *g, struct error *err) {
    const char *path = args_text(args, "json-file");
    if (!path && !cli->json) return 0;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    if (!w) return error_sys(err, ENOMEM, "report");
    report_json(r, g, w);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    if (!text) return error_sys(err, ENOMEM, "report");
    if (path && write_file(path, text, len, err) < 0) return -1;
    return cli->json ? cli_write(text, len, err) : 0;
}

/* ---- the short form, for the terminal ---- */

static void put_interval(const struct stats_interval *i, struct table *t) {
    if (!isfinite(i->estimate)) table_cell(t, NULL);
    else if (i->known) table_cellf(t, "%.2f [%.2f, %.2f]", i->estimate, i->low, i->high);
    else table_cellf(t, "%.2f", i->estimate);
}

static int print_text(const struct cli *cli, const struct groups *g, struct error *err) {
    static const char *const heads[] = {"MODEL",    "HINTS",     "SEARCH", ">EXPERIMENTS",
                                        ">COUNTED", ">MEAN FSR", ">IQM",   NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    _cleanup_buf_ struct buf out = {0};
    for (size_t i = 0; i < g->count; i++) {
        const struct group *group = &g->groups[i];
        if (group->kind != GROUP_CELL && group->kind != GROUP_ALL) continue;
        table_cell(t, group->model ? group->model : "all");
        table_cell(t, group->hints ? group->hints : "");
        table_cell(t, group->search ? group->search : "");
        table_cellf(t, "%zu", group->experiments);
        table_cellf(t, "%zu", group->fsr.count);
        put_interval(&group->fsr.mean, t);
        put_interval(&group->fsr.iqm, t);
    }
    if (table_print(t, cli->colour, &out) < 0) return error_sys(err, ENOMEM, "table");
    return cli_print(&out, err);
}

static int collect(struct cli *cli, const struct args *args, struct report *out,
                   struct error *err) {
    struct http *http = cli_http(cli, err);
    if (!http) return -1;
    http_set_patience(http, PATIENCE_S);
    _cleanup_progress_ struct progress progress = {.fd = -1};
    progress_open(&progress, args_given(args, "quiet"));
    const struct report_request request = {.sweeps = args_list(args, "sweep"),
                                           .experiments = args->operands,
                                           .diffs = args_given(args, "output") &&
                                                    !args_given(args, "no-diffs"),
                                           .title = args_text(args, "title"),
                                           .progress = &progress};
    return report_collect(http, &request, out, err);
}

static int run(struct cli *cli, const struct args *args, struct error *err) {
    _cleanup_report_ struct report report = {0};
    _cleanup_groups_ struct groups groups = {0};
    if (check(args, cli, err) < 0) return -1;
    if (collect(cli, args, &report, err) < 0) return -1;
    if (groups_make(&report, &groups, err) < 0) return -1;
    if (write_page(args, &report, &groups, err) < 0 || write_csv(args, &report, err) < 0) return -1;
    if (write_json(args, cli, &report, &groups, err) < 0) return -1;
    return cli->json ? CLI_OK : print_text(cli, &groups, err);
}

const struct verb verb_report = {
    .name = "report",
    .summary = "write a page about a sweep, or about any experiments",
    .operands = "[EXPERIMENT…]",
    .least = 0,
    .most = -1,
    .args = args_report,
    .help = "One HTML file that needs nothing else: FSR by model, hints and search, with\n"
            "bootstrap intervals; each record; what became of the versions; cost; trees with\n"
            "diffs. An experiment counts by the newest score of its search's best version;\n"
            "what is not measured has no number. --json prints the same as a document.",
    .example = "paddock report --sweep baselines -o report.html --csv report.csv\n"
               "paddock report e1 e2 -o report.html --no-charts",
    .run = run,
};
