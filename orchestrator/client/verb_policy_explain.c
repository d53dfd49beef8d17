/* paddock policy explain: which rules answer a system call. */
#include "common/cleanup.h"
#include "orchestrator/client/cli.h"
#include "policies/policy.h"

#include <string.h>

static const struct arg args_explain[] = {
    {.name = "policy",
     .letter = 'p',
     .kind = ARG_LIST,
     .value = "NAME|FILE",
     .help = "only this one; may be repeated (default: all that ship)"},
    {.name = NULL}};

/* "strict bpf" names a policy first, "bpf" and "socket AF_PACKET" a call. */
static int split_operands(char *const *operands, char ***policies, struct policy_question *question,
                          struct error *err) {
    bool named = false;
    if (operands[1] && !*policies) {
        _cleanup_strv_ char **known = NULL;
        if (policy_list(&known, err) < 0) return -1;
        for (char **name = known; *name; name++) named |= strcmp(*name, operands[0]) == 0;
        named |= strchr(operands[0], '/') != NULL;
    }
    if (named && strv_push(policies, operands[0]) < 0) return error_sys(err, ENOMEM, "explain");
    operands += named;
    question->call = operands[0];
    for (; operands[1]; operands++) {
        if (question->given == 6)
            return error_set(err, ERROR_INVALID, "a system call has six arguments at most");
        if (policy_value_parse(operands[1], &question->args[question->given++], err) < 0) return -1;
    }
    return 0;
}

static int explain_one(const char *name, const struct policy_question *question, struct buf *out,
                       struct json_writer *w, struct error *err) {
    _cleanup_policy_ struct policy policy = {0};
    _cleanup_free_ char *path = policy_find(name, err);
    if (!path || policy_load(path, &policy, err) < 0) return -1;
    if (out->len) buf_putc(out, '\n');
    return policy_explain(&policy, question, out, err) < 0 ||
                   policy_explain_json(&policy, question, w, err) < 0
               ? -1
               : 0;
}

static int run_explain(struct cli *cli, const struct args *args, struct error *err) {
    struct policy_question question = {0};
    char *const *wished = args_list(args, "policy");
    _cleanup_strv_ char **policies = wished ? strv_copy(wished) : NULL;
    if (split_operands(args->operands, &policies, &question, err) < 0) return -1;
    if (!policies && policy_list(&policies, err) < 0) return -1;
    _cleanup_buf_ struct buf out = {0};
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    json_put_string(w, "call", question.call);
    json_open_array(w, "policies");
    for (char **name = policies; *name; name++)
        if (explain_one(*name, &question, &out, w, err) < 0) return -1;
    json_close_array(w);
    json_close_object(w);
    return cli->json ? cli_print_writer(w, err) : cli_print(&out, err);
}

const struct verb verb_policy_explain = {
    .name = "policy explain",
    .summary = "say which rules decide a system call, and why",
    .operands = "[POLICY] CALL [ARGUMENT…]",
    .least = 1,
    .most = 8,
    .args = args_explain,
    .help = "For each policy the rules about the call, in the order that counts: those whose\n"
            "conditions hold, then the one without, then the default. With arguments (numbers, or\n"
            "names such as CLONE_NEWUSER|SIGCHLD), also the rule that decides; missing ones are 0.",
    .example = "paddock policy explain clone3\n"
               "paddock policy explain train socket AF_PACKET SOCK_RAW",
    .run = run_explain,
};
