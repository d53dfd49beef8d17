/*
 * What the machine as a whole counts, for the witnesses. −1: it does not tell.
 */
#ifndef PADDOCK_SANDBOX_WITNESS_MACHINE_H
#define PADDOCK_SANDBOX_WITNESS_MACHINE_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

/* Sums the columns of a text of /proc/stat over `cpus`, in ticks; `busy` is without
 * steal. False when it has none of them. */
bool witness_machine_stat(const char *text, const cpu_set_t *cpus, int64_t *busy, int64_t *steal);
/* The same of this machine now, in ns: time that somebody ran, and that the host
 * took, on these cpus. */
void witness_machine_cpu(const cpu_set_t *cpus, int64_t *busy_ns, int64_t *steal_ns);
/* How often any cpu was slowed down by heat. */
int64_t witness_machine_throttles(void);
/* Pages swapped in and out. */
int64_t witness_machine_swapped(void);
/* Mean frequency of the cpus in kHz. */
int64_t witness_machine_frequency(void);

#endif
