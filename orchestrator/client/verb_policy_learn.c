/*
 * paddock policy learn: what a program calls, as the smallest policy for it. The
 * run itself is `paddock exec --learn`; here are its options and the proposal.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/paths/paths.h"
#include "policies/policy.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

enum { CALLS_BYTES = 16 << 20, EXEC_FAILED = 125 };

/* Those after --name are handed on to exec as they are. */
static const struct arg args_learn[] = {
    {.name = "base",
     .letter = 'b',
     .kind = ARG_TEXT,
     .value = "NAME|FILE",
     .help = "the policy whose rules and refusals it starts from (default train)"},
    {.name = "out",
     .letter = 'o',
     .kind = ARG_TEXT,
     .value = "FILE",
     .help = "write the policy there (default: stdout, and what the program prints to stderr)"},
    {.name = "name", .kind = ARG_TEXT, .value = "NAME", .help = "of the policy (default: learned)"},
    {.name = "wall", .kind = ARG_TEXT, .value = "TIME", .help = "wall-clock limit (default 60s)"},
    {.name = "mem", .kind = ARG_TEXT, .value = "SIZE", .help = "memory limit (default 1G)"},
    {.name = "pids", .kind = ARG_TEXT, .value = "N", .help = "limit on processes and threads"},
    {.name = "disk", .kind = ARG_TEXT, .value = "SIZE", .help = "size of the workspace"},
    {.name = "net", .kind = ARG_TEXT, .value = "none|loopback", .help = "its own network"},
    {.name = "image", .kind = ARG_TEXT, .value = "host|NAME|DIR", .help = "what it runs on"},
    {.name = "workspace",
     .letter = 'w',
     .kind = ARG_TEXT,
     .value = "DIR",
     .help = "copied to /work, where it starts"},
    {.name = "ro",
     .kind = ARG_LIST,
     .value = "SRC:DST",
     .help = "mount read-only; may be repeated"},
    {.name = "env",
     .letter = 'e',
     .kind = ARG_LIST,
     .value = "KEY=VALUE",
     .help = "set a variable; may be repeated"},
    {.name = NULL}};

enum { FIRST_HANDED_ON = 3 };

/* ---- the run ---- */

static int add(char ***argv, const char *word, const char *value) {
    return strv_push(argv, word) < 0 || (value && strv_push(argv, value) < 0) ? -1 : 0;
}

static int add_option(char ***argv, const struct args *args, const struct arg *option) {
    _cleanup_free_ char *word = str_printf("--%s", option->name);
    if (!word) return -1;
    if (!args_given(args, option->name)) return 0;
    if (option->kind == ARG_TEXT) return add(argv, word, args_text(args, option->name));
    for (char *const *v = args_list(args, option->name); v && *v; v++)
        if (add(argv, word, *v) < 0) return -1;
    return 0;
}

static char **exec_argv(const struct args *args, const char *program, const char *base,
                        const char *calls, struct error *err) {
    _cleanup_strv_ char **argv = calloc(1, sizeof *argv);
    bool failed = !argv || add(&argv, program, "exec") < 0 || add(&argv, "--learn", calls) < 0 ||
                  add(&argv, "--policy", base) < 0;
    for (const struct arg *o = args_learn + FIRST_HANDED_ON; !failed && o->name; o++)
        failed = add_option(&argv, args, o) < 0;
    failed = failed || add(&argv, "--", NULL) < 0;
    for (char *const *word = args->operands; !failed && *word; word++)
        failed = add(&argv, *word, NULL) < 0;
    if (failed) error_sys(err, ENOMEM, "learn");
    return failed ? NULL : steal_ptr(&argv);
}

/* The status of `paddock exec`, or -1. */
static int run_exec(char *const *argv, bool keep_stdout, struct error *err) {
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    /* Our stdout is for the policy alone. */
    if (!keep_stdout) posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    pid_t pid = 0;
    int failed = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failed) return error_sys(err, failed, "start %s", argv[0]);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return error_sys(err, errno, "wait for paddock exec");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int watch_program(const struct args *args, const char *base, const char *calls, bool json,
                         struct error *err) {
    _cleanup_free_ char *program = paths_program("paddock", err);
    if (!program) return -1;
    _cleanup_strv_ char **argv = exec_argv(args, program, base, calls, err);
    if (!argv) return -1;
    int status = run_exec(argv, args_given(args, "out") && !json, err);
    if (status != EXEC_FAILED) return status;
    return error_set(err, ERROR_INTERNAL, "nothing was learned"); /* exec said why */
}

/* ---- the proposal ---- */

static char *describe(const struct args *args) {
    _cleanup_buf_ struct buf text = {0};
    buf_puts(&text, "Learned from:");
    for (char *const *word = args->operands; *word && text.len < 200; word++) {
        _cleanup_free_ char *clean = str_printable(*word, strnlen(*word, 80));
        buf_printf(&text, " %s", clean ? clean : "?");
    }
    return buf_steal(&text);
}

static int propose(const struct args *args, const char *base, const char *calls,
                   struct policy_proposal *out, size_t *seen_count, struct error *err) {
    _cleanup_policy_ struct policy policy = {0};
    _cleanup_policy_observations_ struct policy_observations seen = {0};
    _cleanup_json_ struct json *doc = json_load(calls, CALLS_BYTES, err);
    _cleanup_free_ char *description = describe(args);
    if (!doc || policy_observations_decode(doc, &seen, err) < 0 ||
        policy_load(base, &policy, err) < 0)
        return -1;
    if (!description) return error_sys(err, ENOMEM, "learn");
    const char *name = args_text(args, "name");
    *seen_count = seen.count;
    return policy_propose(&policy, &seen, name ? name : "learned", description, out, err);
}

static void list_calls(const char *title, char *const *calls, struct buf *out) {
    if (!calls || !calls[0]) return;
    buf_printf(out, "%s\n", title);
    for (; *calls; calls++) buf_printf(out, "  %s\n", *calls);
}

static int report_text(const struct args *args, const struct policy_proposal *p, size_t seen,
                       const char *base, struct error *err) {
    _cleanup_buf_ struct buf out = {0};
    buf_printf(&out, "%zu different calls seen, %zu beyond %s, %zu refused\n", seen,
               strv_len(p->beyond), base, strv_len(p->refused));
    list_calls("beyond the base:", p->beyond, &out);
    list_calls("refused while learning, and in the policy:", p->refused, &out);
    if (buf_failed(&out)) return error_sys(err, ENOMEM, "learn");
    fputs(buf_text(&out), stderr);
    const char *to = args_text(args, "out");
    if (to) return file_write_atomic(to, p->text, strlen(p->text), 0644, err);
    return cli_write(p->text, strlen(p->text), err);
}

static int report_json(const struct args *args, const struct policy_proposal *p, int status,
                       struct error *err) {
    const char *to = args_text(args, "out");
    if (to && file_write_atomic(to, p->text, strlen(p->text), 0644, err) < 0) return -1;
    _cleanup_json_ struct json *policy = json_parse("policy", p->text, strlen(p->text), err);
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!policy || !w) return -1;
    json_put_int(w, "status", status);
    json_put_strv(w, "beyond", p->beyond);
    json_put_strv(w, "refused", p->refused);
    json_put_value(w, "policy", policy);
    json_close_object(w);
    return cli_print_writer(w, err);
}

static int learn(struct cli *cli, const struct args *args, const char *calls, struct error *err) {
    const char *base = args_text(args, "base");
    _cleanup_free_ char *path = policy_find(base ? base : "train", err);
    if (!path) return -1;
    int status = watch_program(args, path, calls, cli->json, err);
    if (status < 0) return -1;
    _cleanup_policy_proposal_ struct policy_proposal proposal = {0};
    size_t seen = 0;
    if (propose(args, path, calls, &proposal, &seen, err) < 0) return -1;
    if (!proposal.text) return error_set(err, ERROR_INTERNAL, "no proposal");
    if ((cli->json ? report_json(args, &proposal, status, err)
                   : report_text(args, &proposal, seen, base ? base : "train", err)) < 0)
        return -1;
    if (status == 0) return CLI_OK;
    fprintf(stderr, "paddock: the program ended with status %d: the policy knows it up to there\n",
            status);
    return CLI_FAILED;
}

static int run_learn(struct cli *cli, const struct args *args, struct error *err) {
    const char *base = getenv("TMPDIR");
    _cleanup_free_ char *dir = str_printf("%s/paddock-learn-XXXXXX", base && *base ? base : "/tmp");
    if (!dir || !mkdtemp(dir)) return error_sys(err, errno, "temporary folder");
    _cleanup_free_ char *calls = path_join(dir, "calls.json");
    int status = calls ? learn(cli, args, calls, err) : error_sys(err, ENOMEM, "learn");
    tree_remove(dir, NULL);
    return status;
}

const struct verb verb_policy_learn = {
    .name = "policy learn",
    .summary = "run a program, and propose the smallest policy for it",
    .operands = "-- COMMAND [ARGUMENT…]",
    .least = 1,
    .most = -1,
    .args = args_learn,
    .help = "The program runs in the fence, all layers on but the filter: its calls are recorded\n"
            "and let through, except those that no policy should allow (mounts, modules, bpf,\n"
            "ptrace and the like), which are refused and reported. For programs you trust enough\n"
            "to try. What it did not do this time, the policy will not allow it to do.",
    .example = "paddock policy learn -o mine.json -- python3 predict.py\n"
               "paddock exec --policy ./mine.json -- python3 predict.py",
    .run = run_learn,
};
