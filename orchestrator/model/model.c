#include "orchestrator/model/model.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/model/model_inside.h"
#include "orchestrator/model/protocol.h"

#include <string.h>
#include <strings.h>

#define REPLAY        "replay:"
#define REPLAY_STRICT "replay-strict:"

static int add_header(struct model *m, const char *line, struct error *err) {
    return strv_push(&m->headers, line) < 0 ? error_sys(err, ENOMEM, "headers") : 0;
}

/* The config's own come first, and in place of ours of the same name. */
static bool has_header(const struct model *m, const char *line) {
    size_t name = strcspn(line, ":");
    for (char *const *h = m->headers; h && *h; h++)
        if (strncasecmp(*h, line, name + 1) == 0) return true;
    return false;
}

static int add_given_header(struct model *m, const struct model_header *h, struct error *err) {
    char *secret = NULL;
    if (!h->value && !(secret = secret_read(&h->from, err)))
        return error_wrap(err, "header %s", h->name);
    char *line = str_printf("%s: %s", h->name, h->value ? h->value : secret);
    int status = line ? add_header(m, line, err) : error_sys(err, ENOMEM, "headers");
    if (status == 0 && secret) status = secrets_add(&m->secrets, secret, err);
    secret_forget(secret);
    secret_forget(line);
    return status;
}

static int add_key(struct model *m, struct error *err) {
    if (!secret_is_given(&m->config.key)) return 0;
    char *key = secret_read(&m->config.key, err);
    if (!key) return error_wrap(err, "key");
    _cleanup_buf_ struct buf line = {0};
    m->config.protocol->auth(&m->config, key, &line);
    int status =
        buf_failed(&line) ? error_sys(err, ENOMEM, "key") : add_header(m, buf_text(&line), err);
    if (status == 0) status = secrets_add(&m->secrets, key, err);
    secret_forget(key);
    if (line.data) explicit_bzero(line.data, line.len);
    return status;
}

/* "http://user:PASSWORD@proxy": an error of libcurl's might repeat it. */
static int add_proxy_secret(struct model *m, struct error *err) {
    const char *proxy = m->config.proxy ? m->config.proxy : "";
    const char *scheme = strstr(proxy, "://");
    const char *from = scheme ? scheme + 3 : proxy, *at = strrchr(from, '@');
    if (!at) return 0;
    _cleanup_free_ char *user = strndup(from, (size_t)(at - from));
    if (!user) return error_sys(err, ENOMEM, "proxy");
    const char *colon = strchr(user, ':');
    if (colon && secrets_add(&m->secrets, colon + 1, err) < 0) return -1;
    return secrets_add(&m->secrets, user, err);
}

static int make_headers(struct model *m, struct error *err) {
    static const char *const ours[] = {"Content-Type: application/json", "Expect:", NULL};
    for (size_t i = 0; i < m->config.header_count; i++)
        if (add_given_header(m, &m->config.headers[i], err) < 0) return -1;
    if (add_key(m, err) < 0 || add_proxy_secret(m, err) < 0) return -1;
    for (const char *const *h = ours; *h; h++)
        if (!has_header(m, *h) && add_header(m, *h, err) < 0) return -1;
    for (const char *const *h = m->config.protocol->headers; *h; h++)
        if (!has_header(m, *h) && add_header(m, *h, err) < 0) return -1;
    return add_header(m,
                      m->config.stream ? "Accept: text/event-stream, application/json"
                                       : "Accept: application/json",
                      err);
}

static int open_server(struct model *m, const char *name, struct error *err) {
    if (model_config_find(name, &m->config, err) < 0) return -1;
    if (make_headers(m, err) < 0) return error_wrap(err, "model %s", m->config.label);
    m->retry.first_ns = m->config.first_pause_ms * NS_PER_MS;
    m->retry.longest_ns = m->config.longest_pause_s * NS_PER_SEC;
    m->retry.state = m->options.seed;
    while (m->retry.state == 0) random_bytes(&m->retry.state, sizeof m->retry.state);
    m->transport = transport_new(&m->config, err);
    return m->transport ? 0 : -1;
}

static int open_cassette(struct model *m, const char *path, struct error *err) {
    m->cassette = cassette_load(path, err);
    return m->cassette ? 0 : -1;
}

static int open_any(struct model *m, const char *name, struct error *err) {
    if (str_starts(name, REPLAY)) return open_cassette(m, name + strlen(REPLAY), err);
    m->strict = str_starts(name, REPLAY_STRICT);
    if (m->strict) return open_cassette(m, name + strlen(REPLAY_STRICT), err);
    return open_server(m, name, err);
}

int model_open_with(const char *name, const struct model_options *options, struct model **out,
                    struct error *err) {
    struct model *m = calloc(1, sizeof *m);
    if (!m) return error_sys(err, ENOMEM, "model");
    if (options) m->options = *options;
    const char *record = m->options.record ? m->options.record : getenv("PADDOCK_CASSETTE_RECORD");
    m->options.record = NULL;
    if (record && *record && !(m->options.record = strdup(record))) {
        free(m);
        return error_sys(err, ENOMEM, "model");
    }
    if (open_any(m, name, err) < 0) {
        model_close(m);
        return -1;
    }
    *out = m;
    return 0;
}

int model_open(const char *name, struct model **out, struct error *err) {
    return model_open_with(name, NULL, out, err);
}

void model_close(struct model *m) {
    if (!m) return;
    transport_free(m->transport);
    for (char **h = m->headers; h && *h; h++) explicit_bzero(*h, strlen(*h));
    strv_free(m->headers);
    secrets_clear(&m->secrets);
    model_config_clear(&m->config);
    cassette_free(m->cassette);
    free((char *)m->options.record);
    free(m);
}

void cleanup_model(struct model **m) {
    model_close(*m);
}

const char *model_name(const struct model *m) {
    return m->cassette ? cassette_model(m->cassette) : m->config.label;
}

int64_t model_context(const struct model *m) {
    return m->config.context_tokens;
}

char *model_settings(const struct model *m) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return NULL;
    json_open_object(w, NULL);
    if (!m->cassette) model_config_write(&m->config, w);
    json_close_object(w);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    return text ? strndup(text, len) : NULL;
}
