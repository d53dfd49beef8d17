/* One call: its turn, the budget, the server, the ledger (declared in inside.h). In a
 * thread of its own, which goes on when the caller has gone: the server is paid for all
 * of its answer, and its last words say how much. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/proxy/inside.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

struct exchange {
    struct proxy *proxy;
    struct buf body;
    char *beta;
    bool stream;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t over;
    bool done;
    struct verdict verdict;
};

void verdict_clear(struct verdict *v) {
    buf_free(&v->body);
}

void verdict_error(const struct proxy *p, struct verdict *v, unsigned status, const char *message) {
    v->status = status;
    v->body.len = 0;
    snprintf(v->type, sizeof v->type, "application/json");
    relay_error(relay_protocol(p->model), (long)status, message, &v->body);
}

/* ---- the call ---- */

static void keep(char **slot, const char *text) {
    free(*slot);
    *slot = str_printable(text, strnlen(text, 600));
}

static void refuse(struct proxy *p, struct verdict *v, const struct relay_request *rq,
                   const struct error *why) {
    bool over = rq->over || why->kind == ERROR_LIMIT;
    p->totals.refused++;
    if (over && !p->totals.over) keep(&p->totals.over, error_text(why));
    if (!over) keep(&p->totals.refusal, error_text(why));
    unsigned status = over ? 402 : why->kind == ERROR_DENIED ? 403 : 400;
    if (why->kind == ERROR_SYSTEM) status = 500;
    verdict_error(p, v, status, error_text(why));
}

static int record(struct proxy *p, const struct relay_request *rq, const struct relay_reply *reply,
                  const char *error, int64_t began, struct error *err) {
    const struct proxy_call call = {
        .request = rq, .reply = reply, .error = error, .began_ns = began};
    p->totals.calls++;
    if (p->host.record(p->host.context, &call, err) == 0) return 0;
    keep(&p->totals.failure, error_text(err));
    p->broken = true;
    return -1;
}

static void tell(struct proxy *p, struct verdict *v, struct relay_reply *reply) {
    v->wait_ns = reply->wait_ns;
    if (reply->body.len == 0) {
        verdict_error(p, v, (unsigned)reply->status, reply->failure ? reply->failure : "no answer");
        return;
    }
    v->status = (unsigned)reply->status;
    memcpy(v->type, reply->type, sizeof v->type);
    buf_free(&v->body);
    v->body = reply->body;
    reply->body = (struct buf){0};
}

static void send_on(struct proxy *p, const struct relay_request *rq, struct verdict *v) {
    _cleanup_relay_reply_ struct relay_reply reply = {0};
    _cleanup_error_ struct error failed = {0}, unrecorded = {0};
    int64_t began = clock_real_ns();
    int rc = relay_call(p->model, rq, &reply, &failed);
    const char *error = rc < 0 ? error_text(&failed) : reply.failure;
    if (record(p, rq, &reply, error, began, &unrecorded) < 0)
        verdict_error(p, v, 500, "the call could not be taken down, and its answer is kept back");
    else if (rc < 0) verdict_error(p, v, 503, error);
    else tell(p, v, &reply);
}

static void make_call(struct exchange *x) {
    struct proxy *p = x->proxy;
    _cleanup_relay_request_ struct relay_request rq = {0};
    _cleanup_error_ struct error why = {0};
    struct relay_left left = {-1, -1};
    if (p->stop || p->totals.failure) {
        verdict_error(p, &x->verdict, 503, "the proxy is about to end");
    } else if (p->host.left(p->host.context, &left, &why) < 0 ||
               relay_prepare(p->model, x->stream, x->beta, buf_text(&x->body), x->body.len, &left,
                             &rq, &why) < 0) {
        refuse(p, &x->verdict, &rq, &why);
    } else {
        buf_free(&x->body);
        send_on(p, &rq, &x->verdict);
    }
}

static void *work(void *arg) {
    struct exchange *x = arg;
    pthread_mutex_lock(&x->proxy->turn);
    make_call(x);
    pthread_mutex_unlock(&x->proxy->turn);
    pthread_mutex_lock(&x->lock);
    x->done = true;
    pthread_cond_broadcast(&x->over);
    pthread_mutex_unlock(&x->lock);
    return NULL;
}

/* ---- from outside ---- */

/* Only the answer of a stream may have comments before it; Gemini's clients choke on them. */
static bool asks_for_stream(const struct proxy *p, const struct buf *body) {
    if (strcmp(relay_protocol(p->model), "gemini") == 0) return false;
    const char *at = strstr(buf_text(body), "\"stream\"");
    for (; at; at = strstr(at + 1, "\"stream\"")) {
        const char *value = at + strlen("\"stream\"");
        value += strspn(value, " \t\r\n:");
        if (strncmp(value, "true", 4) == 0) return true;
    }
    return false;
}

struct exchange *exchange_new(struct proxy *p, bool stream, const char *beta, struct buf *body) {
    struct exchange *x = calloc(1, sizeof *x);
    if (!x) return NULL;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&x->lock, NULL);
    pthread_cond_init(&x->over, &attributes);
    pthread_condattr_destroy(&attributes);
    x->proxy = p;
    x->stream = stream;
    x->body = *body;
    *body = (struct buf){0};
    x->beta = beta ? strdup(beta) : NULL;
    return x;
}

bool exchange_is_stream(const struct exchange *x) {
    return asks_for_stream(x->proxy, &x->body);
}

bool exchange_begin(struct exchange *x) {
    x->running = pthread_create(&x->thread, NULL, work, x) == 0;
    return x->running;
}

bool exchange_wait(struct exchange *x, int64_t ns) {
    int64_t until = clock_mono_ns() + ns;
    const struct timespec t = {.tv_sec = until / NS_PER_SEC, .tv_nsec = until % NS_PER_SEC};
    pthread_mutex_lock(&x->lock);
    int rc = 0;
    while (!x->done && rc != ETIMEDOUT) rc = pthread_cond_timedwait(&x->over, &x->lock, &t);
    bool done = x->done;
    pthread_mutex_unlock(&x->lock);
    return done;
}

struct verdict *exchange_verdict(struct exchange *x) {
    return &x->verdict;
}

void exchange_free(struct exchange *x) {
    if (!x) return;
    if (x->running) pthread_join(x->thread, NULL);
    pthread_cond_destroy(&x->over);
    pthread_mutex_destroy(&x->lock);
    verdict_clear(&x->verdict);
    buf_free(&x->body);
    free(x->beta);
    free(x);
}
