/*
 * What the benches share: rounds in which every tool takes one sample in a
 * fresh random order (so that drift of the machine hits all alike), a gate that
 * waits for a quiet moment, quantiles, the fence's spec and filter, and the
 * arguments that make bubblewrap do the same job.
 */
#ifndef PADDOCK_TESTS_BENCH_H
#define PADDOCK_TESTS_BENCH_H

#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { BENCH_MAX_ARGS = 96, BENCH_MAX_TOOLS = 16, BENCH_WARMUP = 5 };

struct bench_tool {
    const char *name;
    const char *argv[BENCH_MAX_ARGS];
    bool in_v2_view; /* crun refuses hybrid cgroups: it gets a view with v2 only */
    bool own_group;  /* started as the leader of a process group */
    bool available;
    const char *why; /* when not available */
    const void *job; /* whatever else the bench's sampler needs */
    double *samples; /* as many as rounds; what they mean is the bench's matter */
};

struct bench {
    char dir[64];     /* a scratch folder of our own */
    char run_dir[96]; /* where the launcher leaves its result */
    int filter;       /* a memfd with the compiled filter, inherited by bwrap, or -1 */
    char filter_fd[16];
    int v2_view; /* a mount namespace in which /sys/fs/cgroup is cgroup2, or -1 */
    int runs;
    unsigned seed;
    const char *json; /* where the figures are written, or NULL */
};

/* Reads --runs N and --json FILE (and nothing else), makes the scratch folder.
 * Ends the process on nonsense: benches are programs, not libraries. */
void bench_begin(struct bench *b, int argc, char **argv, int runs, const char *usage);
void bench_end(struct bench *b);
/* "bench: what: text", exit 1. */
_Noreturn void bench_fail(const char *what, const struct error *err);

/* Waits (at most 200 ms) until nothing but us is runnable, twice in a row. */
void bench_wait_for_quiet(void);
void bench_shuffle(size_t *order, size_t count, unsigned *seed);

void bench_sort(double *values, int n);
double bench_quantile(const double *sorted, int n, double q);

/* A path in the folder our programs were built into; fresh memory. */
char *bench_bin(const char *program);
/* Writes a whole file or ends the process. */
void bench_write_text(const char *path, const char *text);

/* What a spec of the fence asks for, the rest being the same in all benches. */
struct bench_spec {
    const char *id;        /* NULL: one of our own; two that run at once need two */
    const char *policy;    /* path of a policy */
    const char *argv;      /* JSON array */
    const char *env;       /* JSON array; NULL: a PATH alone */
    const char *limits;    /* JSON object */
    const char *workspace; /* a host folder copied to /work, or NULL */
    const char *cwd;       /* NULL: / */
    const char *more;      /* further members, each with a comma behind it, or NULL */
};
/* Writes DIR/NAME and returns its path in fresh memory. */
char *bench_write_spec(struct bench *b, const char *name, const struct bench_spec *spec);
/* The program of tests/bench/payload.c: on the host, and as a member of
 * bench_spec.more that mounts it at BENCH_PAYLOAD. Fresh memory. */
#define BENCH_PAYLOAD "/payload"
char *bench_payload(void);
char *bench_payload_mount(void);
/* A limits object that strains nothing. */
#define BENCH_EASY_LIMITS \
    "{\"wall_ms\": 10000, \"memory_bytes\": 268435456, \"pids\": 64, \"output_bytes\": 65536}"

/* The policy's compiled filter into b->filter. */
int bench_write_filter(struct bench *b, const char *policy_path, struct error *err);

/* A private mount namespace in which /sys/fs/cgroup is the unified hierarchy,
 * or -1. Nothing changes outside of it. */
int bench_make_v2_view(void);

void bench_set_args(struct bench_tool *t, const char *const *args);
/* bwrap doing the fence's job: all namespaces, read-only /usr, fresh proc,
 * tmpfs /tmp, no capabilities, our filter (if b->filter). `more` are further
 * options, may be NULL. */
void bench_bwrap(struct bench_tool *t, const struct bench *b, const char *const *more,
                 const char *const *command);

/* Starts a tool's program, its stdout going to `out` unless that is -1; -1 when
 * it could not. */
pid_t bench_spawn(const struct bench_tool *t, const struct bench *b, int out);
/* One launch, in ms from just before fork to just after reaping; NAN when it
 * did not exit with 0. */
double bench_launch(const struct bench_tool *t, const struct bench *b);
/* The same with what it wrote on stdout (at most 64 KiB). */
double bench_launch_read(const struct bench_tool *t, const struct bench *b, struct buf *out);
/* One trial decides whether a tool can be measured here. */
void bench_try(struct bench_tool *t, const struct bench *b);

/* Takes one sample; NAN when the tool failed. */
typedef double bench_sampler(const struct bench_tool *t, const struct bench *b);
/* BENCH_WARMUP rounds for nothing (or fewer when few are asked for), then
 * b->runs rounds into samples, which it allocates (bench_free_samples). */
void bench_rounds(struct bench_tool *tools, size_t count, struct bench *b, bench_sampler *sample);
void bench_free_samples(struct bench_tool *tools, size_t count);

/* The median of paired ratios samples[i]/base[i], with the 95 % interval of a
 * percentile bootstrap (2,000 resamples). */
struct bench_ratio {
    double median, low, high;
};
struct bench_ratio bench_paired(const double *samples, const double *base, int n, unsigned *seed);

/* Sorts the samples of each and prints min, p50, p90, p99, max and p50 in terms
 * of the first tool's; the same into the writer as an array "tools". */
void bench_report(struct bench_tool *tools, size_t count, const struct bench *b, const char *what,
                  struct json_writer *w);
/* Writes the finished document to b->json, if asked for. */
void bench_save(const struct bench *b, struct json_writer *w);

#endif
