/*
 * The gated clock: a program gets ready on nothing of the task's own, is then
 * given its data, and the official time goes from there to its DONE.
 *
 * It talks over a stream socket, descriptor SPEC_CONTROL_FD, in lines:
 *
 *     program   READY     within the INIT budget (wall, and cpu of the tree)
 *     launcher  GO        the data are at their places, the clock runs
 *     program   DONE      the clock stops
 *
 * At READY the tree is frozen until GO, so that nothing is computed while the page
 * cache is warmed and the data move in; the clock starts before they do. At DONE
 * the tree is frozen, then the clock is stopped, then all of it is killed: nothing
 * writes to the artifact any more. Work done in INIT had no data to work on, work
 * after DONE is never run. Where nothing can be frozen, the clock stops only when
 * the killed tree is empty.
 */
#ifndef PADDOCK_SANDBOX_GATE_H
#define PADDOCK_SANDBOX_GATE_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run;

enum gate_state {
    GATE_NONE,   /* another clock */
    GATE_INIT,   /* the program gets ready */
    GATE_READY,  /* it is, and waits for the page cache */
    GATE_MOVING, /* the clock runs, the data move in */
    GATE_OPEN,   /* GO was said */
    GATE_DONE,
};

struct gate {
    enum gate_state state;
    int control;     /* our end; −1: none */
    int mntns;       /* of the sandbox, opened while init can still be looked into; −1 */
    int mover;       /* the socket to who moves the data (mover.h); −1: none, or gone */
    int mover_pidfd; /* −1: none */
    bool warm;       /* the data are in the page cache */
    bool frozen;
    char line[8];
    size_t len;
};

enum gate_news {
    GATE_QUIET,
    GATE_WAITS,    /* READY: the INIT budget is of no interest any more */
    GATE_OPENED,   /* GO: the wall limit runs from here */
    GATE_FINISHED, /* DONE: the tree is to be killed */
    GATE_OVER,     /* INIT used too much cpu time; result->error says so */
    GATE_BROKEN,   /* the protocol was broken, or we failed; result->error says how */
    GATE_CLOSED,   /* the control socket is at its end: to be forgotten */
};

/* Makes the control socket; *program_end is what the program is to get. */
int gate_open(struct run *r, int *program_end, struct error *err);
/* Sets about the data, once the mounts stand; before the release. */
int gate_start(struct run *r, struct error *err);
/* What the program said. */
enum gate_news gate_serve(struct run *r);
/* What the mover said. */
enum gate_news gate_moved(struct run *r);
/* Whether INIT has used more cpu time than it may; `cpu_ns` as last seen. */
bool gate_over(struct run *r, int64_t cpu_ns);
/* Lets a frozen tree go on, so that it can be told to end. */
void gate_thaw(struct run *r);
void gate_close(struct run *r);

#endif
