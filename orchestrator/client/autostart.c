#include "orchestrator/client/autostart.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "orchestrator/paths/paths.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define START_TIMEOUT_NS (10 * NS_PER_SEC)
#define POLL_NS          (25 * NS_PER_MS)
#define LOG_LINES        8
#define LOG_TAIL_BYTES   8192

extern char **environ;

struct http *autostart_existing(struct error *err) {
    _cleanup_free_ char *socket = paths_socket_client(err);
    _cleanup_http_ struct http *h = socket ? http_new(socket, err) : NULL;
    if (!h || http_probe(h, NULL, err) < 0) return NULL;
    return steal_ptr(&h);
}

void autostart_tail(const char *text, size_t len, int lines, struct buf *out) {
    while (len > 0 && text[len - 1] == '\n') len--;
    size_t from = len;
    while (from > 0 && (text[from - 1] != '\n' || --lines > 0)) from--;
    while (from < len) {
        const char *end = memchr(text + from, '\n', len - from);
        size_t n = end ? (size_t)(end - text) - from : len - from;
        _cleanup_free_ char *line = str_printable(text + from, n);
        buf_printf(out, "\n  %s", line ? line : "");
        from += n + 1;
    }
}

/* The log is opened for appending; what this start writes begins at *from. */
static int open_log(const char *path, off_t *from, struct error *err) {
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return error_sys(err, errno, "%s", path);
    struct stat st;
    *from = fstat(fd, &st) == 0 ? st.st_size : 0;
    return fd;
}

static int spawn_actions(posix_spawn_file_actions_t *actions, int log_fd) {
    int bad = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    if (!bad) bad = posix_spawn_file_actions_adddup2(actions, log_fd, 1);
    if (!bad) bad = posix_spawn_file_actions_adddup2(actions, log_fd, 2);
    if (!bad) bad = posix_spawn_file_actions_addclosefrom_np(actions, 3);
    if (!bad) bad = posix_spawn_file_actions_addchdir_np(actions, "/");
    return bad;
}

static int spawn_attributes(posix_spawnattr_t *attributes) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int bad = posix_spawnattr_setsigmask(attributes, &none);
    if (!bad) bad = posix_spawnattr_setsigdefault(attributes, &all);
    if (!bad)
        bad = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                       POSIX_SPAWN_SETSIGDEF);
    return bad;
}

/* In a session of its own: neither Ctrl-C nor the end of the terminal is meant
 * for the daemon. */
static pid_t spawn_daemon(const char *program, int log_fd, struct error *err) {
    char *argv[] = {(char *)program, "--stay-root", "--idle-exit", "600", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    pid_t pid = -1;
    int bad = spawn_actions(&actions, log_fd);
    if (!bad) bad = spawn_attributes(&attributes);
    if (!bad) bad = posix_spawn(&pid, program, &actions, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (bad) return error_sys(err, bad, "start %s", program);
    return pid;
}

/* What the daemon said since `from`, as lines behind an error text. */
static void append_log(const char *path, off_t from, struct buf *out) {
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= from) return;
    if (st.st_size - from > LOG_TAIL_BYTES) from = st.st_size - LOG_TAIL_BYTES;
    char text[LOG_TAIL_BYTES];
    ssize_t n = pread(fd, text, sizeof text, from);
    if (n > 0) autostart_tail(text, (size_t)n, LOG_LINES, out);
}

static int failed_start(const char *log_path, off_t from, const char *how, struct error *err) {
    _cleanup_buf_ struct buf tail = {0};
    append_log(log_path, from, &tail);
    return error_set(err, ERROR_SYSTEM, "paddockd %s; its log %s%s%s", how, log_path,
                     tail.len ? " ends with:" : " is empty", buf_text(&tail));
}

static int wait_until_healthy(struct http *h, pid_t pid, const char *log_path, off_t from,
                              struct error *err) {
    int64_t deadline = clock_mono_ns() + START_TIMEOUT_NS;
    bool dead = false;
    for (;;) {
        if (http_probe(h, NULL, NULL) == 0) return 0;
        /* Ours may have lost a race against one that somebody else started: so
         * its end counts only when nobody answers after it. */
        if (dead) return failed_start(log_path, from, "ended at once", err);
        dead = waitpid(pid, NULL, WNOHANG) == pid;
        if (clock_mono_ns() > deadline)
            return failed_start(log_path, from, "did not answer within 10 s", err);
        const struct timespec pause = {.tv_nsec = dead ? 10 * POLL_NS : POLL_NS};
        nanosleep(&pause, NULL);
    }
}

static int start(struct http *h, struct error *err) {
    _cleanup_free_ char *program = paths_program("paddockd", err);
    _cleanup_free_ char *state = program ? paths_state(PATHS_PRIVATE, err) : NULL;
    if (!state || dir_make(state, 0700, err) < 0) return -1;
    _cleanup_free_ char *log_path = path_join(state, "paddockd.log");
    if (!log_path) return error_sys(err, ENOMEM, "log");
    off_t from = 0;
    _cleanup_close_ int log_fd = open_log(log_path, &from, err);
    if (log_fd < 0) return -1;
    pid_t pid = spawn_daemon(program, log_fd, err);
    if (pid < 0) return -1;
    return wait_until_healthy(h, pid, log_path, from, err);
}

void autostart_revive(void) {
    _cleanup_free_ char *ours = paths_socket(PATHS_PRIVATE, NULL);
    _cleanup_free_ char *socket = paths_socket_client(NULL);
    if (!ours || !socket || !str_eq(ours, socket)) return;
    _cleanup_http_ struct http *h = http_new(socket, NULL);
    _cleanup_error_ struct error probe = {0};
    if (!h || http_probe(h, NULL, &probe) == 0 || probe.kind != ERROR_NOT_FOUND) return;
    /* Whether it worked the next try of the caller tells. */
    start(h, NULL);
}

struct http *autostart_connect(bool may_start, struct error *err) {
    _cleanup_free_ char *socket = paths_socket_client(err);
    _cleanup_http_ struct http *h = socket ? http_new(socket, err) : NULL;
    if (!h) return NULL;
    _cleanup_error_ struct error probe = {0};
    if (http_probe(h, NULL, &probe) == 0) return steal_ptr(&h);
    if (probe.kind != ERROR_NOT_FOUND) {
        error_move(err, &probe);
        return NULL;
    }
    if (!may_start) {
        error_set(err, ERROR_NOT_FOUND,
                  "no paddockd answers on %s, and --no-autostart forbids to start one", socket);
        return NULL;
    }
    if (start(h, err) < 0) {
        error_wrap(err, "start a private paddockd");
        return NULL;
    }
    return steal_ptr(&h);
}
