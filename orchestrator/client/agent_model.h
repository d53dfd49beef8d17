/*
 * The kind `model` of agents (docs/reference/agent.md).
 */
#ifndef PADDOCK_ORCHESTRATOR_CLIENT_AGENT_MODEL_H
#define PADDOCK_ORCHESTRATOR_CLIENT_AGENT_MODEL_H

#include "orchestrator/client/agent_inside.h"

extern const struct agent_kind agent_model;

/* Reads a config from a file, checks it and makes its paths absolute, as an experiment
 * wants it. */
int agent_model_config(const char *path, struct json **out, struct error *err);

#endif
