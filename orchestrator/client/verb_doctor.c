/* paddock doctor: waits for the probe of the sandbox room. */
#include "orchestrator/client/cli.h"

static const struct arg args_none[] = {{.name = NULL}};

static int run(struct cli *cli, const struct args *args, struct error *err) {
    (void)cli;
    (void)args;
    return error_set(err, ERROR_UNSUPPORTED, "this build has no probe");
}

const struct verb verb_doctor = {
    .name = "doctor",
    .summary = "say what this machine can enforce and what not",
    .operands = "",
    .args = args_none,
    .example = "paddock doctor",
    .run = run,
};
