/* paddockd: options, privilege, and the loop that waits for the end. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/log.h"
#include "orchestrator/daemon/api.h"
#include "orchestrator/daemon/lane.h"
#include "orchestrator/daemon/privilege.h"
#include "orchestrator/daemon/resident.h"
#include "orchestrator/paths/paths.h"

#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>

#define LOOK_MS 500 /* how often an idle exit is considered */

struct options {
    const char *state, *socket, *user, *lanes;
    bool stay_root, foreground;
    int64_t idle_exit_s; /* 0: never */
};

static const char usage[] =
    "usage: paddockd [--state DIR] [--socket PATH] [--stay-root] [--user NAME]\n"
    "                [--idle-exit SECONDS] [--lanes FILE] [--foreground]\n"
    "\n"
    "Runs Paddock's store, queue, lane and HTTP API (docs/reference/api.md).\n"
    "\n"
    "  --state DIR     where everything is kept (default: $PADDOCK_STATE, else\n"
    "                  /var/lib/paddock for the service, ~/.local/state/paddock)\n"
    "  --socket PATH   the unix socket to serve on (default: $PADDOCK_SOCKET, else\n"
    "                  /run/paddock/paddockd.sock for the service,\n"
    "                  $XDG_RUNTIME_DIR/paddock/paddockd.sock)\n"
    "  --user NAME     started as root: the account to become (default: paddock)\n"
    "  --stay-root     started as root: stay root\n"
    "  --idle-exit N   end after N seconds without a request, a run or work\n"
    "  --lanes FILE    the lanes of this machine (default: <state>/lanes.json, else they\n"
    "                  are found; docs/explanation/lanes.md)\n"
    "  --foreground    accepted and implied: paddockd never leaves the foreground\n"
    "\n"
    "example: paddockd --state /tmp/paddock --socket /tmp/paddock/sock\n";

static int parse_seconds(const char *text, int64_t *out) {
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (errno || end == text || *end || n < 1 || n > 100000000) return -1;
    *out = n;
    return 0;
}

/* 0: go on; 1: all said and done; −1: usage. */
static int parse_options(int argc, char **argv, struct options *o) {
    static const struct option longs[] = {
        {"state", required_argument, NULL, 's'},     {"socket", required_argument, NULL, 'k'},
        {"user", required_argument, NULL, 'u'},      {"stay-root", no_argument, NULL, 'r'},
        {"idle-exit", required_argument, NULL, 'i'}, {"lanes", required_argument, NULL, 'l'},
        {"foreground", no_argument, NULL, 'f'},      {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'v'},         {NULL, 0, NULL, 0}};
    for (int c; (c = getopt_long(argc, argv, "h", longs, NULL)) != -1;) {
        switch (c) {
        case 's': o->state = optarg; break;
        case 'k': o->socket = optarg; break;
        case 'u': o->user = optarg; break;
        case 'l': o->lanes = optarg; break;
        case 'r': o->stay_root = true; break;
        case 'f': o->foreground = true; break;
        case 'i':
            if (parse_seconds(optarg, &o->idle_exit_s) == 0) break;
            fprintf(stderr, "paddockd: --idle-exit: must be a number of seconds\n");
            return -1;
        case 'h': fputs(usage, stdout); return 1;
        case 'v': puts("paddockd " PADDOCK_VERSION); return 1;
        default: return -1;
        }
    }
    if (optind == argc) return 0;
    fprintf(stderr, "paddockd: unexpected argument %s\n", argv[optind]);
    return -1;
}

static char *parent_of(const char *path) {
    char *dir = strdup(path);
    char *slash = dir ? strrchr(dir, '/') : NULL;
    if (slash) *slash = '\0';
    return dir;
}

/* From root to the service's account, with the folders it needs. */
static int become(const struct account *a, const char *state, const char *socket,
                  struct error *err) {
    _cleanup_free_ char *run = parent_of(socket);
    if (!run) return error_sys(err, ENOMEM, "socket");
    if (privilege_give_dir(state, a, err) < 0 || privilege_give_dir(run, a, err) < 0) return -1;
    privilege_delegate_cgroups(a);
    return privilege_drop(a, err);
}

/* Whether this is the machine's own daemon: it was started as root and becomes
 * an account, or is that account already. */
static int find_places(const struct options *o, char **state, char **socket, struct error *err) {
    _cleanup_(account_clear) struct account a = {0};
    const char *user = o->user ? o->user : "paddock";
    bool root = geteuid() == 0;
    if (root && !o->stay_root && account_find(user, &a, err) < 0) return -1;
    bool service = root ? !o->stay_root : account_find(user, &a, NULL) == 0 && a.uid == geteuid();
    enum paths_scope scope = service ? PATHS_SERVICE : PATHS_PRIVATE;
    *state = o->state ? paths_absolute(o->state, err) : paths_state(scope, err);
    *socket = o->socket ? paths_absolute(o->socket, err) : paths_socket(scope, err);
    if (!*state || !*socket) return -1;
    if (root && o->stay_root)
        log_warn("runs as root, as asked by --stay-root; a service should have its own account");
    return root && !o->stay_root ? become(&a, *state, *socket, err) : 0;
}

/* Every thread inherits this: signals come to the loop and nowhere else. */
static int open_signals(struct error *err) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    sigdelset(&set, SIGPIPE);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? error_sys(err, errno, "signalfd") : fd;
}

static bool nothing_to_do(struct daemon *d, const struct http_server *http) {
    return http_active(http) == 0 && lanes_idle(d);
}

static void loop(struct daemon *d, const struct http_server *http, int signals,
                 const struct options *o) {
    struct pollfd fds[2] = {{.fd = signals, .events = POLLIN},
                            {.fd = d->stop_fd, .events = POLLIN}};
    int64_t busy_ns = clock_mono_ns();
    for (;;) {
        bool waiting = o->idle_exit_s > 0 || atomic_load(&d->stop) == STOP_WHEN_IDLE;
        poll(fds, 2, waiting ? LOOK_MS : -1);
        struct signalfd_siginfo info;
        if (read(signals, &info, sizeof info) == (ssize_t)sizeof info && info.ssi_signo != SIGHUP)
            return;
        eventfd_t count;
        if (eventfd_read(d->stop_fd, &count) < 0 && errno != EAGAIN) return;
        int stop = atomic_load(&d->stop);
        if (stop == STOP_NOW) return;
        if (!nothing_to_do(d, http)) {
            busy_ns = clock_mono_ns();
            continue;
        }
        if (stop == STOP_WHEN_IDLE) return;
        int64_t since = http_last_request_ns(http);
        if (since < busy_ns) since = busy_ns;
        if (o->idle_exit_s > 0 && clock_mono_ns() - since >= o->idle_exit_s * NS_PER_SEC) return;
    }
}

static int serve(struct daemon *d, const struct options *o, int signals, struct error *err) {
    struct http_server *http = NULL;
    int listener = http_listen(d->socket, err);
    if (listener < 0) return -1;
    if (lanes_start(d, o->lanes, err) < 0 || http_start(listener, api_routes, d, &http, err) < 0) {
        lanes_stop(d);
        lanes_free(d);
        return -1;
    }
    _cleanup_error_ struct error why = {0};
    pid_t resident = resident_start(d->socket, &why);
    if (resident < 0) log_warn("no resident launcher: %s", error_text(&why));
    log_info("serves %s, state %s", d->socket, d->state);
    loop(d, http, signals, o);
    resident_stop(resident);
    /* Nobody new finds us; who waits for an event gets an answer. */
    unlink(d->socket);
    http_refuse_new(http);
    store_wake_waiters(d->store);
    lanes_stop(d);
    http_stop(http);
    lanes_free(d);
    return 0;
}

static int run(const struct options *o, struct error *err) {
    _cleanup_free_ char *state = NULL;
    _cleanup_free_ char *socket = NULL;
    umask(0022); /* what a sandbox mounts must be readable in it */
    if (find_places(o, &state, &socket, err) < 0) return -1;
    _cleanup_close_ int signals = open_signals(err);
    struct daemon d;
    if (signals < 0 || daemon_open(state, &d, err) < 0) return -1;
    d.socket = steal_ptr(&socket);
    int rc = serve(&d, o, signals, err);
    daemon_close(&d);
    return rc;
}

int main(int argc, char **argv) {
    struct options o = {0};
    int said = parse_options(argc, argv, &o);
    if (said < 0) {
        fputs(usage, stderr);
        return 2;
    }
    if (said > 0) return 0;
    log_init("paddockd", LOG_LEVEL_WARN);
    _cleanup_error_ struct error err = {0};
    if (run(&o, &err) == 0) return 0;
    log_error("%s", error_text(&err));
    return 1;
}
