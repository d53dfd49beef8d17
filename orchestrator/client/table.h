/*
 * Tables of text: columns as wide as their widest cell.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_TABLE_H
#define PADDOCK_ORCHESTRATOR_CLIENT_TABLE_H

#include "common/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct table; /* allocation failure is sticky and shows in table_print() */

/* `heads` is a NULL-terminated list of column titles; one that opens with '>'
 * is aligned right. */
struct table *table_new(const char *const *heads);
void table_free(struct table *t);
void cleanup_table(struct table **t);
#define _cleanup_table_ __attribute__((cleanup(cleanup_table)))

/* Fills the cells of a row from left to right; a full row begins the next one.
 * Text is made printable. NULL is shown as "–". */
void table_cell(struct table *t, const char *text);
void table_cellf(struct table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
size_t table_rows(const struct table *t);

/* Appends the table; `bold` puts the titles into bold type. Returns 0, or -1
 * when memory ran out. */
int table_print(const struct table *t, bool bold, struct buf *out);

/* How many terminal columns valid UTF-8 takes, wide and combining characters
 * as the C library knows them. */
size_t text_columns(const char *text);

#endif
