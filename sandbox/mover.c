#include "sandbox/mover.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/supervise.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

enum { DEPTH = 32, PIECE = 1 << 20 };

/* One byte each way. */
enum { SAY_WARM = 'w', SAY_MOVE = 'm', SAY_DONE = 'd' };

/* ---- the mover ---- */

static int read_through(int fd, const char *name, struct error *err) {
    static char piece[PIECE];
    ssize_t n;
    do n = read(fd, piece, sizeof piece);
    while (n > 0 || (n < 0 && errno == EINTR));
    return n < 0 ? error_sys(err, errno, "read %s", name) : 0;
}

static int warm_folder(int folder, int depth, struct error *err) {
    _cleanup_closedir_ DIR *d = fdopendir(folder);
    if (!d) {
        int saved = errno;
        close(folder);
        return error_sys(err, saved, "data");
    }
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            !(S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)))
            continue;
        int fd = openat(dirfd(d), e->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) return error_sys(err, errno, "data: open %s", e->d_name);
        if (S_ISDIR(st.st_mode)) {
            if (depth == 0) return close(fd), error_set(err, ERROR_LIMIT, "data: too deep");
            if (warm_folder(fd, depth - 1, err) < 0) return -1;
            continue;
        }
        int r = read_through(fd, e->d_name, err);
        close(fd);
        if (r < 0) return -1;
    }
    return 0;
}

/* With the launcher's own rights, so before the namespaces are entered. */
static int warm(const struct run *r, struct error *err) {
    for (size_t i = 0; i < r->spec->clock.gate.data_count; i++) {
        int fd = openat(r->handles[FENCE_HANDLES + i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) return error_sys(err, errno, "%s", r->spec->clock.gate.data[i].source);
        if (warm_folder(fd, DEPTH, err) < 0)
            return error_wrap(err, "%s", r->spec->clock.gate.data[i].source);
    }
    return 0;
}

static int enter(const struct run *r, struct error *err) {
    if (setns(r->userns, CLONE_NEWUSER) < 0 || setns(r->gate.mntns, CLONE_NEWNS) < 0)
        return error_sys(err, errno, "enter the sandbox's mounts");
    return 0;
}

static int move(const struct run *r, struct error *err) {
    _cleanup_close_ int root = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return error_sys(err, errno, "the sandbox's root");
    for (size_t i = 0; i < r->spec->clock.gate.data_count; i++)
        if (mounts_attach(root, r->spec->clock.gate.data[i].target, r->handles[FENCE_HANDLES + i],
                          err) < 0)
            return -1;
    return 0;
}

static int say(int fd, char word) {
    return send(fd, &word, 1, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

static bool told_to_move(int fd) {
    char word = 0;
    ssize_t n;
    do n = recv(fd, &word, 1, 0);
    while (n < 0 && errno == EINTR);
    return n == 1 && word == SAY_MOVE;
}

static int work(const struct run *r, int fd, pid_t launcher, struct error *err) {
    if (warm(r, err) < 0 || enter(r, err) < 0) return -1;
    /* After the change of credentials, which clears it (PR_SET_PDEATHSIG(2const)). */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) return error_sys(err, errno, "prctl");
    if (getppid() != launcher) return error_set(err, ERROR_CANCELLED, "the launcher is gone");
    if (say(fd, SAY_WARM) < 0 || !told_to_move(fd)) _exit(0); /* it is not needed any more */
    return move(r, err);
}

/* A failure is told in words. */
static _Noreturn void mover_main(const struct run *r, int fd, pid_t launcher) {
    _cleanup_error_ struct error why = {0};
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (work(r, fd, launcher, &why) == 0) say(fd, SAY_DONE);
    else (void)send(fd, error_text(&why), strlen(error_text(&why)), MSG_NOSIGNAL);
    _exit(0);
}

/* ---- the launcher's side ---- */

int mover_start(struct run *r, struct error *err) {
    int ends[2];
    pid_t launcher = getpid();
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return error_sys(err, errno, "socket to the mover");
    r->gate.mover = ends[0];
    pid_t pid = fork();
    if (pid == 0) {
        close(ends[0]);
        mover_main(r, ends[1], launcher);
    }
    int failed = pid < 0 ? errno : 0;
    close(ends[1]);
    if (failed) return error_sys(err, failed, "fork");
    r->gate.mover_pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (r->gate.mover_pidfd >= 0) return 0;
    failed = errno;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return error_sys(err, failed, "pidfd_open");
}

int mover_go(int mover) {
    return mover < 0 ? -1 : say(mover, SAY_MOVE);
}

enum mover_news mover_news(struct run *r, struct error *err) {
    char text[1024];
    ssize_t n;
    do n = recv(r->gate.mover, text, sizeof text - 1, 0);
    while (n < 0 && errno == EINTR);
    if (n == 1 && text[0] == SAY_WARM) return MOVER_WARM;
    bool done = n == 1 && text[0] == SAY_DONE;
    close(r->gate.mover);
    r->gate.mover = -1;
    if (done) return MOVER_DONE;
    text[n > 0 ? n : 0] = '\0';
    error_set(err, ERROR_SYSTEM, "%s", n > 0 ? text : "the mover died");
    return MOVER_FAILED;
}

void mover_end(struct gate *g) {
    siginfo_t info;
    if (g->mover >= 0) close(g->mover);
    g->mover = -1;
    if (g->mover_pidfd < 0) return;
    syscall(SYS_pidfd_send_signal, g->mover_pidfd, SIGKILL, NULL, 0);
    while (waitid((idtype_t)P_PIDFD, (id_t)g->mover_pidfd, &info, WEXITED) < 0 && errno == EINTR) {
    }
    close(g->mover_pidfd);
    g->mover_pidfd = -1;
}
