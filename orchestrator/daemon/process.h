/*
 * Processes of ours that outlive us: started in a session of their own, waited
 * for by pidfd, and found again after a restart by pid and start time.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_PROCESS_H
#define PADDOCK_ORCHESTRATOR_DAEMON_PROCESS_H

#include "common/error.h"

#include <stdbool.h>
#include <stdint.h>

struct process {
    int64_t pid;
    int64_t start_ticks; /* field 22 of /proc/<pid>/stat */
    int pidfd;           /* −1: none */
};
#define PROCESS_NONE ((struct process){.pidfd = -1})

/* Starts argv[0] (a path) with stdin and stdout on /dev/null and stderr added
 * to the file `log`. */
int process_start(char *const argv[], const char *log, struct process *out, struct error *err);

/* Finds a process again. False when it is gone or its number is another's. */
bool process_find(int64_t pid, int64_t start_ticks, struct process *out);

/* Reads {"pid", "start_ticks"} from a file; false when it is not there or not
 * that. */
bool process_read(const char *path, int64_t *pid, int64_t *start_ticks);

/* The start time of a process, −1 when it is gone. */
int64_t process_start_ticks(int64_t pid);

enum process_woke { PROCESS_ENDED, PROCESS_WOKEN, PROCESS_TIMEOUT };
/* Waits for the end of the process, for `wake_fd` or for the time (−1: none). */
enum process_woke process_wait(const struct process *p, int wake_fd, int timeout_ms);

void process_signal(const struct process *p, int signal);
/* Reaps it, should it be a child of ours, and closes the descriptor. */
void process_close(struct process *p);
#define _cleanup_process_ __attribute__((cleanup(process_close)))

#endif
