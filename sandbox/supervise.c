#include "sandbox/supervise.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "sandbox/listener.h"
#include "sandbox/violation.h"
#include "sandbox/weaken.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum {
    KILL_PATIENCE_MS = 250,    /* for init to report a program it killed */
    EMPTY_PATIENCE_MS = 10000, /* for the kernel to bury the dead */
    GRACE_CANCELLED_MS = 2000, /* where the spec names no grace */
};

/* What the loop listens to. */
enum source {
    SIGNALS,
    CALLER,
    CONTROL,
    RELEASE,
    LISTENER,
    INIT,
    OUT,
    ERR,
    OUT_COPY,
    ERR_COPY,
    OOM,
    DEADLINE,
    LOOK,
    GATE,
    MOVER
};

static int listen_to(struct loop *l, enum source source, int fd, struct error *err) {
    struct epoll_event e = {.events = EPOLLIN, .data.u32 = source};
    if (source == OUT_COPY || source == ERR_COPY) e.events = EPOLLOUT;
    if (source == CALLER) e.events = EPOLLRDHUP;
    if (fd >= 0 && epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &e) < 0)
        return error_sys(err, errno, "epoll");
    return 0;
}

static void forget(struct loop *l, int fd) {
    if (fd >= 0 && epoll_ctl(l->epoll, EPOLL_CTL_DEL, fd, NULL) < 0) return; /* was not in */
}

static void arm(int timer, int64_t at_ns) {
    struct itimerspec when = {
        .it_value = {.tv_sec = at_ns / NS_PER_SEC, .tv_nsec = at_ns % NS_PER_SEC}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static int loop_open(struct loop *l, struct run *r, struct error *err) {
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->deadline = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    l->look = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (l->epoll < 0 || l->deadline < 0 || l->look < 0) return error_sys(err, errno, "timers");
    if (listen_to(l, SIGNALS, r->signals, err) < 0 || listen_to(l, CALLER, r->caller, err) < 0 ||
        listen_to(l, CONTROL, r->fence->control[0], err) < 0 ||
        listen_to(l, RELEASE, r->fence->release[0], err) < 0 ||
        listen_to(l, INIT, r->pidfd, err) < 0 ||
        listen_to(l, OUT, r->output.streams[0].pipe, err) < 0 ||
        listen_to(l, ERR, r->output.streams[1].pipe, err) < 0 ||
        listen_to(l, OOM, cgroup_oom_fd(r->cg), err) < 0 ||
        listen_to(l, DEADLINE, l->deadline, err) < 0 || listen_to(l, LOOK, l->look, err) < 0 ||
        listen_to(l, GATE, r->gate.control, err) < 0)
        return -1;
    return 0;
}

int supervise_prepare(struct run *r, struct error *err) {
    witness_prepare(&r->witnesses, r->spec, &r->fence->elsewhere.cpus);
    return loop_open(&r->loop, r, err);
}

void supervise_close(struct run *r) {
    struct loop *l = &r->loop;
    if (l->epoll >= 0) close(l->epoll);
    if (l->deadline >= 0) close(l->deadline);
    if (l->look >= 0) close(l->look);
    *l = (struct loop){.epoll = -1, .deadline = -1, .look = -1};
}

/* ---- ending ---- */

static void set_error(struct result *res, char *text) {
    free(res->error);
    res->error = text;
}

static void mark(const struct run *r, enum step step) {
    step_mark(&r->fence->page->steps, STEP_LAUNCHER, step);
}

static void tell_init(struct run *r, char message) {
    if (send(r->fence->control[0], &message, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        errno = 0; /* it is dead, which the loop learns by itself */
}

static void kill_program(struct run *r, struct loop *l) {
    if (l->killing) return;
    l->killing = true;
    /* Init kills the program, and with its own end the kernel all others, one step
     * after the other: begun everywhere at once, a large tree is gone sooner. */
    tell_init(r, CONTROL_KILL);
    cgroup_strike(r->cg);
    quiet_thaw(r); /* v1 lets nobody die frozen */
    arm(l->deadline, clock_mono_ns() + KILL_PATIENCE_MS * NS_PER_MS);
}

/* The first reason to end a run is its reason. */
static void end(struct run *r, struct loop *l, enum ended ended, int64_t grace_ms) {
    if (r->decided || r->reported) return;
    r->decided = true;
    r->result->ended = ended;
    if (ended != ENDED_DONE) gate_thaw(r); /* it is to hear of it */
    /* No grace for who is frozen: it would run beside the timed run. */
    if (grace_ms <= 0 || r->quiet.frozen) {
        kill_program(r, l);
        return;
    }
    tell_init(r, CONTROL_TERMINATE);
    arm(l->deadline, clock_mono_ns() + grace_ms * NS_PER_MS);
}

/* ---- events ---- */

static void cancel(struct run *r, struct loop *l) {
    int64_t grace = r->spec->limits.grace_ms ? r->spec->limits.grace_ms : GRACE_CANCELLED_MS;
    if (r->decided) kill_program(r, l); /* asked a second time */
    else end(r, l, ENDED_CANCELLED, grace);
}

static void on_signals(struct run *r, struct loop *l) {
    struct signalfd_siginfo info;
    if (read(r->signals, &info, sizeof info) == sizeof info) cancel(r, l);
}

static void on_control(struct run *r, struct loop *l) {
    struct control_end message = {0};
    ssize_t n = recv(r->fence->control[0], &message, sizeof message, MSG_DONTWAIT);
    if (n == sizeof message && message.message == CONTROL_ENDED) {
        if (r->gate.state == GATE_NONE || r->gate.state == GATE_OPEN)
            r->result->t_clock_stop = clock_mono_ns();
        mark(r, STEP_ENDED);
        r->reported = true;
        quiet_thaw(r);
        r->status = message.status;
        r->usage = message.usage;
    } else if (n == 0) {
        forget(l, r->fence->control[0]);
    }
}

static void on_release(struct run *r, struct loop *l) {
    struct release_answer answer = {0};
    ssize_t n = recv(r->fence->release[0], &answer, sizeof answer, MSG_DONTWAIT);
    if (n == sizeof answer && answer.message == RELEASE_NO_EXEC) r->exec_error = answer.error;
    else if (n == 0) {
        mark(r, STEP_EXEC_SEEN);
        forget(l, r->fence->release[0]); /* closed by exec */
    }
}

static void on_listener(struct run *r, struct loop *l) {
    enum listener_news news = listener_serve(r);
    if (news != LISTENER_QUIET) forget(l, r->listener);
    if (news != LISTENER_VIOLATED) return;
    if (r->decided) kill_program(r, l); /* no grace for that */
    else end(r, l, ENDED_POLICY_VIOLATION, 0);
}

static void on_deadline(struct run *r, struct loop *l) {
    uint64_t times;
    if (read(l->deadline, &times, sizeof times) < 0) return;
    if (!r->decided && r->gate.state == GATE_INIT) {
        set_error(r->result, str_printf("not READY after %" PRId64 " ms of INIT",
                                        r->spec->clock.gate.init_wall_ms));
        end(r, l, ENDED_WALL_LIMIT, 0);
    } else if (!r->decided) {
        end(r, l, ENDED_WALL_LIMIT, r->spec->limits.grace_ms);
    } else if (!l->killing) {
        kill_program(r, l);
    } else if (!l->forced) {
        l->forced = true;
        syscall(SYS_pidfd_send_signal, r->pidfd, SIGKILL, NULL, 0);
    }
}

/* The watchers look more and more seldom; whoever yields must notice a timed run as
 * soon late as early. */
static void arm_look(const struct run *r, struct loop *l) {
    int64_t soon = clock_mono_ns() + QUIET_LOOK_MS * NS_PER_MS;
    bool yields = r->spec->lane == LANE_YIELD && soon < l->watch_ns;
    arm(l->look, yields ? soon : l->watch_ns);
}

static void on_look(struct run *r, struct loop *l) {
    uint64_t times;
    enum ended ended = ENDED_EXIT;
    if (read(l->look, &times, sizeof times) < 0 || r->decided || r->reported) return;
    int64_t away = quiet_look(r);
    if (away) {
        arm(l->look, clock_mono_ns() + away);
        return;
    }
    if (clock_mono_ns() >= l->watch_ns) {
        witness_look(&r->witnesses, r->cg);
        if (watch_look(&r->watch, &ended)) return end(r, l, ended, 0);
        if (gate_over(r, r->watch.cpu_ns)) return end(r, l, ENDED_CPU_LIMIT, 0);
        l->watch_ns = clock_mono_ns() + watch_pause(&r->watch);
    }
    arm_look(r, l);
}

static void on_output(struct run *r, struct loop *l, int i) {
    struct output_stream *s = &r->output.streams[i];
    int pipe = s->pipe;
    if (pipe < 0) return;
    if (!output_pump(&r->output, s)) return; /* closed, which takes it out of the set */
    if (r->output.truncated) {
        forget(l, pipe);
        end(r, l, ENDED_OUTPUT_LIMIT, 0);
    }
    /* A reader of our copy that is behind holds back the pipe: listen to it. */
    if (output_wants_copy(s) && s->copy_blocks && !l->copy_watched[i]) {
        forget(l, pipe);
        l->copy_watched[i] = listen_to(l, i ? ERR_COPY : OUT_COPY, s->copy, NULL) == 0;
    }
}

static void on_copy(struct run *r, struct loop *l, int i) {
    struct output_stream *s = &r->output.streams[i];
    int copy = s->copy;
    output_copy(s);
    if (output_wants_copy(s)) return;
    forget(l, copy);
    l->copy_watched[i] = false;
    if (s->pipe >= 0) listen_to(l, i ? ERR : OUT, s->pipe, NULL);
}

static void limit_wall(const struct loop *l, int64_t ms) {
    bool limited = ms && !weaken("watchers");
    arm(l->deadline, limited ? clock_mono_ns() + ms * NS_PER_MS : 0);
}

static void on_gate(struct run *r, struct loop *l, enum gate_news news) {
    switch (news) {
    case GATE_QUIET: return;
    case GATE_CLOSED: forget(l, r->gate.control); return;
    case GATE_WAITS:
        if (!r->decided) arm(l->deadline, 0);
        return;
    case GATE_OPENED:
        if (!r->decided) limit_wall(l, r->spec->limits.wall_ms);
        return;
    case GATE_FINISHED: end(r, l, ENDED_DONE, 0); return;
    case GATE_OVER: end(r, l, ENDED_CPU_LIMIT, 0); return;
    case GATE_BROKEN: end(r, l, ENDED_CLOCK, 0); return;
    }
}

static void on_event(struct run *r, struct loop *l, enum source source) {
    switch (source) {
    case SIGNALS: on_signals(r, l); return;
    case CALLER:
        forget(l, r->caller);
        cancel(r, l);
        return;
    case CONTROL: on_control(r, l); return;
    case RELEASE: on_release(r, l); return;
    case LISTENER: on_listener(r, l); return;
    case INIT:
        r->gone = true;
        mark(r, STEP_GONE);
        return;
    case OUT: on_output(r, l, 0); return;
    case ERR: on_output(r, l, 1); return;
    case OUT_COPY: on_copy(r, l, 0); return;
    case ERR_COPY: on_copy(r, l, 1); return;
    case OOM:
        if (cgroup_oom_seen(r->cg)) end(r, l, ENDED_MEMORY_LIMIT, 0);
        return;
    case DEADLINE: on_deadline(r, l); return;
    case LOOK: on_look(r, l); return;
    case GATE: on_gate(r, l, gate_serve(r)); return;
    case MOVER: on_gate(r, l, gate_moved(r)); return;
    }
}

/* ---- the run ---- */

static int release(struct run *r, struct loop *l, struct error *err) {
    watch_open(&r->watch, r->spec, r->cg, r->handles);
    char go = RELEASE_GO;
    int64_t now = clock_mono_ns();
    bool gated = r->gate.state != GATE_NONE;
    r->result->t_release = now;
    if (!gated) r->result->t_clock_start = now;
    r->output.start_ns = now;
    limit_wall(l, gated ? r->spec->clock.gate.init_wall_ms : r->spec->limits.wall_ms);
    l->watch_ns = now + watch_pause(&r->watch);
    arm_look(r, l);
    if (listen_to(l, LISTENER, r->listener, err) < 0 || /* it came with "ready" */
        listen_to(l, MOVER, r->gate.mover, err) < 0)
        return -1;
    if (send(r->fence->release[0], &go, 1, MSG_NOSIGNAL) != 1)
        return error_sys(err, errno, "release the program");
    mark(r, STEP_RELEASED);
    return 0;
}

int supervise_release(struct run *r, struct error *err) {
    witness_begin(&r->witnesses);
    return release(r, &r->loop, err);
}

/* Init is in none of the groups: where they are empty, nothing of the program is
 * left, and init's own end need not be waited for. */
static bool is_empty(const struct run *r) {
    return cgroup_population(r->cg) == 0;
}

static int run_loop(struct run *r, struct loop *l, struct error *err) {
    while (!r->gone && !(r->empty = r->reported && is_empty(r))) {
        struct epoll_event events[16];
        int n = epoll_wait(l->epoll, events, ARRAY_SIZE(events), -1);
        if (n < 0 && errno != EINTR) return error_sys(err, errno, "epoll");
        /* A violation counts also when the program has just left. What init said is
         * read before its death is noticed. */
        for (int i = 0; i < n; i++)
            if (events[i].data.u32 == LISTENER) on_event(r, l, LISTENER);
        for (int i = 0; i < n; i++)
            if (events[i].data.u32 != INIT && events[i].data.u32 != LISTENER)
                on_event(r, l, (enum source)events[i].data.u32);
        for (int i = 0; i < n; i++)
            if (events[i].data.u32 == INIT) on_event(r, l, INIT);
    }
    if (!r->reported) on_control(r, l);
    if (!r->exec_error) on_release(r, l);
    return 0;
}

static void reap_init(struct run *r) {
    siginfo_t info;
    while (r->pidfd >= 0 && waitid((idtype_t)P_PIDFD, (id_t)r->pidfd, &info, WEXITED) < 0 &&
           errno == EINTR) {
    }
    if (r->pidfd >= 0) close(r->pidfd);
    r->pidfd = -1;
}

/* All processes of the sandbox are below init, whose death the kernel reports
 * only when they are gone; the groups are asked all the same. */
static void await_empty(struct run *r) {
    const struct timespec pause = {.tv_nsec = NS_PER_MS};
    int64_t deadline = clock_mono_ns() + EMPTY_PATIENCE_MS * NS_PER_MS;
    while (cgroup_population(r->cg) > 0 && clock_mono_ns() < deadline) {
        cgroup_kill(r->cg, NULL);
        nanosleep(&pause, NULL);
    }
}

void supervise_kill(struct run *r) {
    if (r->pidfd >= 0) syscall(SYS_pidfd_send_signal, r->pidfd, SIGKILL, NULL, 0);
    reap_init(r);
    if (r->cg) await_empty(r);
}

void supervise_let_go(struct run *r) {
    if (!r->empty) {
        supervise_kill(r);
        return;
    }
    if (r->pidfd >= 0) {
        syscall(SYS_pidfd_send_signal, r->pidfd, SIGKILL, NULL, 0);
        close(r->pidfd);
    }
    r->pidfd = -1;
}

/* ---- how it ended ---- */

static void judge_status(struct run *r) {
    struct result *res = r->result;
    if (!r->reported) {
        res->ended = ENDED_SIGNAL;
        res->signal = SIGKILL;
        set_error(res, strdup("pid 1 of the sandbox was killed"));
    } else if (r->exec_error) {
        res->ended = ENDED_EXIT;
        set_error(res, str_printf("%s: %s", r->spec->argv[0], strerror(r->exec_error)));
    } else if (WIFEXITED(r->status)) {
        res->ended = ENDED_EXIT;
    } else if (WTERMSIG(r->status) == SIGSYS) {
        res->ended = ENDED_POLICY_VIOLATION;
    } else {
        res->ended = ENDED_SIGNAL;
    }
}

/* A limit may have been met and the program be gone before the next look. */
static void judge(struct run *r) {
    struct result *res = r->result;
    enum ended ended;
    bool oom = cgroup_oom_seen(r->cg);
    if (r->reported && WIFEXITED(r->status)) res->exit_code = WEXITSTATUS(r->status);
    if (r->reported && WIFSIGNALED(r->status)) res->signal = WTERMSIG(r->status);
    if (r->decided) {
        /* res->ended is set */
    } else if (oom) {
        res->ended = ENDED_MEMORY_LIMIT;
    } else if (r->output.truncated) {
        res->ended = ENDED_OUTPUT_LIMIT;
    } else if (watch_judge(&r->watch, &r->witnesses.after.usage, &ended)) {
        res->ended = ended;
    } else {
        judge_status(r);
    }
    /* The kernel's kill shows as the end of some process first. */
    if (oom && res->ended == ENDED_SIGNAL) res->ended = ENDED_MEMORY_LIMIT;
    if (res->ended == ENDED_POLICY_VIOLATION) violation_report(r);
    /* It may have left by itself when asked to. */
    bool asked = res->ended == ENDED_WALL_LIMIT || res->ended == ENDED_CANCELLED;
    if (res->ended == ENDED_DONE) res->signal = res->exit_code = 0;
    else if (res->ended != ENDED_EXIT && !res->signal) res->signal = asked ? SIGTERM : SIGKILL;
}

static int64_t timeval_ns(struct timeval t) {
    return (int64_t)t.tv_sec * NS_PER_SEC + (int64_t)t.tv_usec * 1000;
}

static void account(struct run *r) {
    struct result *res = r->result;
    const struct cgroup_usage *u = &r->witnesses.after.usage;
    const struct rusage *ru = &r->usage;
    bool split = u->cpu_user_ns >= 0 && u->cpu_system_ns >= 0;
    res->cpu_user_ns = split ? u->cpu_user_ns : timeval_ns(ru->ru_utime);
    res->cpu_system_ns = split ? u->cpu_system_ns : timeval_ns(ru->ru_stime);
    if (!split && u->cpu_total_ns > res->cpu_user_ns)
        res->cpu_system_ns = u->cpu_total_ns - res->cpu_user_ns;
    int64_t resident = (int64_t)ru->ru_maxrss * 1024;
    res->memory_peak_bytes = u->memory_peak_bytes >= 0         ? u->memory_peak_bytes
                             : r->watch.memory_peak > resident ? r->watch.memory_peak
                                                               : resident;
    res->context_switches = ru->ru_nvcsw + ru->ru_nivcsw;
    res->involuntary_switches = ru->ru_nivcsw;
    res->page_faults_major = ru->ru_majflt;
    res->page_faults_minor = ru->ru_minflt;
    res->stdout_bytes = r->output.streams[0].bytes;
    res->stderr_bytes = r->output.streams[1].bytes;
    res->output_truncated = r->output.truncated;
    res->t_first_output = r->output.first_ns;
    witness_report(&r->witnesses, res);
    if (u->io_read_bytes < 0) { /* no group counts them: blocks of 512 bytes (getrusage(2)) */
        res->io_read_bytes = (int64_t)ru->ru_inblock * 512;
        res->io_write_bytes = (int64_t)ru->ru_oublock * 512;
    }
}

/* The official time. A gate that was never opened has none. */
static void settle_clock(struct run *r) {
    struct result *res = r->result;
    if (!res->t_clock_start) return;
    if (!res->t_clock_stop) res->t_clock_stop = res->t_empty;
    res->wall_ns = res->t_clock_stop - res->t_clock_start;
    if (r->output.matcher) lines_settle(r->output.matcher, res);
}

int supervise(struct run *r, struct error *err) {
    int result = run_loop(r, &r->loop, err);
    if (result == 0 && !r->empty) r->empty = is_empty(r);
    if (!r->empty) supervise_kill(r);
    if (result < 0) return -1;
    struct result *res = r->result;
    res->t_empty = clock_mono_ns();
    mark(r, STEP_EMPTY);
    witness_end(&r->witnesses, r->cg);
    output_finish(&r->output);
    settle_clock(r);
    if (r->output.error)
        return error_sys(err, r->output.error, "write the program's output to the run folder");
    judge(r);
    account(r);
    return 0;
}
