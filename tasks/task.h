/*
 * A task: what is being raced, loaded from a folder (docs/reference/task.md).
 *
 * A task is a ladder of records; step i leads from record i to record i+1.
 * Everything here is the host's word, trusted but checked: task_load() refuses
 * what is malformed, and names file, key and reason.
 */
#ifndef PADDOCK_TASKS_TASK_H
#define PADDOCK_TASKS_TASK_H

#include "common/digest.h"
#include "common/error.h"
#include "sandbox/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum task_kind {
    TASK_TIME_TO_TARGET, /* fastest time to a metric: scored by FSR */
    TASK_FIXED_BUDGET,   /* best metric within a fixed time */
    TASK_BEST_EFFORT,    /* best metric within limits */
};

enum task_phase { PHASE_BUILD, PHASE_TRAIN, PHASE_EXAMINE };
extern const char *const task_phase_names[]; /* "build", "train", "examine", NULL */

enum task_examiner {
    EXAMINER_LOCKSTEP, /* paddock-examine talks to the candidate's predict program */
    EXAMINER_PROGRAM,  /* a program of the task's, in its own fence, reads the artifact
                          and prints {"metric": x} or {"invalid": "reason"} */
    EXAMINER_AUDIT,    /* the candidate measures itself, and is trained again on other
                          streams to see whether that can be believed (judge/audit.h) */
};

enum { TASK_GPUS_MOST = 16 };

struct task_phase_spec {
    char **argv;
    char *policy;              /* a policy name */
    struct spec_limits limits; /* see sandbox/spec.h */
    enum spec_network network;
    struct spec_clock clock; /* of train; its data are the task's, so it names none */
    int64_t gpus;            /* how many GPUs it has to itself; of train and examine */
};

struct task_record {
    char *title;
    char *description;
    char *dir;               /* absolute: <task>/records/<i> */
    char digest[DIGEST_HEX]; /* over names, modes and contents, sorted by name */
};

struct task_data {           /* absent when `file` is NULL */
    char **command;          /* prints the text; run inside a fence */
    char *package;           /* the Debian package that has it */
    char sha256[DIGEST_HEX]; /* of the text */
    int64_t bytes;
    char *file; /* name below PADDOCK_DATA, e.g. "train.txt" */
    int64_t block_bytes;
    double held_out; /* fraction of the blocks */
    char **hide;     /* absolute paths of the image that hold the text or print it:
                        every phase sees an empty file in their place; may be NULL */
};

struct task_store { /* of the data store (images/dataset.h); absent when `name` is NULL */
    char *name;
    char digest[DIGEST_HEX]; /* the one that was added must have */
    char *target;            /* where train and examine see it, read-only */
};

/* What a timed run of a measurement may have met and still count: each by a
 * witness of its result (docs/reference/task.md, "bounds"). */
enum task_bound {
    BOUND_STEAL,       /* of the run's cpus' time */
    BOUND_FOREIGN_CPU, /* of the run's cpus' time */
    BOUND_RUN_DELAY,   /* these five of the run's wall time */
    BOUND_PRESSURE_CPU,
    BOUND_PRESSURE_MEMORY,
    BOUND_PRESSURE_IO,
    BOUND_LAUNCHER_CPU,
    BOUND_THERMAL_THROTTLES, /* these two are counts */
    BOUND_SWAP_PAGES,
    BOUND_GAUGE_CPU, /* these two are relative changes */
    BOUND_GAUGE_MEMORY,
    BOUND_COUNT,
};
extern const char *const task_bound_names[]; /* "steal", "foreign_cpu", …, NULL */

struct task_bounds {
    double most[BOUND_COUNT]; /* infinite: not judged */
};
/* Those of a task that names none. */
void task_bounds_default(struct task_bounds *out);

struct task {
    char *name;
    char *title;
    enum task_kind kind;
    char *dir;            /* absolute */
    char *statement;      /* text of statement.md */
    char *statement_file; /* its name below `dir` */
    char *image;
    char **editable;          /* fnmatch(3) patterns of paths below the workspace */
    int64_t max_source_bytes; /* over all files of a version */
    int64_t max_source_files;
    int64_t max_packed_bytes;    /* of the snapshot; 0: no limit */
    struct task_record *records; /* record i is records[i − 1] */
    size_t record_count;
    struct task_data data; /* at most one of these two */
    struct task_store store;

    struct task_phase_spec build, train, examine;
    bool has_build;
    enum task_examiner examiner;
    int64_t streams, tokens, rounds, vocabulary; /* lockstep: B, T, repetitions, V */
    char *loss_pattern;     /* audit: a regular expression whose group is the loss */
    double audit_tolerance; /* audit: in the metric's unit */
    double loss_per_bit;    /* audit: the metric of one bit a byte: 1, or ln 2 for nats */
    char *artifact;         /* path below the workspace collected after train ("out") */
    int64_t artifact_bytes, artifact_files;

    char *metric; /* "loss", "steps" */
    char *unit;   /* "bits per byte" */
    bool higher_is_better;
    bool has_target;
    double target; /* the metric must be at most (at least) this */
    double p;      /* the record rule's (judge/record_rule.h); 0: the mean alone decides */

    int64_t floor_ms; /* no honest timed run is faster; 0: not known */
    char *floor_why;  /* the arithmetic, one line; NULL without a floor */

    int64_t blocks_min, blocks_max; /* repeats of a measurement */
    double half_width;              /* stop when the interval of FSR is this narrow */
    struct task_bounds bounds;      /* of its timed runs */
    double budget_s;                /* begin no block that would end later; 0: no bound */
    char digest[DIGEST_HEX];        /* over task.json, statement, records, examine/; not hints,
                                       which change what is told, not what is raced */
};

/* Loads and validates a task folder; the first fault is the error. `out` is to
 * be zero before and must be given to task_clear() after, also on failure. */
int task_load(const char *dir, struct task *out, struct error *err);
void task_clear(struct task *t);
#define _cleanup_task_ __attribute__((cleanup(task_clear)))

/* A reference such as "tinygpt" or "tinygpt:3" → name and step (default 1). A
 * name with a slash in it is a folder (see task_find). */
int task_ref_parse(const char *ref, char **name, int64_t *step, struct error *err);

/* Finds a task by name in the catalogues: PADDOCK_TASKS (colon-separated), the
 * user's ($XDG_CONFIG_HOME/paddock/tasks), then the shipped one. An absolute or
 * "./" path is taken as a folder. Absolute path in fresh memory. */
char *task_find(const char *name, struct error *err);
/* The user's own catalogue, where task_find() looks after PADDOCK_TASKS; NULL and
 * ERROR_INVALID when neither XDG_CONFIG_HOME nor HOME says where. */
char *task_own_catalogue(struct error *err);
int task_list(char ***names, struct error *err); /* sorted, NULL-terminated */

/* The hint of a step at level 1–3; level 0 (the diff) is made by the caller. */
int task_hint(const struct task *t, int64_t step, int level, char **text, struct error *err);

/* Whether a version may create, change or delete this path. A pattern's `*`
 * does not cross a slash. */
bool task_may_edit(const struct task *t, const char *path);

/* Every fault of a folder, not only the first: for `paddock task check`. Looks
 * at more than task_load() needs: hints, policies, records against `editable`.
 * Appends one line each to `out`; returns how many, or -1 when the folder
 * cannot be read at all. */
int task_check(const char *dir, struct buf *out, struct error *err);

/* Splits the source text by the installation's secret (docs/architecture.md):
 * block k is held out iff the first 8 bytes of HMAC(secret, "<sha256>:<k>") as
 * a big-endian fraction are below data.held_out. Writes <dir>/train/<file> and
 * <dir>/held-out.bin (0600) atomically; both depend on nothing but the inputs. */
int task_data_split(const struct task_data *data, const void *text, size_t len,
                    const uint8_t secret[32], const char *dir, struct error *err);

#endif
