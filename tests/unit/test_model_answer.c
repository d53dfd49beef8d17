/* Answers of the three protocols, whole and as streams, into one form. */
#include "common/cleanup.h"
#include "orchestrator/model/receive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

/* Feeds one exchange in pieces of a size. */
static void receive(const struct protocol *p, const char *type, const char *text, size_t piece,
                    const char *broken, struct answer *a) {
    struct receive r = {.protocol = p, .answer = a, .max = 1 << 20};
    _cleanup_free_ char *head = str_printf("Content-Type: %s\r\n", type);
    size_t len = strlen(text);
    receive_header(&r, "HTTP/1.1 200 OK\r\n", 17);
    receive_header(&r, head, strlen(head));
    for (size_t i = 0; i < len; i += piece)
        assert_true(receive_bytes(&r, text + i, len - i < piece ? len - i : piece));
    receive_end(&r, broken);
    receive_clear(&r);
}

/* "text|reasoning|model|id|stop|input,cached,write,output,reasoning" or "!fault". */
static void describe(const struct answer *a, struct buf *out) {
    const struct model_usage *u = &a->usage;
    if (a->fault.set) buf_printf(out, "!%s", a->fault.text);
    else
        buf_printf(out, "%s|%s|%s|%s|%s|", buf_text(&a->text), buf_text(&a->reasoning), a->model,
                   a->id, model_stop_name(a->stop));
    if (a->fault.set) return;
    buf_printf(out, "%d,%d,%d,%d,%d%s", (int)u->input, (int)u->cached_input, (int)u->cache_write,
               (int)u->output, (int)u->reasoning, u->known ? "" : "?");
}

static void expect(const struct protocol *p, const char *type, const char *text,
                   const char *wanted) {
    static const size_t pieces[] = {1, 7, 1 << 20};
    for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
        _cleanup_answer_ struct answer a = {0};
        _cleanup_buf_ struct buf got = {0};
        receive(p, type, text, pieces[i], NULL, &a);
        describe(&a, &got);
        assert_string_equal(buf_text(&got), wanted);
    }
}
#define JSON   "application/json"
#define STREAM "text/event-stream; charset=utf-8"

static void openai_whole(void **state) {
    (void)state;
    expect(&protocol_openai, JSON,
           "{\"id\":\"c1\",\"model\":\"g-1\",\"choices\":[{\"index\":0,\"message\":{\"content\":"
           "\"Hi\",\"reasoning_content\":\"hm\"},\"finish_reason\":\"stop\"}],\"usage\":{"
           "\"prompt_tokens\":10,\"completion_tokens\":5,\"total_tokens\":15,"
           "\"prompt_tokens_details\":{\"cached_tokens\":4},"
           "\"completion_tokens_details\":{\"reasoning_tokens\":2}}}",
           "Hi|hm|g-1|c1|end|10,4,0,5,2");
    /* DeepSeek's cache; reasoning left out of the output; the newer field; parts. */
    expect(&protocol_openai, JSON,
           "{\"id\":\"c\",\"model\":\"d\",\"choices\":[{\"message\":{\"content\":[{\"type\":"
           "\"text\",\"text\":\"H\"},{\"text\":\"i\"}],\"reasoning\":\"hm\"},\"finish_reason\":"
           "\"length\"}],\"usage\":{\"prompt_tokens\":10,\"prompt_cache_hit_tokens\":8,"
           "\"completion_tokens\":5,\"total_tokens\":22,\"completion_tokens_details\":"
           "{\"reasoning_tokens\":7}}}",
           "Hi|hm|d|c|length|10,8,0,12,7");
    expect(&protocol_openai, JSON,
           "{\"id\":\"c\",\"model\":\"q\",\"choices\":[{\"message\":{\"content\":"
           "\"<think>hm</think>\\nHi\",\"reasoning_content\":null},\"finish_reason\":\"stop\"}]}",
           "Hi|hm|q|c|end|0,0,0,0,0?");
}

static void openai_stream(void **state) {
    (void)state;
    expect(&protocol_openai, STREAM,
           "data: {\"id\":\"c1\",\"model\":\"g\",\"choices\":[{\"index\":0,\"delta\":{\"role\":"
           "\"assistant\",\"content\":\"\"},\"finish_reason\":null}],\"usage\":null}\n\n"
           ": keep-alive\n\n"
           "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"h\"}}]}\n\n"
           "data: {\"choices\":[{\"index\":0,\"delta\":{\"reasoning_content\":\"m\"}}]}\n\n"
           "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"H\xc3\xa9\"}}]}\n\n"
           "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"other\"}}]}\n\n"
           "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"y\"},\"finish_reason\":"
           "\"stop\"}]}\n\n"
           "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2}}\n\n"
           "data: [DONE]\n\n",
           "H\xc3\xa9y|hm|g|c1|end|3,0,0,2,0");
    /* No mark and no blank line at the end, but a reason to stop. */
    expect(&protocol_openai, STREAM,
           "data: {\"id\":\"c\",\"model\":\"g\",\"choices\":[{\"delta\":{\"content\":\"x\"},"
           "\"finish_reason\":\"stop\"}]}",
           "x||g|c|end|0,0,0,0,0?");
}

static void anthropic_whole(void **state) {
    (void)state;
    expect(&protocol_anthropic, JSON,
           "{\"id\":\"m1\",\"type\":\"message\",\"model\":\"c-1\",\"content\":[{\"type\":"
           "\"thinking\",\"thinking\":\"hm\",\"signature\":\"s\"},{\"type\":\"redacted_thinking\","
           "\"data\":\"x\"},{\"type\":\"text\",\"text\":\"H\"},{\"type\":\"text\",\"text\":\"i\"}],"
           "\"stop_reason\":\"max_tokens\",\"usage\":{\"input_tokens\":3,"
           "\"cache_creation_input_tokens\":20,\"cache_read_input_tokens\":100,"
           "\"output_tokens\":9}}",
           "Hi|hm|c-1|m1|length|123,100,20,9,0");
}

static const char anthropic_events[] =
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"model\":"
    "\"c\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":5,"
    "\"cache_read_input_tokens\":2,\"output_tokens\":1}}}\n\n"
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,"
    "\"content_block\":{\"type\":\"thinking\",\"thinking\":\"\"}}\n\n"
    "event: ping\ndata: {\"type\":\"ping\"}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
    "{\"type\":\"thinking_delta\",\"thinking\":\"hm\"}}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
    "{\"type\":\"signature_delta\",\"signature\":\"s\"}}\n\n"
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":"
    "{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n"
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":"
    "\"end_turn\"},\"usage\":{\"output_tokens\":12}}\n\n"
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";

static void anthropic_stream(void **state) {
    (void)state;
    expect(&protocol_anthropic, STREAM, anthropic_events, "Hi|hm|c|m|end|7,2,0,12,0");
}

static void gemini_whole(void **state) {
    (void)state;
    expect(&protocol_gemini, JSON,
           "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"hm\",\"thought\":true},{\"text\":"
           "\"H\"},{\"text\":\"i\"}],\"role\":\"model\"},\"finishReason\":\"STOP\"}],"
           "\"usageMetadata\":{\"promptTokenCount\":10,\"cachedContentTokenCount\":3,"
           "\"candidatesTokenCount\":4,\"thoughtsTokenCount\":6},\"modelVersion\":\"g\","
           "\"responseId\":\"r\"}",
           "Hi|hm|g|r|end|10,3,0,10,6");
    /* All tokens were thought: there is no content. */
    expect(&protocol_gemini, JSON,
           "{\"candidates\":[{\"finishReason\":\"MAX_TOKENS\"}],\"usageMetadata\":"
           "{\"promptTokenCount\":10,\"thoughtsTokenCount\":6},\"modelVersion\":\"g\","
           "\"responseId\":\"r\"}",
           "||g|r|length|10,0,0,6,6");
    expect(&protocol_gemini, JSON,
           "{\"promptFeedback\":{\"blockReason\":\"SAFETY\"},\"usageMetadata\":"
           "{\"promptTokenCount\":10},\"modelVersion\":\"g\",\"responseId\":\"r\"}",
           "||g|r|refused|10,0,0,0,0");
}

static void gemini_stream(void **state) {
    (void)state;
    expect(&protocol_gemini, STREAM,
           "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"H\"}]}}],"
           "\"usageMetadata\":{\"promptTokenCount\":10},\"modelVersion\":\"g\",\"responseId\":"
           "\"r\"}\r\n\r\n"
           "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"i\"}]},\"finishReason\":"
           "\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":10,\"candidatesTokenCount\":2}}"
           "\r\n\r\n",
           "Hi||g|r|end|10,0,0,2,0");
}

static void refusals_are_answers(void **state) {
    (void)state;
    _cleanup_answer_ struct answer a = {0}, b = {0}, c = {0};
    receive(&protocol_openai, JSON,
            "{\"choices\":[{\"message\":{\"content\":null,\"refusal\":\"I can't.\"},"
            "\"finish_reason\":\"stop\"}]}",
            99, NULL, &a);
    assert_false(a.fault.set);
    assert_int_equal(a.stop, MODEL_STOP_REFUSED);
    assert_string_equal(buf_text(&a.refusal), "I can't.");
    receive(&protocol_openai, STREAM,
            "data: {\"choices\":[{\"delta\":{\"refusal\":\"No\"}}]}\n\n"
            "data: {\"choices\":[{\"delta\":{\"refusal\":\"pe\"},\"finish_reason\":\"stop\"}]}\n\n",
            9, NULL, &b);
    assert_false(b.fault.set);
    assert_int_equal(b.stop, MODEL_STOP_REFUSED);
    assert_string_equal(buf_text(&b.refusal), "Nope");
    receive(&protocol_anthropic, JSON, "{\"content\":[],\"stop_reason\":\"refusal\"}", 9, NULL, &c);
    assert_false(c.fault.set);
    assert_int_equal(c.stop, MODEL_STOP_REFUSED);
}

static void a_stream_request_may_be_answered_whole(void **state) {
    (void)state;
    const char *whole = "{\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"message\":{\"content\":"
                        "\"Hi\"},\"finish_reason\":\"stop\"}]}";
    expect(&protocol_openai, JSON, whole, "Hi||m|i|end|0,0,0,0,0?");
    expect(&protocol_openai, "application/octet-stream", whole, "Hi||m|i|end|0,0,0,0,0?");
}

/* Whatever a server says was used, a part is no more than its whole. */
static void nonsense_counts_are_contained(void **state) {
    (void)state;
    expect(&protocol_openai, JSON,
           "{\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"message\":{\"content\":\"x\"},"
           "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":-5,\"completion_tokens\":3,"
           "\"prompt_tokens_details\":{\"cached_tokens\":99},"
           "\"completion_tokens_details\":{\"reasoning_tokens\":1e99}}}",
           "x||m|i|end|0,0,0,3,0?");
    expect(&protocol_openai, JSON,
           "{\"id\":\"i\",\"model\":\"m\",\"choices\":[{\"message\":{\"content\":\"x\"},"
           "\"finish_reason\":\"stop\"}],\"usage\":\"plenty\"}",
           "x||m|i|end|0,0,0,0,0?");
    expect(
        &protocol_gemini, JSON,
        "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]},\"finishReason\":\"STOP\"}],"
        "\"usageMetadata\":{\"promptTokenCount\":2,\"cachedContentTokenCount\":3,"
        "\"candidatesTokenCount\":4.5},\"modelVersion\":\"g\",\"responseId\":\"r\"}",
        "x||g|r|end|2,2,0,0,0");
}

static void broken_answers_are_faults(void **state) {
    (void)state;
    expect(
        &protocol_openai, JSON, "{\"choices\": [}",
        "!not readable: answer: line 1: parse error: unallowed token at this point in JSON text");
    expect(&protocol_openai, JSON, "{\"x\": 1}", "!the answer has no \"choices\"");
    expect(&protocol_anthropic, JSON, "[]", "!the answer has no \"content\"");
    expect(&protocol_gemini, JSON, "{}", "!the answer has no \"candidates\"");
    expect(&protocol_openai, JSON, "", "!the answer has no body");
    expect(&protocol_openai, "text/html", "<html>",
           "!answered with content type text/html, not with JSON");
    expect(&protocol_openai, JSON,
           "{\"choices\":[{\"message\":{\"content\":\"\"},\"finish_reason\":\"stop\"}]}",
           "!the answer is empty");
    expect(&protocol_openai, STREAM, "data: {\"choices\":[{\"delta\":{\"content\":\"x\"}}]}\n\n",
           "!the stream ended before the answer did, after 47 bytes");
    expect(&protocol_openai, STREAM, "data: {]\n\ndata: [DONE]\n\n",
           "!not readable: event: line 1: parse error: invalid object key (must be a string)");
}

/* Cut anywhere but behind its end, a stream is a fault that may be repeated, and what
 * it told of its cost is kept. */
static void a_truncated_stream_is_never_an_answer(void **state) {
    (void)state;
    size_t whole = strlen(anthropic_events);
    for (size_t n = 1; n < whole - 70; n++) {
        _cleanup_free_ char *text = strndup(anthropic_events, n);
        _cleanup_answer_ struct answer a = {0};
        receive(&protocol_anthropic, STREAM, text, 50, "reset", &a);
        assert_true(a.fault.set);
        assert_true(a.fault.retry);
        if (n > 250) assert_int_equal(a.usage.input, 7);
    }
}

static void errors_inside_a_stream_are_faults(void **state) {
    (void)state;
    _cleanup_answer_ struct answer a = {0}, b = {0}, c = {0};
    receive(&protocol_anthropic, STREAM,
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
            "\"message\":\"Overloaded\"}}\n\n",
            20, NULL, &a);
    assert_true(a.fault.set && a.fault.retry);
    assert_int_equal(a.fault.kind, ERROR_BUSY);
    assert_string_equal(a.fault.text, "overloaded_error: Overloaded");
    receive(&protocol_openai, STREAM,
            "data: {\"error\":{\"message\":\"bad\",\"type\":\"invalid_request_error\"}}\n\n", 20,
            NULL, &b);
    assert_true(b.fault.set && !b.fault.retry);
    receive(&protocol_gemini, STREAM,
            "data: {\"error\":{\"code\":503,\"message\":\"busy\",\"status\":\"UNAVAILABLE\"}}\n\n",
            20, NULL, &c);
    assert_true(c.fault.set && c.fault.retry);
    assert_string_equal(c.fault.text, "status 503 UNAVAILABLE: busy");
}

static void answers_are_bounded(void **state) {
    (void)state;
    _cleanup_answer_ struct answer a = {0};
    struct receive r = {.protocol = &protocol_openai, .answer = &a, .max = 100};
    char bytes[60];
    memset(bytes, ' ', sizeof bytes);
    receive_header(&r, "HTTP/2 200\r\n", 12);
    receive_header(&r, "content-type: application/json", 30);
    assert_true(receive_bytes(&r, bytes, sizeof bytes));
    assert_false(receive_bytes(&r, bytes, sizeof bytes));
    receive_end(&r, "stopped");
    receive_clear(&r);
    assert_true(a.fault.set && !a.fault.retry);
    assert_int_equal(a.fault.kind, ERROR_LIMIT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(openai_whole),
        cmocka_unit_test(openai_stream),
        cmocka_unit_test(anthropic_whole),
        cmocka_unit_test(anthropic_stream),
        cmocka_unit_test(gemini_whole),
        cmocka_unit_test(gemini_stream),
        cmocka_unit_test(refusals_are_answers),
        cmocka_unit_test(a_stream_request_may_be_answered_whole),
        cmocka_unit_test(nonsense_counts_are_contained),
        cmocka_unit_test(broken_answers_are_faults),
        cmocka_unit_test(a_truncated_stream_is_never_an_answer),
        cmocka_unit_test(errors_inside_a_stream_are_faults),
        cmocka_unit_test(answers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
