#include "orchestrator/daemon/store.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/json.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/store_sql.h"

#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

int store_schema_version(void) {
    int n = 0;
    while (store_migrations[n]) n++;
    return n;
}

static int plain_sql(struct store *s, const char *sql, struct error *err) {
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_error(s, err, sql);
}

static int user_version(struct store *s, int *version, struct error *err) {
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &stmt, NULL);
    if (rc == SQLITE_OK) rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) *version = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    return rc == SQLITE_ROW ? 0 : store_error(s, err, "user_version");
}

/* One step and its number become true together. */
static int migrate_step(struct store *s, int step, struct error *err) {
    char done[64];
    snprintf(done, sizeof done, "PRAGMA user_version=%d", step + 1);
    if (plain_sql(s, "BEGIN IMMEDIATE", err) < 0) return -1;
    if (plain_sql(s, store_migrations[step], err) < 0 || plain_sql(s, done, err) < 0 ||
        plain_sql(s, "COMMIT", err) < 0) {
        if (!sqlite3_get_autocommit(s->db)) plain_sql(s, "ROLLBACK", NULL);
        return error_wrap(err, "migration %d", step + 1);
    }
    return 0;
}

static int migrate(struct store *s, int steps, struct error *err) {
    int have = 0;
    if (user_version(s, &have, err) < 0) return -1;
    if (have > store_schema_version())
        return error_set(err, ERROR_UNSUPPORTED,
                         "schema %d was written by a newer Paddock; this one knows %d", have,
                         store_schema_version());
    for (int step = have; step < steps; step++)
        if (migrate_step(s, step, err) < 0) return -1;
    return 0;
}

static struct store *store_new(void) {
    struct store *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    pthread_mutexattr_t recursive;
    pthread_mutexattr_init(&recursive);
    pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&s->mutex, &recursive);
    pthread_mutexattr_destroy(&recursive);
    pthread_mutex_init(&s->wait_mutex, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return s;
}

static int store_load_last(struct store *s, struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err, "SELECT seq FROM sqlite_sequence WHERE name='events'", "") < 0)
        return -1;
    int rc = query_step(&q);
    if (rc > 0) s->last_seq = query_int(&q, 0);
    return rc < 0 ? -1 : 0;
}

static int store_connect(struct store *s, const char *path, int steps, struct error *err) {
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    if (sqlite3_open_v2(path, &s->db, flags, NULL) != SQLITE_OK) return store_error(s, err, "open");
    sqlite3_extended_result_codes(s->db, 1);
    sqlite3_busy_timeout(s->db, 5000);
    const char *const settings[] = {"PRAGMA journal_mode=WAL",      "PRAGMA synchronous=FULL",
                                    "PRAGMA foreign_keys=ON",       "PRAGMA trusted_schema=OFF",
                                    "PRAGMA cell_size_check=ON",    "PRAGMA temp_store=MEMORY",
                                    "PRAGMA wal_autocheckpoint=512"};
    for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
        if (plain_sql(s, settings[i], err) < 0) return -1;
    if (migrate(s, steps, err) < 0) return -1;
    return steps > 0 ? store_load_last(s, err) : 0;
}

int store_open_file_at(const char *path, int steps, struct store **out, struct error *err) {
    struct store *s = store_new();
    if (!s) return error_sys(err, ENOMEM, "%s", path);
    mode_t before = umask(0077);
    int rc = store_connect(s, path, steps, err);
    umask(before);
    if (rc < 0) {
        store_close(s);
        return error_wrap(err, "%s", path);
    }
    *out = s;
    return 0;
}

int store_open_file(const char *path, struct store **out, struct error *err) {
    return store_open_file_at(path, store_schema_version(), out, err);
}

void store_close(struct store *s) {
    if (!s) return;
    for (size_t i = 0; i < s->cached; i++) sqlite3_finalize(s->cache[i].stmt);
    sqlite3_close_v2(s->db);
    pthread_mutex_destroy(&s->mutex);
    pthread_mutex_destroy(&s->wait_mutex);
    pthread_cond_destroy(&s->changed);
    free(s);
}

int store_begin(struct store_tx *tx, struct store *s, struct error *err) {
    pthread_mutex_lock(&s->mutex);
    s->pending_seq = 0;
    if (store_sql(s, err, "BEGIN IMMEDIATE", "") < 0) {
        pthread_mutex_unlock(&s->mutex);
        return -1;
    }
    tx->store = s;
    return 0;
}

/* Tells those who wait that there are events up to `seq`. */
static void announce(struct store *s, int64_t seq) {
    if (seq == 0) return;
    pthread_mutex_lock(&s->wait_mutex);
    s->last_seq = seq;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->wait_mutex);
}

int store_commit(struct store_tx *tx, struct error *err) {
    struct store *s = tx->store;
    if (store_sql(s, err, "COMMIT", "") < 0) {
        store_tx_cleanup(tx);
        return -1;
    }
    tx->store = NULL;
    announce(s, s->pending_seq);
    pthread_mutex_unlock(&s->mutex);
    return 0;
}

void store_tx_cleanup(struct store_tx *tx) {
    struct store *s = tx->store;
    if (!s) return;
    tx->store = NULL;
    /* SQLite rolls some failures back by itself. */
    if (!sqlite3_get_autocommit(s->db)) store_sql(s, NULL, "ROLLBACK", "");
    pthread_mutex_unlock(&s->mutex);
}

int store_event(struct store *s, const char *type, const char *subject, const char *data,
                int64_t *seq, struct error *err) {
    if (store_sql(s, err, "INSERT INTO events(at_ns, type, subject, data) VALUES(?,?,?,?)", "isss",
                  clock_real_ns(), type, subject, data ? data : "{}") < 0)
        return error_wrap(err, "event %s", type);
    s->pending_seq = store_last_id(s);
    if (seq) *seq = s->pending_seq;
    return 0;
}

int store_notify(struct store *s, struct error *err, const char *type, char kind, int64_t id, ...) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "event %s", type);
    json_open_object(w, NULL);
    va_list ap;
    va_start(ap, id);
    const char *key = va_arg(ap, const char *); /* NOLINT(clang-analyzer-valist.Uninitialized) */
    while (key) {
        const char *value = va_arg(ap, const char *);
        if (value) json_put_string(w, key, value);
        key = va_arg(ap, const char *);
    }
    va_end(ap);
    json_close_object(w);
    size_t len;
    const char *data = json_writer_text(w, &len);
    if (!data) return error_sys(err, ENOMEM, "event %s", type);
    char name[ID_MAX];
    return store_event(s, type, id_format(kind, id, name), data, NULL, err);
}

static int read_events(struct store *s, int64_t after, int64_t limit, struct event_list *out,
                       struct error *err) {
    _cleanup_query_ struct query q;
    if (query_start(&q, s, err,
                    "SELECT seq, at_ns, type, subject, data FROM events WHERE seq>?"
                    " ORDER BY seq LIMIT ?",
                    "ii", after, limit) < 0)
        return -1;
    int rc;
    while ((rc = query_step(&q)) > 0) {
        struct event *grown = reallocarray(out->items, out->count + 1, sizeof *grown);
        if (!grown) return error_sys(err, ENOMEM, "events");
        out->items = grown;
        out->items[out->count++] =
            (struct event){query_int(&q, 0), query_int(&q, 1), query_string(&q, 2),
                           query_string(&q, 3), query_string(&q, 4)};
    }
    return rc;
}

/* Waits until an event behind `after` is there; false when the time is up. */
static void wait_for_event(struct store *s, int64_t after, int64_t wait_ms) {
    int64_t deadline = clock_mono_ns() + wait_ms * NS_PER_MS;
    struct timespec until = {.tv_sec = deadline / NS_PER_SEC, .tv_nsec = deadline % NS_PER_SEC};
    pthread_mutex_lock(&s->wait_mutex);
    int rc = 0;
    while (s->last_seq <= after && !s->closing && rc == 0)
        rc = pthread_cond_timedwait(&s->changed, &s->wait_mutex, &until);
    pthread_mutex_unlock(&s->wait_mutex);
}

int store_events(struct store *s, int64_t after, int64_t wait_ms, int64_t limit,
                 struct event_list *out, struct error *err) {
    if (wait_ms > 0) wait_for_event(s, after, wait_ms);
    pthread_mutex_lock(&s->wait_mutex);
    out->last = s->last_seq;
    pthread_mutex_unlock(&s->wait_mutex);
    return read_events(s, after, limit, out, err);
}

void event_list_clear(struct event_list *l) {
    for (size_t i = 0; i < l->count; i++) {
        free(l->items[i].type);
        free(l->items[i].subject);
        free(l->items[i].data);
    }
    free(l->items);
    *l = (struct event_list){0};
}

void store_wake_waiters(struct store *s) {
    pthread_mutex_lock(&s->wait_mutex);
    s->closing = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->wait_mutex);
}
