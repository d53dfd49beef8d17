/*
 * The GPUs as the daemon lends them: who is free, lent or out of the pool, and what
 * became of a run's GPUs while it had them.
 *
 * Every reading of the machine goes through the pool, for an event (an Xid) is told
 * once only: whoever asks, the run that has the GPU learns of it, and a GPU that a
 * hardware fault befell is out from that moment. Any thread may call.
 */
#ifndef PADDOCK_ORCHESTRATOR_GPU_POOL_H
#define PADDOCK_ORCHESTRATOR_GPU_POOL_H

#include "common/buf.h"
#include "common/error.h"
#include "orchestrator/gpu/reading.h"

struct gpu_pool;

enum gpu_state { GPU_FREE, GPU_LENT, GPU_BUSY, GPU_SICK };
const char *gpu_state_name(enum gpu_state state); /* "free", "lent", "busy", "sick" */

struct gpu_status {
    struct gpu_reading reading;
    enum gpu_state state;
    char detail[256]; /* who has it, or why it is out */
};

struct gpu_list {
    char driver[80];
    char absent[256]; /* why there is nothing to tell of; "": there is */
    struct gpu_status *items;
    size_t count;
};
void gpu_list_clear(struct gpu_list *l);
#define _cleanup_gpu_list_ __attribute__((cleanup(gpu_list_clear)))

/* Which GPUs a lane has: all, or those of the list (indexes or UUIDs; NULL: none). */
struct gpu_choice {
    bool all;
    char *const *names;
};
bool gpu_chosen(const struct gpu_choice *c, const struct gpu_reading *r);

/* Never fails for want of a driver: such a pool is empty and says why. NULL: no memory. */
struct gpu_pool *gpu_pool_new(struct error *err);
void gpu_pool_free(struct gpu_pool *p);

int gpu_pool_list(struct gpu_pool *p, struct gpu_list *out, struct error *err);
/* ERROR_UNSUPPORTED, with the reasons, when the choice has fewer than `count` GPUs that
 * are not out of the pool. */
int gpu_pool_check(struct gpu_pool *p, const struct gpu_choice *from, int64_t count,
                   struct error *err);
/* Lends `count` of them to `holder`: *lent is their UUIDs (strv_free()). ERROR_BUSY where
 * they are only busy now, ERROR_UNSUPPORTED as gpu_pool_check(). */
int gpu_pool_take(struct gpu_pool *p, const struct gpu_choice *from, int64_t count,
                  const char *holder, char ***lent, struct error *err);
/* The process whose descendants may be on the holder's GPUs from now on. */
void gpu_pool_follow(struct gpu_pool *p, const char *holder, int64_t pid);
/* Looks at the machine; what befell a lent GPU is noted with its run. */
void gpu_pool_look(struct gpu_pool *p);
/* What befell the holder's GPUs so far, in fresh memory; NULL: nothing. */
char *gpu_pool_fault(struct gpu_pool *p, const char *holder);
/* Takes them back. `watched` false: the run may go on, so nothing is held against the
 * GPUs. One that is not empty is out of the pool, with the reason. */
void gpu_pool_give(struct gpu_pool *p, const char *holder, bool watched);
/* Out of the pool, or (`reason` NULL) back in. ERROR_NOT_FOUND: no such GPU. `name` is an
 * index or a UUID. */
int gpu_pool_quarantine(struct gpu_pool *p, const char *name, const char *reason,
                        struct error *err);

#endif
