/* Server-sent events in pieces of any size, and inline reasoning. */
#include "common/cleanup.h"
#include "orchestrator/model/answer.h"
#include "orchestrator/model/sse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

struct log {
    struct buf text;
    int left; /* events until the handler says stop; −1: never */
};

static bool note(void *arg, const char *event, const char *data, size_t len) {
    struct log *l = arg;
    assert_int_equal(strlen(data), len);
    buf_printf(&l->text, "[%s|%s]", event, data);
    return l->left < 0 || l->left-- > 0;
}

static enum sse_result feed(struct sse *s, const char *text, size_t piece) {
    enum sse_result result = SSE_OK;
    size_t len = strlen(text);
    for (size_t i = 0; i < len && result == SSE_OK; i += piece)
        result = sse_feed(s, text + i, len - i < piece ? len - i : piece);
    return result;
}

/* Whatever the pieces are, the events are the same. */
static void expect(const char *text, const char *events) {
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        struct log l = {.left = -1};
        struct sse s = {.max = 1000, .handler = note, .arg = &l};
        assert_int_equal(feed(&s, text, piece), SSE_OK);
        assert_int_equal(sse_finish(&s), SSE_OK);
        assert_string_equal(buf_text(&l.text), events);
        sse_clear(&s);
        buf_free(&l.text);
    }
}

static void events_are_split(void **state) {
    (void)state;
    expect("data: a\n\ndata: b\n\n", "[|a][|b]");
    expect("data:a\r\n\r\ndata:  b\r\n\r\n", "[|a][| b]");
    expect("data: a\r\rdata: b\r\r", "[|a][|b]");
    expect("event: x\ndata: 1\ndata: 2\nid: 7\nretry: 3\n\n", "[x|1\n2]");
    expect(": comment\n\n:\n\ndata: a\n\n", "[|a]");
    expect("event: lost\n\ndata: a\n\n", "[|a]");
    expect("data\n\n", "[|]");
    expect("\xef\xbb\xbf"
           "data: a\n\n",
           "[|a]");
}

static void the_last_blank_line_may_be_missing(void **state) {
    (void)state;
    expect("data: a\n\ndata: [DONE]", "[|a][|[DONE]]");
    expect("data: a\n\ndata: b\n", "[|a][|b]");
    expect("", "");
}

static void events_are_bounded(void **state) {
    (void)state;
    struct log l = {.left = -1};
    struct sse s = {.max = 20, .handler = note, .arg = &l};
    assert_int_equal(feed(&s, "data: 0123456789\n\n", 3), SSE_OK);
    assert_int_equal(feed(&s, "data: 0123456789\ndata: 0123456789\n", 5), SSE_TOO_LARGE);
    sse_clear(&s);
    s = (struct sse){.max = 20, .handler = note, .arg = &l};
    assert_int_equal(feed(&s, "no end of a line in sight", 25), SSE_TOO_LARGE);
    sse_clear(&s);
    buf_free(&l.text);
}

static void a_handler_can_stop(void **state) {
    (void)state;
    struct log l = {.left = 1};
    struct sse s = {.max = 100, .handler = note, .arg = &l};
    assert_int_equal(feed(&s, "data: a\n\ndata: b\n\ndata: c\n\n", 4), SSE_STOPPED);
    assert_string_equal(buf_text(&l.text), "[|a][|b]");
    sse_clear(&s);
    buf_free(&l.text);
}

static void thought(const char *text, const char *rest, const char *reasoning) {
    _cleanup_answer_ struct answer a = {0};
    buf_puts(&a.text, text);
    answer_split_think(&a);
    assert_string_equal(buf_text(&a.text), rest);
    assert_string_equal(buf_text(&a.reasoning), reasoning);
}

static void inline_reasoning_is_moved_out(void **state) {
    (void)state;
    thought("<think>\nhm\n</think>\n\nyes", "yes", "\nhm\n");
    thought(" \n<think>hm</think>yes", "yes", "hm");
    thought("<think>never closed", "", "never closed");
    thought("hm\n</think>\nyes", "yes", "hm\n");
    thought("code: \"</think>\" is a tag\n", "code: \"</think>\" is a tag\n", "");
    thought("a <think>b</think>", "a <think>b</think>", "");
    thought("plain", "plain", "");
}

static void a_structured_field_leaves_the_text_alone(void **state) {
    (void)state;
    _cleanup_answer_ struct answer a = {0};
    buf_puts(&a.text, "<think>x</think>y");
    buf_puts(&a.reasoning, "r");
    answer_split_think(&a);
    assert_string_equal(buf_text(&a.text), "<think>x</think>y");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_split),
        cmocka_unit_test(the_last_blank_line_may_be_missing),
        cmocka_unit_test(events_are_bounded),
        cmocka_unit_test(a_handler_can_stop),
        cmocka_unit_test(inline_reasoning_is_moved_out),
        cmocka_unit_test(a_structured_field_leaves_the_text_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
