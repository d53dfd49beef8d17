#include "orchestrator/model/config.h"

#include "common/cleanup.h"
#include "orchestrator/model/protocol.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <math.h>
#include <string.h>
#include <strings.h>

#define FILE_MAX    ((size_t)1 << 20)
#define HEADERS_MAX 32
#define TOKENS_MAX  ((int64_t)10000000)
#define PRICE_MAX   1e6
#define STOPS_MAX   16

static void set_defaults(struct model_config *c) {
    *c = (struct model_config){.temperature = NAN,
                               .top_p = NAN,
                               .max_tokens = 16384,
                               .stream = true,
                               .connect_ms = 30000,
                               .silence_s = 1800,
                               .retries = 5,
                               .first_pause_ms = 1000,
                               .longest_pause_s = 120,
                               .answer_bytes = (int64_t)32 << 20};
}

void model_config_clear(struct model_config *c) {
    for (size_t i = 0; i < c->header_count; i++) {
        free(c->headers[i].name);
        free(c->headers[i].value);
        secret_source_clear(&c->headers[i].from);
    }
    free(c->headers);
    secret_source_clear(&c->key);
    strv_free(c->stop);
    free(c->label);
    free(c->url);
    free(c->name);
    free(c->azure_api_version);
    free(c->max_tokens_field);
    free(c->system_role);
    free(c->effort);
    free(c->proxy);
    free(c->ca_file);
    json_free(c->document);
    *c = (struct model_config){0};
}

static bool is_header_name(const char *s) {
    static const char plain[] = "!#$%&'*+-.^_`|~0123456789"
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return *s && strlen(s) < 64 && s[strspn(s, plain)] == '\0';
}

static bool is_header_value(const char *s) {
    if (strlen(s) > 4096) return false;
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f) return false;
    return true;
}

/* {"Name": "value", "Name": {"env": …}} */
static void read_headers(struct json_reader *r, struct model_config *c) {
    const struct json *all = json_get_object(r, "headers", JSON_OPTIONAL);
    if (!all) return;
    if (json_count(all) > HEADERS_MAX) json_reader_fail(r, all, "more than %d", HEADERS_MAX);
    c->headers = calloc(json_count(all) + 1, sizeof *c->headers);
    if (!c->headers) {
        r->failed = true;
        error_sys(r->err, ENOMEM, "headers");
        return;
    }
    for (size_t i = 0; !r->failed && i < json_count(all); i++) {
        const struct json *v = json_at(all, i);
        struct model_header *h = &c->headers[c->header_count++];
        const char *text = NULL;
        h->name = strdup(json_key_at(all, i));
        if (!is_header_name(json_key_at(all, i))) json_reader_fail(r, v, "is no header's name");
        else if (json_type(v) == JSON_OBJECT) r->failed = secret_decode(v, &h->from, r->err) < 0;
        else if (json_as_string(v, &text, r->err) < 0 || !text) r->failed = true;
        else if (!is_header_value(text)) json_reader_fail(r, v, "holds control characters");
        else h->value = strdup(text);
        if (r->failed || (h->name && (!text || h->value))) continue;
        r->failed = true;
        error_sys(r->err, ENOMEM, "headers");
    }
}

static void read_extra(struct json_reader *r, struct model_config *c) {
    c->extra = json_get_object(r, "extra", JSON_OPTIONAL);
    for (const char *const *owned = c->protocol->owned; c->extra && *owned; owned++) {
        const struct json *v = json_find(c->extra, *owned);
        if (v) json_reader_fail(r, v, "is written by the protocol %s itself", c->protocol->name);
    }
}

static void check_parameters(struct json_reader *r, const struct model_config *c) {
    const char *const *unused = c->protocol->unused;
    for (; *unused; unused++) {
        const struct json *v = json_find(r->object, *unused);
        if (v) json_reader_fail(r, v, "means nothing to the protocol %s", c->protocol->name);
    }
    bool is_anthropic = c->protocol == &protocol_anthropic;
    const struct json *budget = json_find(r->object, "reasoning_budget");
    const struct json *temperature = json_find(r->object, "temperature");
    if (is_anthropic && c->budget > 0 && c->budget < THINKING_LEAST)
        json_reader_fail(r, budget, "must be 0 or at least %d", THINKING_LEAST);
    if (is_anthropic && c->budget >= c->max_tokens)
        json_reader_fail(r, budget, "must be less than max_tokens (%ld)", (long)c->max_tokens);
    if (is_anthropic && temperature && (c->budget > 0 || c->effort))
        json_reader_fail(r, temperature, "is refused by models that reason");
    if (c->protocol == &protocol_gemini && budget && c->effort)
        json_reader_fail(r, budget, "cannot be given together with reasoning_effort");
    if (c->stop && strv_len(c->stop) > STOPS_MAX)
        json_reader_fail(r, json_find(r->object, "stop"), "more than %d", STOPS_MAX);
}

static int read_parameters(const struct json *v, struct model_config *c, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    json_get_double(&r, "temperature", JSON_OPTIONAL, 0, 2, &c->temperature);
    json_get_double(&r, "top_p", JSON_OPTIONAL, 0, 1, &c->top_p);
    json_get_int(&r, "max_tokens", JSON_OPTIONAL, 1, TOKENS_MAX, &c->max_tokens);
    json_get_string(&r, "max_tokens_field", JSON_OPTIONAL, &c->max_tokens_field);
    json_get_string(&r, "system_role", JSON_OPTIONAL, &c->system_role);
    json_get_string(&r, "reasoning_effort", JSON_OPTIONAL, &c->effort);
    c->has_budget = json_get(&r, "reasoning_budget", JSON_OPTIONAL) != NULL;
    json_get_int(&r, "reasoning_budget", JSON_OPTIONAL, -1, TOKENS_MAX, &c->budget);
    c->has_seed = json_get(&r, "seed", JSON_OPTIONAL) != NULL;
    json_get_int(&r, "seed", JSON_OPTIONAL, INT32_MIN, INT32_MAX, &c->seed);
    json_get_strv(&r, "stop", JSON_OPTIONAL, &c->stop);
    json_get_bool(&r, "cache", JSON_OPTIONAL, &c->cache);
    if (!r.failed) {
        read_extra(&r, c);
        check_parameters(&r, c);
    }
    return json_object_end(&r);
}

static int read_prices(const struct json *v, struct model_config *c, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    json_get_double(&r, "input", JSON_REQUIRED, 0, PRICE_MAX, &c->price_input);
    json_get_double(&r, "output", JSON_REQUIRED, 0, PRICE_MAX, &c->price_output);
    c->price_cached = c->price_cache_write = c->price_input;
    json_get_double(&r, "cached_input", JSON_OPTIONAL, 0, PRICE_MAX, &c->price_cached);
    json_get_double(&r, "cache_write", JSON_OPTIONAL, 0, PRICE_MAX, &c->price_cache_write);
    c->has_prices = true;
    return json_object_end(&r);
}

static int read_timeouts(const struct json *v, struct model_config *c, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    json_get_int(&r, "connect_ms", JSON_OPTIONAL, 1, 600000, &c->connect_ms);
    json_get_int(&r, "silence_s", JSON_OPTIONAL, 1, 86400, &c->silence_s);
    json_get_int(&r, "total_s", JSON_OPTIONAL, 0, 86400, &c->total_s);
    return json_object_end(&r);
}

static int read_retries(const struct json *v, struct model_config *c, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    json_get_int(&r, "count", JSON_OPTIONAL, 0, 100, &c->retries);
    json_get_int(&r, "first_ms", JSON_OPTIONAL, 1, 600000, &c->first_pause_ms);
    json_get_int(&r, "longest_s", JSON_OPTIONAL, 1, 86400, &c->longest_pause_s);
    return json_object_end(&r);
}

/* An address, not what a name begins with: 127.example.org is anywhere. */
static bool is_loopback(const char *host) {
    struct in_addr a;
    return strcasecmp(host, "localhost") == 0 || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, &a) == 1 && ntohl(a.s_addr) >> 24 == 127);
}

static void check_url_parts(struct json_reader *r, const struct json *at, CURLU *u,
                            struct model_config *c) {
    char *scheme = NULL, *host = NULL, *other = NULL;
    if (curl_url_set(u, CURLUPART_URL, c->url, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
        curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        (!str_starts(c->url, "https://") && !str_starts(c->url, "http://")))
        json_reader_fail(r, at, "must be a URL that begins with https:// or http://");
    else if (curl_url_get(u, CURLUPART_USER, &other, 0) == CURLUE_OK ||
             curl_url_get(u, CURLUPART_QUERY, &other, 0) == CURLUE_OK ||
             curl_url_get(u, CURLUPART_FRAGMENT, &other, 0) == CURLUE_OK)
        json_reader_fail(r, at, "must have no user, \"?\" or \"#\"");
    else if (strcmp(scheme, "http") == 0 && secret_is_given(&c->key) && !is_loopback(host) &&
             !c->insecure_http)
        json_reader_fail(r, at,
                         "would send the key unencrypted: use https://, or set "
                         "\"insecure_http\": true");
    curl_free(scheme);
    curl_free(host);
    curl_free(other);
}

static void check_url(struct json_reader *r, struct model_config *c) {
    const struct json *at = json_find(r->object, "url");
    if (r->failed) return;
    if (!c->url) {
        if (c->azure_api_version) json_reader_fail(r, NULL, "Azure needs the key \"url\"");
        else if (!(c->url = strdup(c->protocol->base_url)))
            r->failed = error_sys(r->err, ENOMEM, "url");
        return;
    }
    CURLU *u = curl_url();
    if (u) check_url_parts(r, at, u, c);
    else r->failed = error_sys(r->err, ENOMEM, "url");
    curl_url_cleanup(u);
    for (size_t n = strlen(c->url); n && c->url[n - 1] == '/';) c->url[--n] = '\0';
}

static void read_protocol(struct json_reader *r, struct model_config *c) {
    static const char *const names[] = {"openai", "anthropic", "gemini", NULL};
    int which = 0;
    json_get_enum(r, "protocol", JSON_REQUIRED, names, &which);
    c->protocol = protocol_named(names[which]);
    json_get_string(r, "url", JSON_OPTIONAL, &c->url);
    json_get_string(r, "name", JSON_REQUIRED, &c->name);
    if (c->name && !*c->name) json_reader_fail(r, json_find(r->object, "name"), "is empty");
    json_get_string(r, "azure_api_version", JSON_OPTIONAL, &c->azure_api_version);
    if (c->azure_api_version && c->protocol != &protocol_openai)
        json_reader_fail(r, json_find(r->object, "azure_api_version"),
                         "is for the protocol openai alone");
    const struct json *key = json_get_object(r, "key", JSON_OPTIONAL);
    if (key && secret_decode(key, &c->key, r->err) < 0) r->failed = true;
}

typedef int part_reader(const struct json *v, struct model_config *c, struct error *err);

static void read_part(struct json_reader *r, const char *key, part_reader *read,
                      struct model_config *c) {
    const struct json *v = json_get_object(r, key, JSON_OPTIONAL);
    if (v && read(v, c, r->err) < 0) r->failed = true;
}

static int decode(const struct json *doc, struct model_config *c, struct error *err) {
    struct json_reader r;
    json_object(&r, doc, err);
    read_protocol(&r, c);
    read_headers(&r, c);
    read_part(&r, "parameters", read_parameters, c);
    json_get_bool(&r, "stream", JSON_OPTIONAL, &c->stream);
    read_part(&r, "prices", read_prices, c);
    json_get_string(&r, "proxy", JSON_OPTIONAL, &c->proxy);
    json_get_string(&r, "ca_file", JSON_OPTIONAL, &c->ca_file);
    json_get_bool(&r, "insecure_http", JSON_OPTIONAL, &c->insecure_http);
    read_part(&r, "timeouts", read_timeouts, c);
    read_part(&r, "retries", read_retries, c);
    json_get_int(&r, "context_tokens", JSON_OPTIONAL, 1, (int64_t)1 << 40, &c->context_tokens);
    json_get_int(&r, "answer_bytes", JSON_OPTIONAL, 1024, (int64_t)256 << 20, &c->answer_bytes);
    check_url(&r, c);
    return json_object_end(&r);
}

int model_config_decode(struct json *document, const char *label, struct model_config *out,
                        struct error *err) {
    set_defaults(out);
    out->document = document;
    out->label = strdup(label);
    if (!out->label) error_sys(err, ENOMEM, "%s", label);
    if (out->label && decode(document, out, err) == 0) return 0;
    model_config_clear(out);
    return -1;
}

int model_config_load(const char *path, struct model_config *out, struct error *err) {
    *out = (struct model_config){0};
    _cleanup_free_ char *label = model_config_label(path);
    if (!label) return error_sys(err, ENOMEM, "%s", path);
    struct json *document = json_load(path, FILE_MAX, err);
    return document ? model_config_decode(document, label, out, err) : -1;
}
