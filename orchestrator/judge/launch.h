/*
 * A launcher (`paddock-sandbox run SPEC --dir DIR`) as a child: started with a
 * pipe on stdin and stdout or with neither, waited for, stopped.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_LAUNCH_H
#define PADDOCK_ORCHESTRATOR_JUDGE_LAUNCH_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct launch {
    pid_t pid;
    int pidfd;
    int to, from; /* our ends of the pipes; −1 without */
    bool over;    /* it was reaped */
    bool stopped; /* because launch_stop() told it to */
    int status;   /* its wait status, once over */
};

/* `with_pipes`: else stdin and stdout are /dev/null. The child's signals are as
 * after a login, whatever ours are. */
int launch_start(const char *program, const char *spec, const char *dir, bool with_pipes,
                 struct launch *out, struct error *err);
/* Waits until it is over, `cancel_fd` (or −1) is readable, or the deadline on
 * clock_mono_ns() has passed. Returns whether it is over. */
bool launch_wait(struct launch *l, int cancel_fd, int64_t deadline_ns);
/* Asks it to stop (SIGTERM, on which it ends its sandbox and writes a result),
 * and after `patience_ms` kills it, on which its sandbox dies with it. */
void launch_stop(struct launch *l, int64_t patience_ms);
void launch_close_pipes(struct launch *l);
void launch_clear(struct launch *l); /* also stops it, when it is not over */
#define _cleanup_launch_ __attribute__((cleanup(launch_clear)))

#endif
