/* The HTTP client and the agent's loop against a small daemon of our own. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/client/agent.h"
#include "orchestrator/client/autostart.h"
#include "orchestrator/client/http.h"
#include "orchestrator/client/reply.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

#define BIG ((size_t)3 << 20)

struct mock {
    char dir[64];
    char *socket;
    struct MHD_Daemon *daemon;
    char *big;
    int submitted;      /* versions asked for */
    int reads;          /* of the newest version: done from the second on */
    bool refuse;        /* every submission is invalid */
    char finished[256]; /* the body of POST …/finish */
};

/* One request: its body, until it is whole. */
struct request {
    struct buf body;
};

static enum MHD_Result answer(struct MHD_Connection *c, unsigned status, const char *text,
                              size_t len, const char *header, const char *value) {
    struct MHD_Response *r =
        MHD_create_response_from_buffer(len, (void *)text, MHD_RESPMEM_MUST_COPY);
    if (header) MHD_add_response_header(r, header, value);
    enum MHD_Result queued = MHD_queue_response(c, status, r);
    MHD_destroy_response(r);
    return queued;
}

static enum MHD_Result answer_text(struct MHD_Connection *c, unsigned status, const char *text) {
    return answer(c, status, text, strlen(text), "Content-Type",
                  status < 300 ? "application/json" : "application/problem+json");
}

static enum MHD_Result answer_experiment(struct mock *m, struct MHD_Connection *c) {
    _cleanup_buf_ struct buf b = {0};
    buf_puts(&b, "{\"id\": \"e1\", \"task\": \"toy\", \"versions\": [");
    for (int i = m->submitted; i >= 1; i--)
        buf_printf(&b, "{\"id\": \"v%d\", \"parent\": \"v1\", \"state\": \"done\"},", i + 1);
    buf_puts(&b, "{\"id\": \"v1\", \"parent\": null, \"state\": \"done\"}]}");
    return answer_text(c, 200, buf_text(&b));
}

static enum MHD_Result agent_routes(struct mock *m, struct MHD_Connection *c, const char *url,
                                    const char *method, const struct buf *body) {
    bool post = str_eq(method, "POST");
    if (str_eq(url, "/v1/experiments/e1")) return answer_experiment(m, c);
    if (str_eq(url, "/v1/tasks/toy")) return answer_text(c, 200, "{\"metric\": \"loss\"}");
    if (str_eq(url, "/v1/events")) return answer_text(c, 200, "{\"events\": [], \"last\": 3}");
    if (str_eq(url, "/v1/experiments/e1/versions") && post) {
        if (m->refuse)
            return answer_text(c, 400, "{\"detail\": \"edits[0]: no\", \"kind\": \"invalid\"}");
        m->submitted++;
        m->reads = 0;
        return answer_text(c, 201, "{\"id\": \"v2\", \"state\": \"queued\"}");
    }
    if (str_eq(url, "/v1/versions/v2"))
        return answer_text(c, 200,
                           m->reads++ ? "{\"id\": \"v2\", \"state\": \"done\"}"
                                      : "{\"id\": \"v2\", \"state\": \"training\"}");
    if (str_eq(url, "/v1/experiments/e1/finish") && post) {
        snprintf(m->finished, sizeof m->finished, "%s", buf_text(body));
        return answer_text(c, 200, "{}");
    }
    return answer_text(c, 404, "not json at all");
}

static enum MHD_Result route(struct mock *m, struct MHD_Connection *c, const char *url,
                             const char *method, const struct buf *body) {
    if (str_eq(url, "/v1/health")) return answer_text(c, 200, "{\"status\": \"ok\", \"pid\": 7}");
    if (str_eq(url, "/echo")) return answer(c, 200, buf_text(body), body->len, NULL, NULL);
    if (str_eq(url, "/busy"))
        return answer_text(c, 503,
                           "{\"title\": \"Service Unavailable\", \"status\": 503,"
                           " \"detail\": \"the lane: is taken\", \"kind\": \"busy\"}");
    if (str_eq(url, "/title")) return answer_text(c, 409, "{\"title\": \"Conflict\"}");
    if (str_eq(url, "/bare")) return answer_text(c, 500, "");
    if (str_eq(url, "/broken")) return answer_text(c, 200, "{\"a\": ");
    if (str_eq(url, "/big")) return answer(c, 200, m->big, BIG, NULL, NULL);
    if (str_eq(url, "/output")) return answer(c, 200, "a\0b", 3, "Paddock-Run-State", "running");
    return agent_routes(m, c, url, method, body);
}

static enum MHD_Result handle(void *arg, struct MHD_Connection *c, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **memory) {
    (void)version;
    struct request *r = *memory;
    if (!r) {
        *memory = calloc(1, sizeof *r);
        return *memory ? MHD_YES : MHD_NO;
    }
    if (*size > 0) {
        buf_append(&r->body, data, *size);
        *size = 0;
        return MHD_YES;
    }
    return route(arg, c, url, method, &r->body);
}

static void forget(void *arg, struct MHD_Connection *c, void **memory,
                   enum MHD_RequestTerminationCode code) {
    (void)arg;
    (void)c;
    (void)code;
    struct request *r = *memory;
    if (r) buf_free(&r->body);
    free(r);
    *memory = NULL;
}

static int listen_on(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 8) < 0)
        return -1;
    return fd;
}

static int start(void **state) {
    struct mock *m = calloc(1, sizeof *m);
    if (!m) return -1;
    *state = m;
    strcpy(m->dir, "/tmp/paddock-test-XXXXXX");
    if (!mkdtemp(m->dir)) return -1;
    m->socket = path_join(m->dir, "sock");
    m->big = malloc(BIG);
    if (!m->socket || !m->big) return -1;
    memset(m->big, 'x', BIG);
    int fd = listen_on(m->socket);
    m->daemon = fd < 0 ? NULL
                       : MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, handle, m,
                                          MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED,
                                          forget, NULL, MHD_OPTION_END);
    return m->daemon ? 0 : -1;
}

static int stop(void **state) {
    struct mock *m = *state;
    if (m->daemon) MHD_stop_daemon(m->daemon);
    int r = tree_remove(m->dir, NULL);
    free(m->socket);
    free(m->big);
    free(m);
    return r;
}

static struct http *connect_to(struct mock *m) {
    struct http *h = http_new(m->socket, NULL);
    assert_non_null(h);
    return h;
}

static void test_get_and_post_carry_json(void **state) {
    _cleanup_http_ struct http *h = connect_to(*state);
    _cleanup_json_ struct json *health = NULL, *echo = NULL, *empty = NULL;
    _cleanup_error_ struct error err = {0};
    assert_int_equal(http_probe(h, &health, &err), 0);
    assert_int_equal(reply_int(health, "pid", 0), 7);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    json_open_object(w, NULL);
    json_put_string(w, "what", "ümlaut\n");
    json_close_object(w);
    assert_int_equal(http_post(h, "/echo", w, &echo, &err), 0);
    assert_string_equal(reply_text(echo, "what"), "ümlaut\n");
    assert_int_equal(http_postf(h, NULL, &empty, &err, "/%s", "echo"), 0);
    assert_int_equal(json_count(empty), 0);
}

static void test_large_bodies_arrive_whole(void **state) {
    struct mock *m = *state;
    _cleanup_http_ struct http *h = connect_to(m);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    _cleanup_json_ struct json *echo = NULL;
    m->big[BIG - 1] = '\0';
    json_open_object(w, NULL);
    json_put_string(w, "big", m->big);
    json_close_object(w);
    assert_int_equal(http_post(h, "/echo", w, &echo, NULL), 0);
    assert_string_equal(reply_text(echo, "big"), m->big);
}

static void expect_error(struct http *h, const char *path, enum error_kind kind, const char *text) {
    _cleanup_json_ struct json *doc = NULL;
    _cleanup_error_ struct error err = {0};
    assert_int_equal(http_get(h, path, &doc, &err), -1);
    assert_null(doc);
    assert_int_equal(err.kind, kind);
    if (!strstr(error_text(&err), text)) fail_msg("“%s” lacks “%s”", error_text(&err), text);
}

static void test_problems_become_errors(void **state) {
    _cleanup_http_ struct http *h = connect_to(*state);
    expect_error(h, "/busy", ERROR_BUSY, "the lane: is taken");
    expect_error(h, "/title", ERROR_EXISTS, "GET /title: Conflict");
    expect_error(h, "/bare", ERROR_SYSTEM, "status 500");
    expect_error(h, "/nowhere", ERROR_NOT_FOUND, "status 404");
    expect_error(h, "/broken", ERROR_INVALID, "the answer of paddockd");
}

static void test_downloads_go_to_a_descriptor(void **state) {
    struct mock *m = *state;
    _cleanup_http_ struct http *h = connect_to(m);
    _cleanup_close_ int fd = open(m->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(http_download(h, "/big", fd, NULL), 0);
    assert_int_equal(lseek(fd, 0, SEEK_END), BIG);
    /* A problem document is no content. */
    _cleanup_error_ struct error err = {0};
    assert_int_equal(http_download(h, "/busy", fd, &err), -1);
    assert_string_equal(error_text(&err), "the lane: is taken");
    assert_int_equal(lseek(fd, 0, SEEK_END), BIG);
    _cleanup_close_ int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(http_download(h, "/big", full, &err), -1);
    assert_int_equal(err.sys, ENOSPC);
}

static void test_output_carries_the_state_of_its_run(void **state) {
    _cleanup_http_ struct http *h = connect_to(*state);
    _cleanup_buf_ struct buf out = {0};
    char run_state[32] = "";
    assert_int_equal(http_bytes(h, "/output", &out, run_state, NULL), 0);
    assert_int_equal(out.len, 3);
    assert_memory_equal(out.data, "a\0b", 3);
    assert_string_equal(run_state, "running");
}

static void test_nobody_listening_is_not_found(void **state) {
    struct mock *m = *state;
    _cleanup_free_ char *nowhere = path_join(m->dir, "nowhere");
    _cleanup_http_ struct http *h = http_new(nowhere, NULL);
    _cleanup_error_ struct error err = {0};
    assert_int_equal(http_probe(h, NULL, &err), -1);
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    assert_non_null(strstr(error_text(&err), nowhere));
    setenv("PADDOCK_SOCKET", nowhere, 1);
    assert_null(autostart_connect(false, &err));
    assert_non_null(strstr(error_text(&err), "--no-autostart"));
    unsetenv("PADDOCK_SOCKET");
}

/* A daemon that dies at once: the user sees why. */
static void test_autostart_shows_the_log_of_a_daemon_that_died(void **state) {
    struct mock *m = *state;
    _cleanup_free_ char *socket = path_join(m->dir, "none");
    _cleanup_free_ char *program = path_join(m->dir, "paddockd");
    static const char script[] = "#!/bin/sh\necho \"no state: $1 $2 $3\" >&2\nexit 3\n";
    assert_int_equal(file_write_atomic(program, script, strlen(script), 0755, NULL), 0);
    setenv("PADDOCK_SOCKET", socket, 1);
    setenv("PADDOCK_BIN", m->dir, 1);
    setenv("PADDOCK_STATE", m->dir, 1);
    _cleanup_error_ struct error err = {0};
    assert_null(autostart_connect(true, &err));
    unsetenv("PADDOCK_SOCKET");
    unsetenv("PADDOCK_BIN");
    unsetenv("PADDOCK_STATE");
    assert_non_null(strstr(error_text(&err), "paddockd ended at once"));
    assert_non_null(strstr(error_text(&err), "\n  no state: --stay-root --idle-exit 600"));
}

static void test_escape_leaves_nothing_special(void **state) {
    (void)state;
    _cleanup_free_ char *a = http_escape("a/b?c=d%e ä"), *b = http_escape("");
    assert_string_equal(a, "a%2Fb%3Fc%3Dd%25e%20%C3%A4");
    assert_string_equal(b, "");
}

static void test_agent_submits_waits_and_finishes(void **state) {
    struct mock *m = *state;
    _cleanup_http_ struct http *h = connect_to(m);
    _cleanup_error_ struct error err = {0};
    const struct agent_options none = {0};
    if (agent_run(h, &agent_noop, &none, "e1", true, &err) < 0) fail_msg("%s", error_text(&err));
    assert_int_equal(m->submitted, 1);
    assert_true(m->reads >= 2);
    assert_string_equal(m->finished, "{\"status\":\"done\"}");
    /* Once more, as after a kill: what is there is not done twice. */
    assert_int_equal(agent_run(h, &agent_noop, &none, "e1", true, &err), 0);
    assert_int_equal(m->submitted, 1);
}

static void test_agent_that_cannot_go_on_fails_its_experiment(void **state) {
    struct mock *m = *state;
    _cleanup_http_ struct http *h = connect_to(m);
    _cleanup_error_ struct error err = {0};
    m->refuse = true;
    assert_int_equal(agent_run(h, &agent_noop, &(struct agent_options){0}, "e1", true, &err), -1);
    assert_non_null(strstr(error_text(&err), "edits[0]: no"));
    assert_string_equal(m->finished,
                        "{\"status\":\"failed\",\"reason\":\"refused: edits[0]: no\"}");
    assert_int_equal(agent_run(h, &agent_noop, &(struct agent_options){0}, "e1/x", true, &err), -1);
}

int main(void) {
#define WITH_MOCK(test) cmocka_unit_test_setup_teardown(test, start, stop)
    const struct CMUnitTest tests[] = {
        WITH_MOCK(test_get_and_post_carry_json),
        WITH_MOCK(test_large_bodies_arrive_whole),
        WITH_MOCK(test_problems_become_errors),
        WITH_MOCK(test_downloads_go_to_a_descriptor),
        WITH_MOCK(test_output_carries_the_state_of_its_run),
        WITH_MOCK(test_nobody_listening_is_not_found),
        WITH_MOCK(test_autostart_shows_the_log_of_a_daemon_that_died),
        cmocka_unit_test(test_escape_leaves_nothing_special),
        WITH_MOCK(test_agent_submits_waits_and_finishes),
        WITH_MOCK(test_agent_that_cannot_go_on_fails_its_experiment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
