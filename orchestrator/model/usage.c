/* Counts of tokens into the one form of model.h (declared in answer.h). */
#include "orchestrator/model/answer.h"
#include "orchestrator/model/pick.h"

static int64_t at_most(int64_t n, int64_t max) {
    return n < max ? n : max;
}

/* A part can be no more than its whole, whatever a server says. */
static void keep_parts(struct model_usage *u) {
    u->cached_input = at_most(u->cached_input, u->input);
    u->cache_write = at_most(u->cache_write, u->input - u->cached_input);
    u->reasoning = at_most(u->reasoning, u->output);
}

/* prompt_tokens includes what was cached, completion_tokens what was thought; except
 * that some servers leave reasoning out of it, which their total gives away. */
void usage_openai(struct model_usage *u, const struct json *usage) {
    struct model_usage n = {0};
    int64_t total = -1;
    if (!usage) return;
    bool input = pick_count(usage, "prompt_tokens", &n.input);
    bool output = pick_count(usage, "completion_tokens", &n.output);
    if (!input && !output) return;
    if (!pick_count(pick_object(usage, "prompt_tokens_details"), "cached_tokens", &n.cached_input))
        pick_count(usage, "prompt_cache_hit_tokens", &n.cached_input);
    pick_count(pick_object(usage, "completion_tokens_details"), "reasoning_tokens", &n.reasoning);
    pick_count(usage, "total_tokens", &total);
    if (n.reasoning > 0 && total == n.input + n.output + n.reasoning) n.output += n.reasoning;
    n.known = input && output;
    keep_parts(&n);
    *u = n;
}

/* input_tokens excludes what was read from the cache or written to it. A stream tells
 * the input first and the output, cumulative, later: what is absent stays. */
void usage_anthropic(struct model_usage *u, const struct json *usage) {
    if (!usage) return;
    int64_t fresh = u->input - u->cached_input - u->cache_write;
    bool input = pick_count(usage, "input_tokens", &fresh);
    pick_count(usage, "cache_read_input_tokens", &u->cached_input);
    pick_count(usage, "cache_creation_input_tokens", &u->cache_write);
    u->input = fresh + u->cached_input + u->cache_write;
    bool output = pick_count(usage, "output_tokens", &u->output);
    u->known = (u->known || (input && output));
    keep_parts(u);
}

/* promptTokenCount includes what was cached; thoughts come beside the candidates. */
void usage_gemini(struct model_usage *u, const struct json *usage) {
    struct model_usage n = {0};
    int64_t tools = 0;
    if (!usage) return;
    bool input = pick_count(usage, "promptTokenCount", &n.input);
    bool output = pick_count(usage, "candidatesTokenCount", &n.output);
    pick_count(usage, "toolUsePromptTokenCount", &tools);
    pick_count(usage, "cachedContentTokenCount", &n.cached_input);
    output |= pick_count(usage, "thoughtsTokenCount", &n.reasoning);
    if (!input && !output) return;
    n.input += tools;
    n.output += n.reasoning;
    n.known = input; /* of a blocked prompt there is no output to tell */
    keep_parts(&n);
    *u = n;
}

void usage_add(struct model_usage *sum, const struct model_usage *u) {
    sum->input += u->input;
    sum->cached_input += u->cached_input;
    sum->cache_write += u->cache_write;
    sum->output += u->output;
    sum->reasoning += u->reasoning;
    sum->known = u->known;
}
