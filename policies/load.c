/* A policy file to a struct policy. */
#include "common/cleanup.h"
#include "common/file.h"
#include "policies/policy_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What gcc, OpenMP and PyTorch lock is far less. */
enum { MEMLOCK_BYTES = 8 << 20 };
enum { MAX_FILE = 256 * 1024, MAX_RULES = 256, MAX_CALLS = 512, MAX_DEVICES = 64 };

/* Reads "action" and, with it, "errno". */
static void read_action(struct json_reader *r, enum policy_action *action, int *errno_value) {
    static const char *const names[] = {"allow", "errno", "kill", "log", NULL};
    int chosen = 0;
    json_get_enum(r, "action", JSON_REQUIRED, names, &chosen);
    *action = (enum policy_action)chosen;
    const struct json *v = json_get(r, "errno", JSON_OPTIONAL);
    if (r->failed) return;
    if (*action != POLICY_ERRNO) {
        if (v) json_reader_fail(r, v, "only goes with the action \"errno\"");
        return;
    }
    const char *name = NULL;
    if (!v) json_reader_fail(r, NULL, "lacks the key \"errno\"");
    else if (json_as_string(v, &name, r->err) < 0) r->failed = true;
    else if ((*errno_value = policy_errno(name)) == 0)
        json_reader_fail(r, v, "\"%.64s\" is no errno name", name);
}

/* A non-empty text: what a person must have thought about. */
static void read_text(struct json_reader *r, const char *key, char **out) {
    json_get_string(r, key, JSON_REQUIRED, out);
    if (!r->failed && !**out) json_reader_fail(r, json_find(r->object, key), "must not be empty");
}

static void read_name(struct json_reader *r, char **out) {
    json_get_string(r, "name", JSON_REQUIRED, out);
    if (!r->failed && !str_is_name(*out))
        json_reader_fail(r, json_find(r->object, "name"),
                         "must be 1 to 64 of a-z, 0-9, '.', '_' and '-'");
}

static void read_calls(struct json_reader *r, char ***out) {
    const struct json *v = json_get_array(r, "calls", JSON_REQUIRED);
    if (!v) return;
    if (json_count(v) == 0 || json_count(v) > MAX_CALLS)
        json_reader_fail(r, v, "must name 1 to %d calls", MAX_CALLS);
    json_get_strv(r, "calls", JSON_REQUIRED, out);
}

static int read_rule(const struct json *v, struct policy_rule *rule, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    read_name(&r, &rule->name);
    read_text(&r, "reason", &rule->reason);
    read_action(&r, &rule->action, &rule->errno_value);
    read_calls(&r, &rule->calls);
    const struct json *when = json_get_array(&r, "when", JSON_OPTIONAL);
    if (when && policy_load_conditions(when, rule, err) < 0) return -1;
    return json_object_end(&r);
}

static int read_rules(const struct json *rules, struct policy *p, struct error *err) {
    if (json_count(rules) == 0 || json_count(rules) > MAX_RULES)
        return json_error(rules, err, "must have 1 to %d rules", MAX_RULES);
    p->rules = calloc(json_count(rules), sizeof *p->rules);
    if (!p->rules) return error_sys(err, ENOMEM, "%s", p->name);
    for (size_t i = 0; i < json_count(rules); i++) {
        const struct json *v = json_at(rules, i);
        struct policy_rule *rule = &p->rules[p->rule_count++];
        if (read_rule(v, rule, err) < 0) return -1;
        for (size_t j = 0; j < i; j++)
            if (strcmp(p->rules[j].name, rule->name) == 0)
                return json_error(json_find(v, "name"), err, "\"%s\" is the name of $.rules[%zu]",
                                  rule->name, j);
    }
    return 0;
}

/* What no rule allows fails or kills: a policy is a list of what is allowed. */
static void read_default(struct json_reader *outer, struct policy *p) {
    const struct json *v = json_get_object(outer, "default", JSON_REQUIRED);
    if (!v) return;
    struct json_reader r;
    json_object(&r, v, outer->err);
    read_action(&r, &p->default_action, &p->default_errno);
    if (json_object_end(&r) < 0) outer->failed = true;
    else if (p->default_action == POLICY_ALLOW || p->default_action == POLICY_LOG)
        json_reader_fail(outer, json_find(v, "action"),
                         "must be \"errno\" or \"kill\": a policy lists what is allowed");
}

static void read_devices(struct json_reader *r, char ***out) {
    const struct json *v = json_get_array(r, "devices", JSON_OPTIONAL);
    if (v && json_count(v) > MAX_DEVICES) json_reader_fail(r, v, "has more than %d", MAX_DEVICES);
    json_get_strv(r, "devices", JSON_OPTIONAL, out);
    for (size_t i = 0; !r->failed && *out && (*out)[i]; i++)
        if (!str_starts((*out)[i], "/dev/") || !path_is_confined((*out)[i] + 1))
            json_reader_fail(r, json_at(v, i), "must be a path below /dev without \"..\"");
}

static int read_policy(const struct json *doc, struct policy *p, struct error *err) {
    struct json_reader r;
    json_object(&r, doc, err);
    read_name(&r, &p->name);
    read_text(&r, "description", &p->description);
    read_default(&r, p);
    json_get_bool(&r, "loopback", JSON_OPTIONAL, &p->loopback);
    json_get_bool(&r, "listen", JSON_OPTIONAL, &p->listen);
    if (p->listen && !p->loopback)
        json_reader_fail(&r, json_find(doc, "listen"), "needs \"loopback\"");
    json_get_bool(&r, "devpts", JSON_OPTIONAL, &p->devpts);
    json_get_bool(&r, "exec_workspace", JSON_OPTIONAL, &p->exec_workspace);
    json_get_bool(&r, "exec_tmp", JSON_OPTIONAL, &p->exec_tmp);
    p->proc_machine = true;
    json_get_bool(&r, "proc_machine", JSON_OPTIONAL, &p->proc_machine);
    json_get_bool(&r, "gpus", JSON_OPTIONAL, &p->gpus);
    if (p->gpus && !p->proc_machine)
        json_reader_fail(&r, json_find(doc, "gpus"), "needs \"proc_machine\"");
    p->memlock_bytes = MEMLOCK_BYTES;
    json_get_int(&r, "memlock_bytes", JSON_OPTIONAL, 0, INT64_MAX, &p->memlock_bytes);
    json_get_int(&r, "gpu_shm_bytes", JSON_OPTIONAL, 0, INT64_C(1) << 40, &p->gpu_shm_bytes);
    read_devices(&r, &p->devices);
    const struct json *rules = json_get_array(&r, "rules", JSON_REQUIRED);
    if (rules && read_rules(rules, p, err) < 0) return -1;
    return json_object_end(&r);
}

int policy_parse(const char *source, const char *text, size_t len, struct policy *out,
                 struct error *err) {
    *out = (struct policy){0};
    digest_hex_of(text, len, out->sha256);
    _cleanup_json_ struct json *doc = json_parse(source, text, len, err);
    int rc = doc ? read_policy(doc, out, err) : -1;
    /* The same bytes were checked when their filter was compiled in the build. */
    if (rc == 0 && !policy_prebuilt_find(out->sha256)) rc = policy_check(out, doc, err);
    if (rc < 0) policy_clear(out);
    return rc;
}

int policy_load(const char *path, struct policy *out, struct error *err) {
    *out = (struct policy){0};
    _cleanup_buf_ struct buf text = {0};
    if (file_read(path, MAX_FILE, &text, err) < 0) return -1;
    return policy_parse(path, buf_text(&text), text.len, out, err);
}

static int take_prebuilt(const struct policy_prebuilt *known, struct policy *out,
                         struct error *err) {
    *out = (struct policy){.name = strdup(known->name),
                           .default_action = known->default_action,
                           .default_errno = known->default_errno,
                           .loopback = known->loopback,
                           .listen = known->listen,
                           .devpts = known->devpts,
                           .exec_workspace = known->exec_workspace,
                           .exec_tmp = known->exec_tmp,
                           .proc_machine = known->proc_machine,
                           .gpus = known->gpus,
                           .memlock_bytes = known->memlock_bytes,
                           .gpu_shm_bytes = known->gpu_shm_bytes,
                           .devices = strv_copy((char *const *)known->devices)};
    memcpy(out->sha256, known->policy_sha256, DIGEST_HEX);
    if (out->name && out->devices) return 0;
    policy_clear(out);
    return error_sys(err, ENOMEM, "policy %s", known->name);
}

int policy_open(const char *path, struct policy *out, struct error *err) {
    *out = (struct policy){0};
    _cleanup_buf_ struct buf text = {0};
    if (file_read(path, MAX_FILE, &text, err) < 0) return -1;
    char hex[DIGEST_HEX];
    digest_hex_of(buf_text(&text), text.len, hex);
    const struct policy_prebuilt *known = policy_prebuilt_find(hex);
    return known ? take_prebuilt(known, out, err)
                 : policy_parse(path, buf_text(&text), text.len, out, err);
}

static void rule_clear(struct policy_rule *rule) {
    free(rule->name);
    free(rule->reason);
    strv_free(rule->calls);
    for (size_t i = 0; i < rule->condition_count; i++) {
        free(rule->conditions[i].values);
        free(rule->conditions[i].text);
    }
    free(rule->conditions);
}

void policy_clear(struct policy *p) {
    free(p->name);
    free(p->description);
    for (size_t i = 0; i < p->rule_count; i++) rule_clear(&p->rules[i]);
    free(p->rules);
    strv_free(p->devices);
    *p = (struct policy){0};
}
