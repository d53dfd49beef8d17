/*
 * Inside the store: prepared statements by their text, typed binding, rows.
 * Only store*.c include this.
 */
#ifndef PADDOCK_ORCHESTRATOR_DAEMON_STORE_SQL_H
#define PADDOCK_ORCHESTRATOR_DAEMON_STORE_SQL_H

#include "orchestrator/daemon/store.h"

#include <pthread.h>
#include <sqlite3.h>

#define STORE_STATEMENTS 128

struct store {
    sqlite3 *db;
    pthread_mutex_t mutex; /* recursive */
    pthread_cond_t changed;
    pthread_mutex_t wait_mutex; /* guards `last_seq` and `closing` */
    int64_t last_seq;           /* newest committed event */
    int64_t pending_seq;        /* newest event of the open transaction, 0: none */
    bool closing;
    struct {
        const char *sql;
        sqlite3_stmt *stmt;
    } cache[STORE_STATEMENTS];
    size_t cached;
};

struct query {
    struct store *store;
    sqlite3_stmt *stmt;
    struct error *err;
};

/* Binds by `types`: i int64_t, d double, s const char * (NULL: null), o an
 * int64_t that is null when 0, m a double that is null when not finite. `sql`
 * must be a literal: its address finds the prepared statement. Locks the store
 * until query_end(), which is called on every path by _cleanup_query_. */
int query_start(struct query *q, struct store *s, struct error *err, const char *sql,
                const char *types, ...);
int query_step(struct query *q); /* 1: a row; 0: no more; −1: error */
void query_end(struct query *q);
#define _cleanup_query_ __attribute__((cleanup(query_end)))

int64_t query_int(const struct query *q, int column);      /* null: 0 */
double query_double(const struct query *q, int column);    /* null: NaN */
char *query_string(const struct query *q, int column);     /* copy; null: NULL */
const char *query_text(const struct query *q, int column); /* until the next step */

/* A statement without rows. */
int store_sql(struct store *s, struct error *err, const char *sql, const char *types, ...);
int64_t store_last_id(struct store *s);
/* Rows the last statement changed. */
int store_changes(struct store *s);
/* Turns the connection's last error into ours. */
int store_error(struct store *s, struct error *err, const char *what);

extern const char *const store_migrations[]; /* NULL-terminated */

#endif
