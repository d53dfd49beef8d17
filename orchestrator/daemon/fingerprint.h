/*
 * The fingerprint of a measurement: on what machine, under what kernel, policies
 * and version of Paddock its numbers came about. Numbers of different fingerprints
 * are not to be compared.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_FINGERPRINT_H
#define PADDOCK_ORCHESTRATOR_DAEMON_FINGERPRINT_H

#include "orchestrator/daemon/daemon.h"
#include "tasks/task.h"

/* One JSON object (docs/reference/api.md, "Fingerprint") in fresh memory; what the
 * machine does not tell is null. `cpus` is the lane's list, NULL for all. */
char *fingerprint_make(const struct daemon *d, const struct task *t, const char *cpus,
                       struct error *err);

/* The members in which two fingerprints differ, "kernel, microcode", in fresh memory; ""
 * when numbers of the one may be compared with the other's. How much memory there is may
 * change under a hypervisor and is not looked at. NULL: out of memory, or no JSON. */
char *fingerprint_differ(const char *a, const char *b, struct error *err);

#endif
