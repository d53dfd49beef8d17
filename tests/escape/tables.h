/* The tables of attempts, one a file probes_<what>.c. */
#ifndef PADDOCK_ESCAPE_TABLES_H
#define PADDOCK_ESCAPE_TABLES_H

#include "tests/escape/attempt.h"

extern const struct attempt_table namespace_attempts, unfiltered_attempts, file_attempts,
    proc_attempts, device_attempts, identity_attempts, abi_attempts, kernel_attempts,
    socket_attempts, resource_attempts, survivor_attempts, collection_attempts, neighbour_attempts;

#endif
