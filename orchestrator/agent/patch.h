/*
 * A patch: the changes that a model's reply asks for, worked out in memory
 * against the files they are for, and what is wrong with them.
 *
 * The parsers of the three formats (format.h) write here. What is asked for
 * either applies exactly or becomes a problem, a line that tells the model what
 * did not fit and where; nothing is guessed. A patch without problems gives
 * edits that the daemon will apply to the very same result.
 */
#ifndef PADDOCK_ORCHESTRATOR_AGENT_PATCH_H
#define PADDOCK_ORCHESTRATOR_AGENT_PATCH_H

#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"
#include "orchestrator/agent/sources.h"

#include <stdbool.h>
#include <stddef.h>

struct patch_file {
    char *path;
    bool existed, deleted;
    bool whole;            /* replacements cannot say it: it is written whole */
    struct buf text;       /* as it would become */
    struct edit *replaces; /* what leads there unless `whole` */
    size_t count;
};

struct patch {
    const struct sources *base;
    char *const *editable; /* the task's patterns */
    struct patch_file *files;
    size_t count;
    struct buf problems; /* lines; empty: none */
    size_t problem_count;
    bool failed; /* out of memory */
};

void patch_clear(struct patch *p);
#define _cleanup_patch_ __attribute__((cleanup(patch_clear)))

/* Adds a line to the problems. */
void patch_problem(struct patch *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* `where` says which part of the reply it is: "the block in line 12". */
void patch_write(struct patch *p, const char *where, const char *path, const char *text,
                 size_t len);
void patch_delete(struct patch *p, const char *where, const char *path);

/* Some whole lines of a file that make way for others. Both end in a newline or
 * are empty; a last line of the file that lacks it is matched without. */
struct patch_lines {
    const char *old, *new;
    size_t old_len, new_len;
    size_t line;     /* a diff's: where the lines are said to be, from 1; 0: they must occur once */
    bool creates;    /* the file must not be there */
    bool no_newline; /* the new text's last line has no newline at the end of the file */
};
void patch_replace(struct patch *p, const char *where, const char *path,
                   const struct patch_lines *lines);

/* To be called behind the last change: a patch that changes nothing, or more than
 * one request to the daemon may hold, has problems, too. */
void patch_finish(struct patch *p);

/* The edits as the API takes them (version/edit.h), an array under `key`; of a
 * patch without problems. */
int patch_encode(const struct patch *p, struct json_writer *w, const char *key, struct error *err);

#endif
