/*
 * What an import will write: the records of a clone in memory, each with its files or
 * the reason why it is none. Inside tasks/import/ only.
 */
#ifndef PADDOCK_TASKS_IMPORT_PLAN_H
#define PADDOCK_TASKS_IMPORT_PLAN_H

#include "common/buf.h"
#include "common/digest.h"
#include "tasks/import/clone.h"
#include "tasks/import/import.h"
#include "tasks/task.h"

enum { PLAN_RECORDS = 1000, PLAN_FILES = 64 };

struct plan_file {
    char *name; /* in the record's folder */
    char *from; /* the path in the commit */
    struct buf data;
    char sha256[DIGEST_HEX]; /* of the data */
};

struct plan_record {
    char *key;                 /* how the project calls it: "row 23 (#21)" */
    char *title, *description; /* one line each */
    char *from;                /* the path it was looked for at; NULL: none */
    char *hints[3];            /* levels 1 to 3 of the step that leads TO this record */
    char *reason;              /* why it was left out; NULL: it was not */
    char *note;                /* what one should know though it was taken; NULL: nothing */
    struct plan_file files[PLAN_FILES];
    size_t file_count;
    size_t place; /* its number in the task; 0: left out */
};

/* Of the statements of both speedruns, and how they are started; N becomes the number of
 * GPUs. */
#define PLAN_RULE_LINES                                                                            \
    "* Keep the lines of each step, `step:I/N val_loss:X`, and the last one, `peak memory ...`:\n" \
    "  the clock runs from the first step's line to that one, and the examiner reads the last\n"   \
    "  `val_loss`. What trains before the first line is against the rules.\n"                      \
    "  The time that the program prints itself decides nothing.\n"
#define PLAN_RULE_SURELY \
    "* The loss must be met surely: the mean over fresh runs at p < 0.01, not one lucky run.\n"
#define PLAN_TORCHRUN                                                                          \
    "python3", "-m", "torch.distributed.run", "--nproc_per_node=N", "--master_addr=127.0.0.1", \
        "--master_port=29500"

/* What the tasks of a project have in common: constants of ours. */
struct plan_shape {
    const char *source, *name, *title, *statement;
    enum task_kind kind;
    const char *const *editable; /* NULL-terminated */
    const char *const *argv;     /* of train; "N" in "--nproc_per_node=N" is the GPUs */
    const char *data_file;       /* below PADDOCK_DATA */
    int64_t gpus;
    const char *start, *stop; /* of a clock of lines; NULL: from exec to exit */
    const char *loss;         /* the audit's pattern */
    const char *metric, *unit;
    double target; /* 0: none */
    double loss_per_bit;
    const char *artifact;
};

struct import_plan {
    const struct plan_shape *shape;
    int64_t gpus;
    char *commit; /* of the clone */
    char *dir;    /* the task's folder, once it is written */
    struct plan_record *records;
    size_t count;
};

/* One record more, zeroed; NULL when there is no more room or memory. */
struct plan_record *plan_add(struct import_plan *p, struct error *err);
/* Leaves a record out. Returns 0, so that the import goes on; -1: out of memory. */
int plan_skip(struct plan_record *r, struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Leaves it out for an error that is the clone's fault; ours stay errors. */
int plan_skip_for(struct plan_record *r, struct error *why, struct error *err);
/* A further thing one should know. */
int plan_note(struct plan_record *r, struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A file of the record; the bytes are copied. */
int plan_file_add(struct plan_record *r, const char *name, const char *from, const void *data,
                  size_t len, struct error *err);
bool plan_has_file(const struct plan_record *r, const char *name);

/* task.json in fresh memory. */
char *plan_task_json(const struct import_plan *p, const struct import_options *o,
                     struct error *err);
/* Writes the folder and puts it in its place; sets p->dir. */
int plan_write(struct import_plan *p, const struct import_options *o, struct error *err);

/* The projects: each fills the plan's records. */
int nanogpt_read(struct clone *c, struct import_plan *p, struct error *err);
int speedrunner_read(struct clone *c, struct import_plan *p, struct error *err);
int autoresearch_read(struct clone *c, struct import_plan *p, struct error *err);
extern const struct plan_shape nanogpt_shape, speedrunner_shape, autoresearch_shape;

#endif
