#include "orchestrator/client/outside.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/pass.h"
#include "orchestrator/paths/paths.h"
#include "sandbox/result.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SAID_MAX 2000
#define LOOK_MS  500 /* how soon it is seen that calls come to nothing */

void outside_result_clear(struct outside_result *r) {
    edits_free(r->edits, r->count);
    free(r->failure);
    free(r->ended);
    strv_free(r->dropped);
    free(r->said);
    proxy_totals_clear(&r->proxy);
    *r = (struct outside_result){0};
}

/* ---- the launcher ---- */

/* What a launcher looks at of its environment, and nothing that may hold a key. */
static char **plain_environment(void) {
    static const char *const names[] = {
        "PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR", "PADDOCK_LIVE", "PADDOCK_CGROUP", "LANG"};
    char **env = calloc(1, sizeof *env);
    for (size_t i = 0; env && i < ARRAY_SIZE(names); i++) {
        const char *value = getenv(names[i]);
        _cleanup_free_ char *line = value ? str_printf("%s=%s", names[i], value) : NULL;
        if (line && strv_push(&env, line) < 0) break;
    }
    return env;
}

struct launch_plan {
    char *program, *spec, *dir, *log;
    char fd[16];
    char **env;
    int port_to;
    pid_t parent;
};

static void plan_clear(struct launch_plan *p) {
    free(p->program);
    free(p->spec);
    free(p->dir);
    free(p->log);
    strv_free(p->env);
}

/* The forked child up to its exec: it dies when we do, and keeps one descriptor of ours. */
static _Noreturn void become_launcher(const struct launch_plan *p) {
    char *argv[] = {p->program, "run",         p->spec,       "--dir",
                    p->dir,     "--listen-fd", (char *)p->fd, NULL};
    int null = open("/dev/null", O_RDWR);
    int log = open(p->log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0 || getppid() != p->parent) _exit(125);
    if (null < 0 || log < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(log, 2) < 0)
        _exit(125);
    if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ||
        fcntl(p->port_to, F_SETFD, 0) < 0)
        _exit(125);
    execve(p->program, argv, p->env);
    _exit(125);
}

static pid_t start(const char *dir, int port_to, struct error *err) {
    _cleanup_(plan_clear) struct launch_plan p = {.port_to = port_to, .parent = getpid()};
    p.program = paths_program("paddock-sandbox", err);
    if (!p.program) return -1;
    p.spec = path_join(dir, "spec.json");
    p.log = path_join(dir, "launcher.log");
    p.dir = strdup(dir);
    p.env = plain_environment();
    if (!p.spec || !p.log || !p.dir || !p.env) return error_sys(err, ENOMEM, "launcher");
    snprintf(p.fd, sizeof p.fd, "%d", port_to);
    pid_t pid = fork();
    if (pid == 0) become_launcher(&p);
    return pid < 0 ? error_sys(err, errno, "fork") : pid;
}

/* A command whose calls come to nothing is not waited for. */
static void wait_for(pid_t pid, const struct proxy *proxy) {
    _cleanup_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd p = {.fd = pidfd, .events = POLLIN};
    bool told = false;
    while (pidfd >= 0 && poll(&p, 1, LOOK_MS) <= 0)
        if (proxy && !told && proxy_is_broken(proxy)) told = kill(pid, SIGTERM) == 0;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) continue;
}

/* The socket that listens inside; -1: the launcher gave none, and its result says why. */
static int receive_port(int from) {
    char message = 0;
    int fd = -1;
    size_t count = 1;
    ssize_t n = pass_receive(from, &message, 1, &fd, &count, 0);
    if (n == 1 && count == 1) return fd;
    if (n > 0 && count == 1) close(fd);
    return -1;
}

/* ---- what it left ---- */

static int no_result(const char *dir, struct error *err) {
    _cleanup_buf_ struct buf log = {0};
    _cleanup_free_ char *path = path_join(dir, "launcher.log");
    if (path) file_read(path, 65536, &log, NULL);
    _cleanup_free_ char *said = str_printable(buf_text(&log), strcspn(buf_text(&log), "\n"));
    return error_set(err, ERROR_SYSTEM, "the coder's sandbox left no result: %s",
                     said && *said ? said : "its launcher said nothing");
}

/* The end of a stream, for a person. */
static void put_tail(const char *dir, const char *stream, struct buf *out) {
    _cleanup_free_ char *path = path_join(dir, stream);
    _cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    struct stat st;
    char tail[SAID_MAX];
    if (fd < 0 || fstat(fd, &st) < 0) return;
    ssize_t n = pread(fd, tail, sizeof tail, st.st_size > SAID_MAX ? st.st_size - SAID_MAX : 0);
    for (ssize_t at = 0; at < n;) {
        const char *end = memchr(tail + at, '\n', (size_t)(n - at));
        size_t len = end ? (size_t)(end - tail - at) : (size_t)(n - at);
        _cleanup_free_ char *line = str_printable(tail + at, len);
        buf_printf(out, "%s%s", out->len ? "\n" : "", line ? line : "");
        at += (ssize_t)len + 1;
    }
}

static bool may_count(enum ended ended) {
    return ended == ENDED_EXIT || ended == ENDED_SIGNAL || ended == ENDED_WALL_LIMIT;
}

static int take_changes(const struct outside_request *rq, const char *dir, const struct result *r,
                        struct outside_result *out, struct error *err) {
    const struct collected *c = r->collected_count ? &r->collected[0] : NULL;
    _cleanup_free_ char *left = path_join(dir, "artifacts");
    if (!left) return error_sys(err, ENOMEM, "edits");
    if (!c || !c->present || c->truncated) {
        out->failure = str_printf("what it left could not be taken out: %s",
                                  c && c->reason ? c->reason : "there is nothing");
        return out->failure ? 0 : error_sys(err, ENOMEM, "edits");
    }
    _cleanup_close_ int before = dir_open(rq->files, err), after = -1;
    if (before < 0 || (after = dir_open(left, err)) < 0) return -1;
    return outside_edits(before, after, c->skipped ? c->reason : NULL, rq->editable, out, err);
}

static int read_result(const struct outside_request *rq, const char *dir,
                       struct outside_result *out, struct error *err) {
    _cleanup_result_ struct result r = {0};
    _cleanup_buf_ struct buf said = {0};
    _cleanup_free_ char *path = path_join(dir, "result.json");
    if (!path || access(path, F_OK) < 0) return no_result(dir, err);
    if (result_load(path, &r, err) < 0) return -1;
    if (r.ended == ENDED_SETUP_ERROR)
        return error_set(err, ERROR_SYSTEM, "the coder's sandbox: %s", r.error ? r.error : "?");
    if (r.ended == ENDED_CANCELLED) return error_set(err, ERROR_CANCELLED, "cancelled");
    out->ended = strdup(ended_name(r.ended));
    out->exit_code = r.exit_code;
    out->wall_s = (double)r.wall_ns / (double)NS_PER_SEC;
    put_tail(dir, "stdout", &said);
    put_tail(dir, "stderr", &said);
    out->said = strdup(buf_text(&said));
    if (!out->ended || !out->said) return error_sys(err, ENOMEM, "result");
    if (may_count(r.ended)) return take_changes(rq, dir, &r, out, err);
    out->failure = str_printf("the command ended as %s%s%s", out->ended, r.error ? ": " : "",
                              r.error ? r.error : "");
    return out->failure ? 0 : error_sys(err, ENOMEM, "result");
}

/* What went wrong in one line, where nothing was changed. */
static int judge(struct outside_result *out, struct error *err) {
    if (out->failure || out->count) return 0;
    const char *why = out->proxy.over ? out->proxy.over : out->proxy.refusal;
    out->failure = str_printf(
        "the command changed none of the files that may be changed (%s %d after %.1f s, %lld "
        "calls of the model)%s%s",
        out->ended, out->exit_code, out->wall_s, (long long)out->proxy.calls, why ? "; " : "",
        why ? why : "");
    return out->failure ? 0 : error_sys(err, ENOMEM, "result");
}

/* ---- the whole ---- */

static void remove_folder(char **dir) {
    if (*dir) tree_remove(*dir, NULL);
    free(*dir);
}

static char *make_folder(struct error *err) {
    const char *tmp = getenv("TMPDIR");
    char *dir = str_printf("%s/paddock-coder-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
    if (dir && mkdtemp(dir)) return dir;
    error_sys(err, dir ? errno : ENOMEM, "%s", dir ? dir : "folder");
    free(dir);
    return NULL;
}

/* A mount must not hold the model's key, either. */
static int check_keys(const struct outside_request *rq, const struct model *m, struct error *err) {
    for (size_t i = 0; rq->mounts && rq->mounts[i]; i++) {
        _cleanup_free_ char *real = realpath(rq->mounts[i], NULL);
        if (real && relay_key_lies_below(m, real))
            return error_set(err, ERROR_DENIED, "coder_mounts: %s would show the key of a model",
                             rq->mounts[i]);
    }
    return 0;
}

/* The launcher first: forked while there are no threads, it waits for nobody. */
static int run(const struct outside_request *rq, const char *dir, struct outside_result *out,
               struct error *err) {
    _cleanup_error_ struct error failed = {0};
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return error_sys(err, errno, "socket pair");
    _cleanup_close_ int ours = pair[0], theirs = pair[1];
    pid_t pid = start(dir, theirs, err);
    if (pid < 0) return -1;
    close(steal_fd(&theirs));
    struct proxy *proxy = NULL;
    int port = receive_port(ours);
    if (port >= 0 && proxy_start(port, rq->model, rq->host, &proxy, &failed) < 0)
        kill(pid, SIGTERM);
    wait_for(pid, proxy);
    proxy_stop(proxy, &out->proxy);
    if (error_is_set(&failed)) return error_move(err, &failed);
    if (out->proxy.failure)
        return error_set(err, ERROR_SYSTEM, "a call of the coder: %s", out->proxy.failure);
    return read_result(rq, dir, out, err) < 0 ? -1 : judge(out, err);
}

/* Opened once before anything runs: what its server speaks, and that it has its key. */
static int look_at_model(const struct outside_request *rq, const char *dir, struct error *err) {
    _cleanup_model_ struct model *m = NULL;
    if (model_open(rq->model, &m, err) < 0) return -1;
    if (strcmp(relay_protocol(m), "none") == 0)
        return error_set(err, ERROR_UNSUPPORTED,
                         "%s: a cassette cannot play to a coder of your own: it has no server",
                         rq->model);
    if (check_keys(rq, m, err) < 0) return -1;
    return outside_spec_write(rq, dir, relay_protocol(m), relay_name(m), err);
}

int outside_code(const struct outside_request *rq, struct outside_result *out, struct error *err) {
    *out = (struct outside_result){0};
    _cleanup_(remove_folder) char *dir = make_folder(err);
    if (!dir) return -1;
    return look_at_model(rq, dir, err) < 0 ? -1 : run(rq, dir, out, err);
}
