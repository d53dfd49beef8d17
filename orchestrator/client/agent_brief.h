/*
 * What the roles are told of a task: read from the API and from files once, or for each
 * node.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_AGENT_BRIEF_H
#define PADDOCK_ORCHESTRATOR_CLIENT_AGENT_BRIEF_H

#include "orchestrator/agent/roles.h"
#include "orchestrator/client/agent_inside.h"

/* The briefing and the texts that it borrows. */
struct agent_brief {
    struct briefing briefing;
    struct prompts prompts;
    char **editable;
    struct buf goal, limits, hints, knowledge;
};

/* `experiment` as the API shows it; `root` is the record's value, NAN when it is not
 * known. The briefing's `talk` is left to the caller. */
int agent_brief_make(struct agent *a, const struct json *experiment,
                     const struct agent_config *config, double root, struct agent_brief *out,
                     struct error *err);
void agent_brief_clear(struct agent_brief *b);

/* The files of a version. */
int agent_brief_sources(struct agent *a, const char *version, char *const *editable,
                        struct sources *out, struct error *err);
/* The beginning and the end of what the run wrote in which the version's fate was
 * decided. */
int agent_brief_log(struct agent *a, const char *version, struct buf *out, struct error *err);

#endif
