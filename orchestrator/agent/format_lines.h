/* Walking a reply line by line; for the parsers of formats alone. */
#ifndef PADDOCK_ORCHESTRATOR_AGENT_FORMAT_LINES_H
#define PADDOCK_ORCHESTRATOR_AGENT_FORMAT_LINES_H

#include "orchestrator/agent/patch.h"

#include <stdbool.h>
#include <stddef.h>

struct reader {
    const char *at, *end; /* what is left */
    size_t number;        /* of the line last read, from 1 */
};

struct line {
    const char *text; /* without the newline */
    size_t len;
    const char *next; /* where the next line begins */
};

/* The next line; false at the end. A carriage return before the newline stays. */
bool reader_next(struct reader *r, struct line *out);
bool reader_peek(const struct reader *r, struct line *out);

bool line_is(const struct line *l, const char *text); /* but for blanks behind it */
bool line_starts(const struct line *l, const char *prefix);
bool line_is_blank(const struct line *l);

/* How many backticks or tildes open a fence here; 0: none. */
size_t line_fence(const struct line *l, char *mark);
/* Whether it closes a fence of so many of these marks. */
bool line_closes(const struct line *l, char mark, size_t count);

/* "WORD: value", the word in any case and possibly dressed up as a heading or in
 * bold or backticks; a copy of the value in fresh memory, else NULL. */
char *line_value(const struct line *l, const char *word);

void format_whole(struct reader *r, struct patch *p);
void format_blocks(struct reader *r, struct patch *p);
void format_diff(struct reader *r, struct patch *p);

#endif
