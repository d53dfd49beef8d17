/* Upper bounds and prices (declared in model.h and model_inside.h). */
#include "orchestrator/model/model_inside.h"

#include "orchestrator/model/protocol.h"

#include <string.h>

#define PER_MILLION      1e6
#define TOKENS_A_MESSAGE 16 /* the marks of its role around it */
#define TOKENS_A_REQUEST 64

/* Vocabularies join small letters and blanks, two bytes a token at the least over any
 * length; anything else may stand for itself. */
int64_t tokens_of_bytes(const char *text, size_t len) {
    int64_t joined = 0, alone = 0;
    for (const char *end = text + len; text < end; text++) {
        if ((*text >= 'a' && *text <= 'z') || *text == ' ') joined++;
        else alone++;
    }
    return (joined + 1) / 2 + alone;
}

double highest_input_price(const struct model_config *c) {
    double price = c->price_input;
    if (c->price_cached > price) price = c->price_cached;
    return c->price_cache_write > price ? c->price_cache_write : price;
}

double price_of(const struct model_config *c, const struct model_usage *u) {
    if (!c->has_prices) return 0;
    double fresh = (double)(u->input - u->cached_input - u->cache_write);
    return (fresh * c->price_input + (double)u->cached_input * c->price_cached +
            (double)u->cache_write * c->price_cache_write + (double)u->output * c->price_output) /
           PER_MILLION;
}

static void bound_replayed(const struct model *m, const struct model_request *rq, int64_t *tokens,
                           double *cost) {
    char sha[DIGEST_HEX] = "";
    const struct cassette_call *call = cassette_find(m->cassette, rq->key ? rq->key : "", sha);
    *tokens = 0;
    *cost = 0;
    if (!call) return;
    const struct model_usage *u = &call->reply.usage;
    *tokens = call->bound_tokens >= 0 ? call->bound_tokens : u->input + u->output;
    *cost = call->bound_cost;
}

void model_bound(const struct model *m, const struct model_request *rq, int64_t *tokens,
                 double *cost) {
    if (m->cassette) {
        bound_replayed(m, rq, tokens, cost);
        return;
    }
    int64_t input = TOKENS_A_REQUEST, output = protocol_max_tokens(&m->config, rq);
    for (size_t i = 0; i < rq->count; i++)
        input +=
            tokens_of_bytes(rq->messages[i].text, strlen(rq->messages[i].text)) + TOKENS_A_MESSAGE;
    *tokens = input + output;
    *cost = m->config.has_prices ? ((double)input * highest_input_price(&m->config) +
                                    (double)output * m->config.price_output) /
                                       PER_MILLION
                                 : 0;
}
