/*
 * The command line of `paddock exec` as a spec.
 */
#ifndef PADDOCK_ORCHESTRATOR_EXEC_REQUEST_H
#define PADDOCK_ORCHESTRATOR_EXEC_REQUEST_H

#include "common/error.h"
#include "orchestrator/client/args.h"
#include "sandbox/spec.h"

struct exec_request {
    struct spec spec;
    char *json;    /* where the result goes: a path, "-" for stdout, or NULL */
    char *learn;   /* where the calls go that it made, or NULL: the policy is enforced */
    bool resident; /* asked of the daemon's resident launcher */
    char *out;     /* the run folder to keep, or NULL for a temporary one */
};

extern const struct arg exec_options[];

/* `args` holds what came before "--", `command` what came after it. The run
 * folder of the spec is left for the caller. `out` zero before,
 * exec_request_clear() after. */
int exec_request_make(const struct args *args, char *const *command, struct exec_request *out,
                      struct error *err);
void exec_request_clear(struct exec_request *r);

#endif
