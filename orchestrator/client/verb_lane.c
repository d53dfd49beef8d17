/* paddock lane list: where runs happen. */
#include "common/cleanup.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/table.h"

static const struct arg args_none[] = {{.name = NULL}};

static void put_means(const struct json *doc, const char *what, const char *path, struct buf *out) {
    const struct json *means = reply_find(doc, path);
    if (!means) return;
    buf_printf(out, "others can%s be %s: ", reply_bool(means, "can", false) ? "" : "not", what);
    progress_text(reply_text_or(means, "detail", "?"), SIZE_MAX, out);
    buf_putc(out, '\n');
}

static int run_list(struct cli *cli, const struct args *args, struct error *err) {
    static const char *const heads[] = {"LANE", "ROLE", "CPUS", "NODE", "RUNS", NULL};
    (void)args;
    struct http *http = cli_http(cli, err);
    _cleanup_json_ struct json *doc = NULL;
    if (!http || http_get(http, "/v1/lanes", &doc, err) < 0) return -1;
    if (cli->json) return cli_print_json(doc, err);
    _cleanup_table_ struct table *table = table_new(heads);
    for (size_t i = 0; i < reply_count(doc, "lanes"); i++) {
        const struct json *lane = reply_at(doc, "lanes", i);
        int64_t node = reply_int(lane, "memory_node", -1);
        table_cell(table, reply_text(lane, "name"));
        table_cell(table, reply_text(lane, "role"));
        table_cell(table, reply_text(lane, "cpus"));
        if (node < 0) table_cell(table, NULL);
        else table_cellf(table, "%lld", (long long)node);
        table_cell(table, reply_text(lane, "job"));
    }
    _cleanup_buf_ struct buf out = {0};
    if (table_print(table, cli->colour, &out) < 0) return error_sys(err, ENOMEM, "lanes");
    put_means(doc, "frozen during a timed run", "others.freeze", &out);
    put_means(doc, "moved to other cpus", "others.move", &out);
    return cli_print(&out, err);
}

const struct verb verb_lane_list = {
    .name = "lane list",
    .summary = "list the lanes: cpus, roles, what runs on them",
    .operands = "",
    .args = args_none,
    .help = "Also says whether other sandboxes can be kept off a lane while a timed run is on,\n"
            "and why not.",
    .example = "paddock lane list",
    .run = run_list,
};
