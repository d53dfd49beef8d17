/*
 * What servers of models answer (orchestrator/model): one exchange in pieces, headers
 * and bytes, to each protocol; times in hints; cassettes; configs. The first byte
 * chooses.
 */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "orchestrator/model/cassette.h"
#include "orchestrator/model/config.h"
#include "orchestrator/model/protocol.h"
#include "orchestrator/model/receive.h"
#include "orchestrator/model/retry.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)4096)
#define KEY        "sk-12345"
#define NOW        (INT64_C(1769862896) * NS_PER_SEC)

static const struct protocol *const protocols[] = {&protocol_openai, &protocol_anthropic,
                                                   &protocol_gemini};

static void check_usage(const struct model_usage *u) {
    FUZZ_CHECK(u->input >= 0 && u->output >= 0 && u->cached_input >= 0 && u->cache_write >= 0 &&
                   u->reasoning >= 0,
               "a count below 0");
    FUZZ_CHECK(u->cached_input + u->cache_write <= u->input && u->reasoning <= u->output,
               "a part is more than its whole");
}

/* Whatever came, it is an answer or a fault, and no larger than allowed. */
static void check_answer(const struct receive *r, const struct answer *a) {
    check_usage(&a->usage);
    FUZZ_CHECK(a->stop <= MODEL_STOP_OTHER && model_stop_name(a->stop), "stop %d", a->stop);
    FUZZ_CHECK(a->text.len + a->reasoning.len <= 3 * ANSWER_MAX, "%zu bytes out of %zu",
               a->text.len + a->reasoning.len, r->total);
    FUZZ_CHECK(strlen(buf_text(&a->text)) == a->text.len, "a NUL in the text");
    if (r->status == 0) return;
    FUZZ_CHECK(!a->fault.set || a->fault.text, "a fault without a reason");
    FUZZ_CHECK(!r->too_large || (a->fault.set && !a->fault.retry), "too large is no fault");
    FUZZ_CHECK(a->fault.set || (r->status >= 200 && r->status <= 299), "status %ld is an answer",
               r->status);
    FUZZ_CHECK(a->fault.set || a->text.len || a->stop == MODEL_STOP_REFUSED ||
                   a->stop == MODEL_STOP_LENGTH,
               "an empty answer");
    FUZZ_CHECK(hints_wait(&r->hints) >= 0 && a->fault.wait_ns >= 0, "a pause below 0");
}

static void exchange(struct fuzz_input *in, const struct protocol *p) {
    _cleanup_answer_ struct answer a = {0};
    struct receive r = {.protocol = p, .answer = &a, .max = ANSWER_MAX, .now_ns = NOW};
    size_t piece = 1 + fuzz_byte(in);
    bool broken = fuzz_byte(in) & 1, go_on = true;
    _cleanup_free_ char *headers = fuzz_text(in);
    for (const char *line = headers; *line;) {
        size_t len = strcspn(line, "\n");
        receive_header(&r, line, len);
        line += len + (line[len] == '\n');
    }
    for (; go_on && in->left; in->at += piece, in->left -= piece) {
        if (piece > in->left) piece = in->left;
        go_on = receive_bytes(&r, (const char *)in->at, piece);
    }
    receive_end(&r, broken ? "broken" : NULL);
    check_answer(&r, &a);
    receive_clear(&r);
}

static void times(struct fuzz_input *in) {
    _cleanup_free_ char *text = fuzz_text(in);
    int64_t ns = hint_parse(text, NOW);
    FUZZ_CHECK(ns >= 0, "%s is %ld ns", text, (long)ns);
    struct retry r = {.first_ns = NS_PER_MS, .longest_ns = NS_PER_SEC, .state = fuzz_byte(in)};
    int64_t pause = retry_pause(&r, fuzz_byte(in), ns);
    FUZZ_CHECK(ns > NS_PER_SEC ? pause == -1 : pause >= ns && pause <= 2 * NS_PER_SEC, "%ld ns",
               (long)pause);
}

/* What a cassette says is played without a crash, and can be recorded again. */
static void cassette(const struct fuzz_input *in) {
    struct fuzz_place *place = fuzz_place();
    _cleanup_free_ char *path = path_join(place->path, "in/tape");
    _cleanup_error_ struct error err = {0};
    FUZZ_CHECK(file_write_atomic(path, in->at, in->left, 0600, &err) == 0, "%s", error_text(&err));
    struct cassette *c = cassette_load(path, &err);
    FUZZ_CHECK(!c == error_is_set(&err), "%s", error_text(&err));
    const struct cassette_call *call = c ? cassette_find(c, "n1", "") : NULL;
    if (call) {
        check_usage(&(struct model_usage){.input = call->reply.usage.input});
        FUZZ_CHECK(call->reply.text && call->reply.reasoning, "a call without a text");
        FUZZ_CHECK(cassette_append(path, call, &err) == 0, "%s", error_text(&err));
        struct cassette *again = cassette_load(path, &err);
        FUZZ_CHECK(again, "%s", error_text(&err));
        const struct cassette_call *last = cassette_find(again, "n1", call->reply.request_sha256);
        FUZZ_CHECK(last && strcmp(last->reply.text, call->reply.text) == 0 &&
                       last->reply.stop == call->reply.stop,
                   "recorded otherwise than played");
        cassette_free(again);
    }
    cassette_free(c);
    unlink(path);
}

static void put_config(const struct model_config *c, struct buf *out) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    json_open_object(w, NULL);
    model_config_write(c, w);
    json_close_object(w);
    fuzz_take_text(w, out);
}

/* A config that is taken makes a request of valid JSON, and is taken again as written. */
static void config(const struct fuzz_input *in) {
    static const struct model_message message = {MODEL_USER, "Hi"};
    static const struct model_request rq = {.messages = &message, .count = 1};
    struct json *doc = json_parse("config", (const char *)in->at, in->left, NULL);
    _cleanup_model_config_ struct model_config c = {0}, d = {0};
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf body = {0}, url = {0}, once = {0}, twice = {0};
    if (!doc || model_config_decode(doc, "m", &c, NULL) < 0) return;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    json_open_object(w, NULL);
    c.protocol->body(&c, &rq, w);
    json_close_object(w);
    fuzz_take_text(w, &body);
    _cleanup_json_ struct json *read = json_parse("body", buf_text(&body), body.len, &err);
    FUZZ_CHECK(read, "%s: %s", error_text(&err), buf_text(&body));
    c.protocol->url(&c, &url);
    FUZZ_CHECK(str_starts(buf_text(&url), "http"), "%s", buf_text(&url));
    put_config(&c, &once);
    struct json *again = json_parse("again", buf_text(&once), once.len, &err);
    FUZZ_CHECK(again && model_config_decode(again, "m", &d, &err) == 0, "%s", error_text(&err));
    put_config(&d, &twice);
    FUZZ_CHECK(strcmp(buf_text(&once), buf_text(&twice)) == 0, "%s\n%s", buf_text(&once),
               buf_text(&twice));
}

static void secrets(struct fuzz_input *in) {
    struct secrets s = {0};
    char *text = fuzz_text(in);
    FUZZ_CHECK(secrets_add(&s, KEY, NULL) == 0 && secrets_remove(&s, &text), "out of memory");
    FUZZ_CHECK(!strstr(text, KEY), "%s", text);
    secrets_clear(&s);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct fuzz_input in = {data, len};
    uint8_t which = fuzz_byte(&in);
    switch (which) {
    case 'c': cassette(&in); break;
    case 'm': config(&in); break;
    case 't': times(&in); break;
    case 's': secrets(&in); break;
    default: exchange(&in, protocols[which % ARRAY_SIZE(protocols)]);
    }
    return 0;
}
