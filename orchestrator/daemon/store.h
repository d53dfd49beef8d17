/*
 * The store: one SQLite database, one connection behind one recursive mutex.
 *
 * Whatever a caller was told is durable: WAL with synchronous=FULL, so that an
 * acknowledged write survives kill -9 and a power cut. A full disk fails the
 * transaction with an error whose `sys` is ENOSPC and changes nothing.
 *
 * This header has the connection, transactions, the events and small facts;
 * store_version.h, store_run.h and store_measure.h have the rows.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_STORE_H
#define PADDOCK_ORCHESTRATOR_DAEMON_STORE_H

#include "common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;

/* Opens or creates the database and brings it to the newest schema. A database
 * of a newer Paddock is refused. */
int store_open_file(const char *path, struct store **out, struct error *err);
void store_close(struct store *s);

/* The schema version this program writes. */
int store_schema_version(void);
/* The same with only the first `steps` migrations: for tests of upgrades. */
int store_open_file_at(const char *path, int steps, struct store **out, struct error *err);

/* A transaction: everything between begin and commit happens or nothing does.
 * Holds the store's mutex. Declare it with _cleanup_store_tx_ and what is not
 * committed is rolled back. Not nestable. */
struct store_tx {
    struct store *store; /* NULL when not open */
};
int store_begin(struct store_tx *tx, struct store *s, struct error *err);
int store_commit(struct store_tx *tx, struct error *err);
void store_tx_cleanup(struct store_tx *tx);
#define _cleanup_store_tx_ __attribute__((cleanup(store_tx_cleanup)))

/* Appends an event within the open transaction; `data` is a JSON object or NULL
 * for {}. The event's number orders things by when they were asked for. */
int store_event(struct store *s, const char *type, const char *subject, const char *data,
                int64_t *seq, struct error *err);

/* The same with string members, as name, value, …, NULL; a NULL value is left
 * out. The subject is the name of (kind, id). */
int store_notify(struct store *s, struct error *err, const char *type, char kind, int64_t id, ...)
    __attribute__((sentinel));

struct event {
    int64_t seq;
    int64_t at_ns; /* real time */
    char *type;
    char *subject;
    char *data; /* JSON object */
};
struct event_list {
    struct event *items;
    size_t count;
    int64_t last; /* the newest event's number, listed or not */
};
/* Events behind `after`, oldest first, at most `limit`; waits up to `wait_ms`
 * for one, or until store_wake_waiters(). */
int store_events(struct store *s, int64_t after, int64_t wait_ms, int64_t limit,
                 struct event_list *out, struct error *err);
void event_list_clear(struct event_list *l);
/* Ends all waiting, now and later: the daemon stops. */
void store_wake_waiters(struct store *s);

/* Small facts about the installation. *value is NULL when not set. */
int store_meta_get(struct store *s, const char *key, char **value, struct error *err);
int store_meta_set(struct store *s, const char *key, const char *value, struct error *err);

/* Built trees: the folder of a key, or NULL in *dir. */
int store_built_get(struct store *s, const char *key, char **dir, struct error *err);
int store_built_put(struct store *s, const char *key, const char *dir, const char *snapshot,
                    struct error *err);
int store_built_delete(struct store *s, const char *key, struct error *err);
struct built_row {
    char *key, *dir, *snapshot;
};
int store_built_list(struct store *s, struct built_row **out, size_t *count, struct error *err);
void built_rows_free(struct built_row *rows, size_t count);

#endif
