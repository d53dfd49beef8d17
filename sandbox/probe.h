/*
 * The probe: what this machine can enforce, found by trying it in a child, and
 * why not. For `paddock doctor`; nothing in a run depends on it, since each
 * launch finds out for itself.
 */
#ifndef PADDOCK_SANDBOX_PROBE_H
#define PADDOCK_SANDBOX_PROBE_H

#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>

enum probe_state {
    PROBE_YES,
    PROBE_WEAKER, /* something less stands in for it; the detail says what */
    PROBE_NO,
};

struct probe_item {
    char *name;
    enum probe_state state;
    char *detail;
};

struct probe_report {
    const char *privilege; /* "root", "subid", "plain", or "none": no sandbox at all */
    bool official;         /* memory, pids and cpu by the kernel: scores can be official */
    char *verdict;         /* one line that says both and what is missing */
    struct probe_item *items;
    size_t count;
};

/* Takes some milliseconds; leaves nothing behind. `out` needs probe_clear()
 * after, on success or failure. Fails only when out of memory or processes. */
int probe_run(struct probe_report *out, struct error *err);
void probe_clear(struct probe_report *report);
#define _cleanup_probe_ __attribute__((cleanup(probe_clear)))

/* The item of that name, or NULL. */
const struct probe_item *probe_find(const struct probe_report *report, const char *name);
const char *probe_state_name(enum probe_state state); /* "yes", "weaker", "no" */

/* One object: privilege, official, verdict, checks [{name, state, detail}]. */
void probe_encode(const struct probe_report *report, struct json_writer *w, const char *key);
/* The same as an aligned table with the verdict below. */
void probe_print(const struct probe_report *report, struct buf *out);

#endif
