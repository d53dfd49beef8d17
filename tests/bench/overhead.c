/*
 * ./dev bench overhead: what the fence costs the program inside it.
 *
 * Each workload runs bare, fenced and in bubblewrap with the same filter, the
 * three next to each other in every round, all on one processor; what is
 * reported is the median of the rounds' paired ratios with its bootstrap
 * interval. Small operations are timed by the program itself (ns of
 * processor time per operation, the best of ten slices; exec by the wall clock), training runs from
 * the launcher's start to its exit, set-up included. Policy: train.
 */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "policies/policy.h"
#include "tests/bench/bench.h"

#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { ARMS = 3, TRAIN_PART = 4, CPU_LOG_MAX = 1000 };
static const char *const arms[ARMS] = {"bare", "paddock", "bwrap + filter"};

struct workload {
    const char *name, *unit;
    const char *op, *count; /* of the payload; NULL for a program */
    const char *command;    /* of sh, in a folder of its own; it reads $DATA, writes $OUT */
    bool available;
    const char *why;
};

#define OPERATION(text, unit, op, count) \
    { text, unit, op, count, NULL, true, NULL }

static const struct workload workloads[] = {
    OPERATION("cpu-bound loop (1,000 steps)", "ns", "cpu", "40000"),
    OPERATION("getppid", "ns", "call", "1000000"),
    OPERATION("read of a byte from /dev/null", "ns", "read", "600000"),
    OPERATION("ioctl, looked at by the filter", "ns", "filtered", "600000"),
    OPERATION("page fault", "ns", "fault", "300"),
    OPERATION("vfork + exec + wait", "ns", "exec", "200"),
    {"tinygpt, record 2", "ms", NULL, NULL, "./gpt train >/dev/null && times", false, NULL},
    {"PyTorch, two layers", "ms", NULL, NULL, "/usr/bin/python3 train.py >/dev/null && times",
     false, NULL},
};
enum { WORKLOADS = ARRAY_SIZE(workloads) };

static const char torch_script[] =
    "import torch\n"
    "torch.manual_seed(1)\n"
    "torch.set_num_threads(1)\n"
    "model = torch.nn.Sequential(torch.nn.Linear(128, 512), torch.nn.ReLU(),\n"
    "                            torch.nn.Linear(512, 10))\n"
    "opt = torch.optim.Adam(model.parameters())\n"
    "x, y = torch.randn(4096, 128), torch.randint(0, 10, (4096,))\n"
    "for step in range(60):\n"
    "    i = torch.randint(0, 4096, (256,))\n"
    "    loss = torch.nn.functional.cross_entropy(model(x[i]), y[i])\n"
    "    opt.zero_grad(); loss.backward(); opt.step()\n"
    "print(loss.item())\n";

/* ---- sampling ---- */

static double operation_sample(const struct bench_tool *t, const struct bench *b) {
    _cleanup_buf_ struct buf out = {0};
    if (isnan(bench_launch_read(t, b, &out)) || !out.len) return NAN;
    return strtod(buf_text(&out), NULL);
}

/* Processor time of each run, in the order they were made. */
struct cpu_log {
    double *ms;
    int *count;
};

/* "1m2.34s" at *at, moved behind it, in ms. */
static double minutes_seconds(const char **at) {
    char *end = NULL;
    double minutes = strtod(*at, &end);
    if (end == *at || *end != 'm') return NAN;
    double seconds = strtod(end + 1, &end);
    *at = end + (*end == 's');
    return (minutes * 60 + seconds) * 1e3;
}

/* What the shell's `times` says last: user and system time of its children. */
static double cpu_time(const char *text) {
    const char *line = strrchr(text, '\n');
    while (line > text && line[-1] != '\n') line--;
    double user = line ? minutes_seconds(&line) : NAN;
    return line ? user + minutes_seconds(&line) : NAN;
}

static double program_sample(const struct bench_tool *t, const struct bench *b) {
    const struct cpu_log *log = t->job;
    _cleanup_buf_ struct buf out = {0};
    double wall = bench_launch_read(t, b, &out);
    if (isnan(wall)) return NAN;
    log->ms[(*log->count)++] = out.len ? cpu_time(buf_text(&out)) : NAN;
    return wall;
}

/* The logs hold the warm-up rounds too: the last ones in place of the wall times. */
static void swap_in_cpu(struct bench_tool *tools, const struct bench *b) {
    for (int a = 0; a < ARMS; a++) {
        const struct cpu_log *log = tools[a].job;
        if (tools[a].available)
            memcpy(tools[a].samples, log->ms + *log->count - b->runs,
                   (size_t)b->runs * sizeof(double));
    }
}

/* ---- set-up ---- */

static void set_operation(struct bench_tool *tools, const struct workload *w, struct bench *b,
                          const char *policy) {
    const char *payload = bench_payload(), *launcher = bench_bin("paddock-sandbox");
    _cleanup_free_ char *mount = bench_payload_mount();
    _cleanup_free_ char *more =
        str_printf("%s\"stdin\": \"null\", \"stdout\": \"inherit\", ", mount);
    _cleanup_free_ char *argv =
        str_printf("[\"" BENCH_PAYLOAD "\", \"%s\", \"%s\"]", w->op, w->count);
    const char *spec = bench_write_spec(
        b, w->op,
        &(struct bench_spec){
            .policy = policy, .argv = argv, .limits = BENCH_EASY_LIMITS, .more = more});
    bench_set_args(&tools[0], (const char *[]){payload, w->op, w->count, NULL});
    bench_set_args(&tools[1], (const char *[]){launcher, "run", spec, "--dir", b->run_dir, NULL});
    bench_bwrap(&tools[2], b, (const char *[]){"--ro-bind", payload, BENCH_PAYLOAD, NULL},
                (const char *[]){BENCH_PAYLOAD, w->op, w->count, NULL});
}

static void set_program(struct bench_tool *tools, const struct workload *w, const char *dir,
                        struct bench *b, const char *policy) {
    const char *launcher = bench_bin("paddock-sandbox");
    _cleanup_free_ char *argv = str_printf("[\"sh\", \"-c\", \"%s\"]", w->command);
    _cleanup_free_ char *more = str_printf(
        "\"stdin\": \"null\", \"stdout\": \"inherit\", \"mounts\": [{\"source\": \"%s/data\", "
        "\"target\": \"/data\"}], ",
        b->dir);
    _cleanup_free_ char *name = str_printf("%s.json", strrchr(dir, '/') + 1);
    const char *spec = bench_write_spec(
        b, name,
        &(struct bench_spec){.policy = policy,
                             .argv = argv,
                             .env = "[\"PATH=/usr/bin:/bin\", \"HOME=/tmp\", \"LANG=C.UTF-8\", "
                                    "\"PADDOCK_SEED=1\", \"PADDOCK_DATA=/data\", "
                                    "\"PADDOCK_OUT=/work/out\"]",
                             .workspace = dir,
                             .cwd = "/work",
                             .limits = "{\"wall_ms\": 120000, \"memory_bytes\": 2147483648, "
                                       "\"pids\": 64, \"disk_bytes\": 134217728}",
                             .more = more});
    char *bare = str_printf("cd %s && PADDOCK_DATA=%s/data PADDOCK_OUT=%s/out %s", dir, b->dir, dir,
                            w->command);
    char *data = str_printf("%s/data", b->dir);
    bench_set_args(&tools[0], (const char *[]){"/bin/sh", "-c", bare, NULL});
    bench_set_args(&tools[1], (const char *[]){launcher, "run", spec, "--dir", b->run_dir, NULL});
    bench_bwrap(&tools[2], b,
                (const char *[]){"--ro-bind", "/etc/alternatives", "/etc/alternatives", "--bind",
                                 dir, "/work", "--chdir", "/work", "--ro-bind", data, "/data",
                                 "--setenv", "PADDOCK_DATA", "/data", "--setenv", "PADDOCK_OUT",
                                 "/work/out", NULL},
                (const char *[]){"/bin/sh", "-c", w->command, NULL});
}

static bool run_shell(const char *command) {
    return system(command) == 0; /* NOLINT(cert-env33-c): our own fixed text */
}

/* The two training runs: a folder each, built or written once. */
static void build_programs(struct workload *w, char **dirs, const struct bench *b) {
    for (int i = 0; i < WORKLOADS; i++) {
        if (w[i].op) continue;
        dirs[i] = str_printf("%s/program-%d", b->dir, i);
        _cleanup_free_ char *out = str_printf("%s/out", dirs[i]);
        _cleanup_free_ char *data = str_printf("%s/data", b->dir);
        mkdir(dirs[i], 0755);
        mkdir(out, 0755);
        mkdir(data, 0755);
        if (strstr(w[i].command, "python3")) {
            _cleanup_free_ char *script = path_join(dirs[i], "train.py");
            bench_write_text(script, torch_script);
            w[i].available = run_shell("/usr/bin/python3 -c 'import torch' 2>/dev/null");
            w[i].why = "python3-torch is not installed";
        } else {
            _cleanup_free_ char *make =
                str_printf("bible -f gen1:1-rev22:21 >%s/train.txt 2>/dev/null && cp " BENCH_SOURCE
                           "/tasks/catalog/tinygpt/records/2/* %s && cd %s && sh build.sh",
                           data, dirs[i], dirs[i]);
            w[i].available = run_shell(make);
            w[i].why = "no bible or no cc to make it with";
        }
    }
}

/* ---- reporting ---- */

static void report(const struct workload *w, const char *name, struct bench_tool *tools,
                   struct bench *b, struct json_writer *json) {
    const double *bare = tools[0].samples;
    double base = 0;
    for (int a = 0; a < ARMS; a++) {
        struct bench_tool *t = &tools[a];
        if (!t->available || !tools[0].available) {
            printf("%-32s %-15s %s\n", name, arms[a], t->why ? t->why : "no bare run");
            continue;
        }
        struct bench_ratio ratio = bench_paired(t->samples, bare, b->runs, &b->seed);
        double *sorted = calloc((size_t)b->runs, sizeof(double));
        memcpy(sorted, t->samples, (size_t)b->runs * sizeof(double));
        bench_sort(sorted, b->runs);
        double p50 = bench_quantile(sorted, b->runs, 0.5);
        if (a == 0) base = p50;
        printf("%-32s %-15s %10.1f %s %+9.1f   %.4f [%.4f, %.4f]\n", a ? "" : name, arms[a], p50,
               w->unit, p50 - base, ratio.median, ratio.low, ratio.high);
        json_open_object(json, NULL);
        json_put_string(json, "workload", name);
        json_put_string(json, "arm", arms[a]);
        json_put_string(json, "unit", w->unit);
        json_put_int(json, "runs", b->runs);
        json_put_double(json, "p50", p50);
        json_put_double(json, "ratio", ratio.median);
        json_put_double(json, "ratio_low", ratio.low);
        json_put_double(json, "ratio_high", ratio.high);
        json_close_object(json);
        free(sorted);
    }
}

/* All on one processor, the last: interrupts tend to be the first one's. */
static void pin(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) < 0) return;
    int last = CPU_SETSIZE - 1;
    while (last > 0 && !CPU_ISSET(last, &set)) last--;
    CPU_ZERO(&set);
    CPU_SET(last, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0) perror("bench: affinity");
}

/* One workload in all arms. False when it ran bare and not in the fence. */
static bool measure(const struct workload *w, const char *dir, int runs, struct bench *b,
                    const char *policy, struct json_writer *json) {
    struct bench_tool tools[ARMS] = {
        {.name = arms[0], .available = w->available, .why = w->why},
        {.name = arms[1], .available = w->available, .why = w->why},
        {.name = arms[2],
         .available = w->available && access("/usr/bin/bwrap", X_OK) == 0,
         .why = w->available ? "not installed" : w->why}};
    double cpu_ms[ARMS][CPU_LOG_MAX];
    int counts[ARMS] = {0};
    struct cpu_log logs[ARMS];
    for (int a = 0; a < ARMS; a++) {
        logs[a] = (struct cpu_log){cpu_ms[a], &counts[a]};
        tools[a].job = &logs[a];
    }
    if (w->op) set_operation(tools, w, b, policy);
    else set_program(tools, w, dir, b, policy);
    b->runs = w->op ? runs : (runs + TRAIN_PART - 1) / TRAIN_PART;
    bench_rounds(tools, ARMS, b, w->op ? operation_sample : program_sample);
    report(w, w->name, tools, b, json);
    if (!w->op && w->available) {
        _cleanup_free_ char *cpu = str_printf("  %s, cpu time", w->name);
        swap_in_cpu(tools, b);
        report(w, cpu, tools, b, json);
    }
    fflush(stdout);
    bool done = tools[1].available || !w->available;
    bench_free_samples(tools, ARMS);
    return done;
}

int main(int argc, char **argv) {
    struct bench b;
    bench_begin(&b, argc, argv, 40, "bench_overhead");
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *policy = policy_find("train", &err);
    if (!policy) bench_fail("policy train", &err);
    if (bench_write_filter(&b, policy, &err) < 0) bench_fail("filter", &err);
    setenv("PADDOCK_SEED", "1", 1);
    struct workload w[WORKLOADS];
    char *dirs[WORKLOADS] = {0};
    memcpy(w, workloads, sizeof w);
    build_programs(w, dirs, &b);
    pin();
    _cleanup_json_writer_ struct json_writer *json = json_writer_new(true);
    json_open_object(json, NULL);
    json_open_array(json, "workloads");
    printf("%-32s %-15s %13s %9s   %s\n", "workload", "", "p50", "more",
           "paired ratio to bare [95 %]");
    int runs = b.runs;
    if (runs / TRAIN_PART + BENCH_WARMUP >= CPU_LOG_MAX)
        return fprintf(stderr, "too many runs\n"), 2;
    bool all = true;
    for (int i = 0; i < WORKLOADS; i++)
        all = measure(&w[i], dirs[i], runs, &b, policy, json) && all;
    json_close_array(json);
    json_close_object(json);
    bench_save(&b, json);
    bench_end(&b);
    return all ? 0 : 1;
}
