/*
 * What went wrong in one attempt, and whether another may go better: an error status,
 * an error inside a stream that began well, an answer cut off or without a meaning.
 */
#ifndef PADDOCK_ORCHESTRATOR_MODEL_FAULT_H
#define PADDOCK_ORCHESTRATOR_MODEL_FAULT_H

#include "common/buf.h"
#include "common/error.h"
#include "common/json.h"

#include <stdbool.h>
#include <stdint.h>

struct fault {
    bool set;
    bool retry;    /* the same request may be answered another time */
    bool paid;     /* the server did its work, so that each further try costs as well */
    bool filtered; /* not an error: the prompt was refused */
    enum error_kind kind;
    char *text;      /* the server's own words, raw: to be cleaned before anybody sees them */
    int64_t wait_ns; /* what the body said about when; 0: nothing */
};

void fault_clear(struct fault *f);

/* A fault of our own finding. Keeps the first one. */
void fault_set(struct fault *f, enum error_kind kind, bool retry, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* From the answer to a status that is not 200. `body` may be anything. */
void fault_of_status(struct fault *f, long status, const char *body, size_t len);
/* From an error object that came where an answer or an event was expected: false if
 * the document is none. */
bool fault_of_document(struct fault *f, const struct json *doc);

/* "503": whether a status may pass by itself. */
bool fault_status_retries(long status);

#endif
