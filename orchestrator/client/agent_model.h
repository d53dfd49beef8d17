/*
 * The kind `model` of agents (docs/reference/agent.md).
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_AGENT_MODEL_H
#define PADDOCK_ORCHESTRATOR_CLIENT_AGENT_MODEL_H

#include "orchestrator/client/agent_inside.h"

extern const struct agent_kind agent_model;

/* Reads the config of a wish from its file, with the coder that the wish has in place of
 * the config's, checks it and writes it under `key`, its paths absolute: the body of an
 * experiment wants it so. */
int agent_model_config(const struct agent_wish *wish, struct json_writer *w, const char *key,
                       struct error *err);

#endif
