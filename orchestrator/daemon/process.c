#include "orchestrator/daemon/process.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "common/json.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

extern char **environ;

/* What the program is called may hold anything, ") 7 (" too: fields are counted
 * from the last parenthesis. proc(5): starttime is field 22, state field 3. */
int64_t process_start_ticks(int64_t pid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    _cleanup_buf_ struct buf text = {0};
    if (pid <= 0 || file_read(path, 8192, &text, NULL) < 0) return -1;
    const char *at = strrchr(buf_text(&text), ')');
    if (!at || at[1] != ' ') return -1;
    at += 2;
    for (int field = 3; field < 22 && at; field++) {
        at = strchr(at, ' ');
        if (at) at++;
    }
    return at ? strtoll(at, NULL, 10) : -1;
}

static bool ended(int pidfd) {
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

bool process_find(int64_t pid, int64_t start_ticks, struct process *out) {
    if (pid <= 0 || start_ticks <= 0) return false;
    _cleanup_close_ int fd = pidfd_open((pid_t)pid, 0);
    /* The descriptor first: what it names cannot change while we look. */
    if (fd < 0 || process_start_ticks(pid) != start_ticks || ended(fd)) return false;
    *out = (struct process){pid, start_ticks, steal_fd(&fd)};
    return true;
}

bool process_read(const char *path, int64_t *pid, int64_t *start_ticks) {
    _cleanup_json_ struct json *doc = json_load(path, 4096, NULL);
    if (!doc) return false;
    struct json_reader r;
    json_object(&r, doc, NULL);
    json_get_int(&r, "pid", JSON_REQUIRED, 1, INT32_MAX, pid);
    json_get_int(&r, "start_ticks", JSON_REQUIRED, 1, INT64_MAX, start_ticks);
    return json_object_end(&r) == 0;
}

/* A session of its own, no blocked or ignored signal of ours. */
static int set_attributes(posix_spawnattr_t *attributes) {
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int rc = posix_spawnattr_setsigmask(attributes, &none);
    if (rc == 0) rc = posix_spawnattr_setsigdefault(attributes, &all);
    short flags = POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    return rc == 0 ? posix_spawnattr_setflags(attributes, flags) : rc;
}

static int set_files(posix_spawn_file_actions_t *files, const char *log) {
    int rc = posix_spawn_file_actions_addopen(files, 0, "/dev/null", O_RDONLY, 0);
    if (rc == 0) rc = posix_spawn_file_actions_addopen(files, 1, "/dev/null", O_WRONLY, 0);
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW;
    return rc == 0 ? posix_spawn_file_actions_addopen(files, 2, log, flags, 0600) : rc;
}

int process_start(char *const argv[], const char *log, struct process *out, struct error *err) {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t files;
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&files);
    pid_t pid = -1;
    int rc = set_attributes(&attributes);
    if (rc == 0) rc = set_files(&files, log);
    if (rc == 0) rc = posix_spawn(&pid, argv[0], &files, &attributes, argv, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (rc != 0) return error_sys(err, rc, "start %s", argv[0]);
    *out = (struct process){pid, process_start_ticks(pid), pidfd_open(pid, 0)};
    if (out->pidfd >= 0) return 0;
    rc = errno;
    /* One that nobody could wait for must not run: it is still ours to reap. */
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
    *out = PROCESS_NONE;
    return error_sys(err, rc, "pidfd of %s", argv[0]);
}

enum process_woke process_wait(const struct process *p, int wake_fd, int timeout_ms) {
    struct pollfd fds[2] = {{.fd = p->pidfd, .events = POLLIN}, {.fd = wake_fd, .events = POLLIN}};
    int n;
    do n = poll(fds, 2, timeout_ms);
    while (n < 0 && errno == EINTR);
    if (fds[0].revents) return PROCESS_ENDED;
    return fds[1].revents ? PROCESS_WOKEN : PROCESS_TIMEOUT;
}

void process_signal(const struct process *p, int signal) {
    if (p->pidfd >= 0) pidfd_send_signal(p->pidfd, signal, NULL, 0);
}

void process_close(struct process *p) {
    if (p->pidfd < 0) return;
    siginfo_t info;
    /* ECHILD when it is not ours, or still runs: both are fine. */
    while (waitid(P_PIDFD, (id_t)p->pidfd, &info, WEXITED | WNOHANG) < 0 && errno == EINTR)
        continue;
    close(p->pidfd);
    *p = PROCESS_NONE;
}
