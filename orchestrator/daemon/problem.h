/*
 * Problem documents (RFC 9457): errors as HTTP sees them.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_PROBLEM_H
#define PADDOCK_ORCHESTRATOR_DAEMON_PROBLEM_H

#include "common/buf.h"
#include "common/error.h"

/* The status of an error: by its kind, but 507 for a full disk or quota. */
int problem_status(const struct error *e);
/* The standard's reason phrase, "Not Found". */
const char *problem_title(int status);
/* Appends {"type", "title", "status", "detail", "kind", "rule"}; `rule` may be NULL. */
void problem_write(int status, const char *detail, enum error_kind kind, const char *rule,
                   struct buf *out);

#endif
