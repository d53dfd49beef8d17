/* paddock-agent: runs one agent on one task, over the public API. */
#include "common/cleanup.h"
#include "common/log.h"
#include "orchestrator/client/agent.h"
#include "orchestrator/client/args.h"
#include "orchestrator/client/autostart.h"

#include <signal.h>
#include <string.h>

static const struct arg table[] = {
    {.name = "task", .kind = ARG_TEXT, .value = "TASK[:STEP]", .help = "what to race"},
    {.name = "agent", .kind = ARG_TEXT, .value = "NAME", .help = "reference, noop or replay"},
    {.name = "replay", .kind = ARG_TEXT, .value = "DIR", .help = "the folder that replay plays"},
    {.name = "experiment", .kind = ARG_TEXT, .value = "ID", .help = "resume this experiment"},
    {.name = "label", .kind = ARG_TEXT, .value = "TEXT", .help = "a label of the experiment"},
    {.name = "quiet", .letter = 'q', .kind = ARG_FLAG, .help = "say nothing but errors"},
    {.name = "no-autostart", .kind = ARG_FLAG, .help = "fail when no paddockd answers"},
    {.name = NULL}};

static void print_help(void) {
    _cleanup_buf_ struct buf text = {0};
    args_describe(table, &text);
    printf("Usage: paddock-agent --task TASK[:STEP] --agent NAME [OPTIONS]\n"
           "       paddock-agent --experiment ID --agent NAME [OPTIONS]\n\n"
           "Runs one agent on one task as a client of paddockd's API. An experiment that\n"
           "was interrupted is resumed from what the daemon knows of it.\n\n"
           "Options:\n%s\nExample:\n"
           "  paddock-agent --task tinygpt:1 --agent replay --replay tests/replays/toy\n",
           buf_text(&text));
}

static int run(char *const *argv, struct error *err) {
    _cleanup_args_ struct args args = {0};
    if (args_parse(table, NULL, argv, &args, err) < 0) return -1;
    const char *task = args_text(&args, "task"), *name = args_text(&args, "agent");
    const char *given = args_text(&args, "experiment");
    if (args.operands) return error_set(err, ERROR_INVALID, "takes no operands");
    if (!name || !task == !given)
        return error_set(err, ERROR_INVALID, "needs --agent, and either --task or --experiment");
    const struct agent_kind *kind = agent_find(name, err);
    if (!kind) return -1;
    _cleanup_http_ struct http *http = autostart_connect(!args_given(&args, "no-autostart"), err);
    if (!http) return -1;
    _cleanup_free_ char *experiment =
        given ? strdup(given) : agent_create(http, task, name, args_text(&args, "label"), err);
    if (!experiment) return -1;
    const struct agent_options options = {.replay_dir = args_text(&args, "replay")};
    return agent_run(http, kind, &options, experiment, args_given(&args, "quiet"), err);
}

int main(int argc, char **argv) {
    log_init("paddock-agent", LOG_LEVEL_WARN);
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2 || args_wants_help(argv + 1)) {
        print_help();
        return argc < 2 ? 2 : 0;
    }
    _cleanup_error_ struct error err = {0};
    if (run(argv + 1, &err) == 0) return 0;
    _cleanup_free_ char *text = str_printable(error_text(&err), strlen(error_text(&err)));
    fprintf(stderr, "paddock-agent: %s\n", text ? text : "failed");
    return 1;
}
