/*
 * On which cpus a launch goes on.
 *
 * Where cpus are free, launcher and init each get one: a new process waits where its
 * parent goes on working until that blocks, also while other cpus idle (the scheduler
 * of a virtual machine takes a cpu that its host has put to sleep for a busy one). So
 * it is sent, and goes back to the whole set as soon as it runs.
 *
 * Where all are busy, nothing is gained by that, and much lost: each wake-up across
 * cpus, and each end of an address space that was in use on two, interrupts another
 * one. Then all of the launch stays on the launcher's until the program starts.
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
    bool stay;   /* on this one, until elsewhere_return() */
};

/* Keeps the caller on the cpu it is on, and with it whoever it makes meanwhile;
 * *before: where it could be. False: nothing changed. */
bool elsewhere_hold(cpu_set_t *before);
/* In the launcher. `ahead`: nobody waits for this launch, so that how busy the
 * machine is now says nothing. */
void elsewhere_prepare(struct elsewhere *e, bool ahead);
/* In the parent. Only a wish: failure changes nothing. */
void elsewhere_send(const struct elsewhere *e, pid_t child);
/* In each of the processes: back to what the launcher had, as far as the control
 * group's cpus allow, else to all of those. */
int elsewhere_return(const struct elsewhere *e, struct error *err);

#endif
