/* What error statuses and their bodies mean. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/model/receive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

static void expect(long status, const char *body, bool retry, enum error_kind kind,
                   const char *text) {
    struct fault f = {0};
    fault_of_status(&f, status, body, strlen(body));
    assert_true(f.set);
    assert_string_equal(f.text, text);
    assert_int_equal(f.retry, retry);
    assert_int_equal(f.kind, kind);
    fault_clear(&f);
}

static void statuses_that_pass_are_told_from_those_that_stay(void **state) {
    (void)state;
    static const long passing[] = {408, 429, 500, 502, 503, 504, 529, 599};
    static const long staying[] = {400, 401, 402, 403, 404, 405, 409, 413, 422, 499, 600, 0};
    for (size_t i = 0; i < ARRAY_SIZE(passing); i++) assert_true(fault_status_retries(passing[i]));
    for (size_t i = 0; i < ARRAY_SIZE(staying); i++) assert_false(fault_status_retries(staying[i]));
}

static void every_form_of_an_error_is_read(void **state) {
    (void)state;
    expect(401,
           "{\"error\":{\"message\":\"bad key\",\"type\":\"invalid_request_error\",\"code\":"
           "\"invalid_api_key\"}}",
           false, ERROR_DENIED, "status 401 invalid_request_error (invalid_api_key): bad key");
    expect(429, "{\"error\":{\"code\":\"429\",\"message\":\"slow down\"}}", true, ERROR_BUSY,
           "status 429 429: slow down");
    expect(529, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}",
           true, ERROR_BUSY, "status 529 overloaded_error: x");
    expect(400,
           "{\"object\":\"error\",\"message\":\"too long\",\"type\":\"BadRequestError\","
           "\"code\":400}",
           false, ERROR_INVALID, "status 400 BadRequestError: too long");
    expect(422, "{\"detail\":[{\"loc\":[\"body\"]}]}", false, ERROR_INVALID,
           "status 422: the request was found invalid");
    expect(500, "{\"error\":\"boom\"}", true, ERROR_SYSTEM, "status 500: boom");
    expect(502, "<html>Bad Gateway</html>", true, ERROR_SYSTEM,
           "status 502: <html>Bad Gateway</html>");
    expect(404, "", false, ERROR_NOT_FOUND, "status 404");
    expect(413, "{}", false, ERROR_LIMIT, "status 413: {}");
}

static void an_empty_account_is_not_waited_for(void **state) {
    (void)state;
    expect(429, "{\"error\":{\"message\":\"quota\",\"type\":\"insufficient_quota\"}}", false,
           ERROR_DENIED, "status 429 insufficient_quota: quota");
}

static void a_broken_upload_is_repeated(void **state) {
    (void)state;
    expect(400,
           "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":"
           "\"The request body is not valid JSON: unexpected end of data: line 1\"}}",
           true, ERROR_INVALID,
           "status 400 invalid_request_error: The request body is not valid JSON: unexpected end "
           "of data: line 1");
}

static void gemini_says_when_in_the_body(void **state) {
    (void)state;
    const char *body = "[{\"error\":{\"code\":429,\"message\":\"m\",\"status\":"
                       "\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":\"x\"},{\"@type\":"
                       "\"RetryInfo\",\"retryDelay\":\"34.5s\"}]}}]";
    struct fault f = {0};
    fault_of_status(&f, 429, body, strlen(body));
    assert_true(f.retry);
    assert_int_equal(f.wait_ns / NS_PER_MS, 34500);
    fault_clear(&f);
}

static void a_filtered_prompt_is_a_refusal(void **state) {
    (void)state;
    const char *body = "{\"error\":{\"code\":\"content_filter\",\"message\":\"filtered\"}}";
    _cleanup_answer_ struct answer a = {0};
    struct receive r = {.protocol = &protocol_openai, .answer = &a, .max = 1000};
    receive_header(&r, "HTTP/1.1 400 Bad Request", 24);
    assert_true(receive_bytes(&r, body, strlen(body)));
    receive_end(&r, NULL);
    receive_clear(&r);
    assert_true(a.fault.filtered);
    assert_int_equal(a.stop, MODEL_STOP_REFUSED);
}

/* Headers of an answer before the one that counts are forgotten. */
static void only_the_last_headers_count(void **state) {
    (void)state;
    static const char *const lines[] = {"HTTP/1.1 100 Continue\r\n", "Retry-After: 99\r\n",
                                        "HTTP/1.1 429 Too Many\r\n", "Retry-After: 2\r\n",
                                        "x-request-id: r1\r\n"};
    _cleanup_answer_ struct answer a = {0};
    struct receive r = {.protocol = &protocol_openai, .answer = &a, .max = 1000};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) receive_header(&r, lines[i], strlen(lines[i]));
    assert_int_equal(r.status, 429);
    assert_int_equal(hints_wait(&r.hints), 2 * NS_PER_SEC);
    assert_string_equal(a.id, "r1");
    receive_end(&r, NULL);
    receive_clear(&r);
}

static void redirects_are_named_and_not_followed(void **state) {
    (void)state;
    _cleanup_answer_ struct answer a = {0};
    struct receive r = {.protocol = &protocol_openai, .answer = &a, .max = 1000};
    receive_header(&r, "HTTP/1.1 307 Moved", 18);
    receive_header(&r, "Location: https://other.example/v1", 34);
    receive_end(&r, NULL);
    receive_clear(&r);
    assert_false(a.fault.retry);
    assert_non_null(strstr(a.fault.text, "https://other.example/v1"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statuses_that_pass_are_told_from_those_that_stay),
        cmocka_unit_test(every_form_of_an_error_is_read),
        cmocka_unit_test(an_empty_account_is_not_waited_for),
        cmocka_unit_test(a_broken_upload_is_repeated),
        cmocka_unit_test(gemini_says_when_in_the_body),
        cmocka_unit_test(a_filtered_prompt_is_a_refusal),
        cmocka_unit_test(only_the_last_headers_count),
        cmocka_unit_test(redirects_are_named_and_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
