/* The proxy between a client and a server that answers when it is told to: comments for
 * who waits, errors behind them, calls that cannot be taken down, an end in the middle. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/proxy/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

#define STREAM                                                                                  \
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"           \
    "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n" \
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"           \
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n"        \
    "data: [DONE]\n\n"
#define BROKEN                                                                        \
    "HTTP/1.1 400 Bad\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n" \
    "{\"error\":{\"message\":\"too odd\"}}"

static int listen_somewhere(int *port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 8), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

/* ---- the model's server ---- */

struct server {
    int fd, port;
    const char *answer;
    sem_t asked, go;
    pthread_t thread;
};

static void read_request(int c) {
    char text[8192];
    size_t len = 0;
    for (;;) {
        ssize_t n = read(c, text + len, sizeof text - 1 - len);
        if (n <= 0) return;
        len += (size_t)n;
        text[len] = '\0';
        const char *end = strstr(text, "\r\n\r\n"), *size = strcasestr(text, "content-length:");
        if (end && size && text + len >= end + 4 + strtoul(size + 15, NULL, 10)) return;
    }
}

static void *serve(void *arg) {
    struct server *s = arg;
    for (int c; (c = accept(s->fd, NULL, NULL)) >= 0; close(c)) {
        read_request(c);
        sem_post(&s->asked);
        sem_wait(&s->go);
        if (s->answer) write_all(c, s->answer, strlen(s->answer));
    }
    return NULL;
}

static void server_open(struct server *s, const char *answer) {
    *s = (struct server){.answer = answer};
    s->fd = listen_somewhere(&s->port);
    sem_init(&s->asked, 0, 0);
    sem_init(&s->go, 0, 0);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_close(struct server *s) {
    shutdown(s->fd, SHUT_RDWR);
    sem_post(&s->go);
    pthread_join(s->thread, NULL);
    close(s->fd);
}

/* ---- the agent's side of the proxy ---- */

struct book {
    int calls, fails; /* fails: 1: the next one cannot be taken down */
    int64_t input, output;
    char error[200];
    sem_t noted;
};

static int tell_left(void *context, struct relay_left *left, struct error *err) {
    (void)context, (void)err;
    *left = (struct relay_left){-1, -1};
    return 0;
}

static int take_down(void *context, const struct proxy_call *c, struct error *err) {
    struct book *b = context;
    b->calls++;
    b->input += c->reply->reply.usage.input;
    b->output += c->reply->reply.usage.output;
    snprintf(b->error, sizeof b->error, "%s", c->error ? c->error : "");
    sem_post(&b->noted);
    return b->fails ? error_set(err, ERROR_SYSTEM, "the daemon is gone") : 0;
}

struct proxied {
    struct server server;
    struct book book;
    struct proxy *proxy;
    int port;
    struct proxy_totals totals;
};

static void open_all(struct proxied *x, const char *answer, int64_t comment_ns) {
    char path[] = "/tmp/paddock-proxy-XXXXXX", config[300];
    struct error err = {0};
    *x = (struct proxied){0};
    server_open(&x->server, answer);
    sem_init(&x->book.noted, 0, 0);
    snprintf(config, sizeof config,
             "{\"protocol\": \"openai\", \"url\": \"http://127.0.0.1:%d/v1\", \"name\": \"m\","
             " \"retries\": {\"count\": 0}}",
             x->server.port);
    int fd = mkstemp(path);
    assert_int_equal(write_all(fd, config, strlen(config)), 0);
    close(fd);
    const struct proxy_host host = {&x->book, tell_left, take_down, comment_ns};
    int listening = listen_somewhere(&x->port);
    if (proxy_start(listening, path, &host, &x->proxy, &err) < 0) fail_msg("%s", error_text(&err));
    unlink(path);
}

static void close_all(struct proxied *x) {
    if (x->proxy) proxy_stop(x->proxy, &x->totals);
    server_close(&x->server);
    proxy_totals_clear(&x->totals);
}

static int ask(const struct proxied *x, const char *method, const char *path, const char *body) {
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)x->port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(c, (struct sockaddr *)&a, sizeof a), 0);
    _cleanup_free_ char *text = str_printf(
        "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s", method,
        path, strlen(body), body);
    assert_int_equal(write_all(c, text, strlen(text)), 0);
    return c;
}

/* Reads up to the end, or until a text has come. */
static void hear(int c, const char *until, struct buf *out) {
    char text[4096];
    for (ssize_t n; (n = read(c, text, sizeof text)) > 0;) {
        buf_append(out, text, (size_t)n);
        if (until && strstr(buf_text(out), until)) return;
    }
}

static void has(const struct buf *b, const char *part) {
    if (!strstr(buf_text(b), part)) fail_msg("no %s in: %s", part, buf_text(b));
}

#define CHAT       "/v1/chat/completions"
#define ASK_STREAM "{\"stream\": true, \"messages\": [{\"role\": \"user\", \"content\": \"hi\"}]}"
#define OFTEN      INT64_C(5000000)
#define NEVER      INT64_C(3600000000000)

/* ---- tests ---- */

static void test_who_waits_is_told_so(void **state) {
    (void)state;
    struct proxied x;
    _cleanup_buf_ struct buf said = {0};
    open_all(&x, STREAM, OFTEN);
    _cleanup_close_ int c = ask(&x, "POST", CHAT, ASK_STREAM);
    hear(c, ": the model is at work", &said);
    has(&said, "200 OK");
    sem_post(&x.server.go);
    hear(c, NULL, &said);
    has(&said, "\"content\":\"hello\"");
    has(&said, "data: [DONE]");
    assert_int_equal(x.book.calls, 1);
    assert_int_equal(x.book.input, 5);
    assert_int_equal(x.book.output, 2);
    close_all(&x);
}

static void test_an_error_behind_comments_is_an_event(void **state) {
    (void)state;
    struct proxied x;
    _cleanup_buf_ struct buf said = {0};
    open_all(&x, BROKEN, OFTEN);
    _cleanup_close_ int c = ask(&x, "POST", CHAT, ASK_STREAM);
    hear(c, ": the model is at work", &said);
    sem_post(&x.server.go);
    hear(c, NULL, &said);
    has(&said, "event: error\ndata: {\"error\":{\"message\":\"too odd\"}}");
    close_all(&x);
}

static void test_an_error_at_once_is_a_status(void **state) {
    (void)state;
    struct proxied x;
    _cleanup_buf_ struct buf said = {0};
    open_all(&x, BROKEN, NEVER);
    sem_post(&x.server.go);
    _cleanup_close_ int c = ask(&x, "POST", CHAT, ASK_STREAM);
    hear(c, NULL, &said);
    has(&said, "HTTP/1.1 400");
    has(&said, "too odd");
    close_all(&x);
}

static void test_an_answer_that_cannot_be_taken_down_is_kept_back(void **state) {
    (void)state;
    struct proxied x;
    _cleanup_buf_ struct buf said = {0}, again = {0};
    open_all(&x, STREAM, NEVER);
    x.book.fails = 1;
    sem_post(&x.server.go);
    _cleanup_close_ int c = ask(&x, "POST", CHAT, ASK_STREAM);
    hear(c, NULL, &said);
    has(&said, "HTTP/1.1 500");
    assert_null(strstr(buf_text(&said), "hello"));
    assert_true(proxy_is_broken(x.proxy));
    _cleanup_close_ int d = ask(&x, "POST", CHAT, ASK_STREAM);
    hear(d, NULL, &again);
    has(&again, "HTTP/1.1 503");
    assert_int_equal(x.book.calls, 1);
    proxy_stop(steal_ptr(&x.proxy), &x.totals);
    assert_string_equal(x.totals.failure, "the daemon is gone");
    close_all(&x);
}

static void test_an_end_in_the_middle_is_taken_down(void **state) {
    (void)state;
    struct proxied x;
    open_all(&x, NULL, NEVER);
    _cleanup_close_ int c = ask(&x, "POST", CHAT, ASK_STREAM);
    sem_wait(&x.server.asked);
    proxy_stop(steal_ptr(&x.proxy), &x.totals);
    assert_int_equal(x.book.calls, 1);
    assert_string_equal(x.book.error, "cancelled");
    assert_int_equal(x.totals.calls, 1);
    close_all(&x);
}

/* The server is paid all the same. */
static void test_a_client_that_leaves_is_not_free(void **state) {
    (void)state;
    struct proxied x;
    open_all(&x, STREAM, OFTEN);
    close(ask(&x, "POST", CHAT, ASK_STREAM));
    sem_wait(&x.server.asked);
    sem_post(&x.server.go);
    sem_wait(&x.book.noted);
    assert_int_equal(x.book.output, 2);
    close_all(&x);
}

static void answers(struct proxied *x, const char *method, const char *path, const char *body,
                    const char *part) {
    _cleanup_buf_ struct buf said = {0};
    _cleanup_close_ int c = ask(x, method, path, body);
    hear(c, NULL, &said);
    has(&said, part);
}

static void test_what_needs_no_model(void **state) {
    (void)state;
    struct proxied x;
    open_all(&x, NULL, NEVER);
    answers(&x, "GET", "/v1/models", "", "{\"data\":[{\"id\":\"m\",\"object\":\"model\"}]}");
    answers(&x, "GET", "/", "", "200 OK");
    answers(&x, "GET", "/etc/passwd", "", "404");
    answers(&x, "PUT", CHAT, "{}", "404");
    answers(&x, "POST", "/v1/messages", "{}", "404");
    answers(&x, "POST", CHAT, "no json", "400");
    answers(&x, "POST", CHAT, "", "400");
    assert_int_equal(x.book.calls, 0);
    close_all(&x);
}

static void test_paths(void **state) {
    (void)state;
    static const struct {
        const char *method, *path;
        enum proxy_ask ask;
        const char *protocol;
        bool stream;
    } cases[] = {
        {"POST", "/v1/chat/completions", ASK_CALL, "openai", false},
        {"POST", "/chat/completions", ASK_CALL, "openai", false},
        {"POST", "/v1/messages", ASK_CALL, "anthropic", false},
        {"POST", "/v1/messages/count_tokens", ASK_COUNT, "anthropic", false},
        {"POST", "/v1beta/models/x:generateContent", ASK_CALL, "gemini", false},
        {"POST", "/v1beta/models/x:streamGenerateContent", ASK_CALL, "gemini", true},
        {"POST", "/v1beta/models/x:countTokens", ASK_COUNT, "gemini", false},
        {"POST", "/x:generateContent", ASK_NOTHING, NULL, false},
        {"POST", "/v1beta/models/x:batchGenerateContent", ASK_NOTHING, NULL, false},
        {"POST", "/v1/messages/batches", ASK_NOTHING, NULL, false},
        {"POST", "/v1/responses", ASK_NOTHING, NULL, false},
        {"POST", "/v1/files", ASK_NOTHING, NULL, false},
        {"GET", "/v1/chat/completions", ASK_NOTHING, NULL, false},
        {"GET", "/v1/models", ASK_MODELS, NULL, false},
        {"GET", "/v1beta/models/x", ASK_MODELS, NULL, false},
        {"HEAD", "/", ASK_ALIVE, NULL, false},
        {"DELETE", "/v1/models", ASK_NOTHING, NULL, false},
        {"CONNECT", "example.com:443", ASK_NOTHING, NULL, false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct proxy_path p = proxy_path(cases[i].method, cases[i].path);
        if (p.ask != cases[i].ask || !str_eq(p.protocol, cases[i].protocol) ||
            p.stream != cases[i].stream)
            fail_msg("%s %s", cases[i].method, cases[i].path);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_waits_is_told_so),
        cmocka_unit_test(test_an_error_behind_comments_is_an_event),
        cmocka_unit_test(test_an_error_at_once_is_a_status),
        cmocka_unit_test(test_an_answer_that_cannot_be_taken_down_is_kept_back),
        cmocka_unit_test(test_an_end_in_the_middle_is_taken_down),
        cmocka_unit_test(test_a_client_that_leaves_is_not_free),
        cmocka_unit_test(test_what_needs_no_model),
        cmocka_unit_test(test_paths),
    };
    setenv("no_proxy", "127.0.0.1", 1);
    setenv("NO_PROXY", "127.0.0.1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
