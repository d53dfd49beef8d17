/*
 * What a run that broke its policy says about it.
 */
#ifndef PADDOCK_SANDBOX_VIOLATION_H
#define PADDOCK_SANDBOX_VIOLATION_H

#include "sandbox/supervise.h"

/* Fills in the result's violation and error: of a call that the listener was
 * asked about, or of a program that SIGSYS ended. The policy's file is read again
 * for the words of its rule; what cannot be found stays NULL. */
void violation_report(struct run *r);

#endif
