/*
 * Who has which GPU: an exclusive flock(2) on `<live>/.gpus/<uuid>` in the folder of
 * the live registry, whose text is the name of the holder. It ends with the holder,
 * however that ends. A file `<uuid>.sick` beside it takes a GPU out of the pool; its
 * first line is the reason.
 *
 * A MIG instance has a lock of its own, `<uuid>.<gi>.<ci>`, and shares that of its
 * GPU, so that nobody gets the whole while a part is lent.
 */
#ifndef PADDOCK_SANDBOX_GPU_LEASE_H
#define PADDOCK_SANDBOX_GPU_LEASE_H

#include "common/error.h"

#include <stdbool.h>

/* Opens the folder of the leases, making it where it is missing; -1 on error. */
int gpu_lease_folder(struct error *err);

/* Takes a lock for `holder` (a run's id, "paddockd health"): a descriptor to close when it ends, or
 * -1: ERROR_BUSY that names the holder, where somebody has it. Shared locks go
 * together and leave no name. */
int gpu_lease_take(int folder, const char *name, const char *holder, bool shared,
                   struct error *err);
/* Gives it back, whoever else has inherited the descriptor. */
void gpu_lease_end(int *lease);
/* Who holds it, in fresh memory; NULL: nobody. "" where its name cannot be told. */
char *gpu_lease_holder(int folder, const char *name);

/* The reason why this GPU is out of the pool, in fresh memory; NULL: it is not. */
char *gpu_sick_reason(int folder, const char *uuid);
/* Takes it out, or back in (`reason` NULL). */
int gpu_sick_set(int folder, const char *uuid, const char *reason, struct error *err);

#endif
