/*
 * Ctrl-C: long verbs clean up behind themselves instead of dying in the middle.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_INTERRUPT_H
#define PADDOCK_ORCHESTRATOR_CLIENT_INTERRUPT_H

#include <stdbool.h>

/* From now on SIGINT and SIGTERM set the flag; a second one ends the process. */
void interrupt_watch(void);
/* Becomes true once; the one thing a signal handler of ours writes. */
const volatile bool *interrupt_flag(void);

#endif
