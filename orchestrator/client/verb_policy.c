/* paddock policy: policies, without the daemon. */
#include "common/cleanup.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/table.h"
#include "policies/policy.h"

#include <string.h>

static const struct arg args_none[] = {{.name = NULL}};

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
        json_put_string(w, "action", policy_action_name(r->action));
        json_put_string(w, "errno",
                        r->action == POLICY_ERRNO ? strerrorname_np(r->errno_value) : NULL);
        json_put_string(w, "reason", r->reason);
        json_put_int(w, "conditions", (int64_t)r->condition_count);
        _cleanup_buf_ struct buf when = {0};
        policy_rule_conditions(r, &when);
        json_put_string(w, "when", when.len ? buf_text(&when) : NULL);
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
    json_put_string(w, "default", policy_action_name(p->default_action));
    json_put_string(w, "default_errno",
                    p->default_action == POLICY_ERRNO ? strerrorname_np(p->default_errno) : NULL);
    json_put_bool(w, "loopback", p->loopback);
    json_put_bool(w, "listen", p->listen);
    json_put_bool(w, "devpts", p->devpts);
    json_put_bool(w, "exec_workspace", p->exec_workspace);
    json_put_bool(w, "exec_tmp", p->exec_tmp);
    json_put_bool(w, "proc_machine", p->proc_machine);
    json_put_bool(w, "gpus", p->gpus);
    json_put_strv(w, "devices", p->devices);
    json_put_string(w, "sha256", p->sha256);
    json_put_string(w, "filter_sha256", filter->sha256);
    json_put_int(w, "filter_instructions", filter->count);
    json_put_bool(w, "filter_prebuilt", filter->prebuilt);
    put_rules_json(p, w);
    json_close_object(w);
    return cli_print_writer(w, err);
}

static void put_action(enum policy_action action, int errno_value, struct buf *out) {
    if (action == POLICY_ERRNO) buf_puts(out, strerrorname_np(errno_value));
    else buf_puts(out, policy_action_name(action));
}

/* One rule in full. */
static int show_rule(const struct policy *p, const char *name, struct error *err) {
    const struct policy_rule *r = p->rules;
    while (r < p->rules + p->rule_count && strcmp(r->name, name) != 0) r++;
    if (r == p->rules + p->rule_count)
        return error_set(err, ERROR_NOT_FOUND, "policy %s has no rule \"%s\"", p->name, name);
    _cleanup_buf_ struct buf out = {0};
    _cleanup_buf_ struct buf when = {0};
    policy_rule_conditions(r, &when);
    buf_printf(&out, "%s of policy %s\n  action  ", r->name, p->name);
    put_action(r->action, r->errno_value, &out);
    buf_printf(&out, "\n  reason  %s\n", r->reason);
    if (when.len) buf_printf(&out, "  when    %s\n", buf_text(&when));
    buf_puts(&out, "  calls  ");
    for (size_t i = 0; r->calls[i]; i++) buf_printf(&out, " %s", r->calls[i]);
    buf_putc(&out, '\n');
    return cli_print(&out, err);
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
    buf_puts(&out, "  other calls   ");
    put_action(p->default_action, p->default_errno, &out);
    buf_putc(&out, '\n');
    buf_printf(&out, "  may execute   from workspace: %s, from /tmp: %s\n",
               p->exec_workspace ? "yes" : "no", p->exec_tmp ? "yes" : "no");
    buf_printf(&out, "  loopback      %s%s\n  devpts        %s\n\n", p->loopback ? "yes" : "no",
               p->listen ? ", one port answered from outside" : "", p->devpts ? "yes" : "no");
    for (size_t i = 0; i < p->rule_count; i++) {
        const struct policy_rule *r = &p->rules[i];
        table_cell(t, r->name);
        _cleanup_buf_ struct buf action = {0};
        put_action(r->action, r->errno_value, &action);
        table_cell(t, buf_text(&action));
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
    if (args->operands[1]) return show_rule(&policy, args->operands[1], err);
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
    .operands = "POLICY [RULE]",
    .least = 1,
    .most = 2,
    .args = args_none,
    .help = "POLICY is a name, or the path of a file when it has a slash. With RULE, that rule\n"
            "with its calls and conditions; --json has all of them always.",
    .example = "paddock policy show strict\npaddock policy show train internet-sockets",
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
