/* OpenAI's chat completions, and those who speak it: Azure, vLLM, DeepSeek, OpenRouter,
 * llama.cpp. */
#include "common/cleanup.h"
#include "orchestrator/model/config.h"
#include "orchestrator/model/pick.h"
#include "orchestrator/model/protocol.h"

#include <math.h>
#include <string.h>

static void url(const struct model_config *c, struct buf *out) {
    buf_puts(out, c->url);
    if (!c->azure_api_version) {
        buf_puts(out, "/chat/completions");
        return;
    }
    buf_puts(out, "/openai/deployments/");
    protocol_escape(c->name, out);
    buf_puts(out, "/chat/completions?api-version=");
    protocol_escape(c->azure_api_version, out);
}

static void auth(const struct model_config *c, const char *key, struct buf *out) {
    buf_printf(out, c->azure_api_version ? "api-key: %s" : "Authorization: Bearer %s", key);
}

static void put_messages(const struct model_config *c, const struct model_request *rq,
                         struct json_writer *w) {
    json_open_array(w, "messages");
    for (size_t i = 0; i < rq->count; i++) {
        static const char *const roles[] = {"system", "user", "assistant"};
        const struct model_message *m = &rq->messages[i];
        json_open_object(w, NULL);
        json_put_string(
            w, "role", m->role == MODEL_SYSTEM && c->system_role ? c->system_role : roles[m->role]);
        json_put_string(w, "content", m->text);
        json_close_object(w);
    }
    json_close_array(w);
}

/* Its own servers refuse max_tokens for the models that reason, and only theirs
 * know the newer name. */
const char *openai_max_tokens_field(const struct model_config *c) {
    if (c->max_tokens_field) return c->max_tokens_field;
    bool theirs = c->azure_api_version || strstr(c->url, "//api.openai.com");
    return theirs ? "max_completion_tokens" : "max_tokens";
}

static void body(const struct model_config *c, const struct model_request *rq,
                 struct json_writer *w) {
    json_put_string(w, "model", c->name);
    put_messages(c, rq, w);
    json_put_int(w, openai_max_tokens_field(c), protocol_max_tokens(c, rq));
    if (!isnan(c->temperature)) json_put_double(w, "temperature", c->temperature);
    if (!isnan(c->top_p)) json_put_double(w, "top_p", c->top_p);
    if (c->has_seed) json_put_int(w, "seed", c->seed);
    if (c->stop) json_put_strv(w, "stop", c->stop);
    if (c->effort) json_put_string(w, "reasoning_effort", c->effort);
    if (c->stream) {
        json_put_bool(w, "stream", true);
        json_open_object(w, "stream_options");
        json_put_bool(w, "include_usage", true);
        json_close_object(w);
    }
    protocol_extra(c, w);
}

/* A text, or (rarely) an array of parts with one each. */
static void take_content(const struct json *content, struct buf *out) {
    const char *text = text_of(content);
    if (text) buf_puts(out, text);
    for (size_t i = 0; content && json_type(content) == JSON_ARRAY && i < json_count(content); i++)
        if ((text = pick_text(json_at(content, i), "text"))) buf_puts(out, text);
}

/* `message` of a whole answer, `delta` of a chunk. Some servers fill both reasoning
 * fields with the same text. */
static void take_message(const struct json *message, struct answer *a) {
    if (!message) return;
    const char *reasoning = pick_text(message, "reasoning_content");
    if (!reasoning) reasoning = pick_text(message, "reasoning");
    if (reasoning) buf_puts(&a->reasoning, reasoning);
    take_content(pick(message, "content"), &a->text);
    const char *refusal = pick_text(message, "refusal");
    if (refusal && *refusal) buf_puts(&a->refusal, refusal);
}

/* Returns false when there was nothing to take. */
static bool take(const struct json *doc, const char *member, struct answer *a) {
    keep_text(&a->model, pick_text(doc, "model"));
    keep_text(&a->id, pick_text(doc, "id"));
    usage_openai(&a->usage, pick_object(doc, "usage"));
    const struct json *choices = pick_array(doc, "choices");
    const struct json *choice = choices ? json_at(choices, 0) : NULL;
    int64_t index = 0;
    if (!choice) return choices != NULL;
    if (pick_count(choice, "index", &index) && index > 0) return true;
    take_message(pick_object(choice, member), a);
    /* An error of the server that this one forwards to. */
    if (pick_object(choice, "error")) fault_of_document(&a->fault, choice);
    answer_stop(a, pick_text(choice, "finish_reason"));
    return true;
}

static void whole(const struct json *doc, struct answer *a) {
    if (pick(doc, "error") && fault_of_document(&a->fault, doc)) return;
    if (!take(doc, "message", a) && !fault_of_document(&a->fault, doc)) {
        fault_set(&a->fault, ERROR_SYSTEM, true, "the answer has no \"choices\"");
        a->fault.paid = true;
    }
    if (a->refusal.len) answer_refuse(a, NULL);
}

static void event(const char *name, const struct json *doc, struct answer *a) {
    bool is_error = strcmp(name, "error") == 0 || pick(doc, "error") ||
                    str_eq(pick_text(doc, "object"), "error");
    if (is_error && fault_of_document(&a->fault, doc)) return;
    take(doc, "delta", a);
    if (a->refusal.len) answer_refuse(a, NULL);
}

const struct protocol protocol_openai = {
    .name = "openai",
    .base_url = "https://api.openai.com/v1",
    .url = url,
    .auth = auth,
    .headers = (const char *const[]){NULL},
    .body = body,
    .whole = whole,
    .event = event,
    .end_mark = "[DONE]",
    .unused = (const char *const[]){"reasoning_budget", "cache", NULL},
    .owned = (const char *const[]){"model", "messages", "max_tokens", "max_completion_tokens",
                                   "temperature", "top_p", "seed", "stop", "reasoning_effort",
                                   "stream", "stream_options", "n", NULL},
};
