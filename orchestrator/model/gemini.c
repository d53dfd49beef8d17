/* Gemini's generateContent. */
#include "common/cleanup.h"
#include "orchestrator/model/config.h"
#include "orchestrator/model/pick.h"
#include "orchestrator/model/protocol.h"

#include <math.h>
#include <string.h>

static void url(const struct model_config *c, struct buf *out) {
    buf_printf(out, "%s/models/", c->url);
    protocol_escape(c->name, out);
    buf_puts(out, c->stream ? ":streamGenerateContent?alt=sse" : ":generateContent");
}

static void auth(const struct model_config *c, const char *key, struct buf *out) {
    (void)c;
    buf_printf(out, "x-goog-api-key: %s", key);
}

static void put_parts(const char *text, struct json_writer *w) {
    json_open_array(w, "parts");
    json_open_object(w, NULL);
    json_put_string(w, "text", text);
    json_close_object(w);
    json_close_array(w);
}

static void put_messages(const struct model_request *rq, struct json_writer *w) {
    _cleanup_buf_ struct buf system = {0};
    protocol_system(rq, &system);
    if (system.len) {
        json_open_object(w, "systemInstruction");
        put_parts(buf_text(&system), w);
        json_close_object(w);
    }
    json_open_array(w, "contents");
    for (size_t i = 0; i < rq->count; i++) {
        const struct model_message *m = &rq->messages[i];
        if (m->role == MODEL_SYSTEM) continue;
        json_open_object(w, NULL);
        json_put_string(w, "role", m->role == MODEL_USER ? "user" : "model");
        put_parts(m->text, w);
        json_close_object(w);
    }
    json_close_array(w);
}

static void put_thinking(const struct model_config *c, struct json_writer *w) {
    if (!c->effort && !c->has_budget) return;
    json_open_object(w, "thinkingConfig");
    if (c->has_budget) json_put_int(w, "thinkingBudget", c->budget);
    _cleanup_free_ char *level = c->effort ? strdup(c->effort) : NULL;
    for (char *p = level; p && *p; p++)
        if (*p >= 'a' && *p <= 'z') *p = (char)(*p - 'a' + 'A');
    if (level) json_put_string(w, "thinkingLevel", level);
    if (!c->has_budget || c->budget != 0) json_put_bool(w, "includeThoughts", true);
    json_close_object(w);
}

static void body(const struct model_config *c, const struct model_request *rq,
                 struct json_writer *w) {
    put_messages(rq, w);
    json_open_object(w, "generationConfig");
    json_put_int(w, "maxOutputTokens", protocol_max_tokens(c, rq));
    if (!isnan(c->temperature)) json_put_double(w, "temperature", c->temperature);
    if (!isnan(c->top_p)) json_put_double(w, "topP", c->top_p);
    if (c->has_seed) json_put_int(w, "seed", c->seed);
    if (c->stop) json_put_strv(w, "stopSequences", c->stop);
    put_thinking(c, w);
    json_close_object(w);
    protocol_extra(c, w);
}

static void take_part(const struct json *part, struct answer *a) {
    const char *text = pick_text(part, "text");
    const struct json *thought = pick(part, "thought");
    bool is_thought = false;
    if (thought) json_as_bool(thought, &is_thought, NULL);
    if (text) buf_puts(is_thought ? &a->reasoning : &a->text, text);
}

static void take_candidate(const struct json *candidate, struct answer *a) {
    const struct json *parts = pick_array(pick_object(candidate, "content"), "parts");
    for (size_t i = 0; parts && i < json_count(parts); i++) take_part(json_at(parts, i), a);
    answer_stop(a, pick_text(candidate, "finishReason"));
}

/* A blocked prompt has no candidates, only why. */
static bool take(const struct json *doc, struct answer *a) {
    keep_text(&a->model, pick_text(doc, "modelVersion"));
    keep_text(&a->id, pick_text(doc, "responseId"));
    usage_gemini(&a->usage, pick_object(doc, "usageMetadata"));
    const struct json *candidates = pick_array(doc, "candidates");
    const struct json *feedback = pick_object(doc, "promptFeedback");
    const char *blocked = pick_text(feedback, "blockReason");
    if (blocked) {
        const char *why = pick_text(feedback, "blockReasonMessage");
        answer_refuse(a, why ? why : blocked);
    }
    if (candidates && json_count(candidates)) take_candidate(json_at(candidates, 0), a);
    if (a->stopped) a->done = true; /* nothing else ends a stream */
    return candidates || blocked;
}

static void whole(const struct json *doc, struct answer *a) {
    if (take(doc, a) || fault_of_document(&a->fault, doc)) return;
    fault_set(&a->fault, ERROR_SYSTEM, true, "the answer has no \"candidates\"");
    a->fault.paid = true;
}

static void event(const char *name, const struct json *doc, struct answer *a) {
    (void)name;
    if (pick(doc, "error") && fault_of_document(&a->fault, doc)) return;
    take(doc, a);
}

const struct protocol protocol_gemini = {
    .name = "gemini",
    .base_url = "https://generativelanguage.googleapis.com/v1beta",
    .url = url,
    .auth = auth,
    .headers = (const char *const[]){NULL},
    .body = body,
    .whole = whole,
    .event = event,
    .unused = (const char *const[]){"max_tokens_field", "system_role", "cache", NULL},
    .owned = (const char *const[]){"systemInstruction", "contents", "generationConfig", NULL},
};
