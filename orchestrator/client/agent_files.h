/*
 * The files of versions as the agent reads them: which of them the task lets be edited,
 * their bytes, and what makes those of one version into those of another.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_AGENT_FILES_H
#define PADDOCK_ORCHESTRATOR_CLIENT_AGENT_FILES_H

#include "common/buf.h"
#include "orchestrator/client/agent_inside.h"

/* The patterns of a task as the API shows it: a NULL-terminated list (strv_free()). */
int agent_files_patterns(const struct json *task, char ***out, struct error *err);
/* Of a file as GET /v1/versions/{id}/files lists it. A link may never be edited. */
bool agent_files_is_link(const struct json *file);
bool agent_files_may_edit(char *const *patterns, const struct json *file);

int agent_files_read(struct agent *a, const char *version, const char *path, struct buf *out,
                     struct error *err);

/* What makes the files of the version `from` into those of `to`, which may be of another
 * experiment, as edits: as far as the task lets files be edited. */
int agent_files_edits(struct agent *a, const char *from, const char *to, struct json **out,
                      struct error *err);

#endif
