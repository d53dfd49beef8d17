/*
 * Quantities as people write them: "10s", "1.5m", "250ms"; "512M", "2GiB".
 */
#ifndef PADDOCK_ORCHESTRATOR_EXEC_QUANTITY_H
#define PADDOCK_ORCHESTRATOR_EXEC_QUANTITY_H

#include "common/error.h"

#include <stdint.h>

/* A duration in ms; without a unit, seconds. More than 0, at most a year. */
int quantity_ms(const char *text, int64_t *ms, struct error *err);
/* A size in bytes; K, M, G, T are powers of 1024, with or without "iB" or "B". */
int quantity_bytes(const char *text, int64_t *bytes, struct error *err);

#endif
