/*
 * One attempt to cross the fence, as both sides see it: the probe that makes it
 * inside, and the runner that launches the probe and judges from outside.
 *
 * A probe returns what the machine answered. Small probes share a launch, each
 * in a process of its own; one that is marked ALONE has a launch to itself, and
 * is judged by how that ended unless it says something.
 */
#ifndef PADDOCK_ESCAPE_ATTEMPT_H
#define PADDOCK_ESCAPE_ATTEMPT_H

#include "sandbox/spec.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

/* What a probe returns: an errno (the refusal), or one of these. */
enum answer {
    THROUGH = 0,   /* it worked, which it never should */
    HIDDEN = -1,   /* nothing refused, but there was nothing to see or take */
    UNTRIED = -2,  /* this machine lacks what is attacked; say why with untried() */
    CONTAINED = -3 /* it went through, and reached nothing but the program's own */
};

/* Begins the line by which a probe says, before it tries, which attempt it is: a
 * call that the policy kills for ends the run, with no answer. */
#define ATTEMPT_BEGINS "> "

enum attempt_flag {
    ALONE = 1 << 0,          /* a launch of its own */
    ROOT_ONLY = 1 << 1,      /* the host side needs root */
    OWN_IDS = 1 << 2,        /* needs ids of the sandbox's own: not in plain mode */
    NEEDS_GROUP = 1 << 3,    /* needs the memory or pids control group */
    LOOPBACK = 1 << 4,       /* network "loopback" */
    NEIGHBOUR = 1 << 5,      /* beside a second sandbox that lives */
    KILL_LAUNCHER = 1 << 6,  /* the launcher is killed while it runs */
    NEEDS_LANDLOCK = 1 << 8, /* nothing else stops it */
    REACHES_ALL = 1 << 7     /* never without the pid namespace: it would reach the machine */
};

struct attempt {
    const char *name;
    const char *layer;    /* the one that is to stop it */
    const char *expected; /* "EPERM", "EPERM|ENOSYS", "SIGSYS", "hidden", "ended:pids-limit",
                           * "policy-violation:iopl"… */
    int (*probe)(void);
    unsigned flags;
    const char *policy;        /* NULL: train; "open" has no refusals (open_policy.jq) */
    struct spec_limits limits; /* where not 0, instead of the usual */
    const char *collect;       /* a path to collect; what came out is looked at */
    const char *cpus;          /* of the lane */
};

struct attempt_table {
    const char *category;
    const struct attempt *attempts;
    size_t count;
};

/* All tables; ends with NULL. */
extern const struct attempt_table *const attempt_tables[];
const struct attempt *attempt_find(const char *name);

/* A row of a table; further members follow as designated initialisers. */
#define TRY(n, l, e, p, ...) \
    { .name = (n), .layer = (l), .expected = (e), .probe = (p), __VA_ARGS__ }
#define ATTEMPTS(table, words)           \
    const struct attempt_table table = { \
        .category = (words), .attempts = attempts, .count = sizeof attempts / sizeof *attempts}

/* ---- for probes ---- */

/* A probe that is one call. */
#define PROBE_CALL(name, call)         \
    static int name(void) {            \
        return answered((long)(call)); \
    }

/* The answer of a call that returned `r`: -1 is errno. */
int answered(long r);
/* UNTRIED, with the reason. */
int untried(const char *reason);
/* A fact about the host that the runner hands in, "" when there is none. */
const char *fact(const char *name);
long fact_number(const char *name);
/* Tries to open; closes again. The answer. */
int try_open(const char *path, int flags);
/* Writes into an existing file, without changing it: its first byte again. */
int try_write(const char *path);
/* HIDDEN when the path is not there or is empty, else THROUGH. */
int try_see(const char *path);
/* Makes an empty file of the given size in bytes filled with ones; 0 or errno. */
int fill_file(const char *path, long bytes);

#endif
