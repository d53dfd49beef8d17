/*
 * Placing a child on another cpu than its parent's. A new process waits where its
 * parent goes on working until that blocks, also while other cpus idle: the
 * scheduler of a virtual machine takes a cpu that its host has put to sleep for a
 * busy one. So it is sent, and goes back to the whole set as soon as it runs.
 */
#ifndef PADDOCK_SANDBOX_ELSEWHERE_H
#define PADDOCK_SANDBOX_ELSEWHERE_H

#include "common/error.h"

#include <sched.h>
#include <stdbool.h>
#include <sys/types.h>

struct elsewhere { /* filled before the fork, so that the child has it */
    cpu_set_t cpus;
    bool useful; /* there is more than one cpu */
};

void elsewhere_prepare(struct elsewhere *e);
/* In the parent. Only a wish: failure changes nothing. */
void elsewhere_send(const struct elsewhere *e, pid_t child);
/* In the child: back to what the parent has, as far as the control group's cpus
 * allow, else to all of those. */
int elsewhere_return(const struct elsewhere *e, struct error *err);

#endif
