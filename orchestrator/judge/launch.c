#include "orchestrator/judge/launch.h"

#include "common/cleanup.h"
#include "common/clock.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#define CLEAR_MS 20000 /* for the launcher to end a sandbox that nobody waits for any more */

static int add_stdio(posix_spawn_file_actions_t *actions, int in, int out) {
    int failed =
        in >= 0 ? posix_spawn_file_actions_adddup2(actions, in, STDIN_FILENO)
                : posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (failed) return failed;
    return out >= 0
               ? posix_spawn_file_actions_adddup2(actions, out, STDOUT_FILENO)
               : posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
}

static int set_signals(posix_spawnattr_t *attributes) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int failed = posix_spawnattr_setsigmask(attributes, &none);
    if (!failed) failed = posix_spawnattr_setsigdefault(attributes, &all);
    if (failed) return failed;
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int spawn(const char *program, char *const *argv, int in, int out, pid_t *pid) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed) return failed;
    failed = posix_spawnattr_init(&attributes);
    if (!failed) {
        failed = add_stdio(&actions, in, out);
        if (!failed) failed = set_signals(&attributes);
        if (!failed) failed = posix_spawn(pid, program, &actions, &attributes, argv, environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

int launch_start(const char *program, const char *spec, const char *dir, bool with_pipes,
                 struct launch *out, struct error *err) {
    *out = (struct launch){.pid = -1, .pidfd = -1, .to = -1, .from = -1, .over = true};
    int down[2] = {-1, -1}, up[2] = {-1, -1};
    if (with_pipes && pipe2(down, O_CLOEXEC) < 0) return error_sys(err, errno, "pipe");
    _cleanup_close_ int theirs_in = down[0];
    out->to = down[1];
    if (with_pipes && pipe2(up, O_CLOEXEC) < 0) return error_sys(err, errno, "pipe");
    _cleanup_close_ int theirs_out = up[1];
    out->from = up[0];
    char *const argv[] = {(char *)"paddock-sandbox", (char *)"run", (char *)spec,
                          (char *)"--dir",           (char *)dir,   NULL};
    int failed = spawn(program, argv, theirs_in, theirs_out, &out->pid);
    if (failed) return error_sys(err, failed, "start %s", program);
    out->over = false;
    out->pidfd = pidfd_open(out->pid, 0);
    return out->pidfd < 0 ? error_sys(err, errno, "pidfd of the launcher") : 0;
}

static void reap(struct launch *l, int flags) {
    pid_t got;
    do got = waitpid(l->pid, &l->status, flags);
    while (got < 0 && errno == EINTR);
    if (got != 0) l->over = true;
}

bool launch_wait(struct launch *l, int cancel_fd, int64_t deadline_ns) {
    while (!l->over) {
        struct pollfd p[] = {{.fd = l->pidfd, .events = POLLIN},
                             {.fd = cancel_fd, .events = POLLIN}};
        int64_t left = (deadline_ns - clock_mono_ns() + NS_PER_MS - 1) / NS_PER_MS;
        int ready = poll(p, 2, left < 0 ? 0 : left > 3600000 ? 3600000 : (int)left);
        if (ready > 0 && p[0].revents) reap(l, 0);
        else if (ready > 0 || (ready == 0 && left <= 0) || (ready < 0 && errno != EINTR)) break;
    }
    return l->over;
}

void launch_stop(struct launch *l, int64_t patience_ms) {
    if (l->over) return;
    l->stopped = true;
    if (l->pidfd >= 0) {
        kill(l->pid, SIGTERM); /* not reaped yet, so the number is still its own */
        if (launch_wait(l, -1, clock_mono_ns() + patience_ms * NS_PER_MS)) return;
    }
    kill(l->pid, SIGKILL);
    reap(l, 0);
}

void launch_close_pipes(struct launch *l) {
    if (l->to >= 0) close(steal_fd(&l->to));
    if (l->from >= 0) close(steal_fd(&l->from));
}

void launch_clear(struct launch *l) {
    launch_close_pipes(l);
    launch_stop(l, CLEAR_MS);
    if (l->pidfd >= 0) close(steal_fd(&l->pidfd));
}
