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
#include "policies/policy.h"
#include "sandbox/request.h"
#include "tests/bench/bench.h"
#include "tests/bench/launch_steps.h"

#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* Returns the bundle's folder in fresh memory. */
static char *write_crun_bundle(const struct bench *b, const char *policy_path) {
    char *bundle = path_join(b->dir, "bundle");
    _cleanup_free_ char *rootfs = path_join(bundle, "rootfs");
    _cleanup_error_ struct error err = {0};
    if (dir_make(rootfs, 0755, &err) < 0) bench_fail("bundle", &err);
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
    if (policy_load(policy_path, &policy, &err) < 0) bench_fail("policy", &err);
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
    _cleanup_free_ char *config = path_join(bundle, "config.json");
    bench_write_text(config, text);
    return bundle;
}

/* ---- a resident launcher ---- */

struct resident {
    pid_t pid;
    char socket[128];
    const char *spec;
};

static void start_resident(struct resident *r, const struct bench *b, const char *launcher) {
    const struct timespec a_while = {.tv_nsec = 400 * NS_PER_MS};
    snprintf(r->socket, sizeof r->socket, "%s/resident.sock", b->dir);
    const char *argv[] = {launcher, "serve", r->socket, "--ready", "3", NULL};
    if (posix_spawn(&r->pid, launcher, NULL, NULL, (char *const *)argv, environ) != 0) r->pid = 0;
    nanosleep(&a_while, NULL); /* until its launchers are ready: that is what it is for */
}

static void stop_resident(const struct resident *r) {
    if (r->pid > 0 && kill(r->pid, SIGTERM) == 0) waitpid(r->pid, NULL, 0);
}

/* From the connect to the answer that the result is there. */
static double ask(const struct resident *r, const struct bench *b) {
    int64_t begin = clock_mono_ns();
    _cleanup_close_ int connection = request_connect(r->socket, NULL);
    if (connection < 0 || request_run(connection, r->spec, b->run_dir, NULL) != 0) return NAN;
    return (double)(clock_mono_ns() - begin) / 1e6;
}

static double sample(const struct bench_tool *t, const struct bench *b) {
    return t->job ? ask(t->job, b) : bench_launch(t, b);
}

/* Takes "--steps" out of the arguments. */
static bool wants_steps(int *argc, char **argv) {
    bool found = false;
    int kept = 1;
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--steps") == 0) found = true;
        else argv[kept++] = argv[i];
    }
    argv[kept] = NULL;
    *argc = kept;
    return found;
}

int main(int argc, char **argv) {
    struct bench b;
    bool steps = wants_steps(&argc, argv);
    bench_begin(&b, argc, argv, 200, "bench_launch [--steps]");
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *policy = policy_find("strict", &err);
    if (!policy) bench_fail("policy strict", &err);
    if (bench_write_filter(&b, policy, &err) < 0) bench_fail("filter", &err);
    _cleanup_free_ char *spec = bench_write_spec(&b, "spec.json",
                                                 &(struct bench_spec){.policy = policy,
                                                                      .argv = "[\"/bin/true\"]",
                                                                      .limits = BENCH_EASY_LIMITS});
    _cleanup_free_ char *bundle = write_crun_bundle(&b, policy);
    _cleanup_free_ char *launcher = bench_bin("paddock-sandbox");
    _cleanup_free_ char *paddock = bench_bin("paddock");
    if (steps) {
        int status = launch_steps(&b, launcher, spec);
        bench_end(&b);
        return status;
    }
    b.v2_view = bench_make_v2_view();
    struct resident resident = {.spec = spec};
    start_resident(&resident, &b, launcher);

    struct bench_tool tools[] = {
        {.name = "bare fork+exec"},
        {.name = "paddock-sandbox run"},
        {.name = "asked of a resident launcher", .job = &resident},
        {.name = "paddock exec"},
        {.name = "bwrap, all namespaces + filter"},
        {.name = "crun run, user ns + seccomp", .in_v2_view = b.v2_view >= 0},
    };
    const char *const job[] = {"/bin/true", NULL};
    bench_set_args(&tools[0], job);
    bench_set_args(&tools[1], (const char *[]){launcher, "run", spec, "--dir", b.run_dir, NULL});
    bench_set_args(&tools[3], (const char *[]){paddock, "exec", "--policy", "strict", "--net",
                                               "none", "--", "/bin/true", NULL});
    bench_bwrap(&tools[4], &b, NULL, job);
    bench_set_args(&tools[5], (const char *[]){"/usr/bin/crun", "--cgroup-manager=disabled", "run",
                                               "--bundle", bundle, "paddock-bench", NULL});
    for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
        if (!tools[i].job) bench_try(&tools[i], &b);
    tools[2].available = !isnan(ask(&resident, &b));
    tools[2].why = "no resident launcher could be started";
    bench_rounds(tools, ARRAY_SIZE(tools), &b, sample);
    stop_resident(&resident);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    json_open_object(w, NULL);
    bench_report(tools, ARRAY_SIZE(tools), &b, "start to exit of /bin/true, ms", w);
    json_close_object(w);
    bench_save(&b, w);
    bench_free_samples(tools, ARRAY_SIZE(tools));
    bench_end(&b);
    return tools[1].available ? 0 : 1;
}
