/*
 * ./dev bench kill: a tree of a thousand processes is killed; how long until
 * nothing of it is left.
 *
 * Paddock: from the moment its wall limit was due to t_empty, in the control
 * group modes this machine has (views made in private mount namespaces). Peers:
 * from the SIGKILL to the end of file on a pipe that every process of the tree
 * holds, which is when the last of them has given back its memory and files;
 * Paddock's t_empty comes later than that, after pid 1 was reaped and the groups
 * were asked.
 */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "policies/policy.h"
#include "sandbox/result.h"
#include "tests/bench/bench.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { FAN = 999, WALL_MS = 1500, MODES = 4, PEERS = 2 };
#define TREE "999" /* children, with the first process a thousand */

struct job {
    char *run_dir; /* of Paddock; NULL for a peer */
    bool plain;    /* by a user without groups */
};

/* ---- Paddock ---- */

static double paddock_sample(const struct bench_tool *t, const struct bench *b) {
    const struct job *job = t->job;
    if (isnan(bench_launch(t, b))) return NAN;
    _cleanup_result_ struct result result = {0};
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf said = {0};
    _cleanup_free_ char *path = path_join(job->run_dir, "result.json");
    _cleanup_free_ char *out = path_join(job->run_dir, "stdout");
    if (result_load(path, &result, &err) < 0 || file_read(out, 64, &said, &err) < 0) {
        fprintf(stderr, "bench: %s: %s\n", t->name, error_text(&err));
        return NAN;
    }
    if (result.ended != ENDED_WALL_LIMIT || strcmp(buf_text(&said), "1000\n") != 0) {
        fprintf(stderr, "bench: %s: the tree did not stand: ended as %s: %s\n", t->name,
                ended_name(result.ended), result.error ? result.error : "too slow?");
        return NAN;
    }
    return (double)(result.t_empty - result.t_clock_start) / 1e6 - WALL_MS;
}

/* ---- peers ---- */

/* Starts a peer with a pipe that the tree inherits, waits until the tree stands, kills, waits for
 * the pipe's end. */
static double peer_sample(const struct bench_tool *t, const struct bench *b) {
    int said[2], held[2];
    if (pipe2(said, O_CLOEXEC) < 0 || pipe2(held, 0) < 0) return NAN;
    fcntl(held[0], F_SETFD, FD_CLOEXEC);
    pid_t pid = bench_spawn(t, b, said[1]);
    close(said[1]);
    close(held[1]);
    char text[16] = {0};
    double ms = NAN;
    if (pid > 0 && read(said[0], text, sizeof text - 1) > 0 && strcmp(text, "1000\n") == 0) {
        bench_wait_for_quiet();
        int64_t begin = clock_mono_ns();
        kill(t->own_group ? -pid : pid, SIGKILL);
        while (read(held[0], text, 1) < 0 && errno == EINTR) {
        }
        ms = (double)(clock_mono_ns() - begin) / 1e6;
    } else if (pid > 0) {
        kill(t->own_group ? -pid : pid, SIGKILL);
    }
    if (pid > 0) waitpid(pid, NULL, 0);
    close(said[0]);
    close(held[0]);
    return ms;
}

static double sample(const struct bench_tool *t, const struct bench *b) {
    const struct job *job = t->job;
    return job->run_dir ? paddock_sample(t, b) : peer_sample(t, b);
}

/* ---- set-up ---- */

/* What stands in front of the launcher to make a mode. */
static const char *const fronts[MODES][10] = {
    {NULL},
    {"/usr/bin/unshare", "-m", "--propagation", "private", "sh", "-c",
     "umount -l /sys/fs/cgroup/unified && exec \"$@\"", "sh", NULL},
    {"/usr/bin/unshare", "-m", "--propagation", "private", "sh", "-c",
     "mount -t cgroup2 none /sys/fs/cgroup && exec \"$@\"", "sh", NULL},
    {"/usr/bin/setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", NULL},
};

static void set_paddock(struct bench_tool *t, struct job *job, int i, struct bench *b,
                        const char *policy) {
    char name[32];
    snprintf(name, sizeof name, "spec-%d.json", i);
    _cleanup_free_ char *mount = bench_payload_mount();
    job->run_dir = str_printf("%s/run-%d", b->dir, i);
    mkdir(job->run_dir, 0700);
    if (job->plain && (chown(job->run_dir, 54321, 54321) < 0 || chmod(b->dir, 0755) < 0))
        perror("bench: chown");
    const char *spec = bench_write_spec(
        b, name,
        &(struct bench_spec){.policy = policy,
                             .argv = "[\"" BENCH_PAYLOAD "\", \"tree\", \"" TREE "\", \"1\"]",
                             .limits = "{\"wall_ms\": 1500, \"pids\": 1100, "
                                       "\"memory_bytes\": 1073741824}",
                             .more = mount});
    const char *args[BENCH_MAX_ARGS];
    size_t n = 0;
    for (; fronts[i][n]; n++) args[n] = fronts[i][n];
    args[n++] = bench_bin("paddock-sandbox");
    args[n++] = "run";
    args[n++] = spec;
    args[n++] = "--dir";
    args[n++] = job->run_dir;
    args[n] = NULL;
    bench_set_args(t, args);
}

int main(int argc, char **argv) {
    struct bench b;
    bench_begin(&b, argc, argv, 20, "bench_kill");
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *policy = policy_find("strict", &err);
    if (!policy) bench_fail("policy strict", &err);
    if (bench_write_filter(&b, policy, &err) < 0) bench_fail("filter", &err);
    const char *payload = bench_payload();
    struct bench_tool tools[MODES + PEERS] = {
        {.name = "paddock, groups as they are"},
        {.name = "paddock, v1 groups alone"},
        {.name = "paddock, v2 groups alone"},
        {.name = "paddock, plain user, no groups"},
        {.name = "bare, SIGKILL to the group", .own_group = true},
        {.name = "bwrap --die-with-parent"},
    };
    struct job own[MODES + PEERS] = {[3] = {.plain = true}};
    for (int i = 0; i < MODES; i++) set_paddock(&tools[i], &own[i], i, &b, policy);
    const char *const job[] = {payload, "tree", TREE, "1", NULL};
    const char *const inside[] = {BENCH_PAYLOAD, "tree", TREE, "1", NULL};
    const char *const bind[] = {"--ro-bind", payload, BENCH_PAYLOAD, NULL};
    bench_set_args(&tools[MODES], job);
    bench_bwrap(&tools[MODES + 1], &b, bind, inside);
    for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
        tools[i].job = &own[i];
        tools[i].available = !isnan(sample(&tools[i], &b));
        tools[i].why = tools[i].available ? NULL : "does not run on this machine";
    }
    bench_rounds(tools, ARRAY_SIZE(tools), &b, sample);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    json_open_object(w, NULL);
    bench_report(tools, ARRAY_SIZE(tools), &b, "1,000 processes: kill to empty, ms", w);
    json_close_object(w);
    bench_save(&b, w);
    bench_free_samples(tools, ARRAY_SIZE(tools));
    bench_end(&b);
    return tools[0].available ? 0 : 1;
}
