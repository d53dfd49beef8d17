/*
 * Names of things: one letter and a number that counts up in one installation
 * and is never used again (docs/reference/api.md).
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_ID_H
#define PADDOCK_ORCHESTRATOR_DAEMON_ID_H

#include "common/error.h"

#include <stdint.h>

#define ID_EXPERIMENT  'e'
#define ID_VERSION     'v'
#define ID_RUN         'r'
#define ID_MEASUREMENT 'm'

#define ID_MAX 24 /* bytes of a name with its NUL */

/* "v12" of ('v', 12). Returns `out`. */
const char *id_format(char kind, int64_t number, char out[ID_MAX]);
/* The number of a name of this kind; ERROR_NOT_FOUND for anything else, since
 * nothing can have such a name. */
int id_parse(char kind, const char *text, int64_t *number, struct error *err);
/* "experiment", "version", … */
const char *id_kind_name(char kind);

#endif
