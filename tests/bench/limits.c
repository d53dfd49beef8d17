/*
 * ./dev bench limits: how long after a limit the end of the program is seen.
 *
 * The wall and cpu limits are clocks: what counts is the time beyond them. The
 * others are walls the program runs into (the kernel refuses what is beyond, so
 * nothing is overstepped): what counts is the time from the program's last sign
 * of life, stamped by the launcher, to its end. Peers: timeout(1) around
 * bubblewrap, whose clock runs from its own start, and prlimit(1).
 */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "policies/policy.h"
#include "sandbox/result.h"
#include "tests/bench/bench.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum measure {
    CLOCK_BEYOND, /* the program's wall time − limit */
    CPU_BEYOND,   /* the tree's cpu time − limit */
    LAST_SIGN,    /* end − last output */
    TOTAL_BEYOND, /* start to exit of the launcher − limit: what a peer can be asked */
};

struct job {
    const char *payload, *limits;
    enum ended ended;
    enum measure measure;
    double limit_ms;
    char *run_dir;
};

#define LIMITS(text) "{\"output_bytes\": 1048576, \"pids\": 64, " text "}"

static const struct job jobs[] = {
    {"spin", LIMITS("\"wall_ms\": 200"), ENDED_WALL_LIMIT, CLOCK_BEYOND, 200, NULL},
    {"sleep", LIMITS("\"wall_ms\": 200"), ENDED_WALL_LIMIT, CLOCK_BEYOND, 200, NULL},
    {"spin", LIMITS("\"wall_ms\": 200"), ENDED_WALL_LIMIT, TOTAL_BEYOND, 200, NULL},
    {"spin", "", ENDED_EXIT, TOTAL_BEYOND, 200, NULL},
    {"spin", LIMITS("\"cpu_ms\": 1000"), ENDED_CPU_LIMIT, CPU_BEYOND, 1000, NULL},
    {"spin", "", ENDED_EXIT, TOTAL_BEYOND, 1000, NULL},
    {"memory", LIMITS("\"memory_bytes\": 67108864"), ENDED_MEMORY_LIMIT, LAST_SIGN, 0, NULL},
    {"forks", "{\"output_bytes\": 65536, \"pids\": 32}", ENDED_PIDS_LIMIT, LAST_SIGN, 0, NULL},
    {"output", "{\"output_bytes\": 1048576}", ENDED_OUTPUT_LIMIT, LAST_SIGN, 0, NULL},
    {"disk", LIMITS("\"disk_bytes\": 4194304"), ENDED_DISK_LIMIT, LAST_SIGN, 0, NULL},
};
static const char *const names[] = {
    "wall limit, spinning",
    "wall limit, sleeping",
    "  the same from the launcher's start",
    "  timeout -s KILL + bwrap, likewise",
    "cpu limit, spinning (cpu ms beyond)",
    "  prlimit --cpu=1 + bwrap, total",
    "memory limit, after the last MiB",
    "pids limit, after the refused fork",
    "output limit, after the last byte",
    "disk limit, after the refused write",
};
enum { JOBS = ARRAY_SIZE(jobs) };

/* The stamp of the last chunk of output, ns since the program's start. */
static int64_t last_sign(const struct job *job) {
    _cleanup_buf_ struct buf text = {0};
    _cleanup_free_ char *path = path_join(job->run_dir, "stamps");
    if (file_read(path, 1 << 22, &text, NULL) < 0 || text.len < 2) return -1;
    const char *line = buf_text(&text) + text.len - 1;
    while (line > buf_text(&text) && line[-1] != '\n') line--;
    return strtoll(line, NULL, 10);
}

static double judge_result(const struct job *job) {
    _cleanup_result_ struct result result = {0};
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *path = path_join(job->run_dir, "result.json");
    if (result_load(path, &result, &err) < 0) return NAN;
    if (result.ended != job->ended) {
        fprintf(stderr, "bench: %s ended as %s, not %s: %s\n", job->payload,
                ended_name(result.ended), ended_name(job->ended),
                result.error ? result.error : "no error");
        return NAN;
    }
    double wall = (double)result.wall_ns / 1e6;
    if (job->measure == CLOCK_BEYOND) return wall - job->limit_ms;
    if (job->measure == CPU_BEYOND)
        return (double)(result.cpu_user_ns + result.cpu_system_ns) / 1e6 - job->limit_ms;
    int64_t sign = last_sign(job);
    return sign < 0 ? NAN : wall - (double)sign / 1e6;
}

static double sample(const struct bench_tool *t, const struct bench *b) {
    const struct job *job = t->job;
    int status = 0;
    int64_t begin = clock_mono_ns();
    pid_t pid = bench_spawn(t, b, -1);
    if (pid < 0 || waitpid(pid, &status, 0) < 0) return NAN;
    double total = (double)(clock_mono_ns() - begin) / 1e6;
    if (job->run_dir && (!WIFEXITED(status) || WEXITSTATUS(status) != 0)) return NAN;
    if (job->measure == TOTAL_BEYOND) return total - job->limit_ms;
    return judge_result(job);
}

static void set_paddock(struct bench_tool *t, struct job *job, int i, struct bench *b,
                        const char *policy, const char *launcher) {
    char name[32];
    snprintf(name, sizeof name, "spec-%d.json", i);
    _cleanup_free_ char *mount = bench_payload_mount();
    _cleanup_free_ char *argv = str_printf("[\"" BENCH_PAYLOAD "\", \"%s\"]", job->payload);
    job->run_dir = str_printf("%s/run-%d", b->dir, i);
    mkdir(job->run_dir, 0700);
    const char *spec = bench_write_spec(
        b, name,
        &(struct bench_spec){
            .policy = policy, .argv = argv, .limits = job->limits, .cwd = "/work", .more = mount});
    bench_set_args(t, (const char *[]){launcher, "run", spec, "--dir", job->run_dir, NULL});
}

/* A peer's limit is a program in front of it. */
static void set_peer(struct bench_tool *t, const struct bench *b, const char *const *front) {
    struct bench_tool bwrap = {0};
    const char *payload = bench_payload();
    bench_bwrap(&bwrap, b, (const char *[]){"--ro-bind", payload, BENCH_PAYLOAD, NULL},
                (const char *[]){BENCH_PAYLOAD, "spin", NULL});
    size_t n = 0;
    while (front[n]) n++;
    const char *args[BENCH_MAX_ARGS];
    memcpy(args, front, n * sizeof *args);
    memcpy(args + n, bwrap.argv, (BENCH_MAX_ARGS - n) * sizeof *args);
    bench_set_args(t, args);
}

int main(int argc, char **argv) {
    struct bench b;
    bench_begin(&b, argc, argv, 50, "bench_limits");
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *policy = policy_find("strict", &err);
    if (!policy) bench_fail("policy strict", &err);
    if (bench_write_filter(&b, policy, &err) < 0) bench_fail("filter", &err);
    _cleanup_free_ char *launcher = bench_bin("paddock-sandbox");
    struct bench_tool tools[JOBS] = {0};
    struct job own[JOBS];
    for (int i = 0; i < JOBS; i++) {
        struct bench_tool *t = &tools[i];
        own[i] = jobs[i];
        t->name = names[i];
        t->job = &own[i];
        if (*own[i].limits) set_paddock(t, &own[i], i, &b, policy, launcher);
        else if (own[i].limit_ms < 1000)
            set_peer(t, &b, (const char *[]){"/usr/bin/timeout", "-s", "KILL", "0.2", NULL});
        else set_peer(t, &b, (const char *[]){"/usr/bin/prlimit", "--cpu=1", NULL});
        t->available = *own[i].limits || access("/usr/bin/bwrap", X_OK) == 0;
        t->why = t->available ? NULL : "not installed";
    }
    bench_rounds(tools, JOBS, &b, sample);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    json_open_object(w, NULL);
    bench_report(tools, JOBS, &b, "ms beyond the limit", w);
    json_close_object(w);
    bench_save(&b, w);
    bench_free_samples(tools, JOBS);
    bench_end(&b);
    return tools[0].available ? 0 : 1;
}
