/* paddock show: all about one thing. */
#include "common/cleanup.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/ledger.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/show.h"
#include "orchestrator/client/verdict.h"

static const struct arg args_show[] = {
    {.name = "fence", .kind = ARG_FLAG, .help = "of a run: the fence report and the limits"},
    {.name = "verdict",
     .kind = ARG_FLAG,
     .help = "of a version: its score and the evidence for it"},
    {.name = "measurement",
     .kind = ARG_TEXT,
     .value = "ID",
     .help = "of which (default: the newest)"},
    {.name = "svg", .kind = ARG_FLAG, .help = "the runs of the verdict as a picture"},
    {.name = "output",
     .letter = 'o',
     .kind = ARG_TEXT,
     .value = "FILE",
     .help = "where the verdict goes"},
    {.name = "calls",
     .kind = ARG_FLAG,
     .help = "of an experiment: the calls of models that it made, and what they cost"},
    {.name = "call",
     .kind = ARG_INT,
     .value = "N",
     .min = 1,
     .max = INT32_MAX,
     .help = "one of them, with prompt and reply"},
    {.name = NULL}};

static const char *route_of(char kind) {
    switch (kind) {
    case 'e': return "experiments";
    case 'v': return "versions";
    case 'r': return "runs";
    default: return "measurements";
    }
}

/* Options that mean nothing without --verdict. */
static int check_options(const struct args *args, struct error *err) {
    static const char *const only[] = {"measurement", "svg", "output", NULL};
    for (const char *const *name = only; *name; name++)
        if (args_given(args, *name))
            return error_set(err, ERROR_INVALID, "--%s needs --verdict", *name);
    return 0;
}

static int show_ledger(struct cli *cli, const struct args *args, struct error *err) {
    const char *id = args->operands[0];
    if (reply_check_id(id, "e", err) < 0) return -1;
    int64_t number = args_int(args, "call", 0);
    return number ? ledger_show_call(cli, id, number, err) : ledger_show(cli, id, err);
}

static int run(struct cli *cli, const struct args *args, struct error *err) {
    const char *id = args->operands[0];
    if (args_given(args, "verdict")) return verdict_show(cli, args, err);
    if (check_options(args, err) < 0) return -1;
    if (args_given(args, "calls") || args_given(args, "call")) return show_ledger(cli, args, err);
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
    .example = "paddock show v3\npaddock show r7 --fence\n"
               "paddock show e1 --calls\npaddock show e1 --call 3\n"
               "paddock show --verdict v3\npaddock show --verdict v3 --svg -o runs.svg",
    .run = run,
};
