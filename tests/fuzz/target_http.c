/*
 * The daemon's API (orchestrator/daemon): requests as libmicrohttpd hands them over,
 * through routes, queries and bodies down to a store in memory, without a socket. The
 * few functions of libmicrohttpd that our code calls are defined here instead.
 *
 * Input: requests, apart by a NUL byte. The first line of each is "METHOD PATH?QUERY"
 * and, if need be, a blank and the content type; what follows is the body.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/daemon/api.h"
#include "orchestrator/daemon/daemon.h"
#include "orchestrator/daemon/gc.h"
#include "orchestrator/daemon/http.h"
#include "orchestrator/daemon/store_run.h"
#include "orchestrator/daemon/store_sql.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <stdarg.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define REQUESTS_MAX 6

struct MHD_Connection {
    char *query; /* NULL: none */
    const char *type;
    int status;
};

struct MHD_Response {
    char *body; /* NULL: from a file */
    size_t len;
    char content_type[64];
};

static MHD_AccessHandlerCallback on_request;
static MHD_RequestCompletedCallback on_completed;
static void *server;
static struct daemon d;
static struct store *fresh; /* the state that every input starts from */
static int peer = -1;

/* ---- libmicrohttpd, as far as http.c needs it ---- */

struct MHD_Daemon *MHD_start_daemon(unsigned flags, uint16_t port, MHD_AcceptPolicyCallback apc,
                                    void *apc_cls, MHD_AccessHandlerCallback dh, void *dh_cls,
                                    ...) {
    (void)flags, (void)port, (void)apc, (void)apc_cls;
    on_request = dh;
    server = dh_cls;
    va_list ap;
    va_start(ap, dh_cls);
    for (int option; (option = va_arg(ap, int)) != MHD_OPTION_END;) {
        switch (option) {
        case MHD_OPTION_CONNECTION_MEMORY_LIMIT: (void)va_arg(ap, size_t); break;
        case MHD_OPTION_NOTIFY_COMPLETED:
            on_completed = va_arg(ap, MHD_RequestCompletedCallback);
            (void)va_arg(ap, void *);
            break;
        case MHD_OPTION_UNESCAPE_CALLBACK:
            (void)va_arg(ap, void *);
            (void)va_arg(ap, void *);
            break;
        default: (void)va_arg(ap, int);
        }
    }
    va_end(ap);
    return (struct MHD_Daemon *)&server;
}

const union MHD_ConnectionInfo *MHD_get_connection_info(struct MHD_Connection *c,
                                                        enum MHD_ConnectionInfoType type, ...) {
    static union MHD_ConnectionInfo info;
    (void)c, (void)type;
    info.connect_fd = peer;
    return &info;
}

const char *MHD_lookup_connection_value(struct MHD_Connection *c, enum MHD_ValueKind kind,
                                        const char *key) {
    FUZZ_CHECK(kind == MHD_HEADER_KIND && str_eq(key, "Content-Type"), "asks for %s", key);
    return c->type;
}

/* A wait for events that may come would only cost time. */
static bool would_wait(const char *key, const char *value) {
    return str_eq(key, "wait_ms") && value && strtoll(value, NULL, 10) > 0;
}

int MHD_get_connection_values_n(struct MHD_Connection *c, enum MHD_ValueKind kind,
                                MHD_KeyValueIteratorN iterator, void *cls) {
    FUZZ_CHECK(kind == MHD_GET_ARGUMENT_KIND, "asks for kind %d", kind);
    _cleanup_free_ char *query = c->query ? strdup(c->query) : NULL;
    char *rest = query;
    int n = 0;
    for (char *key; rest && (key = strsep(&rest, "&")); n++) {
        char *value = strchr(key, '=');
        if (value) *value++ = '\0';
        if (would_wait(key, value)) value = (char *)"0";
        if (iterator(cls, kind, key, strlen(key), value, value ? strlen(value) : 0) != MHD_YES)
            break;
    }
    return n;
}

static struct MHD_Response *new_response(char *body, size_t len) {
    struct MHD_Response *r = calloc(1, sizeof *r);
    FUZZ_CHECK(r, "out of memory");
    r->body = body;
    r->len = len;
    return r;
}

struct MHD_Response *MHD_create_response_from_buffer(size_t size, void *buffer,
                                                     enum MHD_ResponseMemoryMode mode) {
    return new_response(mode == MHD_RESPMEM_MUST_FREE ? buffer : strdup(""), size);
}

struct MHD_Response *MHD_create_response_from_fd64(uint64_t size, int fd) {
    close(fd);
    return new_response(NULL, size);
}

enum MHD_Result MHD_add_response_header(struct MHD_Response *r, const char *name,
                                        const char *value) {
    for (const char *p = value; *p; p++)
        FUZZ_CHECK((unsigned char)*p >= 0x20 && *p != 0x7f, "header %s: %s", name, value);
    if (str_eq(name, "Content-Type"))
        snprintf(r->content_type, sizeof r->content_type, "%s", value);
    return MHD_YES;
}

static void check_response(int status, const struct MHD_Response *r) {
    FUZZ_CHECK(status >= 200 && status < 500, "status %d: %.*s", status, (int)r->len,
               r->body ? r->body : "");
    bool problem = str_eq(r->content_type, "application/problem+json");
    FUZZ_CHECK(problem == (status >= 400), "status %d as %s", status, r->content_type);
    if (!problem && !str_eq(r->content_type, "application/json")) return;
    struct error err = {0};
    _cleanup_json_ struct json *doc = json_parse("response", r->body, r->len, &err);
    FUZZ_CHECK(doc && json_type(doc) == JSON_OBJECT, "%s: %.*s", error_text(&err), (int)r->len,
               r->body);
}

enum MHD_Result MHD_queue_response(struct MHD_Connection *c, unsigned status,
                                   struct MHD_Response *r) {
    FUZZ_CHECK(c->status == 0, "answers twice");
    c->status = (int)status;
    check_response(c->status, r);
    return MHD_YES;
}

void MHD_destroy_response(struct MHD_Response *r) {
    free(r->body);
    free(r);
}

/* ---- one request ---- */

static void deliver(struct MHD_Connection *c, const char *url, const char *method,
                    const char *body) {
    void *state = NULL;
    size_t none = 0, left = strlen(body);
    FUZZ_CHECK(on_request(server, c, url, method, "HTTP/1.1", NULL, &none, &state) == MHD_YES,
               "is not heard");
    /* Bodies come in pieces. */
    while (left > 0) {
        size_t piece = left > 7 ? 7 : left, taken = piece;
        FUZZ_CHECK(on_request(server, c, url, method, "HTTP/1.1", body, &taken, &state) == MHD_YES,
                   "the body is not taken");
        body += piece;
        left -= piece;
    }
    on_request(server, c, url, method, "HTTP/1.1", NULL, &none, &state);
    FUZZ_CHECK(c->status, "no answer");
    on_completed(server, c, &state, MHD_REQUEST_TERMINATED_COMPLETED_OK);
}

static int request(char *text) {
    char *rest = text;
    char *line = strsep(&rest, "\n");
    char *method = strsep(&line, " ");
    char *url = line ? strsep(&line, " ") : NULL;
    struct MHD_Connection c = {.type = line ? line : "application/json"};
    if (!url || *url != '/') return 0;
    c.query = strchr(url, '?');
    if (c.query) *c.query++ = '\0';
    deliver(&c, url, method, rest ? rest : "");
    return c.status;
}

/* ---- the state ---- */

static void make_folder(char **out, const char *name) {
    *out = path_join(d.state, name);
    FUZZ_CHECK(*out && mkdir(*out, 0700) == 0, "%s: %s", name, strerror(errno));
}

static void copy_store(struct store *from, struct store *to) {
    sqlite3_backup *b = sqlite3_backup_init(to->db, "main", from->db, "main");
    FUZZ_CHECK(b && sqlite3_backup_step(b, -1) == SQLITE_DONE, "%s", sqlite3_errmsg(to->db));
    sqlite3_backup_finish(b);
    to->last_seq = from->last_seq;
}

static void ask(const char *text, int wanted) {
    _cleanup_free_ char *copy = strdup(text);
    int status = request(copy);
    FUZZ_CHECK(status == wanted, "status %d: %s", status, text);
}

/* An experiment of the toy task with two versions, a run and a measurement. */
static void fill(void) {
    struct run_row run = {
        .owner = {.version = 1}, .phase = (char *)"train", .purpose = (char *)"explore"};
    struct error err = {0};
    ask("POST /v1/experiments\n{\"task\": \"toy\", \"agent\": \"fuzz\"}", 201);
    ask("POST /v1/experiments/e1/versions\n{\"parent\": \"v1\", \"hypothesis\": \"h\"}", 201);
    ask("POST /v1/measurements\n{\"versions\": [\"v2\"]}", 201);
    _cleanup_store_tx_ struct store_tx tx = {0};
    FUZZ_CHECK(store_begin(&tx, d.store, &err) == 0 && run_add(d.store, &run, &err) == 0 &&
                   store_commit(&tx, &err) == 0,
               "%s", error_text(&err));
}

/* As daemon_open() does, without a probe of the machine for each process. */
static void open_state(void) {
    struct error err = {0};
    struct fuzz_place *p = fuzz_place();
    d = (struct daemon){.lock_fd = -1, .stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    pthread_rwlock_init(&d.files, NULL);
    d.state = path_join(p->path, "in/state");
    FUZZ_CHECK(d.state && mkdir(d.state, 0700) == 0, "%s", strerror(errno));
    make_folder(&d.runs, "runs");
    make_folder(&d.snapshots, "snapshots");
    make_folder(&d.built, "built");
    make_folder(&d.data, "data");
    make_folder(&d.tmp, "tmp");
    make_folder(&d.images, "images");
    d.machine = strdup("{}");
    d.installation = strdup("00000000");
    FUZZ_CHECK(store_open_file(":memory:", &d.store, &err) == 0 &&
                   store_open_file(":memory:", &fresh, &err) == 0,
               "%s", error_text(&err));
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    int pair[2];
    struct http_server *s = NULL;
    setenv("PADDOCK_TASKS", FUZZ_SOURCE "/../integration/tasks", 1);
    setenv("PADDOCK_BIN", "/nonexistent", 1);
    setenv("HOME", "/nonexistent", 1);
    FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, "socketpair");
    peer = pair[0];
    open_state();
    FUZZ_CHECK(http_start(-1, api_routes, &d, &s, NULL) == 0, "http_start");
    fill();
    copy_store(d.store, fresh);
    return 0;
}

/* What an input changed in the store goes at once; the snapshots that no row knows any
 * more harm nobody, but would fill the disk in time. */
static void forget(void) {
    static unsigned inputs;
    struct gc_stats stats = {0};
    struct error err = {0};
    eventfd_t stop;
    atomic_store(&d.stop, STOP_NO);
    (void)!eventfd_read(d.stop_fd, &stop);
    copy_store(fresh, d.store);
    if (++inputs % 500 == 0)
        FUZZ_CHECK(gc_run(&d, 1 << 30, &stats, &err) == 0, "%s", error_text(&err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct fuzz_input in = {data, len};
    int before = sqlite3_total_changes(d.store->db);
    for (int i = 0; i < REQUESTS_MAX && in.left > 0; i++) {
        _cleanup_free_ char *text = fuzz_text(&in);
        request(text);
    }
    fuzz_place_check(fuzz_place());
    if (sqlite3_total_changes(d.store->db) != before || atomic_load(&d.stop)) forget();
    return 0;
}
