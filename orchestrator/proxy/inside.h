/* What the sources of the proxy share. */
#ifndef PADDOCK_ORCHESTRATOR_PROXY_INSIDE_H
#define PADDOCK_ORCHESTRATOR_PROXY_INSIDE_H

#include "orchestrator/proxy/proxy.h"

#include <pthread.h>

struct MHD_Daemon;

struct proxy {
    struct MHD_Daemon *mhd;
    struct model *model;
    struct proxy_host host;
    volatile bool stop, broken;
    pthread_mutex_t turn; /* of whoever makes a call: model, host and totals are theirs */
    struct proxy_totals totals;
};

/* What a caller is told. */
struct verdict {
    unsigned status;
    char type[64];
    struct buf body;
    int64_t wait_ns; /* Retry-After */
};
void verdict_clear(struct verdict *v);
/* An error in the form of the model's protocol. */
void verdict_error(const struct proxy *p, struct verdict *v, unsigned status, const char *message);

/* One call on its way (exchange.c). */
struct exchange;
struct exchange *exchange_new(struct proxy *p, bool stream, const char *beta, struct buf *body);
/* Whether it was asked for as a stream that a comment may be put into. */
bool exchange_is_stream(const struct exchange *x);
/* Makes it in a thread of its own; false: there could be none. */
bool exchange_begin(struct exchange *x);
/* Waits for its end, so long at most. */
bool exchange_wait(struct exchange *x, int64_t ns);
/* Behind its end. */
struct verdict *exchange_verdict(struct exchange *x);
/* Waits for its end; what it cost is known then. */
void exchange_free(struct exchange *x);

#endif
