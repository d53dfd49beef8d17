/* A config as the ledger and cassettes may have it (declared in config.h). */
#include "orchestrator/model/config.h"
#include "orchestrator/model/protocol.h"

#include <math.h>

static void put_given(struct json_writer *w, const char *key, const char *text) {
    if (text) json_put_string(w, key, text);
}

static void put_parameters(const struct model_config *c, struct json_writer *w) {
    json_open_object(w, "parameters");
    if (!isnan(c->temperature)) json_put_double(w, "temperature", c->temperature);
    if (!isnan(c->top_p)) json_put_double(w, "top_p", c->top_p);
    json_put_int(w, "max_tokens", c->max_tokens);
    put_given(w, "max_tokens_field", c->max_tokens_field);
    put_given(w, "system_role", c->system_role);
    put_given(w, "reasoning_effort", c->effort);
    if (c->has_budget) json_put_int(w, "reasoning_budget", c->budget);
    if (c->has_seed) json_put_int(w, "seed", c->seed);
    if (c->stop) json_put_strv(w, "stop", c->stop);
    if (c->cache) json_put_bool(w, "cache", true);
    if (c->extra) json_put_value(w, "extra", c->extra);
    json_close_object(w);
}

static void put_prices(const struct model_config *c, struct json_writer *w) {
    if (!c->has_prices) return;
    json_open_object(w, "prices");
    json_put_double(w, "input", c->price_input);
    json_put_double(w, "cached_input", c->price_cached);
    json_put_double(w, "cache_write", c->price_cache_write);
    json_put_double(w, "output", c->price_output);
    json_close_object(w);
}

void model_config_write(const struct model_config *c, struct json_writer *w) {
    json_put_string(w, "protocol", c->protocol->name);
    json_put_string(w, "url", c->url);
    json_put_string(w, "name", c->name);
    put_given(w, "azure_api_version", c->azure_api_version);
    put_parameters(c, w);
    json_put_bool(w, "stream", c->stream);
    put_prices(c, w);
    if (c->context_tokens) json_put_int(w, "context_tokens", c->context_tokens);
}
