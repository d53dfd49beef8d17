/*
 * The kind `model` of agents (docs/reference/agent.md).
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_AGENT_MODEL_H
#define PADDOCK_ORCHESTRATOR_CLIENT_AGENT_MODEL_H

#include "orchestrator/client/agent_inside.h"

extern const struct agent_kind agent_model;

/* Reads a config from a file, with the coder that is wished, checks it and makes its
 * paths absolute, as an experiment wants it. */
int agent_model_config(const char *path, const struct agent_coder_wish *coder, struct json **out,
                       struct error *err);

#endif
