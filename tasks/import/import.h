/*
 * Task folders made from clones of projects that others keep: the records of the
 * NanoGPT speedrun, the LLM speedrunner's, autoresearch (docs/how-to/import-tasks.md).
 *
 * A clone is read as data alone (clone.h) and is a stranger's. What cannot be imported
 * is left out with its reason; a folder appears whole or not at all, without faults.
 */
#ifndef PADDOCK_TASKS_IMPORT_IMPORT_H
#define PADDOCK_TASKS_IMPORT_IMPORT_H

#include "common/error.h"
#include "common/json.h"

#include <stdbool.h>
#include <stdint.h>

struct import_options {
    const char *clone;  /* the folder of the clone */
    const char *into;   /* the catalogue; made where it is missing */
    const char *policy; /* of the train phase */
    const char *image;
    int64_t gpus; /* of the train phase; 0: as many as the project was made for */
    bool force;   /* replace an imported task of that name */
};

/* The names of the projects, NULL-terminated. */
extern const char *const import_sources[];

struct import_plan; /* what came of an import (plan.h) */

/* Imports one project; the report is in `*out`, which import_free() frees. When the
 * error is about the task that came out (ERROR_INVALID), `*out` may be set as well. */
int import_run(const char *source, const struct import_options *options, struct import_plan **out,
               struct error *err);
void import_free(struct import_plan *p);
void cleanup_import(struct import_plan **p);
#define _cleanup_import_ __attribute__((cleanup(cleanup_import)))

/* The folder that was written; NULL: none yet. */
const char *import_dir(const struct import_plan *p);

/* The members of import.json: where from, and each record with its reason. */
void import_put(const struct import_plan *p, struct json_writer *w);
/* The same in lines for people. */
void import_describe(const struct import_plan *p, struct buf *out);

#endif
