/* Finding whole lines in a text; for patch.c alone. */
#ifndef PADDOCK_ORCHESTRATOR_AGENT_PATCH_MATCH_H
#define PADDOCK_ORCHESTRATOR_AGENT_PATCH_MATCH_H

#include "common/buf.h"
#include "orchestrator/agent/patch.h"

struct match {
    size_t at, len; /* bytes */
};

/* Where the old lines are: 1 and the place, 0 when nowhere, 2 when in more places
 * than one. With a line number, the nearest of several is meant. */
int match_lines(const char *text, size_t len, const struct patch_lines *l, struct match *out);

/* Whether these bytes of the text occur in it once only, at any offset. */
bool match_is_unique(const char *text, size_t len, size_t at, size_t n);

/* Whether old and new lines end in the same line. */
bool match_last_line_is_same(const struct patch_lines *l);

/* A sentence on the place that is most like the old lines. */
void match_nearest(const char *text, size_t len, const struct patch_lines *l, struct buf *out);

#endif
