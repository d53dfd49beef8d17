/* paddock-agent: runs one agent on one task, over the public API. */
#include "common/cleanup.h"
#include "common/log.h"
#include "orchestrator/client/agent_model.h"
#include "orchestrator/client/args.h"
#include "orchestrator/client/autostart.h"
#include "orchestrator/client/reply.h"

#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

static const struct arg table[] = {
    {.name = "task", .kind = ARG_TEXT, .value = "TASK[:STEP]", .help = "what to race"},
    {.name = "agent",
     .kind = ARG_TEXT,
     .value = "NAME",
     .help = "reference, noop, replay or model"},
    {.name = "replay", .kind = ARG_TEXT, .value = "DIR", .help = "the folder that replay plays"},
    {.name = "config", .kind = ARG_TEXT, .value = "FILE", .help = "of an experiment of models"},
    {.name = "coder",
     .kind = ARG_TEXT,
     .value = "CODER",
     .help = "in place of the config's: whole, blocks, diff or command:COMMAND"},
    {.name = "coder-mount",
     .kind = ARG_LIST,
     .value = "DIR",
     .help = "a folder that the command may read; may be given several times"},
    {.name = "experiment", .kind = ARG_TEXT, .value = "ID", .help = "resume this experiment"},
    {.name = "label", .kind = ARG_TEXT, .value = "TEXT", .help = "a label of the experiment"},
    {.name = "quiet", .letter = 'q', .kind = ARG_FLAG, .help = "say nothing but errors"},
    {.name = "with-parent", .kind = ARG_FLAG, .help = "end when the program that started us ends"},
    {.name = "no-autostart", .kind = ARG_FLAG, .help = "fail when no paddockd answers"},
    {.name = NULL}};

static void print_help(void) {
    _cleanup_buf_ struct buf text = {0};
    args_describe(table, &text);
    printf("Usage: paddock-agent --task TASK[:STEP] --agent NAME [OPTIONS]\n"
           "       paddock-agent --experiment ID --agent NAME [OPTIONS]\n\n"
           "Runs one agent on one task as a client of paddockd's API. An experiment that\n"
           "was interrupted is resumed from what the daemon knows of it. Status 75: a model's\n"
           "server could not be reached, and the experiment stays open.\n\n"
           "Options:\n%s\nExample:\n"
           "  paddock-agent --task tinygpt:1 --agent replay --replay tests/replays/toy\n"
           "  paddock-agent --task tinygpt:1 --agent model --config agent.json\n",
           buf_text(&text));
}

/* A config makes an experiment; one that is there has its own. */
static char *create(struct http *http, const struct args *args, const struct agent_kind *kind,
                    struct error *err) {
    const char *path = args_text(args, "config");
    const struct agent_coder_wish coder = {args_text(args, "coder"),
                                           args_list(args, "coder-mount")};
    _cleanup_json_ struct json *config = NULL, *made = NULL;
    if (kind->takes_config != (path != NULL)) {
        error_set(err, ERROR_INVALID,
                  path ? "the agent %s takes no --config" : "the agent %s needs --config",
                  kind->name);
        return NULL;
    }
    if (!kind->takes_config && (coder.coder || coder.mounts)) {
        error_set(err, ERROR_INVALID, "the agent %s has no coder to replace", kind->name);
        return NULL;
    }
    if (path && agent_model_config(path, &coder, &config, err) < 0) return NULL;
    const struct agent_wish wish = {.task = args_text(args, "task"),
                                    .agent = kind->name,
                                    .label = args_text(args, "label"),
                                    .config = config};
    if (agent_create(http, &wish, &made, err) < 0) return NULL;
    return strdup(reply_text_or(made, "id", ""));
}

/* For a sweep: two agents on one experiment would pay for the same things. */
static int end_with_parent(struct error *err) {
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0) return error_sys(err, errno, "PR_SET_PDEATHSIG");
    return getppid() == 1 ? error_set(err, ERROR_CANCELLED, "the program that started us is gone")
                          : 0;
}

static int run(char *const *argv, struct error *err) {
    _cleanup_args_ struct args args = {0};
    if (args_parse(table, NULL, argv, &args, err) < 0) return -1;
    const char *task = args_text(&args, "task"), *name = args_text(&args, "agent");
    const char *given = args_text(&args, "experiment");
    if (args.operands) return error_set(err, ERROR_INVALID, "takes no operands");
    if (!name || !task == !given)
        return error_set(err, ERROR_INVALID, "needs --agent, and either --task or --experiment");
    static const char *const making[] = {"config", "coder", "coder-mount"};
    for (size_t i = 0; given && i < ARRAY_SIZE(making); i++)
        if (args_given(&args, making[i]))
            return error_set(err, ERROR_INVALID, "--%s makes an experiment; %s has its own",
                             making[i], given);
    const struct agent_kind *kind = agent_find(name, err);
    if (!kind) return -1;
    bool may_start = !args_given(&args, "no-autostart");
    if (args_given(&args, "with-parent") && end_with_parent(err) < 0) return -1;
    _cleanup_http_ struct http *http = autostart_connect(may_start, err);
    if (!http) return -1;
    if (may_start) http_set_revive(http, autostart_revive);
    /* What the agent of models makes has keys. */
    http_set_repeatable(http, kind->play != NULL);
    _cleanup_free_ char *experiment = given ? strdup(given) : create(http, &args, kind, err);
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
    return err.kind == ERROR_BUSY ? EX_TEMPFAIL : 1;
}
