/*
 * The posture of a sandbox: all that the host can see of its processes, as lines
 * "who.what value", sorted, with everything that differs from run to run named
 * instead of shown ("own", "@range").
 */
#ifndef PADDOCK_ESCAPE_POSTURE_H
#define PADDOCK_ESCAPE_POSTURE_H

#include "common/buf.h"

#include <stdbool.h>
#include <sys/types.h>

struct posture {
    char **lines; /* NULL-terminated */
    bool failed;  /* out of memory */
};

void posture_add(struct posture *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Everything of process `pid`, which `who` names; `id` is the run's. */
void posture_read_process(struct posture *p, const char *who, pid_t pid, const char *id);
/* The limits that the groups named after the run hold. */
void posture_read_groups(struct posture *p, const char *dir, const char *id, int depth);
/* The only child of a process, or -1. */
pid_t posture_child(pid_t pid);

#endif
