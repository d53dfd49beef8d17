/*
 * The hand-over of a listener under a policy that has no sendmsg (declared in
 * listener.h).
 *
 * A filter binds the thread that installs it. One that was there before is not
 * under it and shares the descriptors: it waits for the listener, sends it and
 * ends; exec ends it if it has not. It never runs anything but what is here, in
 * memory that exec takes away.
 */
#include "sandbox/listener.h"

#include <errno.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STACK = 16384, NOTHING = -1 };

struct helper {
    atomic_int listener; /* 0: not yet known; NOTHING: there will be none */
};

int listener_send(int listener) {
    struct release_answer answer = {.message = RELEASE_READY};
    union {
        char bytes[CMSG_SPACE(sizeof listener)];
        struct cmsghdr align;
    } space = {0};
    struct iovec data = {.iov_base = &answer, .iov_len = sizeof answer};
    struct msghdr header = {.msg_iov = &data,
                            .msg_iovlen = 1,
                            .msg_control = space.bytes,
                            .msg_controllen = sizeof space.bytes};
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof listener);
    memcpy(CMSG_DATA(c), &listener, sizeof listener);
    return syscall(SYS_sendmsg, RELEASE_FD, &header, LISTENER_FLAGS) == sizeof answer ? 0 : -1;
}

/* It has the other thread's thread-local storage, errno included: nothing but
 * bare system calls. */
static int help(void *argument) {
    struct helper *h = argument;
    int listener;
    while ((listener = atomic_load(&h->listener)) == 0) syscall(SYS_sched_yield);
    /* Else both ends would wait for ever. */
    if (listener > 0 && listener_send(listener) < 0) syscall(SYS_shutdown, RELEASE_FD, SHUT_RDWR);
    return 0;
}

int listener_send_by_thread(const struct policy_filter *filter) {
    static struct helper h;
    static alignas(64) char stack[STACK];
    const int flags =
        CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    if (clone(help, stack + STACK, flags, &h) < 0) return -errno;
    int listener = listener_set(filter);
    int failed = listener < 0 ? errno : 0;
    atomic_store(&h.listener, listener < 0 ? NOTHING : listener);
    return -failed;
}
