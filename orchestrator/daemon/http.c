#include "orchestrator/daemon/http.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "orchestrator/daemon/problem.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>

#define DRAIN_NAPS 300 /* of 10 ms */

struct http_server {
    struct MHD_Daemon *mhd;
    const struct route *routes;
    struct daemon *daemon;
    atomic_int active;
    atomic_int_least64_t last_ns;
};

/* One request on its way in. */
struct incoming {
    struct buf body;
    size_t received;
};

/* ---- requests ---- */

struct query_walk {
    const char *name;
    const char *const *known;
    char *value;
    struct error *err;
    bool failed;
};

static enum MHD_Result find_argument(void *cls, enum MHD_ValueKind kind, const char *key,
                                     size_t key_len, const char *value, size_t value_len) {
    (void)kind;
    struct query_walk *walk = cls;
    _cleanup_free_ char *name = url_decode(key, key_len, walk->err);
    walk->failed = !name;
    if (!name || !str_eq(name, walk->name)) return name ? MHD_YES : MHD_NO;
    if (walk->value) {
        error_set(walk->err, ERROR_INVALID, "query: %s: given twice", walk->name);
        walk->failed = true;
        return MHD_NO;
    }
    walk->value = url_decode(value ? value : "", value_len, walk->err);
    walk->failed = !walk->value;
    return walk->failed ? MHD_NO : MHD_YES;
}

int request_query(const struct request *q, const char *name, char **out, struct error *err) {
    struct query_walk walk = {.name = name, .err = err};
    *out = NULL;
    MHD_get_connection_values_n(q->connection, MHD_GET_ARGUMENT_KIND, find_argument, &walk);
    if (walk.failed) {
        free(walk.value);
        return -1;
    }
    *out = walk.value;
    return 0;
}

static enum MHD_Result check_argument(void *cls, enum MHD_ValueKind kind, const char *key,
                                      size_t key_len, const char *value, size_t value_len) {
    (void)kind, (void)value, (void)value_len;
    struct query_walk *walk = cls;
    for (size_t i = 0; walk->known[i]; i++)
        if (strlen(walk->known[i]) == key_len && memcmp(walk->known[i], key, key_len) == 0)
            return MHD_YES;
    _cleanup_free_ char *shown = str_printable(key, key_len);
    error_set(walk->err, ERROR_INVALID, "query: %s: unknown argument", shown ? shown : "?");
    walk->failed = true;
    return MHD_NO;
}

int request_query_known(const struct request *q, const char *const *names, struct error *err) {
    struct query_walk walk = {.known = names, .err = err};
    MHD_get_connection_values_n(q->connection, MHD_GET_ARGUMENT_KIND, check_argument, &walk);
    return walk.failed ? -1 : 0;
}

int request_query_int(const struct request *q, const char *name, int64_t min, int64_t max,
                      int64_t *out, struct error *err) {
    _cleanup_free_ char *text = NULL;
    if (request_query(q, name, &text, err) < 0) return -1;
    if (!text) return 0;
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    bool digits = *text >= '0' && *text <= '9' && *end == '\0';
    if (!digits || errno || n < min || n > max)
        return error_set(err, ERROR_INVALID, "query: %s: must be a number from %lld to %lld", name,
                         (long long)min, (long long)max);
    *out = n;
    return 0;
}

int response_json(struct response *p, struct json_writer *w, struct error *err) {
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    if (!text) return error_set(err, ERROR_INTERNAL, "response: not a document");
    buf_append(&p->body, text, len);
    return buf_failed(&p->body) ? error_sys(err, ENOMEM, "response") : 0;
}

/* ---- responses ---- */

static struct MHD_Response *make_response(struct response *p) {
    if (p->fd >= 0) {
        struct stat st;
        if (fstat(p->fd, &st) < 0) return NULL;
        return MHD_create_response_from_fd64((uint64_t)st.st_size, steal_fd(&p->fd));
    }
    size_t len = p->body.len;
    char *bytes = buf_steal(&p->body);
    if (!bytes) return MHD_create_response_from_buffer(0, "", MHD_RESPMEM_PERSISTENT);
    struct MHD_Response *r = MHD_create_response_from_buffer(len, bytes, MHD_RESPMEM_MUST_FREE);
    if (!r) free(bytes);
    return r;
}

static enum MHD_Result send_response(struct MHD_Connection *c, struct response *p) {
    struct MHD_Response *r = make_response(p);
    if (!r) return MHD_NO;
    MHD_add_response_header(r, "Content-Type",
                            p->content_type ? p->content_type : "application/json");
    MHD_add_response_header(r, "Cache-Control", "no-store");
    MHD_add_response_header(r, "X-Content-Type-Options", "nosniff");
    if (p->header_name) MHD_add_response_header(r, p->header_name, p->header_value);
    enum MHD_Result rc = MHD_queue_response(c, p->status ? (unsigned)p->status : 200u, r);
    MHD_destroy_response(r);
    return rc;
}

static void problem(struct response *p, int status, const char *detail, enum error_kind kind,
                    const char *rule) {
    p->status = status;
    p->content_type = "application/problem+json";
    buf_free(&p->body);
    if (p->fd >= 0) close(steal_fd(&p->fd));
    problem_write(status, detail, kind, rule, &p->body);
}

/* ---- one request ---- */

static bool peer_allowed(struct MHD_Connection *c) {
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct ucred peer;
    socklen_t len = sizeof peer;
    if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return false;
    return peer.uid == geteuid() || peer.uid == 0;
}

static bool is_json_type(const char *type) {
    static const char json[] = "application/json";
    if (!type || strncasecmp(type, json, sizeof json - 1) != 0) return false;
    char behind = type[sizeof json - 1];
    return behind == '\0' || behind == ';' || behind == ' ';
}

/* The body as a JSON object, where the route takes one. 0, or a status and err. */
static int parse_body(const struct route *route, struct MHD_Connection *c, struct incoming *in,
                      struct json **out, struct error *err) {
    if (in->received > HTTP_BODY_MAX) {
        error_set(err, ERROR_LIMIT, "request body: more than %u bytes", HTTP_BODY_MAX);
        return 413;
    }
    if (in->received == 0) {
        if (route->body != BODY_REQUIRED) return 0;
        error_set(err, ERROR_INVALID, "request body: empty, must be a JSON object");
        return 400;
    }
    if (route->body == BODY_NONE) {
        error_set(err, ERROR_INVALID, "request body: this request takes none");
        return 400;
    }
    if (!is_json_type(MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Type"))) {
        error_set(err, ERROR_INVALID, "Content-Type: must be application/json");
        return 415;
    }
    *out = json_parse("request body", in->body.data, in->body.len, err);
    if (!*out) return problem_status(err);
    if (json_type(*out) == JSON_OBJECT) return 0;
    json_error(*out, err, "must be an object, is %s", json_type_name(json_type(*out)));
    return 400;
}

static void run_handler(struct http_server *s, struct route_match *match, struct MHD_Connection *c,
                        struct incoming *in, struct response *p) {
    _cleanup_error_ struct error err = {0};
    _cleanup_json_ struct json *body = NULL;
    int status = parse_body(match->route, c, in, &body, &err);
    if (status != 0) {
        problem(p, status, error_text(&err), err.kind, err.rule);
        return;
    }
    struct request q = {.params = match->params, .body = body, .connection = c};
    if (match->route->handler(s->daemon, &q, p, &err) == 0) return;
    status = problem_status(&err);
    if (status == 500) log_error("%s: %s", match->route->pattern, error_text(&err));
    problem(p, status, error_text(&err), err.kind, err.rule);
}

static void no_route(enum route_found found, const char *method, const char *path,
                     struct route_match *match, struct response *p) {
    _cleanup_free_ char *shown = str_printable(path, strlen(path));
    _cleanup_buf_ struct buf detail = {0};
    buf_printf(&detail, "%s %s: ", method, shown ? shown : "");
    if (found == ROUTE_UNKNOWN) {
        buf_puts(&detail, "no such route");
        problem(p, 404, buf_text(&detail), ERROR_NOT_FOUND, NULL);
        return;
    }
    buf_printf(&detail, "this route takes %s", buf_text(&match->allow));
    problem(p, 405, buf_text(&detail), ERROR_INVALID, NULL);
    p->header_name = "Allow";
    p->header_value = buf_steal(&match->allow);
}

static void answer(struct http_server *s, struct MHD_Connection *c, const char *method,
                   const char *path, struct incoming *in, struct response *p) {
    if (!peer_allowed(c)) {
        problem(p, 403, "only the user of this daemon and root are served", ERROR_DENIED, NULL);
        return;
    }
    _cleanup_error_ struct error err = {0};
    struct route_match match = {0};
    int found = route_find(s->routes, method, path, &match, &err);
    if (found < 0) problem(p, problem_status(&err), error_text(&err), err.kind, err.rule);
    else if (found == ROUTE_FOUND) run_handler(s, &match, c, in, p);
    else no_route((enum route_found)found, method, path, &match, p);
    route_match_clear(&match);
}

/* ---- the server ---- */

static enum MHD_Result receive(struct incoming *in, const char *data, size_t *len) {
    in->received += *len;
    if (in->received <= HTTP_BODY_MAX) buf_append(&in->body, data, *len);
    *len = 0;
    /* Who sends much more than is allowed does not wait for the answer. */
    return in->received > 4 * (size_t)HTTP_BODY_MAX || buf_failed(&in->body) ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_request(void *cls, struct MHD_Connection *c, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_len, void **state) {
    (void)version;
    struct http_server *s = cls;
    struct incoming *in = *state;
    if (!in) {
        *state = in = calloc(1, sizeof *in);
        if (!in) return MHD_NO;
        atomic_fetch_add(&s->active, 1);
        return MHD_YES;
    }
    if (*data_len > 0) return receive(in, data, data_len);
    struct response p = {.fd = -1};
    answer(s, c, method, url, in, &p);
    enum MHD_Result rc = send_response(c, &p);
    buf_free(&p.body);
    free(p.header_value);
    if (p.fd >= 0) close(p.fd);
    return rc;
}

static void on_completed(void *cls, struct MHD_Connection *c, void **state,
                         enum MHD_RequestTerminationCode code) {
    (void)c, (void)code;
    struct http_server *s = cls;
    struct incoming *in = *state;
    if (!in) return;
    buf_free(&in->body);
    free(in);
    *state = NULL;
    atomic_store(&s->last_ns, clock_mono_ns());
    atomic_fetch_sub(&s->active, 1);
}

/* Decoding is ours (route.c), once and strictly. */
static size_t keep_encoded(void *cls, struct MHD_Connection *c, char *text) {
    (void)cls, (void)c;
    return strlen(text);
}

static int bind_socket(int fd, const char *path, struct error *err) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return error_set(err, ERROR_INVALID, "longer than %zu bytes", sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path));
    struct stat st;
    if (lstat(path, &st) == 0) {
        if (!S_ISSOCK(st.st_mode))
            return error_set(err, ERROR_EXISTS, "is there and is not a socket");
        if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
            return error_set(err, ERROR_BUSY, "another daemon answers on it");
        if (unlink(path) < 0) return error_sys(err, errno, "remove the stale socket");
    }
    mode_t before = umask(0177);
    int rc = bind(fd, (struct sockaddr *)&address, sizeof address);
    int why = errno;
    umask(before);
    if (rc < 0) return error_sys(err, why, "bind");
    return listen(fd, HTTP_CONNECTIONS) < 0 ? error_sys(err, errno, "listen") : 0;
}

/* /tmp is everybody's: a folder there must be ours and closed to others. */
static int make_socket_dir(const char *path, struct error *err) {
    _cleanup_free_ char *dir = strdup(path);
    char *slash = dir ? strrchr(dir, '/') : NULL;
    if (!slash || slash == dir) return error_set(err, ERROR_INVALID, "must lie in a folder");
    *slash = '\0';
    struct stat st;
    if (lstat(dir, &st) < 0) return dir_make(dir, 0700, err);
    if (!S_ISDIR(st.st_mode)) return error_sys(err, ENOTDIR, "%s", dir);
    if (st.st_uid != geteuid())
        return error_set(err, ERROR_DENIED, "%s belongs to another user", dir);
    if ((st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
        return error_set(err, ERROR_DENIED, "%s: everybody may write there", dir);
    return 0;
}

int http_listen(const char *path, struct error *err) {
    if (make_socket_dir(path, err) < 0) return error_wrap(err, "socket %s", path);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return error_sys(err, errno, "socket");
    if (bind_socket(fd, path, err) < 0) return error_wrap(err, "socket %s", path);
    return steal_fd(&fd);
}

int http_start(int listen_fd, const struct route *routes, struct daemon *d,
               struct http_server **out, struct error *err) {
    struct http_server *s = calloc(1, sizeof *s);
    if (!s) return error_sys(err, ENOMEM, "http");
    s->routes = routes;
    s->daemon = d;
    atomic_store(&s->last_ns, clock_mono_ns());
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
                     MHD_USE_POLL | MHD_USE_ITC;
    s->mhd = MHD_start_daemon(flags, 0, NULL, NULL, on_request, s, MHD_OPTION_LISTEN_SOCKET,
                              listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS,
                              MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_TIMEOUT_SECONDS,
                              MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)(64u << 10),
                              MHD_OPTION_UNESCAPE_CALLBACK, keep_encoded, NULL,
                              MHD_OPTION_NOTIFY_COMPLETED, on_completed, s, MHD_OPTION_END);
    if (!s->mhd) {
        free(s);
        return error_set(err, ERROR_SYSTEM, "http: the server could not be started");
    }
    *out = s;
    return 0;
}

void http_refuse_new(struct http_server *s) {
    int fd = MHD_quiesce_daemon(s->mhd);
    if (fd >= 0) close(fd);
}

void http_stop(struct http_server *s) {
    if (!s) return;
    /* Stopping cuts connections: let the answers out first. */
    const struct timespec nap = {.tv_nsec = 10 * NS_PER_MS};
    for (int i = 0; i < DRAIN_NAPS && http_active(s) > 0; i++) nanosleep(&nap, NULL);
    MHD_stop_daemon(s->mhd);
    free(s);
}

int http_active(const struct http_server *s) {
    return atomic_load(&s->active);
}

int64_t http_last_request_ns(const struct http_server *s) {
    return atomic_load(&s->last_ns);
}
