/*
 * Supervision of one run by the launcher: waiting until the fence stands,
 * releasing the program, one epoll loop over everything that can end it, and
 * the end itself: nothing is reported before every process is dead.
 */
#ifndef PADDOCK_SANDBOX_SUPERVISE_H
#define PADDOCK_SANDBOX_SUPERVISE_H

#include "sandbox/fence.h"
#include "sandbox/gate.h"
#include "sandbox/output.h"
#include "sandbox/quiet.h"
#include "sandbox/watch.h"
#include "sandbox/witness.h"

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct learn; /* learn.h */
struct live;  /* live.h */

/* The launcher's epoll loop. */
struct loop {
    int epoll;        /* -1: not open */
    int deadline;     /* timerfd: the wall limit, then the grace, then the patience */
    int look;         /* timerfd of the watchers and of quiet_look() */
    int64_t watch_ns; /* when the watchers look next */
    bool killing;     /* SIGKILL was asked for */
    bool forced;      /* … and init was killed, since it did not answer */
    bool copy_watched[2];
};

struct run {
    const struct spec *spec;
    struct fence *fence;
    struct cgroup *cg;
    struct live *live; /* our entry in the registry; borrowed */
    struct quiet quiet;
    struct result *result;
    struct output output;
    struct watch watch;
    struct witnesses witnesses;
    struct loop loop;
    pid_t init;
    int pidfd;     /* of init; -1: none */
    int userns;    /* of the sandbox */
    int signals;   /* signalfd: SIGTERM, SIGINT, SIGHUP */
    int caller;    /* the connection of who asked for the run; its end cancels; -1: none */
    int workspace; /* the folder the workspace is copied from; -1: none */
    int port_to;   /* who is to get the port (port.h); -1: nobody */
    int handles[MOST_HANDLES];
    struct gate gate;

    bool decided;  /* result->ended is set: a limit, a cancellation */
    bool reported; /* init told how the program ended */
    bool empty;    /* no process of the program is left, by the groups' word */
    bool gone;     /* init is dead, and with it every process of the sandbox */
    int status;    /* of the program */
    struct rusage usage;
    int exec_error; /* errno of a failed execve; 0: none */

    int listener;       /* of the filter (listener.h); -1: none */
    bool unheard;       /* the filter kills by itself, since there is no listener */
    bool violated;      /* a call was made that the policy kills for … */
    bool offence_known; /* … and this is it, … */
    struct seccomp_data offence;
    char *offender;      /* … made by a process of this name; may be NULL */
    struct learn *learn; /* NULL: the policy is enforced */
};

/* Waits until init and payload are ready, filling the workspace meanwhile.
 * ERROR_CANCELLED when told to stop. */
int setup_await(struct run *r, struct error *err);
/* Opens the loop and looks at the machine, before the program is released. */
int supervise_prepare(struct run *r, struct error *err);
void supervise_close(struct run *r);
/* Releases the program: the clock starts. */
int supervise_release(struct run *r, struct error *err);
/* Stays until nothing of the sandbox runs any more.
 * Fills in how it ended, times, counts. */
int supervise(struct run *r, struct error *err);
/* Kills whatever there is of a sandbox and waits for it; for both ends and
 * failures. */
void supervise_kill(struct run *r);
/* Once all of the program is gone: kills init, which does nothing any more, and
 * does not wait for its end. */
void supervise_let_go(struct run *r);

/* Starts the copy of `source` into the workspace in a process of its own
 * (seed.c); a pidfd of it. */
int seed_start(const struct run *r, struct error *err);
/* Waits for it and says what went wrong. */
int seed_finish(const struct run *r, int pidfd, struct error *err);

#endif
