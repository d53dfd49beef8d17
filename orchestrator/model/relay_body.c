/* A relayed request: read, screened, and written anew (declared in relay.h). */
#include "common/cleanup.h"
#include "orchestrator/model/model_inside.h"
#include "orchestrator/model/pick.h"
#include "orchestrator/model/protocol.h"
#include "orchestrator/model/relay.h"
#include "orchestrator/model/relay_screen.h"

#include <string.h>

#define OUTPUT_LEAST 64 /* an answer with less room than this is no use */
#define TOKENS_MORE  64
#define MILLION      1e6

/* What each protocol's requests keep as it is, NULL-terminated. What is ours to write is
 * not among them, nor what a server would take as an order to do more than answer. */
static const char *const kept_openai[] = {"messages",
                                          "temperature",
                                          "top_p",
                                          "seed",
                                          "stop",
                                          "tools",
                                          "tool_choice",
                                          "parallel_tool_calls",
                                          "functions",
                                          "function_call",
                                          "response_format",
                                          "reasoning_effort",
                                          "reasoning",
                                          "frequency_penalty",
                                          "presence_penalty",
                                          "logit_bias",
                                          "logprobs",
                                          "top_logprobs",
                                          "verbosity",
                                          "top_k",
                                          "min_p",
                                          "repetition_penalty",
                                          "chat_template_kwargs",
                                          "thinking",
                                          "enable_thinking",
                                          "prompt_cache_key",
                                          NULL};
static const char *const kept_anthropic[] = {
    "messages",       "system",        "temperature",        "top_p",    "top_k",
    "stop_sequences", "tools",         "tool_choice",        "thinking", "output_config",
    "output_format",  "cache_control", "context_management", NULL};
static const char *const kept_gemini[] = {
    "contents",    "systemInstruction", "system_instruction", "tools", "toolConfig",
    "tool_config", "safetySettings",    "safety_settings",    NULL};
/* … and of generationConfig. */
static const char *const kept_generation[] = {"temperature",
                                              "topP",
                                              "topK",
                                              "seed",
                                              "stopSequences",
                                              "thinkingConfig",
                                              "responseSchema",
                                              "responseMimeType",
                                              "presencePenalty",
                                              "frequencyPenalty",
                                              "responseJsonSchema",
                                              "responseLogprobs",
                                              "logprobs",
                                              NULL};

struct rewriting {
    const struct model *m;
    const struct json *doc;
    const struct relay_left *left;
    struct relay_request *out;
};

static bool speaks(const struct model *m, const char *protocol) {
    return strcmp(m->config.protocol->name, protocol) == 0;
}

static bool is_kept(const char *key, const char *const *list) {
    for (; *list; list++)
        if (strcmp(key, *list) == 0) return true;
    return false;
}

static const struct json *either(const struct json *doc, const char *one, const char *other) {
    const struct json *v = pick(doc, one);
    return v ? v : pick(doc, other);
}

/* ---- how long the answer may be ---- */

static int64_t asked_tokens(const struct rewriting *r) {
    int64_t asked = 0;
    const struct json *doc = r->doc;
    if (speaks(r->m, "gemini")) {
        const struct json *g = either(doc, "generationConfig", "generation_config");
        if (!pick_count(g, "maxOutputTokens", &asked)) pick_count(g, "max_output_tokens", &asked);
    } else if (!pick_count(doc, "max_tokens", &asked)) {
        pick_count(doc, "max_completion_tokens", &asked);
    }
    return asked > 0 ? asked : r->m->config.max_tokens;
}

/* How many tokens of answer what is left pays for, after the prompt. */
static int64_t room(const struct rewriting *r) {
    const struct model_config *c = &r->m->config;
    int64_t room = INT64_MAX;
    if (r->left->tokens >= 0) room = r->left->tokens - r->out->input;
    if (r->left->cost < 0 || !c->has_prices) return room;
    double money = r->left->cost - (double)r->out->input * highest_input_price(c) / MILLION;
    if (money < 0) return 0;
    if (c->price_output <= 0) return room;
    double tokens = money * MILLION / c->price_output;
    return tokens < (double)room ? (int64_t)tokens : room;
}

static int over(const struct rewriting *r, int64_t room, struct error *err) {
    r->out->over = true;
    return error_set(err, ERROR_LIMIT,
                     "the budget of this experiment is spent: what is left does not cover a prompt "
                     "of up to %lld tokens and an answer of more than %lld",
                     (long long)r->out->input, (long long)(room > 0 ? room : 0));
}

/* Thoughts count as answer, and must leave room for one. */
static bool thinks_too_long(const struct rewriting *r) {
    int64_t budget = 0;
    const struct json *thinking = pick_object(r->doc, "thinking");
    return pick_count(thinking, "budget_tokens", &budget) && budget >= r->out->output;
}

static int decide_tokens(struct rewriting *r, const char *text, size_t len, struct error *err) {
    r->out->input = tokens_of_bytes(text, len) + TOKENS_MORE;
    int64_t asked = asked_tokens(r), most = room(r);
    r->out->output = asked < most ? asked : most;
    bool cut = r->out->output < asked;
    if (cut && (r->out->output < OUTPUT_LEAST || thinks_too_long(r))) return over(r, most, err);
    return 0;
}

/* ---- writing ---- */

static void put_kept(const struct rewriting *r, const char *const *kept, struct json_writer *w) {
    for (size_t i = 0; i < json_count(r->doc); i++)
        if (is_kept(json_key_at(r->doc, i), kept))
            json_put_value(w, json_key_at(r->doc, i), json_at(r->doc, i));
}

/* The config's "extra", where the request does not say otherwise. */
static void put_extra(const struct rewriting *r, const char *const *kept, struct json_writer *w) {
    const struct json *extra = r->m->config.extra;
    for (size_t i = 0; extra && i < json_count(extra); i++) {
        const char *key = json_key_at(extra, i);
        if (!(is_kept(key, kept) && pick(r->doc, key))) json_put_value(w, key, json_at(extra, i));
    }
}

static void put_gemini(const struct rewriting *r, struct json_writer *w) {
    const struct json *given = either(r->doc, "generationConfig", "generation_config");
    bool object = given && json_type(given) == JSON_OBJECT;
    put_kept(r, kept_gemini, w);
    json_open_object(w, "generationConfig");
    for (size_t i = 0; object && i < json_count(given); i++)
        if (is_kept(json_key_at(given, i), kept_generation))
            json_put_value(w, json_key_at(given, i), json_at(given, i));
    json_put_int(w, "maxOutputTokens", r->out->output);
    json_close_object(w);
    put_extra(r, kept_gemini, w);
}

static void put_openai(const struct rewriting *r, struct json_writer *w) {
    put_kept(r, kept_openai, w);
    json_put_int(w, openai_max_tokens_field(&r->m->config), r->out->output);
    if (r->out->stream) {
        json_put_bool(w, "stream", true);
        json_open_object(w, "stream_options");
        json_put_bool(w, "include_usage", true); /* or nobody would know what it cost */
        json_close_object(w);
    }
    put_extra(r, kept_openai, w);
}

static void put_anthropic(const struct rewriting *r, struct json_writer *w) {
    put_kept(r, kept_anthropic, w);
    json_put_int(w, "max_tokens", r->out->output);
    if (r->out->stream) json_put_bool(w, "stream", true);
    put_extra(r, kept_anthropic, w);
}

static int write_body(const struct rewriting *r, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    size_t len = 0;
    if (!w) return error_sys(err, ENOMEM, "request");
    json_open_object(w, NULL);
    if (!speaks(r->m, "gemini")) json_put_string(w, "model", r->m->config.name);
    if (speaks(r->m, "gemini")) put_gemini(r, w);
    else if (speaks(r->m, "anthropic")) put_anthropic(r, w);
    else put_openai(r, w);
    json_close_object(w);
    const char *text = json_writer_text(w, &len);
    if (text) buf_append(&r->out->body, text, len);
    if (!text || buf_failed(&r->out->body)) return error_sys(err, ENOMEM, "request");
    digest_hex_of(text, len, r->out->sha256);
    return 0;
}

/* ---- reading ---- */

static int screen_document(const struct rewriting *r, struct error *err) {
    static const char *const said[] = {
        "messages", "system", "contents", "systemInstruction", "system_instruction", NULL};
    int64_t answers = 1;
    const struct json *generation = either(r->doc, "generationConfig", "generation_config");
    if (pick_count(r->doc, "n", &answers) && answers != 1)
        return error_set(err, ERROR_DENIED, "n: one answer a request, not %lld",
                         (long long)answers);
    if (pick_count(generation, "candidateCount", &answers) && answers != 1)
        return error_set(err, ERROR_DENIED, "candidateCount: one answer a request");
    if (pick(r->doc, "mcp_servers"))
        return error_set(err, ERROR_DENIED, "mcp_servers: the model's server connects to nobody");
    for (size_t i = 0; said[i]; i++)
        if (relay_screen_content(pick(r->doc, said[i]), err) < 0) return -1;
    return relay_screen_tools(r->m->config.protocol->name, pick(r->doc, "tools"), err);
}

int relay_prepare(const struct model *m, bool stream, const char *beta, const char *text,
                  size_t len, const struct relay_left *left, struct relay_request *out,
                  struct error *err) {
    if (m->cassette)
        return error_set(err, ERROR_UNSUPPORTED, "a cassette cannot answer requests of others");
    if (len > RELAY_REQUEST_MAX)
        return error_set(err, ERROR_INVALID, "the request has more than %zu bytes",
                         RELAY_REQUEST_MAX);
    if (receive_is_too_many(text, len))
        return error_set(err, ERROR_INVALID, "the request has too many values");
    _cleanup_json_ struct json *doc = json_parse("request", text, len, err);
    if (!doc) return -1;
    if (json_type(doc) != JSON_OBJECT) return json_error(doc, err, "must be an object");
    struct rewriting r = {.m = m, .doc = doc, .left = left, .out = out};
    bool asked = false;
    const struct json *flag = pick(doc, "stream");
    if (flag && json_type(flag) == JSON_BOOL) json_as_bool(flag, &asked, NULL);
    out->stream = speaks(m, "gemini") ? stream : asked;
    if (screen_document(&r, err) < 0 || decide_tokens(&r, text, len, err) < 0) return -1;
    if (speaks(m, "anthropic")) out->beta = relay_screen_beta(beta);
    return write_body(&r, err);
}

void relay_request_clear(struct relay_request *r) {
    buf_free(&r->body);
    free(r->beta);
    *r = (struct relay_request){0};
}
