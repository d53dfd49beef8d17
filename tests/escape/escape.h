/*
 * The runner: launches attempts, judges them, and prints one row each.
 */
#ifndef PADDOCK_ESCAPE_ESCAPE_H
#define PADDOCK_ESCAPE_ESCAPE_H

#include "tests/escape/host.h"

#include <stdbool.h>

struct runner {
    struct host host;
    const char *mode;    /* "root", "subid", "plain", "user" */
    char privilege[16];  /* what the launcher says it has */
    bool tap;            /* rows as TAP */
    bool only_through;   /* prints the names of what got through, nothing else */
    const char *without; /* layers that are switched off, or NULL */
    bool dump;           /* print the postures, compare nothing */
    const char *match;   /* only attempts whose name contains it */
    bool landlock;
    bool groups; /* memory and pids are limited by control groups */
    int held, through, different, skipped;
    struct buf through_names;
};

/* One row. `got` is judged against `expected`: the same is held, "through" and
 * what changed the host got through, all else is different. */
void row(struct runner *r, const char *name, const char *layer, const char *expected,
         const char *got);
void row_skipped(struct runner *r, const char *name, const char *layer, const char *reason);
bool wanted(const struct runner *r, const char *name, const char *layer);

int corpus_run(struct runner *r, struct error *err);
int specs_run(struct runner *r, struct error *err);
int posture_run(struct runner *r, struct error *err);

#endif
