/* Anthropic's messages. */
#include "common/cleanup.h"
#include "orchestrator/model/config.h"
#include "orchestrator/model/pick.h"
#include "orchestrator/model/protocol.h"

#include <math.h>
#include <string.h>

static void url(const struct model_config *c, struct buf *out) {
    buf_printf(out, "%s/messages", c->url);
}

static void auth(const struct model_config *c, const char *key, struct buf *out) {
    (void)c;
    buf_printf(out, "x-api-key: %s", key);
}

static void put_system(const struct model_config *c, const struct model_request *rq,
                       struct json_writer *w) {
    _cleanup_buf_ struct buf system = {0};
    protocol_system(rq, &system);
    if (system.len == 0) return;
    json_open_array(w, "system");
    json_open_object(w, NULL);
    json_put_string(w, "type", "text");
    json_put_bytes(w, "text", buf_text(&system), system.len);
    if (c->cache) {
        json_open_object(w, "cache_control");
        json_put_string(w, "type", "ephemeral");
        json_close_object(w);
    }
    json_close_object(w);
    json_close_array(w);
}

static void put_messages(const struct model_request *rq, struct json_writer *w) {
    json_open_array(w, "messages");
    for (size_t i = 0; i < rq->count; i++) {
        const struct model_message *m = &rq->messages[i];
        if (m->role == MODEL_SYSTEM) continue;
        json_open_object(w, NULL);
        json_put_string(w, "role", m->role == MODEL_USER ? "user" : "assistant");
        json_put_string(w, "content", m->text);
        json_close_object(w);
    }
    json_close_array(w);
}

/* A budget is how the older models are told, an effort how the newer ones are. A caller
 * that asks for few tokens gets what thinking fits into them, or none. */
static void put_thinking(const struct model_config *c, int64_t max_tokens, struct json_writer *w) {
    int64_t budget = c->budget < max_tokens ? c->budget : max_tokens - 1;
    if (budget < THINKING_LEAST) budget = 0;
    if (c->effort) {
        json_open_object(w, "output_config");
        json_put_string(w, "effort", c->effort);
        json_close_object(w);
    }
    if (!c->effort && !c->has_budget) return;
    json_open_object(w, "thinking");
    if (!c->has_budget) {
        json_put_string(w, "type", "adaptive");
    } else if (budget == 0) {
        json_put_string(w, "type", "disabled");
    } else {
        json_put_string(w, "type", "enabled");
        json_put_int(w, "budget_tokens", budget);
    }
    json_close_object(w);
}

static void body(const struct model_config *c, const struct model_request *rq,
                 struct json_writer *w) {
    json_put_string(w, "model", c->name);
    json_put_int(w, "max_tokens", protocol_max_tokens(c, rq));
    put_system(c, rq, w);
    put_messages(rq, w);
    put_thinking(c, protocol_max_tokens(c, rq), w);
    if (!isnan(c->temperature)) json_put_double(w, "temperature", c->temperature);
    if (!isnan(c->top_p)) json_put_double(w, "top_p", c->top_p);
    if (c->stop) json_put_strv(w, "stop_sequences", c->stop);
    if (c->stream) json_put_bool(w, "stream", true);
    protocol_extra(c, w);
}

static void take_block(const struct json *block, struct answer *a) {
    const char *type = pick_text(block, "type");
    const char *text = NULL;
    if (!type) return;
    if (strcmp(type, "text") == 0 || strcmp(type, "text_delta") == 0) {
        if ((text = pick_text(block, "text"))) buf_puts(&a->text, text);
    } else if (strcmp(type, "thinking") == 0 || strcmp(type, "thinking_delta") == 0) {
        if ((text = pick_text(block, "thinking"))) buf_puts(&a->reasoning, text);
    }
}

static void take_head(const struct json *message, struct answer *a) {
    keep_text(&a->model, pick_text(message, "model"));
    keep_text(&a->id, pick_text(message, "id"));
    usage_anthropic(&a->usage, pick_object(message, "usage"));
    answer_stop(a, pick_text(message, "stop_reason"));
}

static void whole(const struct json *doc, struct answer *a) {
    const struct json *content = pick_array(doc, "content");
    if (!content) {
        if (fault_of_document(&a->fault, doc)) return;
        fault_set(&a->fault, ERROR_SYSTEM, true, "the answer has no \"content\"");
        a->fault.paid = true;
        return;
    }
    take_head(doc, a);
    for (size_t i = 0; i < json_count(content); i++) take_block(json_at(content, i), a);
}

static void event(const char *name, const struct json *doc, struct answer *a) {
    const char *type = pick_text(doc, "type");
    if (!type) type = name;
    if (strcmp(type, "error") == 0) {
        if (!fault_of_document(&a->fault, doc))
            fault_set(&a->fault, ERROR_SYSTEM, true, "an error without a reason in the stream");
    } else if (strcmp(type, "message_start") == 0) {
        take_head(pick_object(doc, "message"), a);
    } else if (strcmp(type, "content_block_start") == 0) {
        take_block(pick_object(doc, "content_block"), a);
    } else if (strcmp(type, "content_block_delta") == 0) {
        take_block(pick_object(doc, "delta"), a);
    } else if (strcmp(type, "message_delta") == 0) {
        usage_anthropic(&a->usage, pick_object(doc, "usage"));
        answer_stop(a, pick_text(pick_object(doc, "delta"), "stop_reason"));
    } else if (strcmp(type, "message_stop") == 0) {
        a->done = true;
    } /* ping, content_block_stop, and what there will be one day */
}

const struct protocol protocol_anthropic = {
    .name = "anthropic",
    .base_url = "https://api.anthropic.com/v1",
    .url = url,
    .auth = auth,
    .headers = (const char *const[]){"anthropic-version: 2023-06-01", NULL},
    .body = body,
    .whole = whole,
    .event = event,
    .unused = (const char *const[]){"seed", "max_tokens_field", "system_role", NULL},
    .owned = (const char *const[]){"model", "max_tokens", "system", "messages", "thinking",
                                   "output_config", "temperature", "top_p", "stop_sequences",
                                   "stream", NULL},
};
