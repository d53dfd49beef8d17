#include "orchestrator/model/protocol.h"

#include "common/cleanup.h"
#include "orchestrator/model/config.h"

#include <string.h>

static const struct protocol *const protocols[] = {&protocol_openai, &protocol_anthropic,
                                                   &protocol_gemini};

const struct protocol *protocol_named(const char *name) {
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
        if (strcmp(protocols[i]->name, name) == 0) return protocols[i];
    return NULL;
}

int64_t protocol_max_tokens(const struct model_config *c, const struct model_request *rq) {
    return rq->max_tokens > 0 ? rq->max_tokens : c->max_tokens;
}

void protocol_extra(const struct model_config *c, struct json_writer *w) {
    for (size_t i = 0; c->extra && i < json_count(c->extra); i++)
        json_put_value(w, json_key_at(c->extra, i), json_at(c->extra, i));
}

void protocol_escape(const char *text, struct buf *out) {
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        bool plain = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
                     (*p >= '0' && *p <= '9') || strchr("-._~", *p);
        if (plain) buf_putc(out, (char)*p);
        else buf_printf(out, "%%%02X", *p);
    }
}

void protocol_system(const struct model_request *rq, struct buf *out) {
    for (size_t i = 0; i < rq->count; i++) {
        if (rq->messages[i].role != MODEL_SYSTEM) continue;
        if (out->len) buf_puts(out, "\n\n");
        buf_puts(out, rq->messages[i].text);
    }
}
