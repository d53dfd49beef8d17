/* Cassettes: recorded, torn, played, and played for another request. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/model/cassette.h"
#include "orchestrator/model/model.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

static char place[] = "/tmp/paddock-cassette-XXXXXX";
static char *path;

static int make_place(void **state) {
    (void)state;
    path = mkdtemp(place) ? path_join(place, "c.jsonl") : NULL;
    return path ? 0 : -1;
}

static int remove_place(void **state) {
    (void)state;
    free(path);
    return tree_remove(place, NULL);
}

static int fresh(void **state) {
    (void)state;
    unlink(path);
    return 0;
}

static const struct model_message prompt = {MODEL_USER, "Hi"};
static const struct model_request request = {.messages = &prompt, .count = 1, .key = "n1/coder/1"};

static void sha_of(const struct model_request *rq, char out[DIGEST_HEX]) {
    _cleanup_free_ char *text = model_request_text(rq);
    digest_hex_of(text, strlen(text), out);
}

static void record(const struct model_request *rq, const char *text, const char *error) {
    struct cassette_call c = {.key = (char *)rq->key,
                              .model = (char *)"gpt",
                              .reply = {.text = (char *)text,
                                        .reasoning = (char *)"hm\n\xc3\xa9",
                                        .model = (char *)"gpt-0613",
                                        .stop = MODEL_STOP_LENGTH,
                                        .usage = {10, 4, 0, 7, 2, true, 0.1 + 0.2},
                                        .retries = 2,
                                        .latency_ns = 1234567891},
                              .error = (char *)error,
                              .kind = error ? ERROR_BUSY : ERROR_NONE,
                              .bound_tokens = 99,
                              .bound_cost = 1.5};
    sha_of(rq, c.reply.request_sha256);
    struct error err = {0};
    if (cassette_append(path, &c, &err) < 0) fail_msg("%s", error_text(&err));
}

static struct model *open_replay(const char *prefix) {
    _cleanup_free_ char *name = str_printf("%s%s", prefix, path);
    struct model *m = NULL;
    struct error err = {0};
    if (model_open(name, &m, &err) < 0) fail_msg("%s", error_text(&err));
    return m;
}

static void what_was_recorded_is_answered_byte_for_byte(void **state) {
    (void)state;
    static const char text[] = "a \"quoted\"\ttext\n\nwith \\ and \x01 and \xf0\x9f\x90\x8e\r\n";
    record(&request, text, NULL);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    _cleanup_model_ struct model *m = open_replay("replay-strict:");
    _cleanup_model_reply_ struct model_reply r = {0};
    assert_string_equal(model_name(m), "gpt");
    assert_int_equal(model_call(m, &request, &r, NULL), 0);
    assert_string_equal(r.text, text);
    assert_string_equal(r.reasoning, "hm\n\xc3\xa9");
    assert_string_equal(r.model, "gpt-0613");
    assert_null(r.request_id);
    assert_int_equal(r.stop, MODEL_STOP_LENGTH);
    assert_int_equal(r.usage.input, 10);
    assert_int_equal(r.usage.reasoning, 2);
    assert_true(r.usage.known && r.usage.cost == 0.1 + 0.2);
    assert_int_equal(r.retries, 2);
    assert_int_equal(r.latency_ns, 1234567891);
    assert_false(r.differs);
    int64_t tokens = 0;
    double cost = 0;
    model_bound(m, &request, &tokens, &cost);
    assert_int_equal(tokens, 99);
    assert_true(cost == 1.5);
}

static void another_request_is_reported_or_refused(void **state) {
    (void)state;
    record(&request, "x", NULL);
    const struct model_message other = {MODEL_USER, "Ho"};
    const struct model_request rq = {.messages = &other, .count = 1, .key = "n1/coder/1"};
    const struct model_request unknown = {.messages = &other, .count = 1, .key = "n9"};
    _cleanup_model_ struct model *m = open_replay("replay:"), *s = open_replay("replay-strict:");
    _cleanup_model_reply_ struct model_reply a = {0}, b = {0}, c = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(model_call(m, &rq, &a, NULL), 0);
    assert_true(a.differs);
    assert_string_equal(a.text, "x");
    assert_int_equal(model_call(s, &rq, &b, &err), -1);
    assert_non_null(strstr(error_text(&err), "call n1/coder/1: the request is not the recorded"));
    assert_int_equal(model_call(m, &unknown, &c, &err), -1);
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    assert_non_null(strstr(error_text(&err), "has no call n9"));
}

static void a_failed_call_fails_again(void **state) {
    (void)state;
    record(&request, NULL, "model gpt: status 429");
    _cleanup_model_ struct model *m = open_replay("replay:");
    _cleanup_model_reply_ struct model_reply r = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(model_call(m, &request, &r, &err), -1);
    assert_int_equal(err.kind, ERROR_BUSY);
    assert_string_equal(error_text(&err), "model gpt: status 429");
    assert_int_equal(r.usage.output, 7);
}

static void of_two_the_one_with_the_digest_counts(void **state) {
    (void)state;
    const struct model_message other = {MODEL_USER, "Ho"};
    const struct model_request rq = {.messages = &other, .count = 1, .key = "n1/coder/1"};
    record(&request, "first", NULL);
    record(&request, "second", NULL);
    record(&rq, "third", NULL);
    _cleanup_model_ struct model *m = open_replay("replay:");
    _cleanup_model_reply_ struct model_reply a = {0}, b = {0};
    assert_int_equal(model_call(m, &request, &a, NULL), 0);
    assert_string_equal(a.text, "second");
    assert_int_equal(model_call(m, &rq, &b, NULL), 0);
    assert_string_equal(b.text, "third");
}

static void append_raw(const char *text) {
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_int_equal(write_all(fd, text, strlen(text)), 0);
}

static void a_torn_line_is_dropped_and_mended(void **state) {
    (void)state;
    record(&request, "one", NULL);
    append_raw("{\"key\": \"torn");
    {
        _cleanup_model_ struct model *m = open_replay("replay:");
        _cleanup_model_reply_ struct model_reply r = {0};
        assert_int_equal(model_call(m, &request, &r, NULL), 0);
    }
    record(&request, "two", NULL);
    _cleanup_model_ struct model *m = open_replay("replay:");
    _cleanup_model_reply_ struct model_reply r = {0};
    assert_int_equal(model_call(m, &request, &r, NULL), 0);
    assert_string_equal(r.text, "two");
}

/* The ledger's own rows have other members, and fewer. */
static void a_row_of_the_ledger_will_do(void **state) {
    (void)state;
    append_raw("{\"key\": \"n1/coder/1\", \"role\": \"coder\", \"version\": \"v7\", \"model\": "
               "\"gpt\", \"request\": {\"x\": [1]}, \"reply\": \"Hi\", \"stop\": null, "
               "\"input_tokens\": 3, \"output_tokens\": 4, \"cost\": 0.5, \"began\": \"x\"}\n\n");
    _cleanup_model_ struct model *m = open_replay("replay:");
    _cleanup_model_reply_ struct model_reply r = {0};
    assert_int_equal(model_call(m, &request, &r, NULL), 0);
    assert_string_equal(r.text, "Hi");
    assert_string_equal(r.reasoning, "");
    assert_true(r.usage.known && r.usage.output == 4);
}

static void faults_name_file_and_line(void **state) {
    (void)state;
    static const char *const bad[] = {"{\"reply\": \"x\"}\n", "nonsense\n", "[]\n",
                                      "{\"key\": \"k\"}\n",
                                      "{\"key\": \"k\", \"reply\": \"\", \"stop\": \"never\"}\n"};
    _cleanup_free_ char *name = str_printf("replay:%s", path);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        fresh(NULL);
        record(&request, "fine", NULL);
        append_raw(bad[i]);
        struct model *m = NULL;
        _cleanup_error_ struct error err = {0};
        assert_int_equal(model_open(name, &m, &err), -1);
        assert_non_null(strstr(error_text(&err), path));
        assert_non_null(strstr(error_text(&err), "call 2"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_recorded_is_answered_byte_for_byte, fresh),
        cmocka_unit_test_setup(another_request_is_reported_or_refused, fresh),
        cmocka_unit_test_setup(a_failed_call_fails_again, fresh),
        cmocka_unit_test_setup(of_two_the_one_with_the_digest_counts, fresh),
        cmocka_unit_test_setup(a_torn_line_is_dropped_and_mended, fresh),
        cmocka_unit_test_setup(a_row_of_the_ledger_will_do, fresh),
        cmocka_unit_test_setup(faults_name_file_and_line, fresh),
    };
    return cmocka_run_group_tests(tests, make_place, remove_place);
}
