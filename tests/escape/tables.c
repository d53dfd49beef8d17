/* All attempts there are (declared in attempt.h). */
#include "tests/escape/tables.h"

#include <string.h>

const struct attempt_table *const attempt_tables[] = {&namespace_attempts, &unfiltered_attempts,
                                                      &file_attempts,      &proc_attempts,
                                                      &device_attempts,    &identity_attempts,
                                                      &abi_attempts,       &kernel_attempts,
                                                      &socket_attempts,    &resource_attempts,
                                                      &survivor_attempts,  &collection_attempts,
                                                      &neighbour_attempts, NULL};

const struct attempt *attempt_find(const char *name) {
    for (size_t t = 0; attempt_tables[t]; t++)
        for (size_t i = 0; i < attempt_tables[t]->count; i++)
            if (strcmp(attempt_tables[t]->attempts[i].name, name) == 0)
                return &attempt_tables[t]->attempts[i];
    return NULL;
}
