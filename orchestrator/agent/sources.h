/*
 * The files of a version as the roles see them: what is text and small enough is
 * shown, the rest is only named. They are what edits are checked against.
 */
#ifndef PADDOCK_ORCHESTRATOR_AGENT_SOURCES_H
#define PADDOCK_ORCHESTRATOR_AGENT_SOURCES_H

#include "common/buf.h"
#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>

#define SOURCE_TEXT_MAX  ((size_t)256 << 10) /* a longer file is only named */
#define SOURCES_TEXT_MAX ((size_t)1 << 20)   /* of all texts together */
#define SOURCES_MAX      512

struct source {
    char *path;
    char *text; /* NULL: not shown */
    size_t len;
    bool editable;
};

struct sources {
    struct source *items;
    size_t count;
    size_t bytes;
};

/* Adds a file; the bytes are copied where they are UTF-8 text within the limits.
 * `data` NULL: only its name. */
int sources_add(struct sources *s, const char *path, const char *data, size_t len, bool editable,
                struct error *err);
const struct source *sources_find(const struct sources *s, const char *path);
void sources_clear(struct sources *s);
#define _cleanup_sources_ __attribute__((cleanup(sources_clear)))

/* For a prompt: each text in a fence longer than any in it, under a line with its
 * path and whether it may be edited. */
void sources_show(const struct sources *s, struct buf *out);
/* One text so fenced. */
void sources_fence(const char *text, size_t len, struct buf *out);

#endif
