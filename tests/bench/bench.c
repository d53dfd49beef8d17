#include "tests/bench/bench.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "policies/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

_Noreturn void bench_fail(const char *what, const struct error *err) {
    fprintf(stderr, "bench: %s: %s\n", what, error_text(err));
    exit(1);
}

void bench_begin(struct bench *b, int argc, char **argv, int runs, const char *usage) {
    *b = (struct bench){
        .dir = "/tmp/paddock-bench-XXXXXX", .filter = -1, .v2_view = -1, .runs = runs, .seed = 1};
    for (int i = 1; i < argc; i++) {
        if (i + 1 < argc && strcmp(argv[i], "--runs") == 0)
            b->runs = (int)strtol(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--json") == 0) b->json = argv[++i];
        else b->runs = 0;
    }
    if (b->runs < 1) {
        fprintf(stderr, "usage: %s [--runs N] [--json FILE]\n", usage);
        exit(2);
    }
    if (!mkdtemp(b->dir)) {
        perror("bench: mkdtemp");
        exit(1);
    }
    snprintf(b->run_dir, sizeof b->run_dir, "%s/run", b->dir);
    if (mkdir(b->run_dir, 0700) < 0) perror("bench: run folder");
}

void bench_end(struct bench *b) {
    if (b->filter >= 0) close(b->filter);
    if (b->v2_view >= 0) close(b->v2_view);
    tree_remove(b->dir, NULL);
}

void bench_wait_for_quiet(void) {
    int quiet = 0;
    for (int i = 0; i < 100 && quiet < 2; i++) {
        _cleanup_buf_ struct buf text = {0};
        if (file_read("/proc/stat", 1 << 20, &text, NULL) < 0) return;
        const char *line = strstr(buf_text(&text), "procs_running ");
        quiet = line && strtol(line + 14, NULL, 10) <= 1 ? quiet + 1 : 0;
        usleep(2000);
    }
}

void bench_shuffle(size_t *order, size_t count, unsigned *seed) {
    for (size_t i = 0; i < count; i++) order[i] = i;
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)rand_r(seed) % i, swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void bench_sort(double *values, int n) {
    qsort(values, (size_t)n, sizeof *values, compare_doubles);
}

double bench_quantile(const double *sorted, int n, double q) {
    double at = q * (n - 1);
    int i = (int)at;
    return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

char *bench_bin(const char *program) {
    return path_join(BENCH_BIN, program);
}

char *bench_payload(void) {
    return path_join(BENCH_TESTS, "bench_payload");
}

char *bench_payload_mount(void) {
    _cleanup_free_ char *payload = bench_payload();
    return str_printf("\"mounts\": [{\"source\": \"%s\", \"target\": \"" BENCH_PAYLOAD
                      "\", \"exec\": true}], ",
                      payload);
}

void bench_write_text(const char *path, const char *text) {
    _cleanup_error_ struct error err = {0};
    if (file_write_atomic(path, text, strlen(text), 0644, &err) < 0) bench_fail(path, &err);
}

char *bench_write_spec(struct bench *b, const char *name, const struct bench_spec *spec) {
    char *path = path_join(b->dir, name);
    char own_id[32];
    snprintf(own_id, sizeof own_id, "bench-%d", (int)getpid());
    _cleanup_free_ char *workspace =
        spec->workspace ? str_printf("\"workspace\": {\"source\": \"%s\"}, ", spec->workspace)
                        : str_printf("%s", "");
    _cleanup_free_ char *text =
        str_printf("{\"id\": \"%s\", \"argv\": %s, \"env\": %s, "
                   "\"cwd\": \"%s\", \"image\": \"host\", \"policy\": \"%s\", %s%s"
                   "\"network\": \"none\", \"limits\": %s}",
                   spec->id ? spec->id : own_id, spec->argv,
                   spec->env ? spec->env : "[\"PATH=/usr/bin:/bin\"]", spec->cwd ? spec->cwd : "/",
                   spec->policy, workspace, spec->more ? spec->more : "", spec->limits);
    bench_write_text(path, text);
    return path;
}

int bench_write_filter(struct bench *b, const char *policy_path, struct error *err) {
    _cleanup_policy_ struct policy policy = {0};
    struct policy_filter filter = {0};
    if (policy_load(policy_path, &policy, err) < 0 || policy_filter(&policy, &filter, err) < 0)
        return -1;
    policy_filter_unheard(&filter);     /* bwrap does not listen */
    int fd = memfd_create("filter", 0); /* inherited by bwrap */
    if (fd < 0 || write_all(fd, filter.insns, filter.count * sizeof *filter.insns) < 0)
        return error_sys(err, errno, "filter");
    policy_filter_clear(&filter);
    b->filter = fd;
    snprintf(b->filter_fd, sizeof b->filter_fd, "%d", fd);
    return 0;
}

int bench_make_v2_view(void) {
    int pipefd[2];
    if (pipe2(pipefd, O_CLOEXEC) < 0) return -1;
    pid_t pid = fork();
    if (pid == 0) {
        bool ok = unshare(CLONE_NEWNS) == 0 &&
                  mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) == 0 &&
                  mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, NULL) == 0;
        if (write(pipefd[1], ok ? "y" : "n", 1) == 1) pause();
        _exit(0);
    }
    char answer = 'n';
    int fd = -1;
    if (pid > 0 && read(pipefd[0], &answer, 1) == 1 && answer == 'y') {
        char path[48];
        snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int)pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (pid > 0) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
    }
    close(pipefd[0]);
    close(pipefd[1]);
    return fd;
}

static size_t add_args(struct bench_tool *t, size_t n, const char *const *args) {
    for (size_t i = 0; args && args[i] && n < BENCH_MAX_ARGS - 1; i++) t->argv[n++] = args[i];
    t->argv[n] = NULL;
    return n;
}

void bench_set_args(struct bench_tool *t, const char *const *args) {
    add_args(t, 0, args);
}

void bench_bwrap(struct bench_tool *t, const struct bench *b, const char *const *more,
                 const char *const *command) {
    static const char *const base[] = {"/usr/bin/bwrap",
                                       "--unshare-user",
                                       "--unshare-ipc",
                                       "--unshare-pid",
                                       "--unshare-net",
                                       "--unshare-uts",
                                       "--unshare-cgroup",
                                       "--ro-bind",
                                       "/usr",
                                       "/usr",
                                       "--symlink",
                                       "usr/bin",
                                       "/bin",
                                       "--symlink",
                                       "usr/lib",
                                       "/lib",
                                       "--symlink",
                                       "usr/lib64",
                                       "/lib64",
                                       "--symlink",
                                       "usr/sbin",
                                       "/sbin",
                                       "--proc",
                                       "/proc",
                                       "--dev",
                                       "/dev",
                                       "--tmpfs",
                                       "/tmp",
                                       "--cap-drop",
                                       "ALL",
                                       "--new-session",
                                       "--die-with-parent",
                                       NULL};
    size_t n = add_args(t, 0, base);
    if (b->filter >= 0) n = add_args(t, n, (const char *[]){"--seccomp", b->filter_fd, NULL});
    n = add_args(t, n, more);
    add_args(t, n, command);
}

pid_t bench_spawn(const struct bench_tool *t, const struct bench *b, int out) {
    /* bwrap reads the filter from a shared descriptor: rewind it each time. */
    if (b->filter >= 0) lseek(b->filter, 0, SEEK_SET);
    /* vfork costs the same however large we are, and allows setns(2), which
     * posix_spawn does not offer. NOLINTBEGIN */
    pid_t pid = vfork();
    if (pid == 0) {
        if (t->in_v2_view && setns(b->v2_view, CLONE_NEWNS) < 0) _exit(120);
        if (t->own_group && setpgid(0, 0) < 0) _exit(120);
        if (out >= 0 && dup2(out, STDOUT_FILENO) < 0) _exit(120);
        execv(t->argv[0], (char *const *)t->argv);
        _exit(121);
    }
    /* NOLINTEND */
    return pid;
}

/* Waits for one, and says how long it took since `begin`, or NAN. */
static double reap(pid_t pid, int64_t begin) {
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) < 0) return NAN;
    int64_t end = clock_mono_ns();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return NAN;
    return (double)(end - begin) / 1e6;
}

double bench_launch(const struct bench_tool *t, const struct bench *b) {
    int64_t begin = clock_mono_ns();
    return reap(bench_spawn(t, b, -1), begin);
}

double bench_launch_read(const struct bench_tool *t, const struct bench *b, struct buf *out) {
    int pipefd[2];
    if (pipe2(pipefd, O_CLOEXEC) < 0) return NAN;
    int64_t begin = clock_mono_ns();
    pid_t pid = bench_spawn(t, b, pipefd[1]);
    close(pipefd[1]);
    bool whole = file_read_fd(pipefd[0], 65536, out, NULL) == 0;
    close(pipefd[0]);
    double ms = reap(pid, begin);
    return whole ? ms : NAN;
}

void bench_try(struct bench_tool *t, const struct bench *b) {
    if (access(t->argv[0], X_OK) < 0) {
        t->why = "not installed";
        return;
    }
    t->available = !isnan(bench_launch(t, b));
    if (!t->available) t->why = "does not run on this machine";
}

void bench_rounds(struct bench_tool *tools, size_t count, struct bench *b, bench_sampler *sample) {
    int warmup = b->runs < 4 * BENCH_WARMUP ? (b->runs + 3) / 4 : BENCH_WARMUP;
    for (size_t i = 0; i < count; i++) tools[i].samples = calloc((size_t)b->runs, sizeof(double));
    for (int r = -warmup; r < b->runs; r++) {
        size_t order[BENCH_MAX_TOOLS];
        bench_shuffle(order, count, &b->seed);
        for (size_t i = 0; i < count; i++) {
            struct bench_tool *t = &tools[order[i]];
            if (!t->available) continue;
            bench_wait_for_quiet();
            double got = sample(t, b);
            if (isnan(got)) {
                t->available = false;
                t->why = "failed in the middle of the measurement";
            } else if (r >= 0) {
                t->samples[r] = got;
            }
        }
        if (r >= 0 && r % 25 == 24) fprintf(stderr, "round %d/%d\n", r + 1, b->runs);
    }
}

void bench_free_samples(struct bench_tool *tools, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(tools[i].samples);
        tools[i].samples = NULL;
    }
}

struct bench_ratio bench_paired(const double *samples, const double *base, int n, unsigned *seed) {
    enum { RESAMPLES = 2000 };
    _cleanup_free_ double *ratios = calloc((size_t)n, sizeof(double));
    _cleanup_free_ double *drawn = calloc((size_t)n, sizeof(double));
    _cleanup_free_ double *medians = calloc(RESAMPLES, sizeof(double));
    for (int i = 0; i < n; i++) ratios[i] = samples[i] / base[i];
    for (int r = 0; r < RESAMPLES; r++) {
        for (int i = 0; i < n; i++) drawn[i] = ratios[rand_r(seed) % n];
        bench_sort(drawn, n);
        medians[r] = bench_quantile(drawn, n, 0.5);
    }
    bench_sort(medians, RESAMPLES);
    bench_sort(ratios, n);
    return (struct bench_ratio){bench_quantile(ratios, n, 0.5),
                                bench_quantile(medians, RESAMPLES, 0.025),
                                bench_quantile(medians, RESAMPLES, 0.975)};
}

static void report_one(struct bench_tool *t, const struct bench *b, double *first,
                       struct json_writer *w) {
    static const struct {
        const char *name;
        double q;
    } cols[] = {{"min", 0}, {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"max", 1}};
    json_open_object(w, NULL);
    json_put_string(w, "name", t->name);
    if (!t->available) {
        printf("%-38s %s\n", t->name, t->why);
        json_put_string(w, "unavailable", t->why);
    } else {
        bench_sort(t->samples, b->runs);
        printf("%-38s", t->name);
        for (size_t c = 0; c < ARRAY_SIZE(cols); c++) {
            double v = bench_quantile(t->samples, b->runs, cols[c].q);
            printf(" %8.2f", v);
            json_put_double(w, cols[c].name, v);
        }
        double p50 = bench_quantile(t->samples, b->runs, 0.5);
        if (*first <= 0) *first = p50;
        printf(" %8.2f\n", p50 / *first);
        json_put_double(w, "ratio", p50 / *first);
    }
    json_close_object(w);
}

void bench_report(struct bench_tool *tools, size_t count, const struct bench *b, const char *what,
                  struct json_writer *w) {
    double first = 0;
    json_put_int(w, "runs", b->runs);
    json_open_array(w, "tools");
    printf("%-38s %8s %8s %8s %8s %8s %8s\n", what, "min", "p50", "p90", "p99", "max", "x first");
    for (size_t i = 0; i < count; i++) report_one(&tools[i], b, &first, w);
    json_close_array(w);
}

void bench_save(const struct bench *b, struct json_writer *w) {
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    _cleanup_error_ struct error err = {0};
    if (b->json && text && file_write_atomic(b->json, text, len, 0644, &err) < 0)
        bench_fail(b->json, &err);
}
