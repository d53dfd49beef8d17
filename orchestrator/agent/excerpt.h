/* Texts of others made fit for a prompt: bounded, and UTF-8 without control characters. */
#ifndef PADDOCK_ORCHESTRATOR_AGENT_EXCERPT_H
#define PADDOCK_ORCHESTRATOR_AGENT_EXCERPT_H

#include "common/buf.h"

#include <stddef.h>

/* Appends at most `max` bytes of the text, and "…" where it was longer. Newlines and
 * tabs stay; what is no text becomes \xNN. */
void excerpt_cut(const char *text, size_t len, size_t max, struct buf *out);
/* The same on one line: newlines become blanks. */
void excerpt_line(const char *text, size_t max, struct buf *out);

/* The beginning and the end of something long, collected piece by piece. */
struct excerpt {
    size_t head_max, tail_max;
    struct buf head, tail;
    size_t skipped; /* bytes between them */
};
void excerpt_add(struct excerpt *e, const char *data, size_t len);
void excerpt_show(const struct excerpt *e, struct buf *out);
void excerpt_clear(struct excerpt *e);
#define _cleanup_excerpt_ __attribute__((cleanup(excerpt_clear)))

#endif
