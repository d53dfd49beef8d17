/*
 * Text that nobody vouches for (hypotheses, labels, file names, reasons, diffs), put
 * where it can do no harm: into HTML, into JSON inside a script element, into CSV.
 */
#ifndef PADDOCK_ORCHESTRATOR_REPORT_TEXT_H
#define PADDOCK_ORCHESTRATOR_REPORT_TEXT_H

#include "common/buf.h"

#include <stddef.h>

/* As the content of an element or of a quoted attribute. Control characters, what is
 * no UTF-8, and what reorders text become \xNN; a line break or tab becomes a space. */
void text_html(const char *text, struct buf *out);
/* The same, but line breaks and tabs stay: for an element with white-space kept. */
void text_html_lines(const char *text, size_t len, struct buf *out);

/* JSON text as the content of a script element: no "<" is left in it, so that nothing
 * there can end the element or open a comment, and nothing that reorders text. It stays
 * the same JSON. */
void text_script_json(const char *json, struct buf *out);

/* One field of CSV as RFC 4180 has it. A text that a spreadsheet would take for a
 * formula gets an apostrophe in front. NULL is an empty field. */
void text_csv(const char *text, struct buf *out);

/* "sha256-…" of an inline script or style, as a Content-Security-Policy wants it. */
void text_csp_hash(const char *text, size_t len, struct buf *out);

#endif
