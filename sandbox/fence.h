/*
 * The fence of one run, as its three processes share it: the launcher that
 * prepares it, pid 1 of the sandbox (init) that builds it, and the payload that
 * puts on the last layers and becomes the program. Theory of operation:
 * paddock_sandbox.c.
 *
 * `struct fence` is filled in by the launcher and inherited by copy. What comes
 * back does so through one shared page: init and payload write the fence report
 * and the reason of a failure there while only our own code runs in them; the
 * launcher reads it when they say so.
 */
#ifndef PADDOCK_SANDBOX_FENCE_H
#define PADDOCK_SANDBOX_FENCE_H

#include "common/error.h"
#include "policies/policy.h"
#include "sandbox/cgroup.h"
#include "sandbox/elsewhere.h"
#include "sandbox/identity.h"
#include "sandbox/mounts.h"
#include "sandbox/result.h"
#include "sandbox/spec.h"
#include "sandbox/steps.h"

#include <stdbool.h>
#include <sys/resource.h>

enum fence_layer {
    FENCE_USER,
    FENCE_MOUNT,
    FENCE_PID,
    FENCE_NETWORK,
    FENCE_IPC,
    FENCE_UTS,
    FENCE_CGROUP_NAMESPACE,
    FENCE_TIME,
    FENCE_ROOT,
    FENCE_PROC,
    FENCE_DEVICES,
    FENCE_CAPABILITIES,
    FENCE_NO_NEW_PRIVS,
    FENCE_SECCOMP,
    FENCE_LANDLOCK,
    FENCE_KEYRING,
    FENCE_DESCRIPTORS,
    FENCE_CGROUP,
    FENCE_LAYERS,
};

const char *fence_layer_name(enum fence_layer layer);

struct fence_note {
    bool written;
    enum layer_state state;
    char detail[224];
};

/* What init builds, in shared memory: it is cloned before anything is known of
 * the run, and all pointers here are into the arena behind (order.c). */
struct order {
    struct spec spec; /* only what init and payload need */
    struct policy policy;
    struct policy_filter filter;
    struct mount_plan plan;
    bool stdio_ours[3];
    bool other_root; /* the image is not the host's: what was built ahead is of no use */
    bool own_proc, limit_nproc;
    /* Known earlier; see told.c. */
    unsigned procs;
    struct mount_plan base;
    struct identity identity;
};

enum { ORDER_BYTES = 32 << 20 }; /* a spec of 4 MiB that is all "" in an argv, and more */

struct fence_page { /* shared memory; trusted only until the program is released */
    struct fence_note notes[FENCE_LAYERS];
    enum error_kind failure; /* ERROR_NONE: nothing failed */
    int failure_errno;
    char failure_text[1024];
    struct steps steps;
    struct order order;
    size_t used; /* of the arena */
    _Alignas(16) char arena[ORDER_BYTES];
};

/* One byte each on the control socket (launcher ↔ init, SOCK_SEQPACKET)… */
enum control_message {
    CONTROL_GROUPS = 'g',    /* launcher: the groups stand; see told.c */
    CONTROL_HOST = 'h',      /* launcher: ids and maps stand */
    CONTROL_TOLD = 'm',      /* launcher: the order stands */
    CONTROL_TERMINATE = 't', /* launcher: SIGTERM to the program */
    CONTROL_KILL = 'k',      /* launcher: SIGKILL to the program */
    CONTROL_MOUNTS = 'w',    /* init: the mounts stand; carries descriptors */
    CONTROL_FAILED = 'f',    /* init: see the page */
    CONTROL_READY = 'r',     /* init: it gave up what it no longer needs */
    CONTROL_ENDED = 'e',     /* init: the program ended; a struct control_end */
};
/* … and on the release socket (launcher ↔ payload, closed by exec). */
enum release_message {
    RELEASE_READY = 'r',   /* payload: all layers are on */
    RELEASE_FAILED = 'f',  /* payload: see the page */
    RELEASE_ORDER = 'o',   /* launcher: the order stands; with what becomes 0, 1 and 2 */
    RELEASE_GO = 'g',      /* launcher: become the program */
    RELEASE_NO_EXEC = 'x', /* payload: execve failed, with this errno */
};

/* … and from init to the payload. */
enum built_message {
    BUILT_ROOT = 'r', /* the root stands, and is entered; the old one is gone */
};

enum { RELEASE_FD = 3 }; /* the payload's end of the release socket, until exec */

struct release_answer {
    char message;
    int error;
};

struct control_end {
    char message;
    int status;          /* as wait4 gives it */
    struct rusage usage; /* of the program and what init reaped */
};

/* The descriptors that come with CONTROL_MOUNTS, in this order; behind them the data
 * of a gated run, detached. */
enum fence_handle {
    HANDLE_WORKSPACE,
    HANDLE_TMP,
    HANDLE_SHM,
    HANDLE_PROC,
    HANDLE_PORT, /* port.h */
    FENCE_HANDLES
};
enum { MOST_HANDLES = FENCE_HANDLES + SPEC_GATE_DATA };

struct fence {
    const struct spec *spec;
    const struct policy *policy;
    struct policy_filter *filter;
    struct identity identity;
    struct mount_plan base, plan;
    char *const *given; /* variables beyond the spec's (gpu_loan.h); NULL: none */
    struct cgroup_door door;
    struct fence_page *page;
    struct elsewhere elsewhere;
    struct fence_note *noting;             /* where fence_note() goes: the page, then `notes` */
    struct fence_note notes[FENCE_LAYERS]; /* the page's, as they were at the release */
    int group;          /* of the unified hierarchy, to clone the payload into; -1 */
    int control[2];     /* [0] the launcher's end, [1] init's */
    int release[2];     /* [0] the launcher's end, [1] the payload's */
    int built[2];       /* a pipe init → payload: enum built_message */
    int stdio[3];       /* what becomes 0, 1 and 2 of the program */
    int gate;           /* … and SPEC_CONTROL_FD of a gated one; -1: none */
    int port;           /* what listens inside (port.h), in init until it is sent; -1: none */
    bool stdio_ours[3]; /* a pipe of ours, to be owned by the payload */
    unsigned procs;     /* bits of what may be wanted of enum mount_proc */
    bool own_proc;      /* hand out a procfs for the watchers */
    bool limit_nproc;   /* no pids cgroup: RLIMIT_NPROC stands in */
};

/* The shared page, all zero; NULL and the error. It lives as long as the process. */
struct fence_page *fence_page_new(struct error *err);

/* Notes what a layer is (once; a later note replaces it). */
void fence_note(struct fence *f, enum fence_layer layer, enum layer_state state, const char *fmt,
                ...) __attribute__((format(printf, 4, 5)));
/* Puts an error where the launcher finds it. */
void fence_fail(struct fence *f, const struct error *err);
/* Takes it out again: an error whose text is what init or payload said. */
int fence_failure(const struct fence *f, struct error *err);

/* What init needs of the fence, copied into the page by the launcher and taken
 * over from there: first what is of the host, then all else. */
int order_write_host(struct fence *f, struct error *err);
void order_take_host(struct fence *f);
int order_write(struct fence *f, struct error *err);
void order_take(struct fence *f);
/* The same with the descriptors that belong to it, and init's side of that. The
 * payload gets what is to become 0, 1 and 2 from the launcher itself. */
int told_send_groups(struct fence *f, struct error *err);
int told_receive_groups(struct fence *f, struct error *err);
int told_send_host(struct fence *f, struct error *err);
int told_receive_host(struct fence *f, struct error *err);
int told_send(struct fence *f, struct error *err);
int told_receive(struct fence *f, struct error *err);
int told_receive_stdio(struct fence *f, struct error *err);

/* Pid 1 of the sandbox; never returns. Runs in the cloned child. */
_Noreturn void init_main(struct fence *f);
/* The payload up to its exec; never returns. */
_Noreturn void child_main(struct fence *f);

/* The steps of the payload, each 0 or -1. */
int limits_apply(const struct fence *f, struct error *err);
int capabilities_drop_bounding(struct error *err);
int capabilities_lock(struct error *err);
/* Sets all three sets to `kept` (a bit mask; 0: none) and reads them back. */
int capabilities_keep(uint64_t kept, struct error *err);
int landlock_apply(struct fence *f, struct error *err);

#endif
