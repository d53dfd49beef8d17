/* Knowledge files: texts of the user's own that are put before the roles. */
#ifndef PADDOCK_ORCHESTRATOR_AGENT_KNOWLEDGE_H
#define PADDOCK_ORCHESTRATOR_AGENT_KNOWLEDGE_H

#include "common/buf.h"
#include "common/error.h"

#define KNOWLEDGE_FILES_MAX 64
#define KNOWLEDGE_FILE_MAX  ((size_t)128 << 10)
#define KNOWLEDGE_MAX       ((size_t)512 << 10)

/* Appends every file that the globs name (a NULL-terminated list; NULL: none), in
 * their order and sorted within each, under its name. A glob that names nothing,
 * a file that is no text or too large is an error. */
int knowledge_read(char *const *globs, struct buf *out, struct error *err);

#endif
