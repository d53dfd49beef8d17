#include "sandbox/listener.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "common/pass.h"
#include "sandbox/learn.h"
#include "sandbox/weaken.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* Linux 5.19; the headers of Debian 12 have it, older ones not. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

/* ---- in the payload ---- */

static long set_filter(const struct policy_filter *filter, unsigned long flags) {
    struct sock_fprog program = {.len = filter->count, .filter = filter->insns};
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* Once a question is taken, only a death takes it back, where the kernel can do
 * that: else a signal makes the caller start its call again and again. */
int listener_set(const struct policy_filter *filter) {
    const unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
    long fd = set_filter(filter, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);
    if (fd < 0 && errno == EINVAL) fd = set_filter(filter, flags);
    return (int)fd;
}

/* Whether the hand-over is a call that the filter lets pass: it comes after. */
static bool can_hand_over(const struct policy_filter *filter) {
    const uint64_t args[6] = {RELEASE_FD, 0, LISTENER_FLAGS};
    uint32_t answer = policy_filter_answer(filter, SYS_sendmsg, args);
    return answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_LOG;
}

static void note(struct fence *f, const char *how, const char *why) {
    fence_note(f, FENCE_SECCOMP, LAYER_ON, "policy %s, %u instructions, native calls only; %s%s",
               f->policy->name, f->filter->count, how, why);
}

/* Under one that does not, a thread can. It counts as a process, though: not where
 * one is all there may be. */
static int install_with_thread(struct fence *f, int *listener) {
    if (f->spec->limits.pids == 1) return -EAGAIN;
    int rc = listener_send_by_thread(f->filter);
    if (rc == 0) *listener = LISTENER_SENT;
    return rc;
}

/* 0, or -errno where no listener can be had. */
static int install_asking(struct fence *f, int *listener) {
    /* Noted before, since what comes after is under the filter. */
    note(f, f->spec->learn ? "every call is recorded" : "a forbidden call is named", "");
    if (!can_hand_over(f->filter)) return install_with_thread(f, listener);
    *listener = listener_set(f->filter);
    return *listener < 0 ? -errno : 0;
}

static const char *why_not(int rc) {
    if (rc == -EBUSY) return "an outer filter listens already";
    if (rc == -EAGAIN) return "the policy has no sendmsg, and there is no room for a thread";
    return strerror(-rc);
}

int listener_install(struct fence *f, int *listener, struct error *err) {
    *listener = -1;
    if (weaken("seccomp")) return 0;
    if (policy_filter_asks(f->filter)) {
        int rc = install_asking(f, listener);
        if (rc == 0) return 0;
        const char *why = why_not(rc);
        if (f->spec->learn)
            return error_set(err, ERROR_UNSUPPORTED, "calls cannot be recorded here: %s", why);
        policy_filter_unheard(f->filter); /* our copy: the launcher's is in listener_receive() */
        note(f, "a forbidden call kills unnamed: ", why);
    } else {
        note(f, "no call kills", "");
    }
    if (set_filter(f->filter, 0) < 0)
        return error_sys(err, errno, "install the filter of policy %s", f->policy->name);
    return 0;
}

int listener_ready(int listener) {
    if (listener >= 0) return listener_send(listener);
    if (listener == LISTENER_SENT) return 0;
    struct release_answer answer = {.message = RELEASE_READY};
    return write(RELEASE_FD, &answer, sizeof answer) == sizeof answer ? 0 : -1;
}

/* ---- in the launcher ---- */

/* The payload, a copy of us, has done the same. */
static void go_unheard(struct run *r) {
    struct policy_filter *filter = r->fence->filter;
    if (!policy_filter_asks(filter)) return;
    policy_filter_unheard(filter);
    free(r->result->filter_sha256);
    r->result->filter_sha256 = strdup(filter->sha256);
    r->unheard = true;
}

ssize_t listener_receive(struct run *r, struct release_answer *answer) {
    int listener = -1;
    size_t count = 1;
    ssize_t n =
        pass_receive(r->fence->release[0], answer, sizeof *answer, &listener, &count, MSG_DONTWAIT);
    if (n != sizeof *answer || answer->message != RELEASE_READY) return n;
    if (listener >= 0) {
        if (r->listener >= 0) close(r->listener);
        r->listener = listener;
    }
    if (r->listener < 0) go_unheard(r);
    return n;
}

/* The name of the process that asks: of its own choosing, so only to be shown. */
static void note_process(struct run *r, const struct seccomp_notif *question) {
    char path[40];
    snprintf(path, sizeof path, "/proc/%u/comm", question->pid);
    _cleanup_buf_ struct buf name = {0};
    if (file_read(path, 64, &name, NULL) < 0) return;
    /* It waits for us: had it gone, another might have its pid. */
    uint64_t id = question->id;
    if (ioctl(r->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0) return;
    size_t len = strcspn(buf_text(&name), "\n");
    r->offender = str_printable(buf_text(&name), len < 16 ? len : 16);
}

static enum listener_news take_violation(struct run *r, const struct seccomp_notif *question) {
    r->violated = true;
    if (!question) return LISTENER_VIOLATED;
    r->offence_known = true;
    r->offence = question->data;
    note_process(r, question);
    return LISTENER_VIOLATED;
}

enum listener_news listener_serve(struct run *r) {
    struct pollfd p = {.fd = r->listener, .events = POLLIN};
    if (poll(&p, 1, 0) <= 0) return LISTENER_QUIET;
    /* Until Linux 6.6 an attempt to take what is not there waits for ever. */
    if (!(p.revents & POLLIN)) return LISTENER_OVER;
    /* The kernel wants it zero, and may know a longer one than we do. */
    union {
        struct seccomp_notif notif;
        char room[512];
    } question = {0};
    int taken = ioctl(r->listener, SECCOMP_IOCTL_NOTIF_RECV, &question.notif);
    if (r->learn) {
        if (taken == 0) learn_answer(r->learn, r->listener, &question.notif);
        return LISTENER_QUIET;
    }
    /* Taken back meanwhile, by a signal or a death: it was made all the same. */
    return take_violation(r, taken == 0 ? &question.notif : NULL);
}
