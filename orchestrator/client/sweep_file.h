/*
 * A sweep file: which experiments a sweep is made of. Pure: it reads one document and
 * writes down the cells in their order (docs/reference/sweep.md).
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_SWEEP_FILE_H
#define PADDOCK_ORCHESTRATOR_CLIENT_SWEEP_FILE_H

#include "common/error.h"
#include "common/json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SWEEP_CELLS_MAX 100000

enum sweep_measure {
    SWEEP_POOLED, /* the bests of all cells of a step beside each other, 16 at a time */
    SWEEP_EACH,   /* the best of each cell for itself */
    SWEEP_NONE,
};
extern const char *const sweep_measure_names[]; /* "pooled", "each", "none", NULL */

/* One experiment of the sweep. */
struct sweep_cell {
    char *key;   /* "NAME/tinygpt:1/hints-1+2/tree/MODEL/seed-1": unique, the same each time */
    char *task;  /* "tinygpt:1" */
    char *agent; /* "model", "reference", "noop" or "replay:DIR" */
    const struct json *hints, *search; /* borrowed from the document; NULL: no model's cell */
    const char *model;
    int64_t seed;
    size_t before; /* cumulative: the cell whose best it starts from; SIZE_MAX: none */
};

struct sweep_file {
    struct json *doc;
    char *dir; /* of the file: what its paths are taken from */
    char *name;
    struct sweep_cell *cells;
    size_t count;
    const struct json *config; /* what all cells have in common; NULL: nothing */
    enum sweep_measure measure;
    int64_t blocks_min, blocks_max; /* 0: the task's */
    double budget_s;                /* of each measurement; 0: the task's */
    int64_t parallel;               /* agents at once */
    bool cumulative;
};

/* Reads a file and checks it; `dir` is what its relative paths start from. To be
 * cleared also after an error, which names file, key and reason. */
int sweep_file_load(const char *path, struct sweep_file *out, struct error *err);
/* The same from a document. */
int sweep_file_decode(struct json *doc, const char *dir, struct sweep_file *out, struct error *err);
void sweep_file_clear(struct sweep_file *f);
#define _cleanup_sweep_file_ __attribute__((cleanup(sweep_file_clear)))

/* The DIR of an agent "replay:DIR"; NULL: it is another. */
const char *sweep_replay_folder(const struct sweep_cell *cell);

/* The config of a model's cell, under `key`; `start` is the version that it starts
 * from, or NULL. */
int sweep_file_config(const struct sweep_file *f, const struct sweep_cell *cell, const char *start,
                      struct json_writer *w, const char *key, struct error *err);

#endif
