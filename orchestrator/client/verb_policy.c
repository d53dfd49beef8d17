/* paddock policy: policies, without the daemon. */
#include "common/cleanup.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/table.h"
#include "policies/policy.h"

#include <string.h>

static const struct arg args_none[] = {{.name = NULL}};

static const char *action_name(enum policy_action action) {
    switch (action) {
    case POLICY_ALLOW: return "allow";
    case POLICY_ERRNO: return "errno";
    case POLICY_KILL: return "kill";
    case POLICY_LOG: return "log";
    }
    return "?";
}

static int load(const char *name, struct policy *out, char **path, struct error *err) {
    *path = policy_find(name, err);
    return *path ? policy_load(*path, out, err) : -1;
}

static void list_one(const char *name, struct table *t, struct json_writer *w) {
    _cleanup_policy_ struct policy policy = {0};
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *path = NULL;
    bool good = load(name, &policy, &path, &err) == 0;
    json_open_object(w, NULL);
    json_put_string(w, "name", name);
    json_put_string(w, "path", path);
    json_put_string(w, "description", good ? policy.description : NULL);
    json_put_string(w, "sha256", good ? policy.sha256 : NULL);
    json_put_string(w, "error", good ? NULL : error_text(&err));
    json_close_object(w);
    table_cell(t, name);
    table_cellf(t, "%zu", policy.rule_count);
    table_cell(t, good ? policy.description : error_text(&err));
}

static int run_list(struct cli *cli, const struct args *args, struct error *err) {
    static const char *const heads[] = {"POLICY", ">RULES", "DESCRIPTION", NULL};
    (void)args;
    _cleanup_strv_ char **names = NULL;
    _cleanup_table_ struct table *t = table_new(heads);
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w || policy_list(&names, err) < 0) return -1;
    json_open_array(w, "policies");
    for (char **name = names; name && *name; name++) list_one(*name, t, w);
    json_close_array(w);
    json_close_object(w);
    if (cli->json) return cli_print_writer(w, err);
    _cleanup_buf_ struct buf out = {0};
    if (table_print(t, cli->colour, &out) < 0) return error_sys(err, ENOMEM, "table");
    return cli_print(&out, err);
}

static void put_rules_json(const struct policy *p, struct json_writer *w) {
    json_open_array(w, "rules");
    for (size_t i = 0; i < p->rule_count; i++) {
        const struct policy_rule *r = &p->rules[i];
        json_open_object(w, NULL);
        json_put_string(w, "name", r->name);
        json_put_string(w, "action", action_name(r->action));
        json_put_string(w, "reason", r->reason);
        json_put_int(w, "conditions", (int64_t)r->condition_count);
        json_put_strv(w, "calls", r->calls);
        json_close_object(w);
    }
    json_close_array(w);
}

static int show_json(const struct policy *p, const char *path, const struct policy_filter *filter,
                     struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    json_put_string(w, "name", p->name);
    json_put_string(w, "path", path);
    json_put_string(w, "description", p->description);
    json_put_string(w, "default", action_name(p->default_action));
    json_put_bool(w, "loopback", p->loopback);
    json_put_bool(w, "devpts", p->devpts);
    json_put_bool(w, "exec_workspace", p->exec_workspace);
    json_put_bool(w, "exec_tmp", p->exec_tmp);
    json_put_bool(w, "proc_machine", p->proc_machine);
    json_put_strv(w, "devices", p->devices);
    json_put_string(w, "sha256", p->sha256);
    json_put_string(w, "filter_sha256", filter->sha256);
    json_put_int(w, "filter_instructions", filter->count);
    json_put_bool(w, "filter_prebuilt", filter->prebuilt);
    put_rules_json(p, w);
    json_close_object(w);
    return cli_print_writer(w, err);
}

static int show_text(const struct cli *cli, const struct policy *p, const char *path,
                     const struct policy_filter *filter, struct error *err) {
    static const char *const heads[] = {"RULE", "ACTION", ">CALLS", "REASON", NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    _cleanup_buf_ struct buf out = {0};
    buf_printf(&out, "%s: %s\n", p->name, p->description ? p->description : "");
    buf_printf(&out, "  file          %s\n  sha256        %s\n", path, p->sha256);
    buf_printf(&out, "  filter        %u instructions, %s, sha256 %s\n", filter->count,
               filter->prebuilt ? "compiled at build time" : "compiled now", filter->sha256);
    buf_printf(&out, "  other calls   %s\n", action_name(p->default_action));
    buf_printf(&out, "  may execute   from workspace: %s, from /tmp: %s\n",
               p->exec_workspace ? "yes" : "no", p->exec_tmp ? "yes" : "no");
    buf_printf(&out, "  loopback      %s\n  devpts        %s\n\n", p->loopback ? "yes" : "no",
               p->devpts ? "yes" : "no");
    for (size_t i = 0; i < p->rule_count; i++) {
        const struct policy_rule *r = &p->rules[i];
        table_cell(t, r->name);
        table_cell(t, action_name(r->action));
        table_cellf(t, "%zu", r->calls ? strv_len(r->calls) : 0);
        table_cell(t, r->reason);
    }
    if (table_print(t, cli->colour, &out) < 0) return error_sys(err, ENOMEM, "table");
    return cli_print(&out, err);
}

static void clear_filter(struct policy_filter *f) {
    policy_filter_clear(f);
}

static int run_show(struct cli *cli, const struct args *args, struct error *err) {
    _cleanup_policy_ struct policy policy = {0};
    _cleanup_(clear_filter) struct policy_filter filter = {0};
    _cleanup_free_ char *path = NULL;
    if (load(args->operands[0], &policy, &path, err) < 0 ||
        policy_filter(&policy, &filter, err) < 0)
        return -1;
    return cli->json ? show_json(&policy, path, &filter, err)
                     : show_text(cli, &policy, path, &filter, err);
}

/* A policy is good when it loads and compiles. */
static int run_check(struct cli *cli, const struct args *args, struct error *err) {
    const char *file = args->operands[0];
    _cleanup_policy_ struct policy policy = {0};
    _cleanup_(clear_filter) struct policy_filter filter = {0};
    _cleanup_error_ struct error fault = {0};
    bool good =
        policy_load(file, &policy, &fault) == 0 && policy_compile(&policy, &filter, &fault) == 0;
    _cleanup_buf_ struct buf out = {0};
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    _cleanup_free_ char *text = str_printable(error_text(&fault), strlen(error_text(&fault)));
    json_put_string(w, "file", file);
    json_put_bool(w, "good", good);
    json_put_string(w, "fault", good ? NULL : error_text(&fault));
    json_close_object(w);
    if (good) buf_printf(&out, "%s: no faults, %u instructions\n", file, filter.count);
    else buf_printf(&out, "%s\n", text ? text : "out of memory");
    if ((cli->json ? cli_print_writer(w, err) : cli_print(&out, err)) < 0) return -1;
    return good ? CLI_OK : CLI_FAILED;
}

static int run_explain(struct cli *cli, const struct args *args, struct error *err) {
    const char *name = args->operands[0], *call = args->operands[1];
    _cleanup_policy_ struct policy policy = {0};
    _cleanup_free_ char *path = NULL;
    _cleanup_buf_ struct buf text = {0};
    if (load(name, &policy, &path, err) < 0 || policy_explain(&policy, call, &text, err) < 0)
        return -1;
    if (!cli->json) return cli_print(&text, err);
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    json_put_string(w, "policy", policy.name);
    json_put_string(w, "call", call);
    json_put_string(w, "explanation", buf_text(&text));
    json_close_object(w);
    return cli_print_writer(w, err);
}

const struct verb verb_policy_list = {
    .name = "policy list",
    .summary = "list the policies",
    .operands = "",
    .args = args_none,
    .example = "paddock policy list",
    .run = run_list,
};

const struct verb verb_policy_show = {
    .name = "policy show",
    .summary = "show what a policy permits, rule by rule",
    .operands = "POLICY",
    .least = 1,
    .most = 1,
    .args = args_none,
    .help = "POLICY is a name, or the path of a file when it has a slash.",
    .example = "paddock policy show strict",
    .run = run_show,
};

const struct verb verb_policy_check = {
    .name = "policy check",
    .summary = "load and compile a policy file",
    .operands = "FILE",
    .least = 1,
    .most = 1,
    .args = args_none,
    .help = "The fault names file, key and reason. The exit status is 1 when there is one.",
    .example = "paddock policy check my-policy.json",
    .run = run_check,
};

const struct verb verb_policy_explain = {
    .name = "policy explain",
    .summary = "say which rule decides a system call",
    .operands = "POLICY CALL",
    .least = 2,
    .most = 2,
    .args = args_none,
    .example = "paddock policy explain strict io_uring_setup",
    .run = run_explain,
};
