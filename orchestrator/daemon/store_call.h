/*
 * Rows of the store: the ledger of an experiment, every call of a model that its agent
 * made, with what it asked, what came back and what it cost.
 *
 * Texts are kept whole: an experiment can be played again from its ledger alone.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_STORE_CALL_H
#define PADDOCK_ORCHESTRATOR_DAEMON_STORE_CALL_H

#include "orchestrator/daemon/store.h"

struct call_row {
    int64_t id, experiment;
    int64_t number;                          /* within its experiment, from 1 */
    char *key;                               /* names the step it belongs to: "n3/coder/1" */
    char *role;                              /* "ideator", "coder", … */
    int64_t version;                         /* 0: of none yet */
    char *model, *echoed;                    /* as asked for; as the server named it, or NULL */
    char *request_sha256, *request;          /* request: any JSON */
    char *reply, *reasoning, *stop;          /* reply: NULL of a call that failed */
    int64_t input, cached, output, reasoned; /* tokens */
    double cost;                             /* USD */
    int64_t latency_ms, retries;
    char *error; /* NULL: none */
    char *began; /* RFC 3339, as the agent says */
    int64_t created_ns;
};

/* Sums over a ledger. */
struct call_totals {
    int64_t calls, input, cached, output, reasoned;
    double cost;
};

/* Must be called within a transaction. Fills in id and number. A call that is in the
 * ledger already is not added again: one of the same key that was answered, or one
 * that failed and began at the same time; then *made is false and id its id.
 * ERROR_EXISTS when the key was answered for another request. */
int call_add(struct store *s, struct call_row *row, bool *made, struct error *err);
/* By number; ERROR_NOT_FOUND. `out` zero before, call_clear() after. */
int call_get(struct store *s, int64_t experiment, int64_t number, struct call_row *out,
             struct error *err);
/* The answered call of this key; *number is 0 when there is none. */
int call_by_key(struct store *s, int64_t experiment, const char *key, int64_t *number,
                struct error *err);
/* Oldest first, those with a number above `after`, without request, reply and
 * reasoning. */
int call_list(struct store *s, int64_t experiment, int64_t after, int64_t limit,
              struct call_row **out, size_t *count, struct error *err);
int call_sum(struct store *s, int64_t experiment, struct call_totals *out, struct error *err);
void call_clear(struct call_row *row);
void calls_free(struct call_row *rows, size_t count);
#define _cleanup_call_ __attribute__((cleanup(call_clear)))

#endif
