/* Requests of others: what goes on of them, what is refused, and how far a budget goes. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/model/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

static const struct relay_left plenty = {-1, -1};

static struct model *model_of(const char *config) {
    char path[] = "/tmp/paddock-relay-XXXXXX";
    int fd = mkstemp(path);
    struct error err = {0};
    struct model *m = NULL;
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, config, strlen(config)), 0);
    close(fd);
    if (model_open(path, &m, &err) < 0) fail_msg("%s", error_text(&err));
    unlink(path);
    return m;
}

static struct model *speaking(const char *protocol) {
    _cleanup_free_ char *config =
        str_printf("{\"protocol\": \"%s\", \"url\": \"http://127.0.0.1:1/v1\", \"name\": \"ours\","
                   " \"parameters\": {\"max_tokens\": 1000},"
                   " \"prices\": {\"input\": 1, \"output\": 10}}",
                   protocol);
    return model_of(config);
}

static void sends_left(const char *protocol, const struct relay_left *left, const char *request,
                       const char *wanted) {
    _cleanup_model_ struct model *m = speaking(protocol);
    _cleanup_relay_request_ struct relay_request out = {0};
    struct error err = {0};
    if (relay_prepare(m, false, NULL, request, strlen(request), left, &out, &err) < 0)
        fail_msg("%s", error_text(&err));
    assert_string_equal(buf_text(&out.body), wanted);
}

static void sends(const char *protocol, const char *request, const char *wanted) {
    sends_left(protocol, &plenty, request, wanted);
}

static void refused(const char *protocol, enum error_kind kind, const char *request,
                    const char *part) {
    _cleanup_model_ struct model *m = speaking(protocol);
    _cleanup_relay_request_ struct relay_request out = {0};
    _cleanup_error_ struct error err = {0};
    if (relay_prepare(m, false, NULL, request, strlen(request), &plenty, &out, &err) == 0)
        fail_msg("let through: %s", request);
    assert_false(out.over);
    if (err.kind != kind || !strstr(error_text(&err), part))
        fail_msg("%s: kind %d: %s", request, err.kind, error_text(&err));
}

#define SAID "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"

static void test_what_goes_on(void **state) {
    (void)state;
    sends("openai", "{\"model\": \"dear\", " SAID "}",
          "{\"model\":\"ours\"," SAID ",\"max_tokens\":1000}");
    sends("openai",
          "{\"stream\": true, " SAID ", \"temperature\": 0.5, \"max_completion_tokens\": 7,"
          " \"service_tier\": \"priority\", \"plugins\": [{\"id\": \"web\"}], \"models\": [\"x\"],"
          " \"stream_options\": {\"include_usage\": false}, \"store\": true}",
          "{\"model\":\"ours\"," SAID ",\"temperature\":0.5,\"max_tokens\":7,\"stream\":true,"
          "\"stream_options\":{\"include_usage\":true}}");
    sends("anthropic",
          "{\"model\": \"dear\", \"max_tokens\": 9, " SAID ", \"system\": \"s\","
          " \"service_tier\": \"auto\", \"container\": \"c\"}",
          "{\"model\":\"ours\"," SAID ",\"system\":\"s\",\"max_tokens\":9}");
    sends("gemini",
          "{\"contents\": [{\"parts\": [{\"text\": \"hi\"}]}], \"cachedContent\": \"c\","
          " \"generationConfig\": {\"maxOutputTokens\": 5, \"topK\": 3, \"responseModalities\": "
          "[\"AUDIO\"]}}",
          "{\"contents\":[{\"parts\":[{\"text\":\"hi\"}]}],\"generationConfig\":{\"topK\":3,"
          "\"maxOutputTokens\":5}}");
}

static void test_own_tools(void **state) {
    (void)state;
    sends("openai", "{" SAID ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]}",
          "{\"model\":\"ours\"," SAID ",\"tools\":[{\"type\":\"function\",\"function\":{\"name\":"
          "\"f\"}}],\"max_tokens\":1000}");
    sends("anthropic",
          "{" SAID ",\"tools\":[{\"name\":\"f\"},{\"type\":\"bash_20250124\",\"name\":\"bash\"}]}",
          "{\"model\":\"ours\"," SAID ",\"tools\":[{\"name\":\"f\"},{\"type\":\"bash_20250124\","
          "\"name\":\"bash\"}],\"max_tokens\":1000}");
    /* What a tool was called with is nobody's order to fetch. */
    const char *used = "\"messages\":[{\"role\":\"assistant\",\"content\":[{\"type\":\"tool_use\","
                       "\"input\":{\"image_url\":\"https://a.example\",\"file_id\":\"x\"}}]}]";
    _cleanup_free_ char *request = str_printf("{%s}", used);
    _cleanup_free_ char *wanted = str_printf("{\"model\":\"ours\",%s,\"max_tokens\":1000}", used);
    sends("anthropic", request, wanted);
}

static void test_refusals(void **state) {
    (void)state;
    static const char *const anthropic_tools[] = {"web_search_20250305", "web_fetch_20250910",
                                                  "code_execution_20250522", "mcp_toolset"};
    for (size_t i = 0; i < ARRAY_SIZE(anthropic_tools); i++) {
        _cleanup_free_ char *request = str_printf(
            "{" SAID ", \"tools\": [{\"name\": \"f\"}, {\"type\": \"%s\"}]}", anthropic_tools[i]);
        refused("anthropic", ERROR_DENIED, request, anthropic_tools[i]);
    }
    refused("anthropic", ERROR_DENIED, "{" SAID ", \"mcp_servers\": []}", "mcp_servers");
    refused("anthropic", ERROR_INVALID, "{" SAID ", \"tools\": [{\"type\": 7}]}", "no text");
    refused("anthropic", ERROR_INVALID, "{" SAID ", \"tools\": {}}", "list");
    refused("openai", ERROR_DENIED, "{" SAID ", \"tools\": [{\"type\": \"web_search\"}]}",
            "web_search");
    refused("openai", ERROR_DENIED, "{" SAID ", \"tools\": [{}]}", "tool");
    refused("openai", ERROR_DENIED,
            "{" SAID ", \"tools\": [{\"type\": \"function\", \"google_search\": {}}]}",
            "google_search");
    refused("openai", ERROR_DENIED, "{" SAID ", \"n\": 3}", "one answer");
    refused("gemini", ERROR_DENIED,
            "{\"tools\": [{\"functionDeclarations\": [], \"googleSearch\": {}}]}", "googleSearch");
    refused("gemini", ERROR_DENIED, "{\"tools\": [{\"urlContext\": {}}]}", "urlContext");
    refused("gemini", ERROR_DENIED, "{\"generation_config\": {\"candidateCount\": 2}}",
            "one answer");
    refused("gemini", ERROR_DENIED,
            "{\"contents\": [{\"parts\": [{\"fileData\": {\"fileUri\": \"https://a\"}}]}]}",
            "fileData");
    refused(
        "gemini", ERROR_DENIED,
        "{\"system_instruction\": {\"parts\": [{\"file_data\": {\"file_uri\": \"https://a\"}}]}}",
        "file_data");
    refused("openai", ERROR_DENIED,
            "{\"messages\": [{\"content\": [{\"image_url\": {\"url\": \"https://a/x\"}}]}]}",
            "image_url");
    refused("openai", ERROR_DENIED,
            "{\"messages\": [{\"content\": [{\"file\": {\"file_id\": \"f\"}}]}]}", "file_id");
    refused("anthropic", ERROR_DENIED,
            "{\"messages\": [{\"content\": [{\"type\": \"tool_result\", \"content\": [{\"type\": "
            "\"image\", \"source\": {\"type\": \"url\", \"url\": \"https://a\"}}]}]}]}",
            "source");
    refused("openai", ERROR_INVALID, "[]", "object");
    refused("openai", ERROR_INVALID, "{\"n\": 1, \"n\": 2}", "twice");
    refused("openai", ERROR_INVALID, "{", "request");
}

static void test_data_is_let_through(void **state) {
    (void)state;
    const char *picture = "\"messages\":[{\"content\":[{\"image_url\":{\"url\":\"data:image/png;"
                          "base64,AA==\"}},{\"file\":{\"file_data\":\"data:x\"}}]}]";
    _cleanup_free_ char *request = str_printf("{%s}", picture);
    _cleanup_free_ char *wanted =
        str_printf("{\"model\":\"ours\",%s,\"max_tokens\":1000}", picture);
    sends("openai", request, wanted);
}

static void test_too_much(void **state) {
    (void)state;
    _cleanup_buf_ struct buf text = {0};
    buf_puts(&text, "{\"x\": \"");
    char *room = buf_reserve(&text, RELAY_REQUEST_MAX);
    memset(room, 'x', RELAY_REQUEST_MAX);
    text.len += RELAY_REQUEST_MAX;
    buf_puts(&text, "\"}");
    refused("openai", ERROR_INVALID, buf_text(&text), "more than 8388608 bytes");
    text.len = 0;
    buf_puts(&text, "{\"x\": [");
    for (int i = 0; i < 1100000; i++) buf_puts(&text, "0,");
    buf_puts(&text, "0]}");
    refused("openai", ERROR_INVALID, buf_text(&text), "too many values");
}

static void over(const char *protocol, struct relay_left left, const char *request) {
    _cleanup_model_ struct model *m = speaking(protocol);
    _cleanup_relay_request_ struct relay_request out = {0};
    _cleanup_error_ struct error err = {0};
    assert_int_equal(relay_prepare(m, false, NULL, request, strlen(request), &left, &out, &err),
                     -1);
    assert_true(out.over);
    assert_int_equal(err.kind, ERROR_LIMIT);
}

static void test_budgets(void **state) {
    (void)state;
    const char *request = "{" SAID "}";
    _cleanup_model_ struct model *m = speaking("openai");
    _cleanup_relay_request_ struct relay_request out = {0};
    struct error err = {0};
    assert_int_equal(relay_prepare(m, false, NULL, request, strlen(request), &plenty, &out, &err),
                     0);
    int64_t prompt = out.input;
    assert_true(prompt >= 12 && prompt <= 200);
    assert_int_equal(out.output, 1000);
    /* The answer is cut to what is left. */
    const struct relay_left some = {prompt + 100, -1};
    sends_left("openai", &some, request, "{\"model\":\"ours\"," SAID ",\"max_tokens\":100}");
    /* 10 USD a million of output, 1 of input. */
    const struct relay_left money = {-1, ((double)prompt + 200 * 10 + 5) / 1e6};
    sends_left("openai", &money, request, "{\"model\":\"ours\"," SAID ",\"max_tokens\":200}");
    /* One that asks for little is served to the end. */
    const struct relay_left little = {prompt + 20, -1};
    sends_left("openai", &little, "{" SAID ",\"max_tokens\":3}",
               "{\"model\":\"ours\"," SAID ",\"max_tokens\":3}");
    over("openai", (struct relay_left){prompt + 20, -1}, request);
    over("openai", (struct relay_left){prompt - 1, -1}, "{" SAID ",\"max_tokens\":3}");
    over("openai", (struct relay_left){0, -1}, request);
    over("openai", (struct relay_left){-1, 0}, request);
    over("openai", (struct relay_left){1 << 20, 1e-9}, request);
    over("gemini", (struct relay_left){100, -1}, "{\"contents\": []}");
    /* Thoughts that leave no room for an answer. */
    over("anthropic", (struct relay_left){400, -1},
         "{" SAID
         ", \"max_tokens\": 4000, \"thinking\": {\"type\": \"enabled\", \"budget_tokens\": "
         "1024}}");
}

static void test_extra(void **state) {
    (void)state;
    _cleanup_model_ struct model *m = model_of(
        "{\"protocol\": \"openai\", \"url\": \"http://127.0.0.1:1/v1\", \"name\": \"o\","
        " \"parameters\": {\"extra\": {\"top_k\": 1, \"provider\": {\"only\": [\"p\"]}}}}");
    _cleanup_relay_request_ struct relay_request out = {0};
    struct error err = {0};
    const char *request = "{\"messages\": [], \"top_k\": 2, \"max_tokens\": 1, \"provider\": 3}";
    assert_int_equal(relay_prepare(m, false, NULL, request, strlen(request), &plenty, &out, &err),
                     0);
    assert_string_equal(buf_text(&out.body), "{\"model\":\"o\",\"messages\":[],\"top_k\":2,"
                                             "\"max_tokens\":1,\"provider\":{\"only\":[\"p\"]}}");
}

static void test_beta(void **state) {
    (void)state;
    _cleanup_model_ struct model *m = speaking("anthropic"), *other = speaking("openai");
    const char *request = "{" SAID "}";
    const char *header =
        "claude-code-20250219, mcp-client-2025-04-04,interleaved-thinking-2025-05-14,"
        " web-fetch-2025-09-10, context-1m-2025-08-07, effort-\r\nx-api-key: 1";
    _cleanup_relay_request_ struct relay_request one = {0}, two = {0}, three = {0};
    struct error err = {0};
    assert_int_equal(relay_prepare(m, false, header, request, strlen(request), &plenty, &one, &err),
                     0);
    assert_string_equal(one.beta,
                        "anthropic-beta: claude-code-20250219,interleaved-thinking-2025-05-14");
    assert_int_equal(
        relay_prepare(m, false, "mcp-client-1", request, strlen(request), &plenty, &two, &err), 0);
    assert_null(two.beta);
    assert_int_equal(
        relay_prepare(other, false, header, request, strlen(request), &plenty, &three, &err), 0);
    assert_null(three.beta);
}

static void error_is(const char *protocol, long status, const char *wanted) {
    _cleanup_buf_ struct buf out = {0};
    relay_error(protocol, status, "no \"more\"", &out);
    assert_string_equal(buf_text(&out), wanted);
}

static void test_errors(void **state) {
    (void)state;
    error_is("openai", 402,
             "{\"error\":{\"type\":\"billing_error\",\"message\":\"no "
             "\\\"more\\\"\",\"code\":\"insufficient_quota\"}}");
    error_is("anthropic", 402,
             "{\"type\":\"error\",\"error\":{\"type\":\"billing_error\",\"message\":\"no "
             "\\\"more\\\"\"}}");
    error_is("gemini", 402,
             "{\"error\":{\"code\":402,\"status\":\"RESOURCE_EXHAUSTED\",\"message\":\"no "
             "\\\"more\\\"\"}}");
    error_is("openai", 502,
             "{\"error\":{\"type\":\"api_error\",\"message\":\"no \\\"more\\\"\",\"code\":null}}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_goes_on), cmocka_unit_test(test_own_tools),
        cmocka_unit_test(test_refusals),     cmocka_unit_test(test_data_is_let_through),
        cmocka_unit_test(test_too_much),     cmocka_unit_test(test_budgets),
        cmocka_unit_test(test_extra),        cmocka_unit_test(test_beta),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
