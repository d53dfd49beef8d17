/*
 * The mover of a gated run's data: a process of the launcher's own that reads the
 * data once, so that they lie in the page cache, enters the sandbox's mount
 * namespace and, when told to, mounts them at their places. It is beside the
 * sandbox, not in it: in none of its groups, and in another pid namespace.
 */
#ifndef PADDOCK_SANDBOX_MOVER_H
#define PADDOCK_SANDBOX_MOVER_H

#include "common/error.h"

struct run;
struct gate;

/* Starts it: run->gate.mover and .mover_pidfd. */
int mover_start(struct run *r, struct error *err);
/* Tells it to mount; 0, or −1 when it is gone. */
int mover_go(int mover);

enum mover_news { MOVER_WARM, MOVER_DONE, MOVER_FAILED };
/* What it said; `err` is set with MOVER_FAILED, and gate.mover closed with that and
 * with MOVER_DONE. */
enum mover_news mover_news(struct run *r, struct error *err);
/* Ends it, if there is one. */
void mover_end(struct gate *g);

#endif
