/*
 * The three formats in which a coder answers, each read into a patch. Whatever a
 * reply holds besides is prose and counts for nothing, but for one line:
 *
 *     SUMMARY: what was changed
 *
 * whole: files, each a line with its path and a fenced block with all its text
 *
 *     FILE: path
 *     ```
 *     …
 *     ```
 *
 * blocks: under such a line, one or more of
 *
 *     <<<<<<< SEARCH
 *     lines as they are, once in the file
 *     =======
 *     lines as they are to be
 *     >>>>>>> REPLACE
 *
 * diff: unified diffs. Lines must fit exactly; their numbers need not, and say
 * which place is meant where there are several.
 *
 * The first two know `DELETE: path`, too. See docs/reference/agent.md.
 */
#ifndef PADDOCK_ORCHESTRATOR_AGENT_FORMAT_H
#define PADDOCK_ORCHESTRATOR_AGENT_FORMAT_H

#include "orchestrator/agent/patch.h"

#include <stddef.h>

enum format { FORMAT_WHOLE, FORMAT_BLOCKS, FORMAT_DIFF };
extern const char *const format_names[]; /* "whole", "blocks", "diff", NULL */

#define FORMAT_REPLY_MAX ((size_t)4 << 20)

/* Reads a reply; `p` has base and editable set. What is wrong with it is among
 * the problems of `p`; only running out of memory is an error. */
int format_read(enum format f, const char *reply, struct patch *p, struct error *err);

/* The SUMMARY line, or "" (fresh memory; NULL when out of memory). */
char *format_summary(const char *reply);

#endif
