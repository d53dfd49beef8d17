/*
 * Writes a spec into a run folder, starts the launcher on it and waits. The
 * launcher does all the work and copies the program's output to our stdout and
 * stderr as it comes; we turn its result into an exit status and one line.
 */
#include "orchestrator/exec/exec.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "common/log.h"
#include "orchestrator/exec/request.h"
#include "orchestrator/paths/paths.h"
#include "sandbox/request.h"
#include "sandbox/result.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { EXIT_USAGE = 2, EXIT_OURS = 125 };

static void print_help(void) {
    _cleanup_buf_ struct buf text = {0};
    buf_puts(&text, "usage: paddock exec [options] -- COMMAND [ARGUMENT...]\n\n"
                    "Runs a command inside the fence, under limits, and times it from outside.\n"
                    "Needs no daemon and no privilege.\n\n");
    args_describe(exec_options, &text);
    buf_puts(&text, "\nExit status: the command's own; 124 time limit, 125 Paddock's own failure,\n"
                    "126/127 not executable/not found, 128+n signal, 137 memory limit.\n\n"
                    "Example:\n"
                    "  paddock exec --wall 10s --mem 512M --json result.json -- python3 -c "
                    "'print(6*7)'\n");
    fputs(buf_text(&text), stdout);
}

/* The launcher is told to stop by us, so that it can end and report the run;
 * we go on waiting for it. */
static volatile sig_atomic_t launcher_pid;
static volatile sig_atomic_t came_early; /* before there was a launcher */

static void forward(int signum) {
    int passed = signum == SIGHUP ? SIGHUP : SIGTERM;
    if (launcher_pid > 0) kill((pid_t)launcher_pid, passed);
    else came_early = passed;
}

static void forward_signals(void) {
    struct sigaction action = {.sa_handler = forward, .sa_flags = SA_RESTART};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGQUIT, &action, NULL);
}

static int run_launcher(const char *spec_path, const char *dir, struct error *err) {
    _cleanup_free_ char *program = paths_program("paddock-sandbox", err);
    if (!program) return -1;
    const char *argv[] = {program, "run", spec_path, "--dir", dir, NULL};
    /* A group of its own: Ctrl-C reaches us alone, and we pass it on in order.
     * The terminal's input stays usable, since the launcher never reads it. */
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    pid_t pid = 0;
    forward_signals();
    int failed = posix_spawn(&pid, program, NULL, &attributes, (char *const *)argv, environ);
    posix_spawnattr_destroy(&attributes);
    if (failed) return error_sys(err, failed, "start %s", program);
    launcher_pid = pid;
    if (came_early) kill(pid, (int)came_early);
    int status = 0;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR) return error_sys(err, errno, "wait for the launcher");
    launcher_pid = 0;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
    if (WIFSIGNALED(status))
        return error_set(err, ERROR_INTERNAL, "the launcher was killed by signal %d",
                         WTERMSIG(status));
    return error_set(err, ERROR_INTERNAL, "the launcher failed"); /* it said why itself */
}

static int resident_caller = -1;

/* Its end is what a resident launcher takes for "stop". */
static void hang_up(int signum) {
    (void)signum;
    shutdown(resident_caller, SHUT_WR);
}

static int ask_resident(const char *spec_path, const char *dir, struct error *err) {
    _cleanup_free_ char *socket = paths_socket_client(err);
    _cleanup_free_ char *path = socket ? paths_resident(socket, err) : NULL;
    if (!path) return -1;
    _cleanup_close_ int connection = request_connect(path, err);
    if (connection < 0)
        return error_wrap(err, "no resident launcher (does a daemon of this user run?)");
    struct sigaction action = {.sa_handler = hang_up, .sa_flags = SA_RESTART};
    resident_caller = connection;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    sigaction(SIGQUIT, &action, NULL);
    int status = request_run(connection, spec_path, dir, err);
    if (status <= 0) return status;
    return error_set(err, ERROR_INTERNAL, "the launcher failed"); /* it said why itself */
}

static int write_spec(const struct spec *spec, const char *path, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    if (!w) return error_sys(err, ENOMEM, "spec");
    if (spec_encode(spec, w, err) < 0) return -1;
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    if (!text) return error_set(err, ERROR_INTERNAL, "spec: could not be written as JSON");
    FILE *f = fopen(path, "wxe");
    if (!f) return error_sys(err, errno, "%s", path);
    bool ok = fwrite(text, 1, len, f) == len;
    ok = fclose(f) == 0 && ok;
    return ok ? 0 : error_sys(err, errno, "%s", path);
}

static void say_how_it_ended(const struct result *r) {
    switch (r->ended) {
    case ENDED_EXIT:
        if (r->error) fprintf(stderr, "paddock: %s\n", r->error);
        return;
    case ENDED_SIGNAL: fprintf(stderr, "paddock: ended by signal %d\n", r->signal); return;
    case ENDED_SETUP_ERROR:
    case ENDED_POLICY_VIOLATION:
        fprintf(stderr, "paddock: %s: %s\n", ended_name(r->ended), r->error ? r->error : "");
        return;
    default:
        fprintf(stderr, "paddock: ended by %s after %.3f s%s%s\n", ended_name(r->ended),
                (double)r->wall_ns / 1e9, r->error ? ": " : "", r->error ? r->error : "");
    }
}

static int deliver(const char *from, const char *to, struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    if (file_read(from, 16 << 20, &text, err) < 0) return -1;
    if (strcmp(to, "-") == 0) {
        if (write_all(STDOUT_FILENO, buf_text(&text), text.len) < 0)
            return error_sys(err, errno, "stdout");
        return 0;
    }
    return file_write_atomic(to, buf_text(&text), text.len, 0644, err);
}

static int launch(const struct exec_request *r, const char *spec_path, const char *dir,
                  struct error *err) {
    return r->resident ? ask_resident(spec_path, dir, err) : run_launcher(spec_path, dir, err);
}

static int run_in(struct exec_request *r, const char *dir, struct error *err) {
    _cleanup_free_ char *spec_path = path_join(dir, "spec.json");
    _cleanup_free_ char *result_path = path_join(dir, "result.json");
    r->spec.dir = strdup(dir);
    if (!spec_path || !result_path || !r->spec.dir) return error_sys(err, ENOMEM, "exec");
    _cleanup_result_ struct result result = {0};
    if (write_spec(&r->spec, spec_path, err) < 0 || launch(r, spec_path, dir, err) < 0 ||
        result_load(result_path, &result, err) < 0)
        return -1;
    say_how_it_ended(&result);
    if (r->json && deliver(result_path, r->json, err) < 0) return -1;
    if (r->learn && result.ended != ENDED_SETUP_ERROR) {
        _cleanup_free_ char *calls_path = path_join(dir, "calls.json");
        if (!calls_path) return error_sys(err, ENOMEM, "exec");
        if (deliver(calls_path, r->learn, err) < 0) return -1;
    }
    return result_exit_status(&result);
}

static int run(struct exec_request *r, struct error *err) {
    if (r->out) {
        if (dir_make(r->out, 0755, err) < 0) return error_wrap(err, "--out");
        _cleanup_free_ char *there = path_join(r->out, "spec.json");
        if (there && access(there, F_OK) == 0)
            return error_set(err, ERROR_EXISTS, "--out %s: holds an earlier run already", r->out);
        return run_in(r, r->out, err);
    }
    const char *base = getenv("TMPDIR");
    _cleanup_free_ char *dir = str_printf("%s/paddock-exec-XXXXXX", base && *base ? base : "/tmp");
    if (!dir || !mkdtemp(dir)) return error_sys(err, errno, "temporary run folder");
    int status = run_in(r, dir, err);
    tree_remove(dir, NULL);
    return status;
}

/* argv up to "--" in fresh memory, and what follows it. Without "--" the
 * command starts at the first word that is no option's. */
static char **split_command(char *const *argv, char *const **command) {
    size_t n = 0;
    while (argv[n] && strcmp(argv[n], "--") != 0) n++;
    *command = argv[n] ? argv + n + 1 : argv + n;
    char **own = calloc(n + 1, sizeof(char *));
    for (size_t i = 0; own && i < n; i++) own[i] = argv[i];
    return own;
}

int exec_main(char *const *argv) {
    if (args_wants_help(argv)) return print_help(), 0;
    _cleanup_error_ struct error err = {0};
    _cleanup_args_ struct args args = {0};
    struct exec_request request = {0};
    char *const *command = NULL;
    _cleanup_free_ char **own = split_command(argv, &command);
    if (!own || args_parse(exec_options, NULL, own, &args, &err) < 0 ||
        (args.operands && args.operands[0] &&
         error_set(&err, ERROR_INVALID, "%s: write the command after --", args.operands[0]) < 0) ||
        exec_request_make(&args, command, &request, &err) < 0) {
        fprintf(stderr, "paddock exec: %s\n", error_text(&err));
        exec_request_clear(&request);
        return err.kind == ERROR_INVALID ? EXIT_USAGE : EXIT_OURS;
    }
    int status = run(&request, &err);
    if (status < 0) {
        fprintf(stderr, "paddock exec: %s\n", error_text(&err));
        status = EXIT_OURS;
    }
    exec_request_clear(&request);
    return status;
}
