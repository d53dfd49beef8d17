/* What each protocol sends for a config and a request. */
#include "common/cleanup.h"
#include "orchestrator/model/config.h"
#include "orchestrator/model/model.h"
#include "orchestrator/model/protocol.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

static const struct model_message messages[] = {{MODEL_SYSTEM, "Be brief."},
                                                {MODEL_USER, "Hi"},
                                                {MODEL_ASSISTANT, "Yes?"},
                                                {MODEL_SYSTEM, "Be kind."},
                                                {MODEL_USER, "Go \"on\"\n\xff"}};
static const struct model_request request = {.messages = messages, .count = 5};

static void config_of(const char *text, struct model_config *c) {
    struct error err = {0};
    struct json *doc = json_parse("config", text, strlen(text), &err);
    if (!doc || model_config_decode(doc, "m", c, &err) < 0) fail_msg("%s", error_text(&err));
}

static void expect_of(const char *config, const struct model_request *rq, const char *url,
                      const char *body) {
    _cleanup_model_config_ struct model_config c = {0};
    config_of(config, &c);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    json_open_object(w, NULL);
    c.protocol->body(&c, rq, w);
    json_close_object(w);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    _cleanup_free_ char *copy = strndup(text, len);
    assert_string_equal(copy, body);
    _cleanup_buf_ struct buf at = {0};
    c.protocol->url(&c, &at);
    assert_string_equal(buf_text(&at), url);
}

static void expect(const char *config, const char *url, const char *body) {
    expect_of(config, &request, url, body);
}

#define OPENAI_MESSAGES                                                                     \
    "\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"                        \
    "{\"role\":\"user\",\"content\":\"Hi\"},{\"role\":\"assistant\",\"content\":\"Yes?\"}," \
    "{\"role\":\"system\",\"content\":\"Be kind.\"},"                                       \
    "{\"role\":\"user\",\"content\":\"Go \\\"on\\\"\\n\xef\xbf\xbd\"}]"

static void openai_bodies(void **state) {
    (void)state;
    expect("{\"protocol\": \"openai\", \"name\": \"g\", \"stream\": false}",
           "https://api.openai.com/v1/chat/completions",
           "{\"model\":\"g\"," OPENAI_MESSAGES ",\"max_completion_tokens\":16384}");
    expect("{\"protocol\": \"openai\", \"name\": \"g\", \"url\": \"http://127.0.0.1:8000/v1/\","
           "\"parameters\": {\"temperature\": 0.5, \"top_p\": 1, \"max_tokens\": 9, \"seed\": -3,"
           "\"stop\": [\"END\"], \"reasoning_effort\": \"high\", \"extra\": {\"top_k\": [1]}}}",
           "http://127.0.0.1:8000/v1/chat/completions",
           "{\"model\":\"g\"," OPENAI_MESSAGES ",\"max_tokens\":9,\"temperature\":0.5,\"top_p\":1,"
           "\"seed\":-3,\"stop\":[\"END\"],\"reasoning_effort\":\"high\",\"stream\":true,"
           "\"stream_options\":{\"include_usage\":true},\"top_k\":[1]}");
}

static void azure_is_another_address(void **state) {
    (void)state;
    static const struct model_message one[] = {{MODEL_SYSTEM, "S"}, {MODEL_USER, "U"}};
    const struct model_request rq = {.messages = one, .count = 2, .max_tokens = 5};
    const char *config =
        "{\"protocol\": \"openai\", \"name\": \"my deployment\", \"stream\": false,"
        "\"url\": \"https://x.openai.azure.com\", \"azure_api_version\": \"2024-10-21\","
        "\"parameters\": {\"system_role\": \"developer\"}}";
    expect_of(config, &rq,
              "https://x.openai.azure.com/openai/deployments/my%20deployment/chat/"
              "completions?api-version=2024-10-21",
              "{\"model\":\"my deployment\",\"messages\":[{\"role\":\"developer\",\"content\":"
              "\"S\"},{\"role\":\"user\",\"content\":\"U\"}],\"max_completion_tokens\":5}");
    _cleanup_model_config_ struct model_config c = {0};
    _cleanup_buf_ struct buf line = {0};
    config_of(config, &c);
    c.protocol->auth(&c, "KEY", &line);
    assert_string_equal(buf_text(&line), "api-key: KEY");
}

#define ANTHROPIC_MESSAGES                                  \
    "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}," \
    "{\"role\":\"assistant\",\"content\":\"Yes?\"},"        \
    "{\"role\":\"user\",\"content\":\"Go \\\"on\\\"\\n\xef\xbf\xbd\"}]"
#define ANTHROPIC_SYSTEM "\"system\":[{\"type\":\"text\",\"text\":\"Be brief.\\n\\nBe kind.\""

static void anthropic_bodies(void **state) {
    (void)state;
    const char *url = "https://api.anthropic.com/v1/messages";
    expect("{\"protocol\": \"anthropic\", \"name\": \"c\", \"stream\": false}", url,
           "{\"model\":\"c\",\"max_tokens\":16384," ANTHROPIC_SYSTEM "}]," ANTHROPIC_MESSAGES "}");
    expect("{\"protocol\": \"anthropic\", \"name\": \"c\", \"parameters\": {\"cache\": true,"
           "\"reasoning_budget\": 2048, \"max_tokens\": 4096, \"stop\": [\"E\"]}}",
           url,
           "{\"model\":\"c\",\"max_tokens\":4096," ANTHROPIC_SYSTEM
           ",\"cache_control\":{\"type\":\"ephemeral\"}}]," ANTHROPIC_MESSAGES
           ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":2048},\"stop_sequences\":[\"E\"],"
           "\"stream\":true}");
    expect("{\"protocol\": \"anthropic\", \"name\": \"c\", \"stream\": false, \"parameters\":"
           "{\"reasoning_effort\": \"high\", \"max_tokens\": 7}}",
           url,
           "{\"model\":\"c\",\"max_tokens\":7," ANTHROPIC_SYSTEM "}]," ANTHROPIC_MESSAGES
           ",\"output_config\":{\"effort\":\"high\"},\"thinking\":{\"type\":\"adaptive\"}}");
}

static void thinking_fits_into_what_a_caller_asks_for(void **state) {
    (void)state;
    static const struct model_message one[] = {{MODEL_USER, "U"}};
    struct model_request rq = {.messages = one, .count = 1, .max_tokens = 2000};
    const char *config = "{\"protocol\": \"anthropic\", \"name\": \"c\", \"stream\": false,"
                         "\"parameters\": {\"reasoning_budget\": 4096}}";
    expect_of(config, &rq, "https://api.anthropic.com/v1/messages",
              "{\"model\":\"c\",\"max_tokens\":2000,\"messages\":[{\"role\":\"user\","
              "\"content\":\"U\"}],\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1999}}");
    rq.max_tokens = 100;
    expect_of(config, &rq, "https://api.anthropic.com/v1/messages",
              "{\"model\":\"c\",\"max_tokens\":100,\"messages\":[{\"role\":\"user\","
              "\"content\":\"U\"}],\"thinking\":{\"type\":\"disabled\"}}");
}

#define GEMINI_CONTENTS                                                           \
    "\"systemInstruction\":{\"parts\":[{\"text\":\"Be brief.\\n\\nBe kind.\"}]}," \
    "\"contents\":[{\"role\":\"user\",\"parts\":[{\"text\":\"Hi\"}]},"            \
    "{\"role\":\"model\",\"parts\":[{\"text\":\"Yes?\"}]},"                       \
    "{\"role\":\"user\",\"parts\":[{\"text\":\"Go \\\"on\\\"\\n\xef\xbf\xbd\"}]}],"

static void gemini_bodies(void **state) {
    (void)state;
    expect("{\"protocol\": \"gemini\", \"name\": \"g-2\", \"stream\": false}",
           "https://generativelanguage.googleapis.com/v1beta/models/g-2:generateContent",
           "{" GEMINI_CONTENTS "\"generationConfig\":{\"maxOutputTokens\":16384}}");
    expect("{\"protocol\": \"gemini\", \"name\": \"g/2\", \"parameters\": {\"temperature\": 1,"
           "\"seed\": 4, \"reasoning_budget\": 0, \"stop\": [\"E\"]}}",
           "https://generativelanguage.googleapis.com/v1beta/models/"
           "g%2F2:streamGenerateContent?alt=sse",
           "{" GEMINI_CONTENTS "\"generationConfig\":{\"maxOutputTokens\":16384,\"temperature\":1,"
           "\"seed\":4,\"stopSequences\":[\"E\"],\"thinkingConfig\":{\"thinkingBudget\":0}}}");
    expect("{\"protocol\": \"gemini\", \"name\": \"g\", \"stream\": false, \"parameters\":"
           "{\"reasoning_effort\": \"low\"}}",
           "https://generativelanguage.googleapis.com/v1beta/models/g:generateContent",
           "{" GEMINI_CONTENTS "\"generationConfig\":{\"maxOutputTokens\":16384,"
           "\"thinkingConfig\":{\"thinkingLevel\":\"LOW\",\"includeThoughts\":true}}}");
}

static void the_canonical_request_has_the_prompt_alone(void **state) {
    (void)state;
    static const struct model_message one[] = {{MODEL_SYSTEM, "S"}, {MODEL_USER, "U"}};
    struct model_request rq = {.messages = one, .count = 2, .key = "n1"};
    _cleanup_free_ char *text = model_request_text(&rq);
    assert_string_equal(text, "{\"messages\":[{\"role\":\"system\",\"text\":\"S\"},"
                              "{\"role\":\"user\",\"text\":\"U\"}]}");
    rq.max_tokens = 7;
    _cleanup_free_ char *more = model_request_text(&rq);
    assert_string_equal(more, "{\"messages\":[{\"role\":\"system\",\"text\":\"S\"},"
                              "{\"role\":\"user\",\"text\":\"U\"}],\"max_tokens\":7}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openai_bodies),
        cmocka_unit_test(azure_is_another_address),
        cmocka_unit_test(anthropic_bodies),
        cmocka_unit_test(thinking_fits_into_what_a_caller_asks_for),
        cmocka_unit_test(gemini_bodies),
        cmocka_unit_test(the_canonical_request_has_the_prompt_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
