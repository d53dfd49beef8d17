/*
 * ./dev bench launch: start-to-exit of /bin/true in the full fence, beside a
 * bare fork+exec, bubblewrap and crun, in one interleaved run.
 *
 * Fairness: every round launches each tool once, in a fresh random order, so
 * that drift of the machine hits all alike; before each sample we wait for a
 * quiet moment (procs_running). All get the same job: new user, mount, pid,
 * net, ipc, uts and cgroup namespaces, read-only /usr, fresh proc, tmpfs /tmp,
 * no capabilities, and the same compiled filter (crun: its own JSON profile,
 * generated from the names our policy allows without conditions). Paddock
 * alone also sets up control groups, limits, captured output and a result.
 */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"
#include "policies/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { MAX_ARGS = 96, WARMUP = 5 };

struct tool {
    const char *name;
    const char *argv[MAX_ARGS];
    bool available;
    bool in_v2_view; /* crun refuses hybrid cgroups: it gets a view with v2 only */
    const char *why; /* when not available */
    double *ms;      /* samples */
};

struct bench {
    char dir[64];
    char spec[96], run_dir[96], bundle[96];
    int filter;
    char filter_fd[16];
    int v2_view; /* a mount namespace in which /sys/fs/cgroup is cgroup2, or -1 */
    int runs;
    unsigned seed;
};

static void say_and_exit(const char *what, const struct error *err) {
    fprintf(stderr, "bench: %s: %s\n", what, error_text(err));
    exit(1);
}

/* One launch, in ms from just before fork to just after reaping. */
static double launch_once(const struct tool *t, const struct bench *b) {
    /* bwrap reads the filter from a shared descriptor: rewind it each time. */
    lseek(b->filter, 0, SEEK_SET);
    int64_t begin = clock_mono_ns();
    /* vfork costs the same however large we are, and allows setns(2), which
     * posix_spawn does not offer. NOLINTBEGIN */
    pid_t pid = vfork();
    if (pid == 0) {
        if (t->in_v2_view && setns(b->v2_view, CLONE_NEWNS) < 0) _exit(120);
        execv(t->argv[0], (char *const *)t->argv);
        _exit(121);
    }
    /* NOLINTEND */
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) < 0) return -1;
    int64_t end = clock_mono_ns();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return -1;
    return (double)(end - begin) / 1e6;
}

/* Waits (at most 200 ms) until nothing but us is runnable, twice in a row. */
static void wait_for_quiet(void) {
    int quiet = 0;
    for (int i = 0; i < 100 && quiet < 2; i++) {
        _cleanup_buf_ struct buf text = {0};
        if (file_read("/proc/stat", 1 << 20, &text, NULL) < 0) return;
        const char *line = strstr(buf_text(&text), "procs_running ");
        quiet = line && strtol(line + 14, NULL, 10) <= 1 ? quiet + 1 : 0;
        usleep(2000);
    }
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *sorted, int n, double q) {
    double at = q * (n - 1);
    int i = (int)at;
    return i + 1 < n ? sorted[i] + (at - i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

/* A private mount namespace in which /sys/fs/cgroup is the unified hierarchy.
 * Nothing changes outside of it. */
static int make_v2_view(void) {
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

static void write_text(const char *path, const char *text) {
    _cleanup_error_ struct error err = {0};
    if (file_write_atomic(path, text, strlen(text), 0644, &err) < 0) say_and_exit(path, &err);
}

static void write_paddock_spec(struct bench *b, const char *policy) {
    snprintf(b->spec, sizeof b->spec, "%s/spec.json", b->dir);
    snprintf(b->run_dir, sizeof b->run_dir, "%s/run", b->dir);
    _cleanup_free_ char *text = str_printf(
        "{\"id\": \"bench\", \"argv\": [\"/bin/true\"], \"env\": [\"PATH=/usr/bin:/bin\"], "
        "\"cwd\": \"/\", \"image\": \"host\", \"policy\": \"%s\", \"network\": \"none\", "
        "\"limits\": {\"wall_ms\": 10000, \"memory_bytes\": 268435456, \"pids\": 64, "
        "\"output_bytes\": 65536}}",
        policy);
    write_text(b->spec, text);
    mkdir(b->run_dir, 0700);
}

static int write_filter(const char *policy_path, struct bench *b, struct error *err) {
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

static void write_crun_bundle(struct bench *b, const char *policy_path) {
    snprintf(b->bundle, sizeof b->bundle, "%s/bundle", b->dir);
    _cleanup_free_ char *rootfs = str_printf("%s/rootfs", b->bundle);
    _cleanup_error_ struct error err = {0};
    if (dir_make(rootfs, 0755, &err) < 0) say_and_exit("bundle", &err);
    static const char *const dirs[] = {"usr", "proc", "tmp", "dev", "sys"};
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        _cleanup_free_ char *d = path_join(rootfs, dirs[i]);
        mkdir(d, 0755);
    }
    static const char *const links[] = {"bin", "lib", "lib64", "sbin"};
    for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
        _cleanup_free_ char *to = path_join("usr", links[i]);
        _cleanup_free_ char *at = path_join(rootfs, links[i]);
        if (symlink(to, at) < 0) perror("symlink");
    }
    _cleanup_policy_ struct policy policy = {0};
    if (policy_load(policy_path, &policy, &err) < 0) say_and_exit("policy", &err);
    _cleanup_buf_ struct buf names = {0};
    for (size_t i = 0; i < policy.rule_count; i++) {
        const struct policy_rule *r = &policy.rules[i];
        if (r->action != POLICY_ALLOW || r->condition_count) continue;
        for (size_t c = 0; r->calls[c]; c++)
            buf_printf(&names, "%s\"%s\"", names.len ? "," : "",
                       r->calls[c] + (r->calls[c][0] == '?'));
    }
    /* clone has conditions with us; crun's own default lets it through. */
    buf_puts(&names, ",\"clone\",\"ioctl\",\"prctl\",\"socket\"");
    _cleanup_free_ char *text = str_printf(
        "{\"ociVersion\":\"1.0.0\",\"process\":{\"user\":{\"uid\":0,\"gid\":0},\"args\":[\"/bin/"
        "true\"],"
        "\"env\":[\"PATH=/usr/bin:/bin\"],\"cwd\":\"/"
        "\",\"capabilities\":{},\"noNewPrivileges\":true},"
        "\"root\":{\"path\":\"rootfs\",\"readonly\":true},\"mounts\":["
        "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\"},"
        "{\"destination\":\"/"
        "tmp\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"nodev\"]},"
        "{\"destination\":\"/usr\",\"type\":\"bind\",\"source\":\"/"
        "usr\",\"options\":[\"bind\",\"ro\"]},"
        "{\"destination\":\"/"
        "dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\",\"options\":[\"nosuid\",\"mode=755\"]}],"
        "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"ipc\"},{"
        "\"type\":\"uts\"},"
        "{\"type\":\"network\"},{\"type\":\"user\"},{\"type\":\"cgroup\"}],"
        "\"uidMappings\":[{\"containerID\":0,\"hostID\":%s,\"size\":%s}],"
        "\"gidMappings\":[{\"containerID\":0,\"hostID\":%s,\"size\":%s}],"
        "\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"architectures\":[\"SCMP_ARCH_X86_64\"]"
        ","
        "\"syscalls\":[{\"names\":[%s],\"action\":\"SCMP_ACT_ALLOW\"}]}}}",
        geteuid() ? "1000" : "1879048192", geteuid() ? "1" : "65536",
        geteuid() ? "1000" : "1879048192", geteuid() ? "1" : "65536", buf_text(&names));
    _cleanup_free_ char *config = path_join(b->bundle, "config.json");
    write_text(config, text);
}

static void set_args(struct tool *t, const char *const *args) {
    size_t n = 0;
    for (; args[n] && n < MAX_ARGS - 1; n++) t->argv[n] = args[n];
    t->argv[n] = NULL;
}

/* One trial decides whether a tool can be measured here. */
static void try_tool(struct tool *t, const struct bench *b) {
    if (access(t->argv[0], X_OK) < 0) {
        t->why = "not installed";
        return;
    }
    t->available = launch_once(t, b) >= 0;
    if (!t->available) t->why = "does not run on this machine";
}

static void measure(struct tool *tools, size_t count, struct bench *b) {
    for (size_t i = 0; i < count; i++) tools[i].ms = calloc((size_t)b->runs, sizeof(double));
    for (int r = -WARMUP; r < b->runs; r++) {
        size_t order[16];
        for (size_t i = 0; i < count; i++) order[i] = i;
        for (size_t i = count; i > 1; i--) {
            size_t j = (size_t)rand_r(&b->seed) % i, swap = order[i - 1];
            order[i - 1] = order[j];
            order[j] = swap;
        }
        for (size_t i = 0; i < count; i++) {
            struct tool *t = &tools[order[i]];
            if (!t->available) continue;
            wait_for_quiet();
            double ms = launch_once(t, b);
            if (ms < 0) {
                t->available = false;
                t->why = "failed in the middle of the measurement";
            } else if (r >= 0) {
                t->ms[r] = ms;
            }
        }
        if (r >= 0 && r % 25 == 24) fprintf(stderr, "round %d/%d\n", r + 1, b->runs);
    }
}

static void report(struct tool *tools, size_t count, const struct bench *b, const char *json) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    json_open_object(w, NULL);
    json_put_int(w, "runs", b->runs);
    json_open_array(w, "tools");
    printf("%-34s %8s %8s %8s %8s %8s\n", "launcher", "min ms", "p50", "p90", "p99", "x bare");
    double bare = 0;
    for (size_t i = 0; i < count; i++) {
        struct tool *t = &tools[i];
        json_open_object(w, NULL);
        json_put_string(w, "name", t->name);
        if (t->available) {
            qsort(t->ms, (size_t)b->runs, sizeof(double), compare_doubles);
            double p50 = quantile(t->ms, b->runs, 0.5);
            if (i == 0) bare = p50;
            printf("%-34s %8.2f %8.2f %8.2f %8.2f %8.2f\n", t->name, t->ms[0], p50,
                   quantile(t->ms, b->runs, 0.9), quantile(t->ms, b->runs, 0.99), p50 / bare);
            json_put_double(w, "min_ms", t->ms[0]);
            json_put_double(w, "p50_ms", p50);
            json_put_double(w, "p90_ms", quantile(t->ms, b->runs, 0.9));
            json_put_double(w, "p99_ms", quantile(t->ms, b->runs, 0.99));
            json_put_double(w, "ratio", p50 / bare);
        } else {
            printf("%-34s %s\n", t->name, t->why);
            json_put_string(w, "unavailable", t->why);
        }
        json_close_object(w);
        free(t->ms);
    }
    json_close_array(w);
    json_close_object(w);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    _cleanup_error_ struct error err = {0};
    if (json && text && file_write_atomic(json, text, len, 0644, &err) < 0)
        say_and_exit(json, &err);
}

int main(int argc, char **argv) {
    struct bench b = {.dir = "/tmp/paddock-bench-XXXXXX", .v2_view = -1, .runs = 200, .seed = 1};
    const char *json = NULL;
    for (int i = 1; i < argc; i++) {
        if (i + 1 < argc && strcmp(argv[i], "--runs") == 0)
            b.runs = (int)strtol(argv[++i], NULL, 10);
        else if (i + 1 < argc && strcmp(argv[i], "--json") == 0) json = argv[++i];
        else return fprintf(stderr, "usage: bench_launch [--runs N] [--json FILE]\n"), 2;
    }
    if (b.runs < 10) b.runs = 10;
    _cleanup_error_ struct error err = {0};
    if (!mkdtemp(b.dir)) return perror("mkdtemp"), 1;
    _cleanup_free_ char *policy = policy_find("strict", &err);
    if (!policy) say_and_exit("policy strict", &err);
    write_paddock_spec(&b, policy);
    if (write_filter(policy, &b, &err) < 0) say_and_exit("filter", &err);
    write_crun_bundle(&b, policy);
    _cleanup_free_ char *bin = path_join(BENCH_BIN, "paddock-sandbox");
    _cleanup_free_ char *paddock = path_join(BENCH_BIN, "paddock");
    b.v2_view = make_v2_view();

    struct tool tools[] = {
        {.name = "bare fork+exec"},
        {.name = "paddock-sandbox run"},
        {.name = "paddock exec"},
        {.name = "bwrap, all namespaces + filter"},
        {.name = "crun run, user ns + seccomp", .in_v2_view = b.v2_view >= 0},
    };
    set_args(&tools[0], (const char *[]){"/bin/true", NULL});
    set_args(&tools[1], (const char *[]){bin, "run", b.spec, "--dir", b.run_dir, NULL});
    set_args(&tools[2], (const char *[]){paddock, "exec", "--policy", "strict", "--net", "none",
                                         "--", "/bin/true", NULL});
    set_args(&tools[3], (const char *[]){"/usr/bin/bwrap",
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
                                         "--seccomp",
                                         b.filter_fd,
                                         "/bin/true",
                                         NULL});
    set_args(&tools[4], (const char *[]){"/usr/bin/crun", "--cgroup-manager=disabled", "run",
                                         "--bundle", b.bundle, "paddock-bench", NULL});
    for (size_t i = 0; i < ARRAY_SIZE(tools); i++) try_tool(&tools[i], &b);
    measure(tools, ARRAY_SIZE(tools), &b);
    report(tools, ARRAY_SIZE(tools), &b, json);
    tree_remove(b.dir, NULL);
    return tools[1].available ? 0 : 1;
}
