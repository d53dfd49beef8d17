/*
 * Faults found while reading a task: every one as a line (task_check), or only
 * the first as an error (task_load). One way of looking, two of telling.
 */
#ifndef PADDOCK_TASKS_FAULTS_H
#define PADDOCK_TASKS_FAULTS_H

#include "common/buf.h"
#include "common/error.h"

struct faults {
    struct buf *lines;   /* gets a line for each fault, or NULL */
    struct error *first; /* gets the first fault, or NULL */
    int count;
};

void fault_add(struct faults *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Adds an error that was set, and clears it. */
void fault_take(struct faults *f, struct error *err);

#endif
