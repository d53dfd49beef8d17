/*
 * What the makers of experiments, versions and measurements share.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_CREATE_INSIDE_H
#define PADDOCK_ORCHESTRATOR_DAEMON_CREATE_INSIDE_H

#include "common/json.h"

#include <pthread.h>

#define NAME_MAX_BYTES 200 /* of agents, labels and sweeps */
#define KEY_MAX_BYTES  200
#define OBJECT_MAX     ((size_t)64 << 10) /* of a config or a note, as text */
#define ABANDONED_MAX  ((size_t)4 << 10)

static inline void create_unlock_files(pthread_rwlock_t **lock) {
    if (*lock) pthread_rwlock_unlock(*lock);
}

/* Keeps gc away from files that no row refers to yet, to the end of the scope. */
#define HOLD_FILES(d)                                                                         \
    __attribute__((cleanup(create_unlock_files))) pthread_rwlock_t *held_files = &(d)->files; \
    pthread_rwlock_rdlock(held_files)

/* A text of the body: 1 to max bytes when given. */
void create_check_text(struct json_reader *r, const char *key, const char *text, size_t max);
/* An optional object of the body as text, of max bytes at most; NULL: none, or an error. */
char *create_object_text(struct json_reader *r, const char *key, size_t max);

#endif
