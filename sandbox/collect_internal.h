/* Between collect.c, which holds the process, and collect_walk.c, which copies. */
#ifndef PADDOCK_SANDBOX_COLLECT_INTERNAL_H
#define PADDOCK_SANDBOX_COLLECT_INTERNAL_H

#include "common/error.h"
#include "sandbox/spec.h"

#include <stdbool.h>
#include <stdint.h>

/* Goes over a pipe as it is: both ends are the same program. */
struct collect_report {
    int32_t failed; /* an enum error_kind: `reason` says why collection broke off */
    bool present, truncated;
    int64_t files, bytes, skipped;
    char reason[512];
};

/* Copies what one entry names to `target_fd`/`name`, which must not exist.
 * Findings go to `report`; -1 is trouble on our own side. */
int collect_entry(int workspace_fd, const struct spec_collect *entry, int target_fd,
                  const char *name, int64_t deadline_ns, struct collect_report *report,
                  struct error *err);

#endif
