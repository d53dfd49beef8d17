#include "orchestrator/daemon/store_sql.h"

#include "common/cleanup.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

int store_error(struct store *s, struct error *err, const char *what) {
    if (!s->db) return error_sys(err, ENOMEM, "%s", what);
    int code = sqlite3_extended_errcode(s->db);
    const char *text = sqlite3_errmsg(s->db);
    int sys = sqlite3_system_errno(s->db);
    switch (code & 0xff) {
    case SQLITE_FULL: return error_sys(err, ENOSPC, "database is full");
    case SQLITE_IOERR:
        if (sys == ENOSPC || sys == EDQUOT) return error_sys(err, sys, "database");
        return error_sys(err, sys ? sys : EIO, "database: %s", text);
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return error_set(err, ERROR_BUSY, "database: %s", text);
    case SQLITE_CANTOPEN: return error_sys(err, sys ? sys : ENOENT, "database: %s", text);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT: return error_set(err, ERROR_SYSTEM, "database: %s", text);
    case SQLITE_NOMEM: return error_sys(err, ENOMEM, "database");
    default: return error_set(err, ERROR_INTERNAL, "database: %s (%s)", text, what);
    }
}

/* The prepared form of a literal, made once. */
static sqlite3_stmt *statement(struct store *s, const char *sql, struct error *err) {
    for (size_t i = 0; i < s->cached; i++)
        if (s->cache[i].sql == sql) return s->cache[i].stmt;
    if (s->cached == STORE_STATEMENTS) {
        error_set(err, ERROR_INTERNAL, "database: more than %d statements", STORE_STATEMENTS);
        return NULL;
    }
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK) {
        store_error(s, err, sql);
        return NULL;
    }
    s->cache[s->cached].sql = sql;
    s->cache[s->cached++].stmt = stmt;
    return stmt;
}

/* The analyzer does not follow a va_list through a pointer. */
/* NOLINTBEGIN(clang-analyzer-valist.Uninitialized) */
static int bind_one(sqlite3_stmt *stmt, int at, char type, va_list *ap) {
    switch (type) {
    case 'i': return sqlite3_bind_int64(stmt, at, va_arg(*ap, int64_t));
    case 'd': return sqlite3_bind_double(stmt, at, va_arg(*ap, double));
    case 's': return sqlite3_bind_text(stmt, at, va_arg(*ap, const char *), -1, SQLITE_TRANSIENT);
    case 'o': {
        int64_t v = va_arg(*ap, int64_t);
        return v ? sqlite3_bind_int64(stmt, at, v) : sqlite3_bind_null(stmt, at);
    }
    case 'm': {
        double v = va_arg(*ap, double);
        return isfinite(v) ? sqlite3_bind_double(stmt, at, v) : sqlite3_bind_null(stmt, at);
    }
    default: return SQLITE_MISUSE;
    }
}
/* NOLINTEND(clang-analyzer-valist.Uninitialized) */

static int query_open(struct query *q, struct store *s, struct error *err, const char *sql,
                      const char *types, va_list *ap) {
    *q = (struct query){.store = s, .err = err};
    pthread_mutex_lock(&s->mutex);
    q->stmt = statement(s, sql, err);
    if (!q->stmt) return -1;
    if (sqlite3_stmt_busy(q->stmt)) {
        q->stmt = NULL; /* not ours to reset */
        return error_set(err, ERROR_INTERNAL, "database: statement in use: %s", sql);
    }
    for (int at = 1; types[at - 1]; at++)
        if (bind_one(q->stmt, at, types[at - 1], ap) != SQLITE_OK) return store_error(s, err, sql);
    return 0;
}

int query_start(struct query *q, struct store *s, struct error *err, const char *sql,
                const char *types, ...) {
    va_list ap;
    va_start(ap, types);
    int rc = query_open(q, s, err, sql, types, &ap);
    va_end(ap);
    return rc;
}

int query_step(struct query *q) {
    int rc = sqlite3_step(q->stmt);
    if (rc == SQLITE_ROW) return 1;
    if (rc == SQLITE_DONE) return 0;
    return store_error(q->store, q->err, sqlite3_sql(q->stmt));
}

void query_end(struct query *q) {
    if (!q->store) return;
    if (q->stmt) {
        sqlite3_reset(q->stmt);
        sqlite3_clear_bindings(q->stmt);
    }
    pthread_mutex_unlock(&q->store->mutex);
    *q = (struct query){0};
}

int64_t query_int(const struct query *q, int column) {
    return sqlite3_column_int64(q->stmt, column);
}

double query_double(const struct query *q, int column) {
    bool null = sqlite3_column_type(q->stmt, column) == SQLITE_NULL;
    return null ? NAN : sqlite3_column_double(q->stmt, column);
}

const char *query_text(const struct query *q, int column) {
    return (const char *)sqlite3_column_text(q->stmt, column);
}

char *query_string(const struct query *q, int column) {
    const char *text = query_text(q, column);
    return text ? strdup(text) : NULL;
}

int store_sql(struct store *s, struct error *err, const char *sql, const char *types, ...) {
    _cleanup_query_ struct query q;
    va_list ap;
    va_start(ap, types);
    int rc = query_open(&q, s, err, sql, types, &ap);
    va_end(ap);
    if (rc < 0) return -1;
    while ((rc = query_step(&q)) > 0) continue;
    return rc;
}

int64_t store_last_id(struct store *s) {
    return sqlite3_last_insert_rowid(s->db);
}

int store_changes(struct store *s) {
    return sqlite3_changes(s->db);
}
