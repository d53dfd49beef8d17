/*
 * The table of records of a speedrun's README: one row a record, in Markdown.
 *
 *     | # | Record time | Description | Date | Log | Contributors |
 *
 * The first such table of the text is read. Numbers repeat (a record that was timed
 * again keeps its own), so that a row is known by its place. A row that is malformed
 * stays a row, with the fault as its reason: what was left out must be told.
 */
#ifndef PADDOCK_TASKS_IMPORT_RECORD_TABLE_H
#define PADDOCK_TASKS_IMPORT_RECORD_TABLE_H

#include "common/error.h"

#include <stddef.h>
#include <stdint.h>

enum { RECORD_TABLE_ROWS = 1000, RECORD_TABLE_LINE = 16384 };

struct record_row {
    int64_t number; /* as printed; 0 when it is none */
    char *time;     /* as printed: "3.07 minutes" */
    double ms;      /* the same; 0 when it could not be read */
    char *title;    /* the description without its links, one line */
    char *date, *contributors;
    char *log;   /* a path below the repository; NULL: none */
    char *fault; /* why the row cannot be used; NULL: it can */
};

struct record_table {
    struct record_row *rows; /* in the order of the text */
    size_t count;
};

/* Zero `out` before, record_table_clear() after. ERROR_NOT_FOUND: no such table. */
int record_table_read(const char *text, size_t len, struct record_table *out, struct error *err);
void record_table_clear(struct record_table *t);
#define _cleanup_record_table_ __attribute__((cleanup(record_table_clear)))

#endif
