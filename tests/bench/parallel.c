/*
 * ./dev bench parallel: launches of /bin/true per second with one and with two
 * loops, beside bubblewrap, bare fork+exec, and unshare(1), which makes the same
 * namespaces and a procfs and nothing else: as near as any fence could come. A sample
 * is a short burst, so that a quiet moment is likely to hold it; the bursts of all
 * tools interleave.
 */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "policies/policy.h"
#include "tests/bench/bench.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { LOOPS_MAX = 2, KINDS = 4 };
#define BURST_NS (250 * NS_PER_MS)

/* One way to launch: each loop has arguments of its own (id and run folder). */
struct row {
    struct bench_tool loop[LOOPS_MAX];
    int loops;
};

struct burst { /* shared with the loops */
    int64_t launches, ns;
    bool failed;
};

/* bwrap reads the filter up to its end: each loop needs an offset of its own. */
static void own_filter(const struct bench *b) {
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", b->filter);
    int fd = open(path, O_RDONLY);
    if (fd < 0 || dup2(fd, b->filter) < 0) _exit(1);
    close(fd);
}

static void run_loop(const struct bench_tool *t, const struct bench *b, struct burst *mine,
                     int64_t start) {
    own_filter(b);
    while (clock_mono_ns() < start) {
    }
    int64_t now = start;
    while (now < start + BURST_NS) {
        if (isnan(bench_launch(t, b))) {
            mine->failed = true;
            return;
        }
        mine->launches++;
        now = clock_mono_ns();
    }
    mine->ns = now - start;
}

/* Launches per second of all loops together. */
static double sample(const struct bench_tool *t, const struct bench *b) {
    const struct row *row = t->job;
    struct burst *bursts = mmap(NULL, sizeof *bursts * LOOPS_MAX, PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (bursts == MAP_FAILED) return NAN;
    int64_t start = clock_mono_ns() + 5 * NS_PER_MS;
    pid_t pids[LOOPS_MAX];
    for (int i = 0; i < row->loops; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            run_loop(&row->loop[i], b, &bursts[i], start);
            _exit(0);
        }
    }
    double rate = 0;
    for (int i = 0; i < row->loops; i++) {
        waitpid(pids[i], NULL, 0);
        if (bursts[i].failed || bursts[i].ns <= 0) rate = -1e9;
        else rate += (double)bursts[i].launches * 1e9 / (double)bursts[i].ns;
    }
    munmap(bursts, sizeof *bursts * LOOPS_MAX);
    return rate < 0 ? NAN : rate;
}

static void set_paddock(struct bench_tool *t, struct bench *b, int i, const char *policy,
                        const char *launcher) {
    char id[32], name[32];
    snprintf(id, sizeof id, "bench-%d-%d", (int)getpid(), i);
    snprintf(name, sizeof name, "spec-%d.json", i);
    char *dir = str_printf("%s/run-%d", b->dir, i);
    mkdir(dir, 0700);
    char *spec = bench_write_spec(
        b, name,
        &(struct bench_spec){
            .id = id, .policy = policy, .argv = "[\"/bin/true\"]", .limits = BENCH_EASY_LIMITS});
    bench_set_args(t, (const char *[]){launcher, "run", spec, "--dir", dir, NULL});
}

/* Best and median burst, and how much more than bubblewrap's with as many loops. */
static void report(struct bench_tool *tools, const struct bench *b, struct json_writer *w) {
    const struct bench_tool *bwrap = &tools[2 * LOOPS_MAX];
    printf("%-38s %9s %9s %10s %10s\n", "launches per second", "best", "p50", "best/bwrap",
           "p50/bwrap");
    json_put_int(w, "runs", b->runs);
    json_open_array(w, "tools");
    for (int i = 0; i < KINDS * LOOPS_MAX; i++)
        if (tools[i].available) bench_sort(tools[i].samples, b->runs);
    for (int i = 0; i < KINDS * LOOPS_MAX; i++) {
        const struct bench_tool *t = &tools[i], *peer = &bwrap[i % LOOPS_MAX];
        json_open_object(w, NULL);
        json_put_string(w, "name", t->name);
        if (!t->available) {
            printf("%-38s %s\n", t->name, t->why);
            json_put_string(w, "unavailable", t->why);
        } else {
            double best = t->samples[b->runs - 1], p50 = bench_quantile(t->samples, b->runs, 0.5);
            printf("%-38s %9.0f %9.0f", t->name, best, p50);
            json_put_double(w, "best", best);
            json_put_double(w, "p50", p50);
            if (peer->available) {
                double by_p50 = p50 / bench_quantile(peer->samples, b->runs, 0.5);
                printf(" %10.2f %10.2f", best / peer->samples[b->runs - 1], by_p50);
                json_put_double(w, "best_ratio", best / peer->samples[b->runs - 1]);
                json_put_double(w, "p50_ratio", by_p50);
            }
            printf("\n");
        }
        json_close_object(w);
    }
    json_close_array(w);
}

int main(int argc, char **argv) {
    struct bench b;
    bench_begin(&b, argc, argv, 30, "bench_parallel");
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *policy = policy_find("strict", &err);
    if (!policy) bench_fail("policy strict", &err);
    if (bench_write_filter(&b, policy, &err) < 0) bench_fail("filter", &err);
    _cleanup_free_ char *launcher = bench_bin("paddock-sandbox");
    const char *const job[] = {"/bin/true", NULL};
    const char *const namespaces[] = {"/usr/bin/unshare", "-Urmpinuf", "--mount-proc", "/bin/true",
                                      NULL};

    struct row rows[KINDS * LOOPS_MAX] = {0};
    struct bench_tool tools[KINDS * LOOPS_MAX] = {
        {.name = "bare fork+exec, 1 loop"},        {.name = "bare fork+exec, 2 loops"},
        {.name = "paddock-sandbox run, 1 loop"},   {.name = "paddock-sandbox run, 2 loops"},
        {.name = "bwrap, all + filter, 1 loop"},   {.name = "bwrap, all + filter, 2 loops"},
        {.name = "unshare, nothing else, 1 loop"}, {.name = "unshare, nothing else, 2 loops"},
    };
    for (int i = 0; i < KINDS * LOOPS_MAX; i++) {
        struct row *row = &rows[i];
        row->loops = i % LOOPS_MAX + 1;
        for (int l = 0; l < row->loops; l++) {
            if (i / LOOPS_MAX == 0) bench_set_args(&row->loop[l], job);
            else if (i / LOOPS_MAX == 1) set_paddock(&row->loop[l], &b, l, policy, launcher);
            else if (i / LOOPS_MAX == 2) bench_bwrap(&row->loop[l], &b, NULL, job);
            else bench_set_args(&row->loop[l], namespaces);
        }
        tools[i].job = row;
        bench_try(&row->loop[0], &b);
        tools[i].available = row->loop[0].available;
        tools[i].why = row->loop[0].why;
    }
    bench_rounds(tools, ARRAY_SIZE(tools), &b, sample);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    json_open_object(w, NULL);
    report(tools, &b, w);
    json_close_object(w);
    bench_save(&b, w);
    bench_free_samples(tools, ARRAY_SIZE(tools));
    bench_end(&b);
    return tools[LOOPS_MAX].available ? 0 : 1;
}
