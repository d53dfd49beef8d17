/* paddock show: all about one thing. */
#include "common/cleanup.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/show.h"

static const struct arg args_show[] = {
    {.name = "fence", .kind = ARG_FLAG, .help = "of a run: the fence report and the limits"},
    {.name = NULL}};

static const char *route_of(char kind) {
    switch (kind) {
    case 'e': return "experiments";
    case 'v': return "versions";
    case 'r': return "runs";
    default: return "measurements";
    }
}

static int run(struct cli *cli, const struct args *args, struct error *err) {
    const char *id = args->operands[0];
    if (reply_check_id(id, "evrm", err) < 0) return -1;
    struct http *http = cli_http(cli, err);
    _cleanup_json_ struct json *doc = NULL;
    if (!http || http_getf(http, &doc, err, "/v1/%s/%s", route_of(*id), id) < 0) return -1;
    if (cli->json) return cli_print_json(doc, err);
    _cleanup_buf_ struct buf out = {0};
    switch (*id) {
    case 'e': show_experiment(doc, cli->colour, &out); break;
    case 'v': show_version(doc, cli->colour, &out); break;
    case 'r': show_run(doc, args_given(args, "fence"), cli->colour, &out); break;
    default: show_measurement(doc, cli->colour, &out); break;
    }
    return cli_print(&out, err);
}

const struct verb verb_show = {
    .name = "show",
    .summary = "show all about an experiment, version, run or measurement",
    .operands = "ID",
    .least = 1,
    .most = 1,
    .args = args_show,
    .help = "Times are monotonic nanoseconds where the name ends in _ns.",
    .example = "paddock show v3\npaddock show r7 --fence",
    .run = run,
};
