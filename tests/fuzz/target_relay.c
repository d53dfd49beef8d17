/*
 * Requests that a coder in its sandbox sends to the proxy (orchestrator/model/relay.h).
 * The first byte chooses the protocol, the second how much is left. What is let through
 * is JSON in the config's name, pays no more than there is, and orders nothing of the
 * server but an answer; sent once more it comes out the same.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/model/relay.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const protocols[] = {"openai", "anthropic", "gemini"};
static struct model *models[ARRAY_SIZE(protocols)];

static struct model *open_model(const char *protocol) {
    char path[] = "/tmp/paddock-fuzz-XXXXXX", config[200];
    struct error err = {0};
    struct model *m = NULL;
    int fd = mkstemp(path);
    snprintf(config, sizeof config,
             "{\"protocol\": \"%s\", \"url\": \"http://127.0.0.1:1/v1\", \"name\": \"ours\","
             " \"prices\": {\"input\": 1, \"output\": 10}}",
             protocol);
    FUZZ_CHECK(fd >= 0 && write_all(fd, config, strlen(config)) == 0, "%s", path);
    close(fd);
    FUZZ_CHECK(model_open(path, &m, &err) == 0, "%s", error_text(&err));
    unlink(path);
    return m;
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) models[i] = open_model(protocols[i]);
    return 0;
}

static const struct json *member(const struct json *v, const char *key) {
    return v && json_type(v) == JSON_OBJECT ? json_find(v, key) : NULL;
}

/* What no server may be told, wherever it stands. */
static void check_members(const struct json *doc, bool typed) {
    static const char *const never[] = {"mcp_servers", "plugins", "web_search_options",
                                        "n",           "models",  "service_tier",
                                        "container",   "store",   "cachedContent"};
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        FUZZ_CHECK(!json_find(doc, never[i]), "%s", never[i]);
    const struct json *tools = json_find(doc, "tools");
    for (size_t i = 0; tools && json_type(tools) == JSON_ARRAY && i < json_count(tools); i++) {
        const struct json *tool = json_at(tools, i), *type = member(tool, "type");
        const char *name = "";
        if (!typed)
            FUZZ_CHECK(!member(tool, "googleSearch") && !member(tool, "urlContext"), "tool");
        if (typed && type) FUZZ_CHECK(json_as_string(type, &name, NULL) == 0, "type");
        FUZZ_CHECK(!str_starts(name, "web_") && !str_starts(name, "code_"), "%s", name);
    }
}

static void check_name(const struct json *doc, bool gemini) {
    const struct json *model = json_find(doc, "model");
    const char *name = "";
    if (gemini) {
        FUZZ_CHECK(!model, "gemini's name is in the path");
        return;
    }
    FUZZ_CHECK(model && json_as_string(model, &name, NULL) == 0 && str_eq(name, "ours"), "%s",
               name);
}

static void check_most(const struct json *doc, bool gemini, const struct relay_left *left,
                       const struct relay_request *rq) {
    const struct json *at = gemini ? member(json_find(doc, "generationConfig"), "maxOutputTokens")
                                   : json_find(doc, "max_tokens");
    int64_t most = 0;
    FUZZ_CHECK(at && json_as_int(at, 1, INT64_MAX, &most, NULL) == 0, "no most tokens");
    FUZZ_CHECK(most == rq->output, "%lld", (long long)most);
    if (left->tokens >= 0)
        FUZZ_CHECK(rq->input + most <= left->tokens, "%lld and %lld of %lld", (long long)rq->input,
                   (long long)most, (long long)left->tokens);
    double cost = (double)rq->input / 1e6 + (double)most / 1e5;
    if (left->cost >= 0) FUZZ_CHECK(cost <= left->cost + 1e-9, "%g of %g", cost, left->cost);
}

static void check_again(const struct model *m, const struct relay_request *rq) {
    static const struct relay_left plenty = {-1, -1};
    _cleanup_relay_request_ struct relay_request again = {0};
    struct error err = {0};
    FUZZ_CHECK(relay_prepare(m, rq->stream, NULL, buf_text(&rq->body), rq->body.len, &plenty,
                             &again, &err) == 0,
               "%s", error_text(&err));
    FUZZ_CHECK(strcmp(buf_text(&rq->body), buf_text(&again.body)) == 0, "%s\n%s",
               buf_text(&rq->body), buf_text(&again.body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct fuzz_input in = {data, len};
    size_t which = fuzz_byte(&in) % ARRAY_SIZE(protocols);
    uint8_t some = fuzz_byte(&in);
    const struct relay_left left = {.tokens = some & 1 ? (some & 0x7e) * 10 : -1,
                                    .cost = some & 128 ? (some & 0x7e) / 1e5 : -1};
    _cleanup_relay_request_ struct relay_request rq = {0};
    _cleanup_error_ struct error err = {0};
    const struct model *m = models[which];
    if (relay_prepare(m, some & 2, NULL, (const char *)in.at, in.left, &left, &rq, &err) < 0) {
        FUZZ_CHECK(error_is_set(&err) && rq.over == (err.kind == ERROR_LIMIT), "%s",
                   error_text(&err));
        return 0;
    }
    _cleanup_json_ struct json *doc = json_parse("body", buf_text(&rq.body), rq.body.len, &err);
    FUZZ_CHECK(doc && json_type(doc) == JSON_OBJECT, "%s", error_text(&err));
    bool gemini = which == 2;
    check_members(doc, !gemini);
    check_name(doc, gemini);
    check_most(doc, gemini, &left, &rq);
    check_again(m, &rq);
    return 0;
}
