/*
 * One launch of the probe (or of a spec as text) by paddock-sandbox, and what it
 * left in its run folder.
 */
#ifndef PADDOCK_ESCAPE_LAUNCH_H
#define PADDOCK_ESCAPE_LAUNCH_H

#include "sandbox/result.h"
#include "tests/escape/attempt.h"
#include "tests/escape/host.h"

struct order {
    const char *policy; /* a name, "open", or NULL: train */
    bool loopback, alone;
    const char *image; /* NULL: host */
    struct spec_limits limits;
    const char *collect, *cpus;
    const char *const *names; /* of attempts, or of other arguments */
    size_t count;
};

struct launch {
    char id[32];
    char *dir; /* run folder */
    pid_t pid; /* of the launcher, while it runs */
    int status;
    bool has_result, outlasted; /* it was killed, since it did not end */
    struct result result;
    char *output, *errors;
};

/* Starts it and returns at once. */
int launch_start(struct launch *l, const struct host *h, const struct order *o, struct error *err);
/* The same with the document given; "@ID@", "@POLICIES@", "@DATA@" … are filled in. */
int launch_start_text(struct launch *l, const struct host *h, const char *text, struct error *err);
/* Waits for the launcher, but not for ever, and reads what it left. */
void launch_wait(struct launch *l, int patience_s);
void launch_clear(struct launch *l);
/* Where a policy's file is, in fresh memory. */
char *policy_path(const struct host *h, const char *policy);
/* What is collected, in fresh memory: "clean", or "changed: " and what is wrong. */
char *artifacts_look(const struct launch *l);

#endif
