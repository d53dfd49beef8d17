/*
 * When a server says to come back: Retry-After, the reset times of its limits. Each
 * is written in one of several ways; an unreadable one is no hint.
 */
#ifndef PADDOCK_ORCHESTRATOR_MODEL_HINTS_H
#define PADDOCK_ORCHESTRATOR_MODEL_HINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How long from now (real time, ns since the epoch), in ns: "34", "0.5", "34s", "12ms",
 * "1m30s", an HTTP date, an RFC 3339 date, seconds or ms since the epoch. 0: no hint,
 * or a time that is over. */
int64_t hint_parse(const char *text, int64_t now_ns);

#define HINT_LIMITS 8 /* requests, tokens, input-tokens… */

struct hint_limit {
    char name[32]; /* "tokens" */
    int64_t reset_ns;
    bool spent; /* nothing remains of it */
};

/* What the headers of one answer said. */
struct hints {
    int64_t retry_after_ns;
    struct hint_limit limits[HINT_LIMITS];
    size_t count;
};

/* Takes in one header line ("Name: value", with or without its line end). */
void hints_header(struct hints *h, const char *line, size_t len, int64_t now_ns);
/* What to wait: Retry-After; else the last reset of the limits that are spent; else the
 * first reset of any; 0: nothing was said. */
int64_t hints_wait(const struct hints *h);

#endif
