/* paddock board: the scored versions of a step in order. */
#include "common/cleanup.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/measure.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/results.h"
#include "orchestrator/client/table.h"
#include "orchestrator/paths/paths.h"
#include "tasks/task.h"

#include <math.h>
#include <string.h>

static const struct arg args_none[] = {{.name = NULL}};

static void add_row(struct table *t, const struct json *entry) {
    _cleanup_buf_ struct buf agent = {0}, fsr = {0}, time = {0};
    results_agent(entry, &agent);
    measure_fsr(entry, &fsr);
    progress_seconds(reply_number(entry, "mean_s", NAN), &time);
    int64_t rank = reply_int(entry, "rank", 0);
    if (rank)
        table_cellf(t, "%lld%s", (long long)rank, reply_bool(entry, "tied", false) ? "=" : "");
    else table_cell(t, NULL);
    table_cell(t, reply_text(entry, "version"));
    table_cell(t, buf_text(&agent));
    table_cell(t, reply_text(entry, "outcome"));
    table_cell(t, buf_text(&fsr));
    table_cell(t, buf_text(&time));
    table_cell(t, reply_text(entry, "measurement"));
    table_cell(t, rank ? "" : reply_text_or(entry, "reason", ""));
}

static int put_list(const struct cli *cli, const struct json *board, const char *key,
                    const char *title, struct buf *out, struct error *err) {
    static const char *const heads[] = {"RANK",  "VERSION",     "AGENT",  "OUTCOME", ">FSR",
                                        ">TIME", "MEASUREMENT", "REASON", NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    for (size_t i = 0; i < reply_count(board, key); i++) add_row(t, reply_at(board, key, i));
    if (table_rows(t) == 0) return 0;
    buf_puts(out, title);
    return table_print(t, cli->colour, out) < 0 ? error_sys(err, ENOMEM, "table") : 0;
}

static int print_text(const struct cli *cli, const struct json *board, struct error *err) {
    _cleanup_buf_ struct buf out = {0};
    buf_puts(&out, "Board of ");
    results_task(board, &out);
    buf_puts(&out, ", by the lower end of the interval; = marks a tie\n");
    if (reply_count(board, "ranked") == 0) buf_puts(&out, "no version is scored yet\n");
    if (put_list(cli, board, "ranked", "", &out, err) < 0) return -1;
    if (put_list(cli, board, "unresolved", "\nNot resolved\n", &out, err) < 0) return -1;
    if (put_list(cli, board, "withdrawn", "\nWithdrawn: no gap here\n", &out, err) < 0) return -1;
    return cli_print(&out, err);
}

static int run(struct cli *cli, const struct args *args, struct error *err) {
    _cleanup_free_ char *name = NULL;
    int64_t step = 1;
    if (task_ref_parse(args->operands[0], &name, &step, err) < 0) return -1;
    /* The daemon has another current folder. */
    _cleanup_free_ char *task = strchr(name, '/') ? paths_absolute(name, err) : strdup(name);
    _cleanup_free_ char *escaped = task ? http_escape(task) : NULL;
    if (!escaped) return -1;
    struct http *http = cli_http(cli, err);
    _cleanup_json_ struct json *doc = NULL;
    if (!http || http_getf(http, &doc, err, "/v1/boards/%s/%lld", escaped, (long long)step) < 0)
        return -1;
    return cli->json ? cli_print_json(doc, err) : print_text(cli, doc, err);
}

const struct verb verb_board = {
    .name = "board",
    .summary = "rank the scored versions of a task's step",
    .operands = "TASK[:STEP]",
    .least = 1,
    .most = 1,
    .args = args_none,
    .help = "By the lower end of the 95 % interval of each version's newest score. Versions\n"
            "whose intervals do not tell them apart share a rank.",
    .example = "paddock board tinygpt:1",
    .run = run,
};
