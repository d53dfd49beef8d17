/* What a program was seen to call, each different call once. */
#include "common/cleanup.h"
#include "policies/policy_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* Never let through. What an attack would want, and no program needs that can run
 * in the fence at all. */
static const char *const never[] = {
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "vmsplice",
    "add_key",
    "request_key",
    "keyctl",
    "seccomp",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "process_mrelease",
    "pidfd_getfd",
    "kcmp",
    "move_pages",
    "migrate_pages",
    "mount",
    "umount2",
    "pivot_root",
    "chroot",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "open_tree",
    "open_tree_attr",
    "move_mount",
    "mount_setattr",
    "open_by_handle_at",
    "name_to_handle_at",
    "quotactl",
    "quotactl_fd",
    "fanotify_init",
    "fanotify_mark",
    "setns",
    "acct",
    "syslog",
    "sethostname",
    "setdomainname",
    "vhangup",
    "modify_ldt",
    "clock_settime",
    "settimeofday",
    "adjtimex",
    "clock_adjtime",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "reboot",
    "swapon",
    "swapoff",
    "iopl",
    "ioperm",
};

static const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                   CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

static bool is_never(const char *call, const uint64_t *args) {
    if (strcmp(call, "clone") == 0) return args[0] & (namespaces | CLONE_PARENT | CLONE_PTRACE);
    /* Of clone(2), the time namespace's bit belongs to the signal. */
    if (strcmp(call, "unshare") == 0) return args[0] & (namespaces | CLONE_NEWTIME);
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        if (strcmp(never[i], call) == 0) return true;
    return false;
}

int policy_never(const struct policy *base, int number, const uint64_t *args) {
    /* On ENOSYS the C library takes clone, whose flags can be seen. */
    _cleanup_free_ char *call = policy_call_named(number);
    /* Nor a call without a name: no policy could allow it. */
    if (!call || policy_call_number(call) < 0 || strcmp(call, "clone3") == 0) return ENOSYS;
    if (!is_never(call, args)) return 0;
    const struct policy_rule *rule = policy_decide(base, number, args);
    if (!rule) return base->default_action == POLICY_ERRNO ? base->default_errno : EPERM;
    return rule->action == POLICY_ERRNO ? rule->errno_value : EPERM;
}

uint64_t policy_observed_bits(const struct policy *base, int number, unsigned argument) {
    uint64_t bits = policy_argument_learned(number, argument);
    _cleanup_free_ char *call = policy_call_named(number);
    for (size_t i = 0; call && i < base->rule_count; i++) {
        const struct policy_rule *rule = &base->rules[i];
        for (size_t j = 0; j < rule->condition_count; j++) {
            if (rule->conditions[j].argument == argument && policy_rule_names(rule, call))
                bits |= rule->conditions[j].mask;
        }
    }
    return bits;
}

static struct policy_observation *find(const struct policy_observations *seen,
                                       const struct policy_observation *wanted) {
    for (size_t i = 0; i < seen->count; i++) {
        struct policy_observation *o = &seen->list[i];
        if (o->number == wanted->number && o->refused == wanted->refused &&
            memcmp(o->args, wanted->args, sizeof o->args) == 0)
            return o;
    }
    return NULL;
}

static struct policy_observation *add(struct policy_observations *seen) {
    struct policy_observation *grown = realloc(seen->list, (seen->count + 1) * sizeof *grown);
    if (!grown) return NULL;
    seen->list = grown;
    return &grown[seen->count++];
}

int policy_observe(const struct policy *base, struct policy_observations *seen, int number,
                   const uint64_t *args, int refused, size_t most) {
    struct policy_observation o = {.number = number, .refused = refused};
    for (unsigned i = 0; i < 6; i++) o.args[i] = args[i] & policy_observed_bits(base, number, i);
    struct policy_observation *known = find(seen, &o);
    if (!known) {
        known = seen->count < most ? add(seen) : NULL;
        if (!known) return -1;
        *known = o;
    }
    known->count++;
    return 0;
}

void policy_observations_clear(struct policy_observations *seen) {
    free(seen->list);
    *seen = (struct policy_observations){0};
}

/* ---- as a document ---- */

void policy_observations_encode(const struct policy_observations *seen, struct json_writer *w) {
    json_open_object(w, NULL);
    json_open_array(w, "calls");
    for (size_t i = 0; i < seen->count; i++) {
        const struct policy_observation *o = &seen->list[i];
        _cleanup_free_ char *name = policy_call_named(o->number);
        json_open_object(w, NULL);
        json_put_string(w, "call", name);
        json_put_int(w, "number", o->number);
        json_put_int(w, "count", o->count);
        json_put_int(w, "refused", o->refused);
        json_open_array(w, "args");
        for (unsigned a = 0; a < 6; a++) {
            char hex[20];
            snprintf(hex, sizeof hex, "0x%" PRIx64, o->args[a]);
            json_put_string(w, NULL, hex);
        }
        json_close_array(w);
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
}

static int decode_args(const struct json *v, uint64_t *args, struct error *err) {
    if (json_count(v) != 6) return json_error(v, err, "must have six registers");
    for (size_t i = 0; i < 6; i++) {
        const char *text = NULL;
        if (json_as_string(json_at(v, i), &text, err) < 0) return -1;
        if (policy_value_parse(text, &args[i], err) < 0)
            return json_error(json_at(v, i), err, "must be a number such as \"0x1f\"");
    }
    return 0;
}

static int decode_one(const struct json *v, struct policy_observation *o, struct error *err) {
    struct json_reader r;
    int64_t number = 0;
    int64_t refused = 0;
    json_object(&r, v, err);
    json_get(&r, "call", JSON_REQUIRED); /* for people */
    json_get_int(&r, "number", JSON_REQUIRED, 0, INT32_MAX, &number);
    json_get_int(&r, "count", JSON_REQUIRED, 1, INT64_MAX, &o->count);
    json_get_int(&r, "refused", JSON_REQUIRED, 0, 4095, &refused);
    const struct json *args = json_get_array(&r, "args", JSON_REQUIRED);
    if (json_object_end(&r) < 0) return -1;
    o->number = (int)number;
    o->refused = (int)refused;
    return decode_args(args, o->args, err);
}

int policy_observations_decode(const struct json *doc, struct policy_observations *out,
                               struct error *err) {
    struct json_reader r;
    json_object(&r, doc, err);
    const struct json *calls = json_get_array(&r, "calls", JSON_REQUIRED);
    if (json_object_end(&r) < 0) return -1;
    out->list = calloc(json_count(calls) + 1, sizeof *out->list);
    if (!out->list) return error_sys(err, ENOMEM, "calls");
    for (size_t i = 0; i < json_count(calls); i++)
        if (decode_one(json_at(calls, i), &out->list[out->count++], err) < 0) return -1;
    return 0;
}
