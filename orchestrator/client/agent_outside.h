/*
 * A coder that is a command (outside.h), as the agent of models has it: on the files of a
 * version, with the experiment's budgets and ledger.
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_AGENT_OUTSIDE_H
#define PADDOCK_ORCHESTRATOR_CLIENT_AGENT_OUTSIDE_H

#include "orchestrator/client/agent_node.h"
#include "orchestrator/client/outside.h"

/* Runs it for node `number` on the files of `parent`. Its calls are "n3/outside/1"… in
 * the ledger; those of a life that was killed stay there, and the numbers go on. */
int agent_outside_run(struct agent_shop *s, const char *parent, size_t number, const char *order,
                      struct outside_result *out, struct error *err);

/* What a version's note keeps of it. */
void agent_outside_note(const struct outside_result *r, struct json_writer *w, const char *key);

#endif
