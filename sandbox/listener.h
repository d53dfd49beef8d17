/*
 * The listener of the system-call filter: where the policy kills, the kernel
 * asks us first (seccomp_unotify(2)), so that the result can say which call it
 * was. The answer is never yes, except in a run that learns (learn.h).
 *
 * The payload installs the filter and hands the listener over with its
 * RELEASE_READY; exec closes its own copy, so nothing inside can answer. Should
 * the launcher die, the kernel refuses such calls with ENOSYS.
 */
#ifndef PADDOCK_SANDBOX_LISTENER_H
#define PADDOCK_SANDBOX_LISTENER_H

#include "sandbox/fence.h"
#include "sandbox/supervise.h"

/* The flags of the one message that carries it. MSG_CONFIRM means nothing on
 * such a socket: it makes the message one that no program sends by chance. */
#define LISTENER_FLAGS (MSG_NOSIGNAL | MSG_CONFIRM)

/* ---- in the payload ---- */

/* Where the listener is on its way already, with RELEASE_READY. */
#define LISTENER_SENT (-2)

/* Installs the fence's filter. *listener is -1 where there is none: the filter
 * asks nobody, or it cannot be had, and then the kernel kills by itself. */
int listener_install(struct fence *f, int *listener, struct error *err);
/* Says RELEASE_READY, with the listener if there is one. Makes one system call at
 * most: sendmsg with LISTENER_FLAGS, or write without a listener. */
int listener_ready(int listener);
/* The parts of it: installs a filter that asks and returns the listener, or -1;
 * sends it; installs and sends it out of a thread that is not under the filter,
 * and returns 0 or -errno (handover.c). */
int listener_set(const struct policy_filter *filter);
int listener_send(int listener);
int listener_send_by_thread(const struct policy_filter *filter);

/* ---- in the launcher ---- */

/* As recv(2) of one answer from the payload, keeping a listener that comes with
 * it. Without one, the digest in the result becomes that of the filter that kills
 * by itself. */
ssize_t listener_receive(struct run *r, struct release_answer *answer);

enum listener_news {
    LISTENER_QUIET,    /* go on */
    LISTENER_OVER,     /* no process is left under the filter: stop listening */
    LISTENER_VIOLATED, /* a call that the policy kills for: end the run */
};
/* Takes one question, if there is any. Never blocks. */
enum listener_news listener_serve(struct run *r);

#endif
