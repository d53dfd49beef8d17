/* From the clone to the moment the program could be released (declared in
 * supervise.h). */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/pass.h"
#include "sandbox/listener.h"
#include "sandbox/port.h"
#include "sandbox/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { SETUP_MS = 300000 }; /* a hung file system must not hang us for ever */

struct setup {
    bool init_ready, payload_ready;
    int seeding; /* pidfd of the copy; -1: none or done */
};

static void take_handles(struct run *r, const int *fds, size_t count) {
    for (size_t i = 0; i < count; i++) {
        /* An unused one is a stand-in (init.c). */
        bool used =
            (i != HANDLE_PROC || r->fence->own_proc) && (i != HANDLE_PORT || r->spec->listen);
        if (used) r->handles[i] = fds[i];
        else close(fds[i]);
    }
}

static int read_control(struct run *r, struct setup *s, struct error *err) {
    char message = 0;
    int fds[MOST_HANDLES];
    size_t count = MOST_HANDLES;
    ssize_t n = pass_receive(r->fence->control[0], &message, 1, fds, &count, MSG_DONTWAIT);
    if (n < 0) return errno == EAGAIN ? 0 : error_sys(err, errno, "control");
    if (n == 0 || message == CONTROL_FAILED || message == CONTROL_ENDED)
        return fence_failure(r->fence, err);
    if (message == CONTROL_READY) {
        s->init_ready = true;
        step_mark(&r->fence->page->steps, STEP_LAUNCHER, STEP_INIT_READY);
    }
    if (message != CONTROL_MOUNTS) return 0;
    if (count == FENCE_HANDLES + r->spec->clock.gate.data_count) take_handles(r, fds, count);
    if (r->handles[HANDLE_WORKSPACE] < 0)
        return error_set(err, ERROR_INTERNAL, "the workspace's descriptor did not arrive");
    if (port_hand_out(r, err) < 0) return -1;
    if (r->workspace < 0) return 0;
    s->seeding = seed_start(r, err);
    return s->seeding < 0 ? -1 : 0;
}

static int read_release(struct run *r, struct setup *s, struct error *err) {
    struct release_answer answer = {0};
    ssize_t n = listener_receive(r, &answer);
    if (n < 0 && errno == EAGAIN) return 0;
    if (n == sizeof answer && answer.message == RELEASE_READY) {
        s->payload_ready = true;
        step_mark(&r->fence->page->steps, STEP_LAUNCHER, STEP_PAYLOAD_READY);
        return 0;
    }
    if (n == sizeof answer && answer.message == RELEASE_FAILED) return fence_failure(r->fence, err);
    /* Init says more, if it is init that failed. */
    struct pollfd control = {.fd = r->fence->control[0], .events = POLLIN};
    if (r->fence->page->failure == ERROR_NONE && poll(&control, 1, 200) > 0)
        return read_control(r, s, err);
    if (r->fence->page->failure != ERROR_NONE) return fence_failure(r->fence, err);
    return error_set(err, ERROR_SYSTEM,
                     "the payload died before it was ready: does the policy %s let through read, "
                     "write and execve?",
                     r->fence->policy->name);
}

static int step(struct run *r, struct setup *s, int timeout_ms, struct error *err) {
    struct pollfd p[] = {
        {.fd = r->signals, .events = POLLIN},
        {.fd = s->seeding, .events = POLLIN},
        {.fd = r->fence->control[0], .events = POLLIN},
        {.fd = s->payload_ready ? -1 : r->fence->release[0], .events = POLLIN},
    };
    int n = poll(p, ARRAY_SIZE(p), timeout_ms);
    if (n < 0 && errno != EINTR) return error_sys(err, errno, "poll");
    if (n == 0) return error_set(err, ERROR_LIMIT, "not ready after %d s", SETUP_MS / 1000);
    if (p[0].revents) return error_set(err, ERROR_CANCELLED, "told to stop during setup");
    if (p[1].revents) {
        int done = s->seeding;
        s->seeding = -1;
        int result = seed_finish(r, done, err);
        close(done);
        if (result < 0) return -1;
    }
    if (p[2].revents && read_control(r, s, err) < 0) return -1;
    if (p[3].revents && read_release(r, s, err) < 0) return -1;
    return 0;
}

int setup_await(struct run *r, struct error *err) {
    struct setup s = {.seeding = -1};
    int64_t deadline = clock_mono_ns() + SETUP_MS * NS_PER_MS;
    int result = 0;
    while (result == 0 && !(s.init_ready && s.payload_ready && s.seeding < 0)) {
        int64_t left = (deadline - clock_mono_ns()) / NS_PER_MS;
        result = step(r, &s, left > 0 ? (int)left : 0, err);
    }
    if (s.seeding >= 0) { /* it is in the sandbox's groups, but not below init */
        syscall(SYS_pidfd_send_signal, s.seeding, SIGKILL, NULL, 0);
        seed_finish(r, s.seeding, NULL);
        close(s.seeding);
    }
    return result;
}
