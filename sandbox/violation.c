#include "sandbox/violation.h"

#include "common/cleanup.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#if defined(__x86_64__)
#define ARCH_NAME "x86_64"
#elif defined(__aarch64__)
#define ARCH_NAME "aarch64"
#else
#define ARCH_NAME "native"
#endif

static void say(struct result *res, char *text) {
    free(res->error);
    res->error = text;
}

/* The launcher's policy may have come without its rules (policy_open()). What
 * lies at the path now counts only if it is the policy of this run. */
static bool load_rules(const struct run *r, struct policy *out) {
    if (policy_load(r->spec->policy, out, NULL) < 0) return false;
    return str_eq(out->sha256, r->result->policy_sha256);
}

static void report_call(struct run *r, struct violation *v) {
    const char *name = r->fence->policy->name;
    uint64_t args[6];
    _Static_assert(sizeof args == sizeof r->offence.args, "six registers");
    memcpy(args, r->offence.args, sizeof args);
    memcpy(v->args, args, sizeof args);
    v->number = r->offence.nr;
    v->call = policy_call_named(v->number);
    v->arch = strdup(ARCH_NAME);
    v->process = steal_ptr(&r->offender);
    _cleanup_buf_ struct buf text = {0};
    policy_call_text(v->number, args, &text);
    _cleanup_policy_ struct policy policy = {0};
    if (!load_rules(r, &policy)) {
        v->reason = strdup("the policy's file is not what it was when the run began");
        say(r->result, str_printf("%s is forbidden by policy %s", buf_text(&text), name));
        return;
    }
    const struct policy_rule *rule = policy_decide(&policy, v->number, args);
    if (!rule) {
        v->reason = strdup("no rule allows the call, and the default kills");
        say(r->result,
            str_printf("%s is forbidden by policy %s: no rule allows it", buf_text(&text), name));
        return;
    }
    v->rule = strdup(rule->name);
    v->reason = strdup(rule->reason);
    say(r->result, str_printf("%s is forbidden by rule %s of policy %s: %s", buf_text(&text),
                              rule->name, name, rule->reason));
}

/* Nobody was asked. */
static void report_signal(struct run *r, struct violation *v) {
    const char *name = r->fence->policy->name;
    if (r->violated) {
        v->reason = strdup("a call that the policy kills for, taken back by a signal or a death "
                           "before it could be read");
        say(r->result, str_printf("a system call that policy %s forbids, taken back before it "
                                  "could be read",
                                  name));
        return;
    }
    if (r->unheard) {
        v->reason = strdup("the kernel killed, and tells no more (see the fence's layer seccomp)");
        say(r->result, str_printf("killed by SIGSYS: a system call that policy %s forbids", name));
        return;
    }
    v->rule = strdup("native-calls");
    v->reason = strdup("a call through another architecture's table (32-bit or x32) kills at "
                       "once; or the program sent itself SIGSYS");
    say(r->result, str_printf("killed by SIGSYS: a call of another architecture (32-bit or x32), "
                              "which policy %s never allows, or a signal of its own",
                              name));
}

void violation_report(struct run *r) {
    struct violation *v = calloc(1, sizeof *v);
    if (!v) return; /* the result is poorer, and no less true */
    v->number = -1;
    r->result->violation = v;
    /* Whoever killed, the listener or the kernel: the same end. */
    r->result->signal = SIGSYS;
    if (r->offence_known) report_call(r, v);
    else report_signal(r, v);
}
