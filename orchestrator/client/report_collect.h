/*
 * All that a report needs, asked of the daemon over its public API.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_REPORT_COLLECT_H
#define PADDOCK_ORCHESTRATOR_CLIENT_REPORT_COLLECT_H

#include "orchestrator/client/http.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/report/report.h"

#define REPORT_DIFF_MAX  ((size_t)64 << 10) /* bytes of one version's diff that are shown … */
#define REPORT_DIFFS_MAX ((size_t)32 << 20) /* … and of all of them together */

struct report_request {
    char *const *sweeps;      /* NULL-terminated; may be NULL */
    char *const *experiments; /* ids; may be NULL; one named twice is taken once */
    const char *title;        /* NULL: the sweeps' names */
    bool diffs;               /* each version's diff against its parent */
    struct progress *progress;
};

/* Collects and assesses. Nothing found is an error. `out` is zero before and
 * report_clear() is called after, also on failure. */
int report_collect(struct http *http, const struct report_request *request, struct report *out,
                   struct error *err);

#endif
