/*
 * What a specification of the Container Device Interface may say and what has no effect
 * here: hooks, which are never run, groups, network devices, cache allocation,
 * annotations. It must be in good form all the same: what we do not understand to the
 * end, we do not half obey.
 */
#ifndef PADDOCK_SANDBOX_GPU_CDI_IDLE_H
#define PADDOCK_SANDBOX_GPU_CDI_IDLE_H

#include "common/json.h"

enum { GPU_CDI_LIST = 4096 }; /* elements of any list of such a document */

/* How many there were. */
struct gpu_cdi_idle {
    size_t hooks, groups, networks, allocations;
};

/* Reads those keys of a "containerEdits", which `r` is in the middle of; the reader
 * keeps the first error. Adds to `out`. */
void gpu_cdi_read_idle(struct json_reader *r, struct gpu_cdi_idle *out);
/* "annotations" of the reader's object: texts. */
void gpu_cdi_read_annotations(struct json_reader *r);

#endif
