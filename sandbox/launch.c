#include "sandbox/launch.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "sandbox/collect.h"
#include "sandbox/gpu_loan.h"
#include "sandbox/janitor.h"
#include "sandbox/learn.h"
#include "sandbox/lease.h"
#include "sandbox/listener.h"
#include "sandbox/live.h"
#include "sandbox/port.h"
#include "sandbox/report.h"
#include "sandbox/request.h"
#include "sandbox/run_folder.h"
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
#include <sys/sysmacros.h>

enum { COLLECT_MS = 120000, CGROUP_PATIENCE_MS = 2000 };

/* All that one launch holds, given back in one place. */
struct launch {
    struct run run;
    struct fence fence;
    struct policy policy;
    struct policy_filter filter;
    struct gpu_loan loan;
    struct live *live;
    int dir_fd;
    int null_fd;
    bool janitor;        /* somebody else gives groups and entry back */
    int program_ends[2]; /* of the output pipes */
};

static void launch_init(struct launch *l, struct fence_page *page) {
    *l = (struct launch){.dir_fd = -1, .null_fd = -1, .program_ends = {-1, -1}};
    struct run *r = &l->run;
    r->fence = &l->fence;
    r->pidfd = r->userns = r->signals = r->workspace = r->listener = r->caller = -1;
    r->port_to = -1;
    r->loop = (struct loop){.epoll = -1, .deadline = -1, .look = -1};
    for (int i = 0; i < MOST_HANDLES; i++) r->handles[i] = -1;
    r->gate = (struct gate){.control = -1, .mntns = -1, .mover = -1, .mover_pidfd = -1};
    for (int i = 0; i < 2; i++)
        r->output.streams[i] = (struct output_stream){.pipe = -1, .file = -1, .copy = -1};
    r->output.stamps = -1;
    struct fence *f = &l->fence;
    f->page = page;
    f->noting = page->notes;
    f->group = f->gate = f->port = -1;
    f->policy = &l->policy;
    f->filter = &l->filter;
    for (int i = 0; i < 2; i++) f->control[i] = f->release[i] = f->built[i] = -1;
}

static void close_fd(int *fd) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static void mark(struct launch *l, enum step step) {
    step_mark(&l->fence.page->steps, STEP_LAUNCHER, step);
}

/* ---- preparing ---- */

/* The policy is then what is learned from, not what is enforced. */
static int use_learning(struct launch *l, struct error *err) {
    policy_filter_clear(&l->filter);
    l->run.learn = learn_open(l->run.spec->policy, err);
    return l->run.learn ? policy_filter_learning(RELEASE_FD, LISTENER_FLAGS, &l->filter, err) : -1;
}

static int load_policy(struct launch *l, struct error *err) {
    struct result *r = l->run.result;
    if (policy_open(l->run.spec->policy, &l->policy, err) < 0 ||
        policy_filter(&l->policy, &l->filter, err) < 0)
        return -1;
    if (l->run.spec->learn && use_learning(l, err) < 0) return -1;
    r->policy_sha256 = strdup(l->policy.sha256);
    r->filter_sha256 = strdup(l->filter.sha256);
    mark(l, STEP_POLICY);
    return r->policy_sha256 && r->filter_sha256 ? 0 : error_sys(err, ENOMEM, "policy");
}

static int take_ids(struct launch *l, struct error *err) {
    struct identity *id = &l->fence.identity;
    if (id->privilege == PRIVILEGE_ROOT && live_reserve_ids(l->live, &id->base, err) < 0) return -1;
    if (weaken("id-range")) id->base = UINT32_C(0x40000000);
    return 0;
}

static void note_groups(struct launch *l) {
    const struct cgroup *cg = l->run.cg;
    struct fence *f = &l->fence;
    bool groups = cgroup_enforces(cg, CGROUP_MEMORY, NULL) && cgroup_enforces(cg, CGROUP_CPU, NULL);
    f->limit_nproc = !cgroup_enforces(cg, CGROUP_PIDS, NULL);
    f->own_proc = f->limit_nproc || !groups;
}

/* What the policy adds to /dev is as good as what was lent. */
static int add_policy_devices(const struct policy *p, struct cgroup_device *list, size_t *count,
                              struct error *err) {
    for (size_t i = 0; p->devices && p->devices[i]; i++) {
        struct stat st;
        if (stat(p->devices[i], &st) < 0) return error_sys(err, errno, "%s", p->devices[i]);
        list[(*count)++] = (struct cgroup_device){major(st.st_rdev), minor(st.st_rdev)};
    }
    return 0;
}

/* Before the groups, of which the list of devices is one. */
static int lend(struct launch *l, struct error *err) {
    if (!l->policy.gpus)
        return error_set(err, ERROR_DENIED, "gpus: the policy %s does not allow it",
                         l->policy.name);
    if (gpu_loan_make(l->run.spec, &l->loan, err) < 0 ||
        gpu_report_make(&l->loan, &l->run.result->gpus, err) < 0)
        return -1;
    l->fence.given = l->loan.env;
    return 0;
}

static int limit_devices(struct launch *l, struct error *err) {
    size_t count = l->loan.node_count, most = count + strv_len(l->policy.devices);
    if (!count) return 0;
    _cleanup_free_ struct cgroup_device *list = calloc(most, sizeof *list);
    if (!list) return error_sys(err, ENOMEM, "devices");
    gpu_devices(&l->loan, list);
    return add_policy_devices(&l->policy, list, &count, err) < 0
               ? -1
               : cgroup_devices(l->run.cg, list, count, err);
}

static int take_groups(struct launch *l, const char *name, const struct spec_limits *limits,
                       const char *cpus, struct error *err) {
    struct run *r = &l->run;
    struct fence *f = &l->fence;
    if (cgroup_create(name, limits, cpus, &r->cg, err) < 0 || limit_devices(l, err) < 0) return -1;
    f->group = cgroup_clone_fd(r->cg);
    note_groups(l);
    if (cgroup_enter_open(r->cg, f->group >= 0, &f->door, err) < 0) return -1;
    mark(l, STEP_GROUPS);
    return told_send_groups(f, err);
}

static int open_namespaces(struct run *r, struct error *err) {
    char path[48];
    snprintf(path, sizeof path, "/proc/%d/ns/user", (int)r->init);
    r->userns = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (r->userns < 0) return error_sys(err, errno, "%s", path);
    if (!r->spec || r->spec->clock.kind != CLOCK_GATED) return 0;
    snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)r->init);
    r->gate.mntns = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    return r->gate.mntns < 0 ? error_sys(err, errno, "%s", path) : 0;
}

static int take_userns(struct launch *l, struct error *err) {
    if (open_namespaces(&l->run, err) < 0) return -1;
    if (identity_map(&l->fence.identity, l->run.init, err) < 0) return -1;
    mark(l, STEP_MAPPED);
    return 0;
}

/* Which procfs the program gets is the policy's word, and open until that is known. */
static unsigned procs_wanted(const struct policy *p) {
    if (!p->name) return PROC_BIT(PROC_MACHINE) | PROC_BIT(PROC_PROCESSES);
    return PROC_BIT(p->proc_machine ? PROC_MACHINE : PROC_PROCESSES);
}

/* What init is told next. `host`: with what every root of the host image has. */
static int tell_of_host(struct launch *l, bool host, struct error *err) {
    struct fence *f = &l->fence;
    f->procs = procs_wanted(&l->policy);
    if (host && plan_base(&f->base, err) < 0) return -1;
    if (f->identity.privilege == PRIVILEGE_ROOT && mounts_open_sources(&f->base, err) < 0)
        return -1;
    return take_userns(l, err) < 0 ? -1 : told_send_host(f, err);
}

/* The groups first: init forks the payload upon them, and needs the rest later. */
static int take_host(struct launch *l, const char *name, const struct spec_limits *limits,
                     const char *cpus, struct error *err) {
    if (identity_detect(&l->fence.identity, err) < 0 || live_register(name, &l->live, err) < 0)
        return -1;
    l->run.live = l->live;
    mark(l, STEP_REGISTERED);
    if (l->run.spec && spec_gpus_wanted(&l->run.spec->gpus) && lend(l, err) < 0) return -1;
    if (take_groups(l, name, limits, cpus, err) < 0 || take_ids(l, err) < 0) return -1;
    return live_record_cgroups(l->live, cgroup_paths(l->run.cg), err);
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
    if (output_open(&l->run.output, spec, l->dir_fd, l->program_ends, err) < 0 ||
        gate_open(&l->run, &f->gate, err) < 0)
        return -1;
    l->null_fd = openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
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

/* The host's part for a run that is known: made ahead, or now. */
static int prepare_host(struct launch *l, struct error *err) {
    const struct spec *spec = l->run.spec;
    struct result *r = l->run.result;
    if (l->live) {
        if (load_policy(l, err) < 0 || live_rename(l->live, spec->id, err) < 0) return -1;
        if (cgroup_limit(l->run.cg, &spec->limits, spec->cpus) < 0)
            return error_set(err, ERROR_INTERNAL, "these limits need other groups");
        note_groups(l);
        lease_answer(l->live, LEASE_BACK, 0);
    } else if ((spec_gpus_wanted(&spec->gpus) && load_policy(l, err) < 0) ||
               take_host(l, spec->id, &spec->limits, spec->cpus, err) < 0 ||
               (!l->policy.name && load_policy(l, err) < 0) ||
               tell_of_host(l, strcmp(spec->image, "host") == 0, err) < 0) {
        return -1;
    }
    r->privilege = strdup(privilege_name(l->fence.identity.privilege));
    return 0;
}

static int prepare_order(struct launch *l, struct error *err) {
    struct fence *f = &l->fence;
    if (plan_make(l->run.spec, &l->policy, &f->plan, err) < 0 ||
        (l->loan.count && gpu_plan(&l->loan, l->run.spec, &l->policy, &f->plan, err) < 0) ||
        prepare_stdio(l, err) < 0)
        return -1;
    if (f->identity.privilege == PRIVILEGE_ROOT && mounts_open_sources(&f->plan, err) < 0)
        return -1;
    mark(l, STEP_PLANNED);
    return 0;
}

int launch_block_signals(struct error *err) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return error_sys(err, errno, "signals");
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? error_sys(err, errno, "signalfd") : fd;
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

static int clone_init(struct launch *l, bool ahead, struct error *err) {
    struct run *r = &l->run;
    struct fence *f = &l->fence;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, f->control) < 0 ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, f->release) < 0)
        return error_sys(err, errno, "socket pair");
    struct clone_args args = {
        .flags = (own_namespaces & ~weaken_namespaces()) | CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)&r->pidfd,
        .exit_signal = SIGCHLD,
    };
    elsewhere_prepare(&f->elsewhere, ahead);
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) init_main(f);
    if (pid < 0) {
        r->pidfd = -1;
        return explain_clone(errno, err);
    }
    r->init = (pid_t)pid;
    elsewhere_send(&f->elsewhere, r->init);
    mark(l, STEP_CLONED);
    close_fd(&f->control[1]);
    close_fd(&f->release[1]);
    return 0;
}

static int tell_init(struct launch *l, struct error *err) {
    struct fence *f = &l->fence;
    if (port_check(&l->run, err) < 0 || prepare_host(l, err) < 0 || prepare_order(l, err) < 0 ||
        told_send(f, err) < 0)
        return -1;
    /* The program's ends are init's now: ours would keep the streams open. */
    close_fd(&l->program_ends[0]);
    close_fd(&l->program_ends[1]);
    close_fd(&f->gate);
    mark(l, STEP_TOLD);
    return 0;
}

/* What needs nothing of init, while it and the payload build the fence. */
static int prepare_watch(struct launch *l, struct error *err) {
    struct run *r = &l->run;
    if (l->dir_fd >= 0 && run_folder_claim(l->dir_fd, err) < 0) return -1;
    if (r->spec->workspace_source) {
        r->workspace = dir_open(r->spec->workspace_source, err);
        if (r->workspace < 0) return error_wrap(err, "workspace");
    }
    if (output_create_files(&r->output, l->dir_fd, err) < 0 || supervise_prepare(r, err) < 0)
        return -1;
    mark(l, STEP_FILES);
    return 0;
}

/* ---- the run ---- */

static int report(struct launch *l, struct error *err) {
    struct run *r = &l->run;
    return report_limits(&l->fence, r->cg, r->result, err) < 0
               ? -1
               : report_layers(&l->fence, r->cg, r->result, err);
}

static int start(struct launch *l, struct error *err) {
    struct run *r = &l->run;
    if (tell_init(l, err) < 0 || prepare_watch(l, err) < 0 || setup_await(r, err) < 0 ||
        gate_start(r, err) < 0)
        return -1;
    /* What init and payload noted is believed until the release. */
    memcpy(l->fence.notes, l->fence.page->notes, sizeof l->fence.notes);
    l->fence.noting = l->fence.notes;
    bool picky = r->spec->require && r->spec->require[0];
    if (picky && (report(l, err) < 0 || report_check(r->spec, r->result, err) < 0)) return -1;
    r->result->t_ready = clock_mono_ns();
    mark(l, STEP_REPORTED);
    if (quiet_begin(r, err) < 0 || supervise_release(r, err) < 0) return -1;
    if (l->fence.elsewhere.stay && elsewhere_return(&l->fence.elsewhere, err) < 0) return -1;
    /* All else while the program starts. */
    l->janitor = !weaken("janitor") && janitor_start(r->cg, l->live);
    return picky ? 0 : report(l, err);
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
    /* Its own end, with all the mounts, takes init as long as a small program:
     * once nothing of the program is left there is no need to see it. */
    if (l->janitor) supervise_let_go(r);
    else supervise_kill(r);
    quiet_end(r);
    gpu_loan_clear(&l->loan);
    output_close(&r->output);
    supervise_close(r);
    gate_close(r);
    for (int i = 0; i < MOST_HANDLES; i++) close_fd(&r->handles[i]);
    close_fd(&r->userns);
    close_fd(&r->signals);
    close_fd(&r->workspace);
    close_fd(&r->port_to);
    close_fd(&r->listener);
    free(r->offender);
    learn_close(r->learn);
    cgroup_enter_close(&l->fence.door);
    if (!l->janitor) janitor_clean(r->cg, l->live);
    mark(l, STEP_REMOVED);
    for (int i = 0; i < 2; i++) {
        close_fd(&l->fence.control[i]);
        close_fd(&l->fence.release[i]);
        close_fd(&l->program_ends[i]);
    }
    close_fd(&l->fence.gate);
    close_fd(&l->null_fd);
    plan_clear(&l->fence.base);
    plan_clear(&l->fence.plan);
    policy_filter_clear(&l->filter);
    policy_clear(&l->policy);
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

struct launch *launch_open(struct fence_page *page, bool ahead, struct error *err) {
    struct launch *l = calloc(1, sizeof *l);
    if (!l) {
        error_sys(err, ENOMEM, "launch");
        return NULL;
    }
    launch_init(l, page);
    /* More than a policy wants of it is taken back by the payload (limits.c); a plain user
     * has what it has. */
    const struct rlimit memlock = {RLIM_INFINITY, RLIM_INFINITY};
    (void)setrlimit(RLIMIT_MEMLOCK, &memlock);
    /* Signals first: told to stop from now on, we still give everything back. */
    l->run.signals = launch_block_signals(err);
    if (l->run.signals >= 0 && clone_init(l, ahead, err) == 0) return l;
    give_back(l);
    free(l);
    return NULL;
}

int launch_ahead(struct launch *l, const char *name, struct error *err) {
    static const struct spec_limits none;
    if (take_host(l, name, &none, NULL, err) < 0 || tell_of_host(l, true, err) < 0) return -1;
    lease_answer(l->live, LEASE_IDLE, 0);
    l->run.quiet.ready_ahead = true;
    return 0;
}

bool launch_fits(const struct spec *spec) {
    const struct spec_limits *limits = &spec->limits;
    return spec->clock.kind != CLOCK_GATED && !spec_gpus_wanted(&spec->gpus) && !spec->cpus &&
           !limits->cpu_percent && !limits->io_count && !limits->cpus_exclusive;
}

void launch_port_to(struct launch *l, int socket) {
    l->run.port_to = socket;
}

int launch_signals(const struct launch *l) {
    return l->run.signals;
}

static int run_all(struct launch *l, struct error *err) {
    if (start(l, err) < 0 && explain_start(&l->run, err) < 0) return -1;
    int supervised = supervise(&l->run, err);
    quiet_end(&l->run);
    if (supervised < 0 || collect(l, err) < 0) return -1;
    return l->run.learn ? learn_deliver(l->run.learn, l->dir_fd, err) : 0;
}

int launch_run(struct launch *l, const struct spec *spec, int dir_fd, bool print, int caller,
               struct result *result, struct error *err) {
    struct error why = {0};
    l->dir_fd = dir_fd;
    l->run.spec = l->fence.spec = spec;
    l->run.result = result;
    l->run.caller = caller;
    result->steal_ns = result->pressure_cpu_ns = result->pressure_memory_ns = -1;
    result->pressure_io_ns = result->frequency_khz = -1;
    result->io_read_bytes = result->io_write_bytes = -1;
    result_know_nothing(result);
    result->quiet.others = result->quiet.loud = -1;
    if (run_all(l, &why) < 0) fail(result, &why);
    result->t_done = clock_mono_ns();
    mark(l, STEP_COLLECTED);
    if (!result->privilege) result->privilege = strdup("none");
    /* Who reads the result may ask for the same GPUs at once. */
    if (l->run.empty || l->run.gone) gpu_loan_end(&l->loan);
    /* The result first: init, the groups and the mounts go meanwhile and after. */
    int delivered = result->privilege ? run_folder_deliver(result, dir_fd, print, err)
                                      : error_sys(err, ENOMEM, "result");
    mark(l, STEP_DELIVERED);
    if (caller >= 0 && delivered == 0 && request_answer(caller, 0, &why) < 0) error_clear(&why);
    /* Init dies with us, and all that is open goes with the janitor. */
    if (l->janitor && l->run.empty && delivered == 0) return LAUNCH_LEAVE;
    give_back(l);
    free(l);
    return delivered;
}

void launch_drop(struct launch *l) {
    if (!l) return;
    give_back(l);
    free(l);
}
