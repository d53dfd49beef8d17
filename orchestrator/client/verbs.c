/* The table of verbs and the help pages made from it. */
#include "common/cleanup.h"
#include "orchestrator/client/cli.h"

#include <string.h>

static const struct arg no_args[] = {{.name = NULL}};

static const struct verb verb_exec = {
    .name = "exec",
    .summary = "run one command in the fence, with limits and an honest clock",
    .operands = "-- COMMAND [ARGUMENT…]",
    .args = no_args,
    .help = "Needs no daemon. `paddock exec --help` has its options.",
    .example = "paddock exec --wall 10s --mem 512M --json result.json -- python3 train.py",
    .raw = true,
};

const struct verb *const cli_verbs[] = {&verb_exec,
                                        &verb_run,
                                        &verb_sweep,
                                        &verb_ls,
                                        &verb_show,
                                        &verb_tree,
                                        &verb_logs,
                                        &verb_diff,
                                        &verb_checkout,
                                        &verb_export,
                                        &verb_verify,
                                        &verb_score,
                                        &verb_board,
                                        &verb_report,
                                        &verb_cancel,
                                        &verb_events,
                                        &verb_task_list,
                                        &verb_task_show,
                                        &verb_task_check,
                                        &verb_task_calibrate,
                                        &verb_task_import,
                                        &verb_policy_list,
                                        &verb_policy_show,
                                        &verb_policy_check,
                                        &verb_policy_explain,
                                        &verb_policy_learn,
                                        &verb_image_list,
                                        &verb_image_import,
                                        &verb_image_rm,
                                        &verb_image_gc,
                                        &verb_lane_list,
                                        &verb_gpu_list,
                                        &verb_gpu_show,
                                        &verb_gpu_clear,
                                        &verb_model_list,
                                        &verb_model_check,
                                        &verb_model_ask,
                                        &verb_doctor,
                                        &verb_gc,
                                        &verb_daemon_status,
                                        &verb_daemon_stop,
                                        NULL};

static bool matches(const struct verb *v, char *const *argv, size_t *words) {
    const char *name = v->name;
    *words = 0;
    while (*name) {
        size_t len = strcspn(name, " ");
        const char *word = argv[*words];
        if (!word || strlen(word) != len || memcmp(word, name, len) != 0) return false;
        name += len + (name[len] == ' ');
        ++*words;
    }
    return true;
}

const struct verb *cli_find(char *const *argv, size_t *words) {
    for (const struct verb *const *v = cli_verbs; *v; v++)
        if (matches(*v, argv, words)) return *v;
    return NULL;
}

static bool in_group(const struct verb *v, const char *group) {
    size_t len = strlen(group);
    return strncmp(v->name, group, len) == 0 && v->name[len] == ' ';
}

bool cli_is_group(const char *word) {
    for (const struct verb *const *v = cli_verbs; *v; v++)
        if (in_group(*v, word)) return true;
    return false;
}

static void line_of(const struct verb *v, struct buf *out) {
    buf_printf(out, "  %-16s %s\n", v->name, v->summary);
}

void cli_help_all(struct buf *out) {
    buf_puts(out, "Usage: paddock VERB [OPTIONS] [OPERANDS]\n\n"
                  "Runs untrusted training code in a fence, times it, keeps every version, and\n"
                  "says how much of a known speedup it recovered.\n\nVerbs:\n");
    for (const struct verb *const *v = cli_verbs; *v; v++) line_of(*v, out);
    buf_puts(out, "\nEvery verb has --json and --help. A private paddockd is started when none\n"
                  "answers; --no-autostart forbids that.\n");
}

void cli_help_group(const char *group, struct buf *out) {
    buf_printf(out, "Usage: paddock %s VERB [OPTIONS] [OPERANDS]\n\nVerbs:\n", group);
    for (const struct verb *const *v = cli_verbs; *v; v++)
        if (in_group(*v, group)) line_of(*v, out);
}

void cli_help_verb(const struct verb *v, struct buf *out) {
    buf_printf(out, "Usage: paddock %s [OPTIONS]%s%s\n\n", v->name, *v->operands ? " " : "",
               v->operands);
    buf_printf(out, "%c%s.\n", v->summary[0] - ('a' - 'A') * (v->summary[0] >= 'a'),
               v->summary + 1);
    if (v->help) buf_printf(out, "%s\n", v->help);
    buf_puts(out, "\nOptions:\n");
    args_describe(v->args, out);
    args_describe(cli_common_args, out);
    buf_puts(out, "\nExample:\n");
    for (const char *from = v->example; *from;) {
        size_t n = strcspn(from, "\n");
        buf_printf(out, "  %.*s\n", (int)n, from);
        from += n + (from[n] == '\n');
    }
}
