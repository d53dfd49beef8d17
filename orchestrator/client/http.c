#include "orchestrator/client/http.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "orchestrator/client/reply.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define BODY_MAX           ((size_t)64 << 20)
#define PROBLEM_MAX        ((size_t)1 << 20)
#define CONNECT_TIMEOUT_MS 5000L
#define RETRY_PAUSE_NS     (250 * NS_PER_MS)

struct http {
    CURL *curl;
    struct curl_slist *json_headers;
    char *socket_path;
    int64_t patience_ns;
    bool repeatable;
    void (*revive)(void);
};

/* Where an answer goes: into memory, or to `fd` when it is a success. */
struct sink {
    CURL *curl;
    struct buf body;
    size_t max;
    int fd; /* −1: memory only */
    int write_errno;
    bool too_large;
    char run_state[32];
};

static void sink_clear(struct sink *s) {
    buf_free(&s->body);
}

static size_t on_body(char *data, size_t size, size_t count, void *arg) {
    struct sink *s = arg;
    size_t len = size * count;
    long status = 0;
    curl_easy_getinfo(s->curl, CURLINFO_RESPONSE_CODE, &status);
    if (s->fd >= 0 && status < 300) {
        if (write_all(s->fd, data, len) == 0) return len;
        s->write_errno = errno;
        return 0;
    }
    if (s->body.len + len > s->max) {
        s->too_large = true;
        return 0;
    }
    buf_append(&s->body, data, len);
    return len;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg) {
    static const char name[] = "Paddock-Run-State:";
    struct sink *s = arg;
    size_t len = size * count;
    if (len > sizeof name && strncasecmp(data, name, sizeof name - 1) == 0) {
        const char *from = data + sizeof name - 1;
        while (from < data + len && *from == ' ') from++;
        size_t n = 0;
        while (from<data + len && * from> ' ' && n + 1 < sizeof s->run_state)
            s->run_state[n++] = *from++;
        s->run_state[n] = '\0';
    }
    return len;
}

struct http *http_new(const char *socket_path, struct error *err) {
    /* Called before any thread exists; a second call only counts. */
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct http *h = calloc(1, sizeof *h);
    if (h) {
        h->curl = curl_easy_init();
        h->json_headers = curl_slist_append(NULL, "Content-Type: application/json");
        h->socket_path = strdup(socket_path);
    }
    if (!h || !h->curl || !h->json_headers || !h->socket_path) {
        http_free(h);
        error_sys(err, ENOMEM, "http");
        return NULL;
    }
    return h;
}

void http_free(struct http *h) {
    if (!h) return;
    curl_slist_free_all(h->json_headers);
    if (h->curl) curl_easy_cleanup(h->curl);
    free(h->socket_path);
    free(h);
}

void cleanup_http(struct http **h) {
    http_free(*h);
}

void http_set_patience(struct http *h, int seconds) {
    h->patience_ns = seconds * NS_PER_SEC;
}

void http_set_repeatable(struct http *h, bool repeatable) {
    h->repeatable = repeatable;
}

void http_set_revive(struct http *h, void (*revive)(void)) {
    h->revive = revive;
}

static enum error_kind kind_of(const char *name, long status) {
    for (int k = ERROR_INVALID; name && k <= ERROR_INTERNAL; k++)
        if (str_eq(error_kind_name((enum error_kind)k), name)) return (enum error_kind)k;
    switch (status) {
    case 400:
    case 422: return ERROR_INVALID;
    case 401:
    case 403: return ERROR_DENIED;
    case 404: return ERROR_NOT_FOUND;
    case 409: return ERROR_EXISTS;
    case 413: return ERROR_LIMIT;
    case 503: return ERROR_BUSY;
    default: return ERROR_SYSTEM;
    }
}

static const char *text_member(const struct json *doc, const char *key) {
    const struct json *v = doc && json_type(doc) == JSON_OBJECT ? json_find(doc, key) : NULL;
    const char *text = NULL;
    if (v && json_type(v) == JSON_STRING) json_as_string(v, &text, NULL);
    return text;
}

int http_problem(long status, const char *what, const char *body, size_t len, struct error *err) {
    _cleanup_json_ struct json *doc = len ? json_parse(what, body, len, NULL) : NULL;
    const char *detail = text_member(doc, "detail");
    const char *title = text_member(doc, "title");
    enum error_kind kind = kind_of(text_member(doc, "kind"), status);
    if (detail && *detail) return error_set(err, kind, "%s", detail);
    if (title && *title) return error_set(err, kind, "%s: %s", what, title);
    return error_set(err, kind, "%s: paddockd answered with status %ld", what, status);
}

static int describe_failure(CURLcode code, const struct http *h, const struct sink *s,
                            const char *what, struct error *err) {
    if (s->write_errno) return error_sys(err, s->write_errno, "write the answer to %s", what);
    if (s->too_large)
        return error_set(err, ERROR_LIMIT, "%s: the answer is larger than %zu bytes", what, s->max);
    if (code == CURLE_COULDNT_CONNECT)
        return error_set(err, ERROR_NOT_FOUND, "no paddockd answers on %s", h->socket_path);
    return error_set(err, ERROR_SYSTEM, "%s: %s", what, curl_easy_strerror(code));
}

static void prepare(struct http *h, const char *url, struct sink *s) {
    CURL *c = h->curl;
    curl_easy_reset(c); /* keeps the connection */
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_UNIX_SOCKET_PATH, h->socket_path);
    curl_easy_setopt(c, CURLOPT_NOPROXY, "*"); /* http_proxy is not about unix sockets */
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "paddock/" PADDOCK_VERSION);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, s);
    s->curl = c;
}

/* Whether nothing has come of the exchange yet that a second try would double. */
static bool may_retry(CURLcode code, const struct sink *s, bool is_read) {
    if (code == CURLE_COULDNT_CONNECT) return true;
    bool lost = code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
                code == CURLE_PARTIAL_FILE;
    return lost && is_read && s->fd < 0;
}

static CURLcode perform(struct http *h, struct sink *s, bool is_read) {
    int64_t deadline = clock_mono_ns() + h->patience_ns;
    for (;;) {
        CURLcode code = curl_easy_perform(h->curl);
        if (!may_retry(code, s, is_read || h->repeatable) || clock_mono_ns() >= deadline)
            return code;
        s->body.len = 0;
        if (code == CURLE_COULDNT_CONNECT && h->revive) h->revive();
        const struct timespec pause = {.tv_nsec = RETRY_PAUSE_NS};
        nanosleep(&pause, NULL);
    }
}

/* One exchange; `body` NULL is a GET. Anything but a 2xx is an error. */
static int exchange(struct http *h, const char *path, const char *body, size_t body_len,
                    struct sink *s, struct error *err) {
    _cleanup_free_ char *url = str_printf("http://paddock%s", path);
    _cleanup_free_ char *what = str_printf("%s %s", body ? "POST" : "GET", path);
    if (!url || !what) return error_sys(err, ENOMEM, "http");
    prepare(h, url, s);
    if (body) {
        curl_easy_setopt(h->curl, CURLOPT_POST, 1L);
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDS, body);
        curl_easy_setopt(h->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_len);
        curl_easy_setopt(h->curl, CURLOPT_HTTPHEADER, h->json_headers);
    }
    CURLcode code = perform(h, s, body == NULL);
    if (code != CURLE_OK) return describe_failure(code, h, s, what, err);
    if (buf_failed(&s->body)) return error_sys(err, ENOMEM, "%s", what);
    long status = 0;
    curl_easy_getinfo(h->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status / 100 == 2) return 0;
    return http_problem(status, what, buf_text(&s->body), s->body.len, err);
}

static int exchange_json(struct http *h, const char *path, const char *body, size_t body_len,
                         struct json **out, struct error *err) {
    _cleanup_(sink_clear) struct sink s = {.fd = -1, .max = BODY_MAX};
    if (exchange(h, path, body, body_len, &s, err) < 0) return -1;
    if (!out) return 0;
    *out = json_parse(path, buf_text(&s.body), s.body.len, err);
    return *out ? 0 : error_wrap(err, "the answer of paddockd");
}

int http_get(struct http *h, const char *path, struct json **out, struct error *err) {
    return exchange_json(h, path, NULL, 0, out, err);
}

int http_post(struct http *h, const char *path, struct json_writer *body, struct json **out,
              struct error *err) {
    size_t len = 2;
    const char *text = body ? json_writer_text(body, &len) : "{}";
    if (!text) return error_sys(err, ENOMEM, "POST %s", path);
    return exchange_json(h, path, text, len, out, err);
}

static char *format_path(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));
static char *format_path(const char *fmt, va_list ap) {
    struct buf path = {0};
    buf_vprintf(&path, fmt, ap);
    return buf_steal(&path);
}

int http_getf(struct http *h, struct json **out, struct error *err, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    _cleanup_free_ char *path = format_path(fmt, ap);
    va_end(ap);
    return path ? http_get(h, path, out, err) : error_sys(err, ENOMEM, "GET");
}

int http_postf(struct http *h, struct json_writer *body, struct json **out, struct error *err,
               const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    _cleanup_free_ char *path = format_path(fmt, ap);
    va_end(ap);
    return path ? http_post(h, path, body, out, err) : error_sys(err, ENOMEM, "POST");
}

int http_bytes(struct http *h, const char *path, struct buf *out, char run_state[32],
               struct error *err) {
    _cleanup_(sink_clear) struct sink s = {.fd = -1, .max = BODY_MAX};
    if (exchange(h, path, NULL, 0, &s, err) < 0) return -1;
    buf_append(out, buf_text(&s.body), s.body.len);
    if (run_state) memcpy(run_state, s.run_state, sizeof s.run_state);
    return buf_failed(out) ? error_sys(err, ENOMEM, "GET %s", path) : 0;
}

int http_download(struct http *h, const char *path, int fd, struct error *err) {
    _cleanup_(sink_clear) struct sink s = {.fd = fd, .max = PROBLEM_MAX};
    return exchange(h, path, NULL, 0, &s, err);
}

int http_probe(struct http *h, struct json **out, struct error *err) {
    return http_get(h, "/v1/health", out, err);
}

char *http_escape(const char *text) {
    static const char hex[] = "0123456789ABCDEF";
    struct buf out = {0};
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || strchr("-._~", *p);
        if (!plain) buf_putc(&out, '%');
        buf_putc(&out, plain ? (char)*p : hex[*p >> 4]);
        if (!plain) buf_putc(&out, hex[*p & 15]);
    }
    buf_puts(&out, "");
    return buf_steal(&out);
}

char *http_task_path(const struct json *experiment) {
    return http_escape(
        reply_text_or(experiment, "task_dir", reply_text_or(experiment, "task", "")));
}
