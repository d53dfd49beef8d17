/*
 * The log of a speedrun's record: the source that ran, a line of equals signs, then
 * what it printed. Some logs begin with such a line; old ones have no source at all.
 * Modules of the program's own follow its source behind
 *
 *     ----------------------------------------
 *     # triton_kernels.py
 *     ----------------------------------------
 *
 * A log is a stranger's text. Nothing is copied: parts point into it.
 */
#ifndef PADDOCK_TASKS_IMPORT_RECORD_LOG_H
#define PADDOCK_TASKS_IMPORT_RECORD_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum { RECORD_LOG_MODULES = 16, RECORD_LOG_NAME = 64 };

struct record_source {
    char name[RECORD_LOG_NAME]; /* "triton_kernels.py"; of the first, the program, "" */
    const char *text;
    size_t len;
};

struct record_log {
    struct record_source sources[RECORD_LOG_MODULES + 1]; /* the program first */
    size_t count;
};

/* Finds the sources; false when the log has none (or more modules than we take). */
bool record_log_split(const char *text, size_t len, struct record_log *out);

/* The names of the modules a Python text imports, each once, in order; at most
 * PYTHON_IMPORTS. NULL-terminated (see strv_free); NULL when out of memory. */
enum { PYTHON_IMPORTS = 256 };
char **python_imports(const char *text, size_t len);

#endif
