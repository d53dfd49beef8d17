#include "sandbox/launch.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "sandbox/collect.h"
#include "sandbox/live.h"
#include "sandbox/report.h"
#include "sandbox/supervise.h"
#include "sandbox/weaken.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { COLLECT_MS = 120000, CGROUP_PATIENCE_MS = 2000 };

/* All that one launch holds, given back in one place. */
struct launch {
    struct run run;
    struct fence fence;
    struct policy policy;
    struct policy_filter filter;
    struct live *live;
    int dir_fd;
    int null_fd;
    int program_ends[2]; /* of the output pipes */
};

static void launch_init(struct launch *l, const struct spec *spec, int dir_fd,
                        struct result *result) {
    *l = (struct launch){.dir_fd = dir_fd, .null_fd = -1, .program_ends = {-1, -1}};
    struct run *r = &l->run;
    r->spec = spec;
    r->result = result;
    r->fence = &l->fence;
    r->pidfd = r->userns = r->signals = r->workspace = -1;
    for (int i = 0; i < FENCE_HANDLES; i++) r->handles[i] = -1;
    for (int i = 0; i < 2; i++)
        r->output.streams[i] = (struct output_stream){.pipe = -1, .file = -1, .copy = -1};
    r->output.stamps = -1;
    struct fence *f = &l->fence;
    f->spec = spec;
    f->policy = &l->policy;
    f->filter = &l->filter;
    for (int i = 0; i < 2; i++) f->control[i] = f->release[i] = f->built[i] = -1;
}

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

/* ---- preparing ---- */

static int load_policy(struct launch *l, struct error *err) {
    struct result *r = l->run.result;
    if (policy_open(l->run.spec->policy, &l->policy, err) < 0 ||
        policy_filter(&l->policy, &l->filter, err) < 0)
        return -1;
    r->policy_sha256 = strdup(l->policy.sha256);
    r->filter_sha256 = strdup(l->filter.sha256);
    return r->policy_sha256 && r->filter_sha256 ? 0 : error_sys(err, ENOMEM, "policy");
}

/* Who we are, our entry in the registry, ids and the first group of this run. */
static int take_host(struct launch *l, struct error *err) {
    const struct spec *spec = l->run.spec;
    struct identity *id = &l->fence.identity;
    if (identity_detect(id, err) < 0) return -1;
    l->run.result->privilege = strdup(privilege_name(id->privilege));
    _cleanup_error_ struct error swept = {0};
    if (live_sweep(&swept) < 0) log_warn("sweep of dead sandboxes: %s", error_text(&swept));
    if (live_register(spec->id, &l->live, err) < 0) return -1;
    if (id->privilege == PRIVILEGE_ROOT && live_reserve_ids(l->live, &id->base, err) < 0) return -1;
    if (weaken("id-range")) id->base = UINT32_C(0x40000000);
    /* Our init counts as well, and is not the program's. */
    struct spec_limits limits = spec->limits;
    if (limits.pids) limits.pids++;
    return cgroup_begin(spec->id, &limits, spec->cpus, &l->run.cg, err);
}

/* The other groups. Init does not need them before it has its network namespace,
 * whose making takes the kernel as long as they take us: so both at once. */
static int take_groups(struct launch *l, struct error *err) {
    struct run *r = &l->run;
    struct fence *f = &l->fence;
    if (cgroup_complete(r->cg, err) < 0) return -1;
    char *const *paths = cgroup_paths(r->cg);
    f->cgroup_own = paths && paths[0];
    bool groups =
        cgroup_enforces(r->cg, CGROUP_MEMORY, NULL) && cgroup_enforces(r->cg, CGROUP_CPU, NULL);
    f->limit_nproc = !cgroup_enforces(r->cg, CGROUP_PIDS, NULL);
    f->own_proc = f->limit_nproc || !groups;
    if (f->cgroup_own && cgroup_enter_open(r->cg, cgroup_clone_fd(r->cg) >= 0, &f->door, err) < 0)
        return -1;
    return live_record_cgroups(l->live, paths, err);
}

/* A folder handed in would be a way out of the root: openat(2) from it. */
static int check_inherited(int fd, struct error *err) {
    struct stat st;
    if (fstat(fd, &st) < 0) return error_sys(err, errno, "descriptor %d", fd);
    if (!S_ISDIR(st.st_mode)) return 0;
    return error_set(err, ERROR_DENIED, "descriptor %d is a folder, which is never handed in", fd);
}

static int prepare_stdio(struct launch *l, struct error *err) {
    const struct spec *spec = l->run.spec;
    struct fence *f = &l->fence;
    enum spec_stdio modes[3] = {spec->stdin_mode, spec->stdout_mode, spec->stderr_mode};
    if (output_open(&l->run.output, spec, l->dir_fd, l->program_ends, err) < 0) return -1;
    l->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (l->null_fd < 0) return error_sys(err, errno, "/dev/null");
    for (int i = 0; i < 3; i++) {
        if (modes[i] == STDIO_INHERIT && check_inherited(i, err) < 0) return -1;
        f->stdio_ours[i] = i > 0 && l->program_ends[i - 1] >= 0;
        f->stdio[i] = f->stdio_ours[i]            ? l->program_ends[i - 1]
                      : modes[i] == STDIO_INHERIT ? i
                                                  : l->null_fd;
        /* The program reopens /dev/stdout by path; in the user modes init does
         * this, whose ids we cannot give. */
        if (f->stdio_ours[i] && f->identity.privilege == PRIVILEGE_ROOT &&
            fchown(f->stdio[i], f->identity.base + PAYLOAD_UID, f->identity.base + PAYLOAD_GID) < 0)
            return error_sys(err, errno, "give descriptor %d to the payload", i);
    }
    return 0;
}

static int prepare_fence(struct launch *l, struct error *err) {
    struct fence *f = &l->fence;
    if (plan_make(l->run.spec, &l->policy, &f->plan, err) < 0) return -1;
    if (f->identity.privilege == PRIVILEGE_ROOT && mounts_open_sources(&f->plan, err) < 0)
        return -1;
    if (l->run.spec->workspace_source) {
        l->run.workspace = dir_open(l->run.spec->workspace_source, err);
        if (l->run.workspace < 0) return error_wrap(err, "workspace");
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, f->control) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, f->release) < 0)
        return error_sys(err, errno, "socket pair");
    f->page =
        mmap(NULL, sizeof *f->page, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (f->page == MAP_FAILED) {
        f->page = NULL;
        return error_sys(err, errno, "shared page");
    }
    return 0;
}

/* SIGTERM, SIGINT and SIGHUP become events; a closed pipe an errno. */
static int take_signals(struct run *r, struct error *err) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return error_sys(err, errno, "signals");
    r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return r->signals < 0 ? error_sys(err, errno, "signalfd") : 0;
}

/* ---- the clone ---- */

/* The network namespace is not among them: init makes its own (init.c). */
static const uint64_t own_namespaces =
    CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS;

static int explain_clone(int errnum, struct error *err) {
    error_sys(err, errnum, "new namespaces");
    if (errnum == EPERM || errnum == ENOSPC)
        return error_wrap(err,
                          "this machine refuses user namespaces (see user.max_user_namespaces, "
                          "kernel.apparmor_restrict_unprivileged_userns and the filter of an "
                          "outer container)");
    return -1;
}

static int open_userns(struct run *r, struct error *err) {
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/ns/user", (int)r->init);
    r->userns = open(path, O_RDONLY | O_CLOEXEC);
    return r->userns < 0 ? error_sys(err, errno, "%s", path) : 0;
}

static int send_mapped(struct fence *f, struct error *err) {
    union {
        char bytes[CMSG_SPACE(sizeof f->door.fds)];
        struct cmsghdr align;
    } space = {0};
    struct control_mapped message = {.message = CONTROL_MAPPED,
                                     .cgroup_own = f->cgroup_own,
                                     .own_proc = f->own_proc,
                                     .limit_nproc = f->limit_nproc};
    struct iovec data = {.iov_base = &message, .iov_len = sizeof message};
    struct msghdr header = {.msg_iov = &data, .msg_iovlen = 1};
    size_t size = f->door.count * sizeof *f->door.fds;
    if (size) {
        header.msg_control = space.bytes;
        header.msg_controllen = CMSG_SPACE(size);
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(size);
        memcpy(CMSG_DATA(c), f->door.fds, size);
    }
    if (sendmsg(f->control[0], &header, MSG_NOSIGNAL) == sizeof message) return 0;
    return fence_failure(f, err);
}

static int clone_init(struct launch *l, struct error *err) {
    struct run *r = &l->run;
    struct fence *f = &l->fence;
    int into = cgroup_clone_fd(r->cg);
    struct clone_args args = {
        .flags = (own_namespaces & ~weaken_namespaces()) | CLONE_PIDFD |
                 (into >= 0 ? CLONE_INTO_CGROUP : 0),
        .pidfd = (uint64_t)(uintptr_t)&r->pidfd,
        .exit_signal = SIGCHLD,
        .cgroup = into >= 0 ? (uint64_t)into : 0,
    };
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) init_main(f);
    if (pid < 0) {
        r->pidfd = -1;
        return explain_clone(errno, err);
    }
    r->init = (pid_t)pid;
    close_fd(&f->control[1]);
    close_fd(&f->release[1]);
    close_fd(&l->program_ends[0]);
    close_fd(&l->program_ends[1]);
    if (take_groups(l, err) < 0 || open_userns(r, err) < 0 ||
        identity_map(&f->identity, r->init, err) < 0)
        return -1;
    return send_mapped(f, err);
}

/* ---- the run ---- */

static int start(struct launch *l, struct error *err) {
    struct run *r = &l->run;
    /* Signals first: told to stop from now on, we still give everything back. */
    if (take_signals(r, err) < 0 || load_policy(l, err) < 0 || take_host(l, err) < 0 ||
        prepare_stdio(l, err) < 0 || prepare_fence(l, err) < 0 || clone_init(l, err) < 0 ||
        setup_await(r, err) < 0)
        return -1;
    if (report_layers(&l->fence, r->cg, r->result, err) < 0 ||
        report_limits(&l->fence, r->cg, r->result, err) < 0 ||
        report_check(r->spec, r->result, err) < 0)
        return -1;
    r->result->t_ready = clock_mono_ns();
    return 0;
}

static int collect(struct launch *l, struct error *err) {
    const struct spec *spec = l->run.spec;
    struct result *r = l->run.result;
    if (!spec->collect_count) return 0;
    if (l->dir_fd < 0)
        return error_set(err, ERROR_INVALID,
                         "files are to be collected, but no run folder is named");
    r->collected = calloc(spec->collect_count, sizeof *r->collected);
    if (!r->collected) return error_sys(err, ENOMEM, "collect");
    r->collected_count = spec->collect_count;
    if (collect_run(l->run.handles[HANDLE_WORKSPACE], l->run.userns, l->dir_fd, spec->collect,
                    spec->collect_count, COLLECT_MS, r->collected, err) < 0)
        return error_wrap(err, "collect");
    return 0;
}

/* Everything of the run goes, in the order that keeps a sweep correct if we are
 * killed half-way: processes, groups, registry. */
static void give_back(struct launch *l) {
    struct run *r = &l->run;
    supervise_kill(r);
    output_close(&r->output);
    for (int i = 0; i < FENCE_HANDLES; i++) close_fd(&r->handles[i]);
    close_fd(&r->userns);
    close_fd(&r->signals);
    close_fd(&r->workspace);
    cgroup_enter_close(&l->fence.door);
    _cleanup_error_ struct error err = {0};
    bool left = r->cg && cgroup_destroy(r->cg, CGROUP_PATIENCE_MS, &err) < 0;
    if (left) log_warn("left for the next sweep: %s", error_text(&err));
    if (left) live_leave(l->live);
    else live_release(l->live);
    for (int i = 0; i < 2; i++) {
        close_fd(&l->fence.control[i]);
        close_fd(&l->fence.release[i]);
        close_fd(&l->program_ends[i]);
    }
    close_fd(&l->null_fd);
    plan_clear(&l->fence.plan);
    policy_filter_clear(&l->filter);
    policy_clear(&l->policy);
    if (l->fence.page) munmap(l->fence.page, sizeof *l->fence.page);
}

/* Always -1. Init and payload are in the group while they build the fence. */
static int explain_start(struct run *r, struct error *err) {
    if (!r->cg || !cgroup_oom_seen(r->cg)) return -1;
    return error_wrap(err, "limits.memory_bytes is too small to start anything");
}

static void fail(struct result *r, struct error *err) {
    r->ended = err->kind == ERROR_CANCELLED ? ENDED_CANCELLED : ENDED_SETUP_ERROR;
    if (r->ended == ENDED_CANCELLED && !r->signal) r->signal = SIGTERM;
    free(r->error);
    r->error = err->text;
    err->text = NULL;
    error_clear(err);
}

int launch_run(const struct spec *spec, int dir_fd, struct result *result, struct error *err) {
    struct launch l;
    struct error why = {0};
    launch_init(&l, spec, dir_fd, result);
    result->steal_ns = result->pressure_cpu_ns = result->pressure_memory_ns = -1;
    result->pressure_io_ns = result->frequency_khz = -1;
    result->io_read_bytes = result->io_write_bytes = -1;
    if ((start(&l, &why) < 0 && explain_start(&l.run, &why) < 0) || supervise(&l.run, &why) < 0 ||
        collect(&l, &why) < 0)
        fail(result, &why);
    give_back(&l);
    result->t_done = clock_mono_ns();
    if (!result->privilege) result->privilege = strdup("none");
    return result->privilege ? 0 : error_sys(err, ENOMEM, "result");
}
