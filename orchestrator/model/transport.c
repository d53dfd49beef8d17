#include "orchestrator/model/transport.h"

#include "common/cleanup.h"
#include "common/clock.h"

#include <curl/curl.h>
#include <string.h>

/* A server that has said all and does not hang up is left after this long. */
#define LINGER_NS (5 * NS_PER_SEC)

struct transport {
    const struct model_config *config;
    CURL *curl;
};

struct watch {
    struct receive *receive;
    const volatile bool *abort;
    int64_t last_ns; /* when the last bytes came */
    bool lingered;
};

struct transport *transport_new(const struct model_config *c, struct error *err) {
    /* Called before any thread exists; a second call only counts. */
    curl_global_init(CURL_GLOBAL_DEFAULT);
    struct transport *t = calloc(1, sizeof *t);
    if (t) t->curl = curl_easy_init();
    if (!t || !t->curl) {
        free(t);
        error_sys(err, ENOMEM, "http");
        return NULL;
    }
    t->config = c;
    return t;
}

void transport_free(struct transport *t) {
    if (!t) return;
    curl_easy_cleanup(t->curl);
    free(t);
}

static size_t on_body(char *data, size_t size, size_t count, void *arg) {
    struct watch *w = arg;
    w->last_ns = clock_mono_ns();
    return receive_bytes(w->receive, data, size * count) ? size * count : 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg) {
    struct watch *w = arg;
    receive_header(w->receive, data, size * count);
    return size * count;
}

static int on_progress(void *arg, curl_off_t down_all, curl_off_t down, curl_off_t up_all,
                       curl_off_t up) {
    struct watch *w = arg;
    (void)down_all, (void)down, (void)up_all, (void)up;
    if (w->abort && *w->abort) return 1;
    w->lingered = receive_is_over(w->receive) && clock_mono_ns() - w->last_ns > LINGER_NS;
    return w->lingered;
}

static void set_limits(CURL *c, const struct model_config *config) {
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)config->connect_ms);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)config->silence_s);
    if (config->total_s) curl_easy_setopt(c, CURLOPT_TIMEOUT, (long)config->total_s);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    /* A server that sends us elsewhere would send the prompt and the key there. */
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(c, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "paddock/" PADDOCK_VERSION);
    if (config->proxy) curl_easy_setopt(c, CURLOPT_PROXY, config->proxy);
    if (config->ca_file) curl_easy_setopt(c, CURLOPT_CAINFO, config->ca_file);
}

static void set_callbacks(CURL *c, struct watch *w) {
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, w);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, w);
    curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(c, CURLOPT_XFERINFODATA, w);
}

/* What another attempt cannot change: a name that is no URL, a certificate. */
static bool is_final(CURLcode code) {
    switch (code) {
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_LOGIN_DENIED: return true;
    default: return false;
    }
}

/* The headers have the key. */
static void forget_list(struct curl_slist **list) {
    for (struct curl_slist *at = *list; at; at = at->next)
        explicit_bzero(at->data, strlen(at->data));
    curl_slist_free_all(*list);
}

static int make_list(char *const *headers, struct curl_slist **out, struct error *err) {
    for (; *headers; headers++) {
        struct curl_slist *longer = curl_slist_append(*out, *headers);
        if (!longer) return error_sys(err, ENOMEM, "http");
        *out = longer;
    }
    return 0;
}

int transport_post(struct transport *t, const char *url, char *const *headers, const char *body,
                   size_t len, const volatile bool *abort, struct receive *r, struct error *err) {
    CURL *c = t->curl;
    char said[CURL_ERROR_SIZE] = "";
    struct watch w = {.receive = r, .abort = abort, .last_ns = clock_mono_ns()};
    _cleanup_(forget_list) struct curl_slist *list = NULL;
    if (make_list(headers, &list, err) < 0) return -1;
    curl_easy_reset(c); /* keeps the connection */
    set_limits(c, t->config);
    set_callbacks(c, &w);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, said);
    curl_easy_setopt(c, CURLOPT_URL, url);
    curl_easy_setopt(c, CURLOPT_POST, 1L);
    curl_easy_setopt(c, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, list);
    r->now_ns = clock_real_ns();
    CURLcode code = curl_easy_perform(c);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(c, CURLOPT_HTTPHEADER, NULL);
    if (abort && *abort) return error_set(err, ERROR_CANCELLED, "cancelled");
    const char *broken = code == CURLE_OK || w.lingered ? NULL
                         : *said                        ? said
                                                        : curl_easy_strerror(code);
    receive_end(r, broken);
    if (r->status == 0 && !r->too_large)
        fault_set(&r->answer->fault, ERROR_SYSTEM, !is_final(code), "%s",
                  broken ? broken : "no answer");
    return 0;
}
