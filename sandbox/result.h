/*
 * The result: what happened in one run, as a struct and as JSON
 * (docs/reference/result.md). Written once by the launcher, read by whoever
 * asked for the run. All times are CLOCK_MONOTONIC ns.
 */
#ifndef PADDOCK_SANDBOX_RESULT_H
#define PADDOCK_SANDBOX_RESULT_H

#include "common/error.h"
#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ended {
    ENDED_EXIT,   /* the program exited; see exit_code */
    ENDED_SIGNAL, /* a signal ended it; see signal */
    ENDED_WALL_LIMIT,
    ENDED_CPU_LIMIT,
    ENDED_MEMORY_LIMIT,
    ENDED_PIDS_LIMIT,
    ENDED_OUTPUT_LIMIT,
    ENDED_DISK_LIMIT,
    ENDED_POLICY_VIOLATION, /* a forbidden system call killed it */
    ENDED_SETUP_ERROR,      /* the fence could not be built; nothing ran */
    ENDED_CANCELLED,        /* the launcher was told to stop (SIGTERM, SIGINT) */
    ENDED_DONE,             /* a gated program said DONE, and was killed then */
    ENDED_CLOCK,            /* a gated program broke the clock's protocol */
};

const char *ended_name(enum ended e); /* "exit", "wall-limit", … */

enum layer_state { LAYER_ON, LAYER_WEAKER, LAYER_OFF };

struct layer {  /* one line of the fence report */
    char *name; /* "user-namespace", "seccomp", "landlock", "cgroup", … */
    enum layer_state state;
    char *detail; /* what exactly; why not, when weaker or off */
};

enum enforcer { ENFORCER_NONE, ENFORCER_KERNEL, ENFORCER_RLIMIT, ENFORCER_WATCHER };

struct limit_report {
    char *name;    /* "wall", "cpu", "memory", "pids", "output", "disk", "inodes", … */
    int64_t value; /* in the unit of the spec */
    enum enforcer by;
    char *detail; /* e.g. "memory.limit_in_bytes"; may be NULL */
};

struct collected {
    char *path; /* as in the spec */
    char *as;
    bool present;
    int64_t files, bytes;
    int64_t skipped; /* links, devices, … left behind */
    bool truncated;  /* a cap stopped it: the copy is not complete */
    char *reason;    /* first thing that was skipped or cut, and why; may be NULL */
};

struct violation { /* the call that a policy-violation was */
    char *call;    /* its name; NULL when it is not known: then number is −1, args are 0 */
    int number;    /* on `arch` */
    char *arch;    /* "x86_64"; NULL when not known */
    uint64_t args[6];
    char *rule;    /* of the policy; NULL: its default */
    char *reason;  /* of the rule, or why there is none */
    char *process; /* name of the process that made it, by its own choosing; may be NULL */
};

struct quiet_report {  /* of a run among timed ones (quiet.h) */
    int64_t held_ns;   /* it waited before its program began */
    int64_t frozen_ns; /* its program was frozen, within its clock's window */
    int64_t others;    /* of a timed run: other sandboxes that lived; −1: not a timed run */
    int64_t loud;      /* … that did not go away */
};

struct gpu_report_item {
    char *uuid, *name, *pci;
    char *instance; /* of a MIG GPU: "<gi>/<ci>"; NULL: all of it */
    int64_t index;
};

struct gpu_report { /* the GPUs lent to a run */
    char *driver;   /* its version */
    struct gpu_report_item *items;
    size_t count;
    char **nodes; /* as the program saw them */
    char **notes; /* what was left out, and why */
};

struct result {
    char *id;
    enum ended ended;
    int exit_code;               /* for ENDED_EXIT */
    int signal;                  /* for ENDED_SIGNAL, and the signal used for a kill */
    char *error;                 /* for setup errors and violations: one line; else NULL */
    struct violation *violation; /* NULL: none */

    /* Monotonic ns stamps; 0 when never reached. */
    int64_t t_launch;      /* launcher's main began */
    int64_t t_ready;       /* the fence stood */
    int64_t t_release;     /* the program was released to exec */
    int64_t t_clock_start; /* the same; of a gated one GO, of lines the first of the two */
    int64_t t_first_output;
    int64_t t_clock_stop; /* the program's end was seen; or DONE, or the second line */
    int64_t t_empty;      /* no process of the sandbox was left */
    int64_t t_done;       /* teardown and collection finished */
    int64_t wall_ns;      /* the official time: t_clock_stop − t_clock_start, and of a clock
                             of lines what is outside of them beyond what is free */
    int64_t init_wall_ns, init_cpu_ns; /* of a gated program, up to READY; −1: none */
    int64_t outside_ns;                /* of a clock of lines; −1: another clock */

    int64_t cpu_user_ns, cpu_system_ns; /* of the whole tree */
    int64_t memory_peak_bytes;
    int64_t io_read_bytes, io_write_bytes;          /* −1 where unknown */
    int64_t context_switches, involuntary_switches; /* of the program and reaped children */
    int64_t page_faults_major, page_faults_minor;
    int64_t stdout_bytes, stderr_bytes;
    bool output_truncated;

    /* Witnesses over the clock's window; −1 where the machine does not tell. */
    int64_t steal_ns;                                            /* of the run's cpus */
    int64_t pressure_cpu_ns, pressure_memory_ns, pressure_io_ns; /* "some" total */
    int64_t launcher_cpu_ns;                                     /* spent by the launcher itself */
    int64_t frequency_khz;                                       /* mean over cpus at the end */
    int64_t cpus;                                                /* how many the run had */
    int64_t foreign_cpu_ns;                                      /* spent on them by anybody else */
    int64_t throttled_ns; /* the tree was held back by limits.cpu_percent */
    /* The rest of a run with `gauge` only; see witness.h, run_delay.h and gauge.h. */
    int64_t run_delay_ns; /* its threads were ready and waited, summed over them */
    int64_t frequency_start_khz, thermal_throttles, swap_pages;
    int64_t gauge_cpu_before_ns, gauge_cpu_after_ns;
    int64_t gauge_memory_before_ns, gauge_memory_after_ns;

    struct quiet_report quiet;

    struct gpu_report *gpus; /* NULL: none were lent */

    char *privilege; /* "root", "subid", "plain" */
    struct layer *layers;
    size_t layer_count;
    struct limit_report *limits;
    size_t limit_count;
    struct collected *collected;
    size_t collected_count;

    char *spec_sha256;   /* of the spec document as read */
    char *policy_sha256; /* of the policy file */
    char *filter_sha256; /* of the seccomp program */
    char *image_digest;
    char *version;       /* of Paddock */
    struct json *labels; /* from the spec; owned; may be NULL */
};

/* Every witness that a result may lack: −1. */
void result_know_nothing(struct result *r);
int result_encode(const struct result *r, struct json_writer *w, struct error *err);
/* Strict; `out` zero before, result_clear() after. */
int result_decode(const struct json *doc, struct result *out, struct error *err);
int result_load(const char *path, struct result *out, struct error *err);
void result_clear(struct result *r);
/* The member "violation" of a result (result_violation.c). */
void violation_encode(const struct violation *v, struct json_writer *w);
int violation_decode(const struct json *doc, struct violation **out, struct error *err);
void violation_free(struct violation *v);
#define _cleanup_result_ __attribute__((cleanup(result_clear)))

/* The member "quiet" (result_quiet.c). */
void quiet_report_encode(const struct quiet_report *q, struct json_writer *w);
int quiet_report_decode(const struct json *doc, struct quiet_report *out, struct error *err);

/* The member "gpus" (result_gpus.c). */
void gpu_report_encode(const struct gpu_report *g, struct json_writer *w);
int gpu_report_decode(const struct json *doc, struct gpu_report **out, struct error *err);
void gpu_report_free(struct gpu_report *g);

/* The exit status of `paddock exec` for a result: the program's own; 124 wall
 * or cpu limit, 125 our failure, 126/127 not executable/not found, 128+n
 * signal, 137 memory limit. */
int result_exit_status(const struct result *r);

#endif
