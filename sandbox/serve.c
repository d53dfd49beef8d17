/*
 * Theory of operation. The server forks launchers, which prepare themselves and
 * then all sleep in accept(2) on the one socket: the kernel wakes one for each
 * connection. That one tells the server with a byte and does the whole run, as the
 * program `paddock-sandbox run` would. The server makes up for it a little later,
 * so as not to take a cpu from a launch that is just going on, or at once when
 * none is ready. It never sees a spec, and nothing of a run is in its memory.
 */
#include "sandbox/serve.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "sandbox/fence.h"
#include "sandbox/launch.h"
#include "sandbox/lease.h"
#include "sandbox/request.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

enum { LATER_MS = 20, BUSY_MS = 100, FAILED_MS = 1000 };

struct server {
    int listener;
    int signals;  /* SIGTERM, SIGINT, SIGCHLD */
    int taken[2]; /* the pid of each launcher that has accepted a connection */
    int wanted, ready;
    pid_t waiting[SERVE_MOST_READY]; /* the launchers that have not; 0: a free place */
    unsigned serial;
    int64_t not_before; /* when to make the next launcher */
    serve_run *run;
};

/* ---- a launcher ---- */

/* The caller's 0, 1 and 2 in the place of ours. */
static int take_stdio(int fds[REQUEST_FDS], struct error *err) {
    for (int i = 0; i < 3; i++) {
        if (dup2(fds[REQUEST_IN + i], i) < 0) return error_sys(err, errno, "descriptor %d", i);
        close(fds[REQUEST_IN + i]);
    }
    return 0;
}

static int launcher_run(struct server *s, struct launch *l, struct fence_page *page, int connection,
                        struct error *err) {
    /* The run is its caller's now, not the server's. */
    prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
    pid_t self = getpid(); /* less than PIPE_BUF: in one piece */
    if (write(s->taken[1], &self, sizeof self) < 0) errno = 0;
    close(s->listener);
    close(s->taken[1]);
    int fds[REQUEST_FDS];
    if (request_receive(connection, fds, err) < 0 || take_stdio(fds, err) < 0) {
        launch_drop(l);
        return -1;
    }
    int status = s->run(l, page, fds[REQUEST_SPEC], fds[REQUEST_DIR], connection);
    /* The good news was told by launch_run() itself, as early as it was true. */
    return status == 0 ? 0 : request_answer(connection, status, err);
}

/* A connection in *out; -1 there: told to stop. */
static int await_caller(const struct server *s, int signals, int *out, struct error *err) {
    _cleanup_close_ int epoll = epoll_create1(EPOLL_CLOEXEC);
    /* Exclusive: a connection wakes one launcher, not all that wait. */
    struct epoll_event call = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.fd = s->listener};
    struct epoll_event stop = {.events = EPOLLIN, .data.fd = signals};
    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, s->listener, &call) < 0 ||
        epoll_ctl(epoll, EPOLL_CTL_ADD, signals, &stop) < 0)
        return error_sys(err, errno, "epoll");
    for (;;) {
        struct epoll_event e;
        int n = epoll_wait(epoll, &e, 1, -1);
        if (n < 0 && errno != EINTR) return error_sys(err, errno, "epoll");
        if (n == 1 && e.data.fd == signals) return 0;
        *out = n == 1 ? accept4(s->listener, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (*out >= 0) return 0;
        if (n == 1 && errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
            return error_sys(err, errno, "accept");
    }
}

static int launcher_main(struct server *s, pid_t server, struct error *err) {
    char name[48];
    close(s->signals);
    close(s->taken[0]);
    setsid();
    if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0) return error_sys(err, errno, "prctl");
    if (getppid() != server) return 0;
    snprintf(name, sizeof name, "ready-%d-%u", (int)server, s->serial);
    struct fence_page *page = fence_page_new(err);
    struct launch *l = page ? launch_open(page, true, err) : NULL;
    if (!l) return -1;
    _cleanup_close_ int connection = -1;
    if (launch_ahead(l, name, err) < 0 || await_caller(s, launch_signals(l), &connection, err) < 0)
        return launch_drop(l), -1;
    if (connection < 0) return launch_drop(l), 0;
    return launcher_run(s, l, page, connection, err);
}

/* ---- the server ---- */

static void remember(struct server *s, pid_t pid) {
    for (size_t i = 0; i < ARRAY_SIZE(s->waiting); i++) {
        if (s->waiting[i]) continue;
        s->waiting[i] = pid;
        s->ready++;
        return;
    }
}

static bool forget(struct server *s, pid_t pid) {
    for (size_t i = 0; i < ARRAY_SIZE(s->waiting); i++) {
        if (s->waiting[i] != pid) continue;
        s->waiting[i] = 0;
        s->ready--;
        return true;
    }
    return false;
}

static void take_news(struct server *s) {
    pid_t pids[SERVE_MOST_READY];
    ssize_t n = read(s->taken[0], pids, sizeof pids);
    for (ssize_t i = 0; i < n / (ssize_t)sizeof *pids; i++) forget(s, pids[i]);
    if (n > 0 && s->ready > 0) s->not_before = clock_mono_ns() + LATER_MS * NS_PER_MS;
}

static int make_launcher(struct server *s, struct error *err) {
    pid_t server = getpid();
    s->serial++;
    pid_t pid = fork();
    if (pid < 0) return error_sys(err, errno, "fork");
    if (pid == 0) {
        _cleanup_error_ struct error why = {0};
        int r = launcher_main(s, server, &why);
        if (r < 0) log_warn("%s", error_text(&why));
        _exit(r < 0 ? 1 : 0);
    }
    remember(s, pid);
    return 0;
}

static int listen_at(const char *path, struct error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return error_set(err, ERROR_INVALID, "%s: too long for a socket", path);
    memcpy(address.sun_path, path, strlen(path));
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return error_sys(err, errno, "socket");
    int other = request_connect(path, NULL);
    if (other >= 0) {
        close(other);
        return error_set(err, ERROR_EXISTS, "%s: a resident launcher listens there", path);
    }
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode) && unlink(path) < 0)
        return error_sys(err, errno, "%s", path);
    mode_t before = umask(0177);
    int r = bind(fd, (struct sockaddr *)&address, sizeof address);
    umask(before);
    if (r < 0 || listen(fd, 64) < 0) return error_sys(err, errno, "%s", path);
    return steal_fd(&fd);
}

static int prepare(struct server *s, const char *path, struct error *err) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGCHLD);
    s->listener = listen_at(path, err);
    if (s->listener < 0) return -1;
    if (pipe2(s->taken, O_CLOEXEC | O_NONBLOCK) < 0 || sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return error_sys(err, errno, "serve");
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals < 0 ? error_sys(err, errno, "signalfd") : 0;
}

/* A launcher that ends without having been taken could not be made ready, or was
 * killed: its place is free again, but not at once. It said that it was taken
 * before it ended, so that news is read between its end and the verdict. */
static void bury(struct server *s) {
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0) {
        take_news(s);
        if (forget(s, pid)) s->not_before = clock_mono_ns() + FAILED_MS * NS_PER_MS;
    }
}

/* False when told to stop. */
static bool take_signals(struct server *s) {
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo != SIGCHLD) return false;
        bury(s);
    }
    return true;
}

static void fill(struct server *s) {
    _cleanup_error_ struct error err = {0};
    if (s->ready >= s->wanted || clock_mono_ns() < s->not_before) return;
    /* To make one is work; while a timed run is on it is done only where it must. */
    if (s->ready > 0 && lease_any()) {
        s->not_before = clock_mono_ns() + BUSY_MS * NS_PER_MS;
        return;
    }
    if (make_launcher(s, &err) == 0) return;
    log_warn("%s", error_text(&err));
    s->not_before = clock_mono_ns() + FAILED_MS * NS_PER_MS;
}

int serve(const char *path, int ready, serve_run *run, struct error *err) {
    struct server s = {
        .listener = -1, .signals = -1, .taken = {-1, -1}, .wanted = ready, .run = run};
    if (prepare(&s, path, err) < 0) return -1;
    for (;;) {
        fill(&s);
        struct pollfd p[] = {{.fd = s.signals, .events = POLLIN},
                             {.fd = s.taken[0], .events = POLLIN}};
        int64_t left = (s.not_before - clock_mono_ns()) / NS_PER_MS + 1;
        int timeout = s.ready >= s.wanted ? -1 : left > 0 ? (int)left : 0;
        if (poll(p, 2, timeout) < 0 && errno != EINTR) return error_sys(err, errno, "poll");
        take_news(&s);
        if (!take_signals(&s)) break;
    }
    unlink(path);
    return 0; /* the launchers that wait die with us (PR_SET_PDEATHSIG) */
}
