/* What of a relayed request is refused (relay.h). Pure; for relay_body.c. */
#ifndef PADDOCK_ORCHESTRATOR_MODEL_RELAY_SCREEN_H
#define PADDOCK_ORCHESTRATOR_MODEL_RELAY_SCREEN_H

#include "common/error.h"
#include "common/json.h"

/* Tools that the caller runs itself are let through, those of the server refused. */
int relay_screen_tools(const char *protocol, const struct json *tools, struct error *err);
/* Messages: nothing in them that the server would have to get from elsewhere. */
int relay_screen_content(const struct json *content, struct error *err);
/* Those of the caller's beta features that change an answer's form alone, as one header
 * line in fresh memory; NULL: none. */
char *relay_screen_beta(const char *header);

#endif
