/*
 * One exchange over HTTP, with libcurl.
 */
#ifndef PADDOCK_ORCHESTRATOR_MODEL_TRANSPORT_H
#define PADDOCK_ORCHESTRATOR_MODEL_TRANSPORT_H

#include "common/error.h"
#include "orchestrator/model/config.h"
#include "orchestrator/model/receive.h"

#include <stdbool.h>
#include <stddef.h>

struct transport; /* one connection that is kept; its config must outlive it */

struct transport *transport_new(const struct model_config *c, struct error *err);
void transport_free(struct transport *t);

/* Posts a body and hands what comes to `r`, up to receive_end(). What fails on the way
 * is a fault of the answer; -1: cancelled, or out of memory. */
int transport_post(struct transport *t, const char *url, char *const *headers, const char *body,
                   size_t len, const volatile bool *abort, struct receive *r, struct error *err);

#endif
