/*
 * paddock-sandbox: runs one untrusted program inside a fence.
 *
 * Theory of operation
 * ===================
 *
 * Three processes take part in a run.
 *
 *  launcher  this program, on the host, with the rights of whoever started it.
 *            First of all it clones init into new namespaces, since that has work
 *            that takes the kernel long. Meanwhile it reads spec and policy,
 *            registers the run, makes its control groups, writes the user
 *            namespace's maps, opens what will be mounted (as root), and tells
 *            init in two steps (told.c): of the host, and the order. Then it sits
 *            in one epoll loop: output, limits, signals, the end. It alone knows
 *            the time. It never runs or loads anything the program could have
 *            written.
 *
 *  init      pid 1 inside: our own code, never an exec. It starts with the
 *            launcher's ids and all capabilities of the new user namespace, makes
 *            the network namespace, empties the bounding set, and told of the
 *            host forks the payload, becomes uid 0 inside and begins with the
 *            root; given the order it ends it, leaves the old root, and gives up
 *            everything but the control socket and CAP_KILL over the payload. It
 *            reaps; when the program ends it says how and exits, at which the
 *            kernel kills whatever else is in the pid namespace. It is not
 *            dumpable, blocks all signals, dies with the launcher, and is in none
 *            of the run's control groups, so that these are empty when all of the
 *            program is gone.
 *
 *  payload   forked by init, into the groups. It puts on what a process can only
 *            do to itself: session, uid 1000 for good, no capabilities,
 *            no_new_privs; with the order descriptors and rlimits; and once init
 *            has entered the root, before which it names no path, Landlock and the
 *            system-call filter. Then it waits for the word and becomes the
 *            program.
 *
 * With a workspace to copy there is, before the release, a fourth for a moment:
 * the seeder (seed.c). Collection afterwards is a process of its own as well
 * (collect.c), and so is the janitor (janitor.c), which gives groups and registry
 * entry back when the launcher has left with the result, or was killed.
 *
 * They speak over
 *
 *  control   a socket pair launcher–init (fence.h): "host" and "told" with
 *            descriptors, "terminate", "kill" one way; "mounts stand" with
 *            descriptors of the writable file systems, "ready", "failed", "ended"
 *            the other. Its end tells init that the launcher is gone.
 *  release   a socket pair launcher–payload: what becomes 0, 1 and 2, "ready"
 *            (with the filter's listener: listener.h), "go", and the errno of an
 *            execve that failed. A successful one closes it.
 *  built     a pipe init–payload: a byte when the root is entered, and one when
 *            the old one is gone.
 *  output    a pipe each for stdout and stderr, read by the launcher.
 *  page      shared memory in which the launcher leaves the order (order.c), and
 *            init and payload the fence report or the text of a failure; the
 *            launcher reads it before the release and never after, and exec takes
 *            it from the payload.
 *
 * The clock: the launcher stamps the start just before it sends "go", and the
 * end when init's "ended" arrives. A run is over only when the control groups,
 * which hold all of the program, are empty; without groups, when init is dead,
 * which the kernel reports after it has buried every process of the pid
 * namespace.
 *
 * While a timed run is on (quiet.h), a launch is held before any of this begins.
 *
 * Resident (serve.c): the same launchers, which have done all of this that needs
 * no spec and wait for one, each for a single run.
 */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/log.h"
#include "sandbox/launch.h"
#include "sandbox/lease.h"
#include "sandbox/live.h"
#include "sandbox/quiet.h"
#include "sandbox/request.h"
#include "sandbox/run_folder.h"
#include "sandbox/serve.h"
#include "sandbox/weaken.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

enum { EXIT_USAGE = 2, EXIT_OURS = 125 };
enum { SPEC_BYTES = 4 << 20, READY_LAUNCHERS = 2 };

static const char usage[] =
    "usage: paddock-sandbox run SPEC.json|- [--dir DIR] [--print] [--listen-fd N]\n"
    "       paddock-sandbox serve SOCKET [--ready N] [--with-parent]\n"
    "       paddock-sandbox ask SOCKET SPEC.json --dir DIR\n"
    "       paddock-sandbox sweep\n"
    "       paddock-sandbox --help | --version\n"
    "\n"
    "run    builds the fence the spec describes, runs the program in it, and leaves\n"
    "       result.json, stdout, stderr, stamps and artifacts/ in DIR (default: the\n"
    "       spec's \"dir\"). --print writes the result to stdout as well. Exit status: 0\n"
    "       when there is a result, whatever it says; 125 when there could be none.\n"
    "       --listen-fd: the socket that is sent what listens on the spec's port.\n"
    "serve  stays, with N launchers ready (2), each for one run asked of it over SOCKET;\n"
    "       --with-parent: until its parent dies.\n"
    "ask    has one of them do what run would.\n"
    "sweep  removes what killed launchers left behind.\n"
    "\n"
    "Example:\n"
    "  echo '{\"id\": \"hello\", \"argv\": [\"/bin/echo\", \"hello\"], \"stdout\": \"inherit\",\n"
    "         \"stderr\": \"inherit\", \"policy\": "
    "\"/usr/local/share/paddock/policies/strict.json\"}' |\n"
    "      paddock-sandbox run - --print\n";

struct options {
    const char *spec; /* set by parse_run() */
    const char *dir;
    const char *steps; /* where to leave the profile; NULL: nowhere */
    int port_to;       /* -1: nobody */
    bool print;
};

static int say_failure(const struct error *err) {
    fprintf(stderr, "paddock-sandbox: %s\n", error_text(err));
    return EXIT_OURS;
}

/* ---- run ---- */

static int read_spec(const char *source, const struct buf *text, struct spec *spec,
                     struct result *result, struct error *err) {
    _cleanup_json_ struct json *doc = json_parse(source, buf_text(text), text->len, err);
    if (!doc || spec_decode(doc, spec, err) < 0) return error_wrap(err, "spec");
    char hex[DIGEST_HEX];
    digest_hex_of(buf_text(text), text->len, hex);
    result->spec_sha256 = strdup(hex);
    result->id = strdup(spec->id);
    result->version = strdup(PADDOCK_VERSION);
    result->image_digest = NULL;
    result->labels = spec->labels;
    spec->labels = NULL;
    return result->spec_sha256 && result->id && result->version ? 0
                                                                : error_sys(err, ENOMEM, "spec");
}

static int load_spec(const char *path, struct spec *spec, struct result *result,
                     struct error *err) {
    if (!path) return error_set(err, ERROR_INTERNAL, "no spec is named");
    bool from_stdin = strcmp(path, "-") == 0;
    _cleanup_buf_ struct buf text = {0};
    if (from_stdin ? file_read_fd(STDIN_FILENO, SPEC_BYTES, &text, err) < 0
                   : file_read(path, SPEC_BYTES, &text, err) < 0)
        return error_wrap(err, "spec");
    return read_spec(from_stdin ? "stdin" : path, &text, spec, result, err);
}

static int leave_steps(const struct steps *steps, const char *path, struct error *err) {
    _cleanup_close_ int fd = openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || steps_print(steps, fd) < 0) return error_sys(err, errno, "steps to %s", path);
    return 0;
}

/* While a timed run is on, a launch is held before it builds anything, and whoever
 * wants to find its launcher can. A signal that comes meanwhile is left for the
 * launch itself, which it cancels. */
static int hold(const struct options *o, struct spec *spec, struct result *result,
                struct error *err) {
    if (!lease_any()) return 0;
    if (load_spec(o->spec, spec, result, err) < 0) return -1;
    const char *dir = o->dir ? o->dir : spec->dir;
    _cleanup_close_ int dir_fd = dir ? dir_open(dir, err) : -1;
    if (dir && (dir_fd < 0 || run_folder_claim(dir_fd, err) < 0))
        return error_wrap(err, "run folder");
    _cleanup_close_ int signals = launch_block_signals(err);
    if (signals < 0) return -1;
    quiet_hold(spec, signals, -1, &result->quiet);
    return 0;
}

static int run(const struct options *o, int64_t begin, struct error *err) {
    _cleanup_spec_ struct spec spec = {0};
    _cleanup_result_ struct result result = {.t_launch = begin};
    if (weaken_check(err) < 0) return -1;
    if (hold(o, &spec, &result, err) < 0) return -1;
    struct fence_page *page = fence_page_new(err);
    if (!page) return -1;
    /* Before all else: init has work that takes as long as ours until it is told. */
    _cleanup_launch_ struct launch *launch = launch_open(page, false, err);
    if (!launch) return -1;
    launch_port_to(launch, o->port_to);
    if (!spec.id && load_spec(o->spec, &spec, &result, err) < 0) return -1;
    const char *dir = o->dir ? o->dir : spec.dir;
    _cleanup_close_ int dir_fd = dir ? dir_open(dir, err) : -1;
    if (dir && dir_fd < 0) return error_wrap(err, "run folder");
    if (!dir && !o->print)
        return error_set(err, ERROR_INVALID, "where is the result to go? Give --dir or --print");
    step_mark(&page->steps, STEP_LAUNCHER, STEP_SPEC);
    struct launch *running = launch;
    launch = NULL;
    int r = launch_run(running, &spec, dir_fd, o->print, -1, &result, err);
    if (r < 0 || (o->steps && leave_steps(&page->steps, o->steps, err) < 0)) return -1;
    /* To give memory back piece by piece would only hold up who waits for us. */
    if (r == LAUNCH_LEAVE) _exit(0);
    return 0;
}

/* Ours alone: what is forked from here on is to exec without it. */
static int parse_fd(const char *text, int *fd, struct error *err) {
    char *end;
    long n = strtol(text, &end, 10);
    if (end == text || *end || n <= STDERR_FILENO || n > INT_MAX)
        return error_set(err, ERROR_INVALID, "--listen-fd %s: is no descriptor above 2", text);
    if (fcntl((int)n, F_SETFD, FD_CLOEXEC) < 0)
        return error_sys(err, errno, "--listen-fd %s", text);
    *fd = (int)n;
    return 0;
}

static int parse_run(int argc, char **argv, struct options *o, struct error *err) {
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--print") == 0) o->print = true;
        else if (strcmp(argv[i], "--dir") == 0 && i + 1 < argc) o->dir = argv[++i];
        else if (strncmp(argv[i], "--dir=", 6) == 0) o->dir = argv[i] + 6;
        else if (strcmp(argv[i], "--listen-fd") == 0 && i + 1 < argc) {
            if (parse_fd(argv[++i], &o->port_to, err) < 0) return -1;
        } else if (strcmp(argv[i], "--steps") == 0 && i + 1 < argc) o->steps = argv[++i];
        else if (argv[i][0] == '-' && argv[i][1])
            return error_set(err, ERROR_INVALID, "run: unknown option %s", argv[i]);
        else if (o->spec) return error_set(err, ERROR_INVALID, "run: one spec only");
        else o->spec = argv[i];
    }
    if (!o->spec) return error_set(err, ERROR_INVALID, "run: name a spec, or - for stdin");
    return 0;
}

static int main_run(int argc, char **argv, int64_t begin) {
    _cleanup_error_ struct error err = {0};
    struct options options = {.port_to = -1};
    if (parse_run(argc, argv, &options, &err) < 0) return say_failure(&err), EXIT_USAGE;
    if (run(&options, begin, &err) < 0) return say_failure(&err);
    return 0;
}

/* ---- serve ---- */

static int run_request(struct launch *l, struct fence_page *page, int spec_fd, int dir_fd,
                       int caller, struct error *err) {
    _cleanup_spec_ struct spec spec = {0};
    _cleanup_result_ struct result result = {.t_launch = clock_mono_ns()};
    _cleanup_buf_ struct buf text = {0};
    if (lseek(spec_fd, 0, SEEK_SET) < 0 || file_read_fd(spec_fd, SPEC_BYTES, &text, err) < 0 ||
        read_spec("request", &text, &spec, &result, err) < 0) {
        launch_drop(l);
        return -1;
    }
    if (!launch_fits(&spec)) {
        launch_drop(l);
        page = fence_page_new(err);
        l = page ? launch_open(page, false, err) : NULL;
        if (!l) return -1;
    }
    step_mark(&page->steps, STEP_LAUNCHER, STEP_SPEC);
    quiet_hold(&spec, launch_signals(l), caller, &result.quiet);
    return launch_run(l, &spec, dir_fd, false, caller, &result, err) < 0 ? -1 : 0;
}

static int serve_one(struct launch *l, struct fence_page *page, int spec_fd, int dir_fd,
                     int caller) {
    _cleanup_error_ struct error err = {0};
    return run_request(l, page, spec_fd, dir_fd, caller, &err) < 0 ? say_failure(&err) : 0;
}

static int main_serve(int argc, char **argv) {
    _cleanup_error_ struct error err = {0};
    const char *path = argc > 2 ? argv[2] : NULL;
    int ready = READY_LAUNCHERS;
    for (int i = 3; i < argc; i++) {
        if (strcmp(argv[i], "--ready") == 0 && i + 1 < argc) {
            ready = (int)strtol(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--with-parent") == 0) {
            if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0) return EXIT_OURS;
        } else {
            path = NULL;
        }
    }
    if (!path || path[0] == '-' || ready < 1 || ready > SERVE_MOST_READY)
        return fputs(usage, stderr), EXIT_USAGE;
    return serve(path, ready, serve_one, &err) < 0 ? say_failure(&err) : 0;
}

/* The run asked of a resident launcher, as `run` would do it here. */
static int ask(const char *socket, const char *spec, const char *dir, struct error *err) {
    _cleanup_close_ int connection = request_connect(socket, err);
    if (connection < 0) return -1;
    return request_run(connection, spec, dir, err);
}

static int main_ask(int argc, char **argv) {
    _cleanup_error_ struct error err = {0};
    if (argc != 6 || strcmp(argv[4], "--dir") != 0) return fputs(usage, stderr), EXIT_USAGE;
    int status = ask(argv[2], argv[3], argv[5], &err);
    return status < 0 ? say_failure(&err) : status;
}

static int main_sweep(void) {
    _cleanup_error_ struct error err = {0};
    int n = live_sweep(&err);
    if (n < 0) return say_failure(&err);
    printf("%d\n", n);
    return 0;
}

/* A program started without 0, 1 or 2 would find its pipes there. */
static int hold_stdio(void) {
    int fd;
    do fd = openat(AT_FDCWD, "/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) close(fd);
    return fd < 0 ? -1 : 0;
}

int main(int argc, char **argv) {
    int64_t begin = clock_mono_ns();
    log_init("paddock-sandbox", LOG_LEVEL_WARN);
    if (hold_stdio() < 0) return EXIT_OURS;
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "run") == 0) return main_run(argc, argv, begin);
    if (strcmp(verb, "serve") == 0) return main_serve(argc, argv);
    if (strcmp(verb, "ask") == 0) return main_ask(argc, argv);
    if (strcmp(verb, "sweep") == 0 && argc == 2) return main_sweep();
    if (strcmp(verb, "--version") == 0) return puts("paddock-sandbox " PADDOCK_VERSION), 0;
    if (strcmp(verb, "--help") == 0 || strcmp(verb, "-h") == 0) return fputs(usage, stdout), 0;
    fputs(usage, stderr);
    return EXIT_USAGE;
}
