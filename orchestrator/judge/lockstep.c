#include "orchestrator/judge/lockstep.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "orchestrator/judge/channel.h"
#include "orchestrator/judge/repeats.h"
#include "orchestrator/judge/segments.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the wire is little-endian");

#define CHUNK_BYTES    (1 << 20)
#define AGAIN_BITS_MAX 0.01 /* mean difference of an answer given twice */

struct examination {
    const struct lockstep_config *config;
    struct channel channel;
    struct lockstep_report *report;
    struct repeats plan;
    size_t *starts;    /* of the segments */
    double *first;     /* bits of each position when it was asked first; NaN: not yet */
    double apart;      /* Σ of how far a second answer was from the first */
    uint64_t again;    /* positions asked a second time */
    uint32_t *message; /* a whole STEP */
    float *rows;
    uint32_t rows_max; /* rows that `rows` has room for */
    uint32_t round, step;
};

const char *lockstep_outcome_name(enum lockstep_outcome o) {
    static const char *const names[] = {"complete",     "bad-hello", "not-finite",
                                        "short-answer", "closed",    "late",
                                        "extra",        "cancelled", "inconsistent"};
    return names[o];
}

double lockstep_bits(const float *scores, uint32_t vocabulary, uint32_t token, uint32_t *bad) {
    double most = scores[0], sum = 0;
    for (uint32_t i = 0; i < vocabulary; i++) {
        if (!isfinite(scores[i])) {
            *bad = i;
            return NAN;
        }
        if (scores[i] > most) most = scores[i];
    }
    for (uint32_t i = 0; i < vocabulary; i++) sum += exp(scores[i] - most);
    /* The difference first: beside a huge score the logarithm would be lost, and
     * equal scores of 1e30 cost nothing. */
    return (log(sum) + (most - scores[token])) / M_LN2;
}

__attribute__((format(printf, 3, 4))) static int
end(struct examination *x, enum lockstep_outcome outcome, const char *fmt, ...) {
    _cleanup_buf_ struct buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    x->report->outcome = outcome;
    snprintf(x->report->reason, sizeof x->report->reason, "%s", buf_text(&text));
    return -1;
}

/* Ends the examination because of the channel, waiting for `what`. */
static int end_at(struct examination *x, enum channel_state s, const char *what) {
    switch (s) {
    case CHANNEL_OK: return 0;
    case CHANNEL_LATE: return end(x, LOCKSTEP_LATE, "the time was up before %s", what);
    case CHANNEL_CANCELLED: return end(x, LOCKSTEP_CANCELLED, "cancelled before %s", what);
    case CHANNEL_CLOSED: break;
    }
    return end(x, LOCKSTEP_CLOSED, "the program was gone before %s", what);
}

static int hello(struct examination *x) {
    const struct lockstep_config *c = x->config;
    const uint32_t ours[] = {LOCKSTEP_MAGIC, LOCKSTEP_VERSION, c->streams, c->vocabulary,
                             c->tokens};
    uint32_t theirs[2] = {0};
    size_t got = 0;
    enum channel_state s = channel_write(&x->channel, ours, sizeof ours);
    if (s == CHANNEL_OK) s = channel_read(&x->channel, theirs, sizeof theirs, &got);
    if (s != CHANNEL_OK) return end_at(x, s, "its hello");
    if (theirs[0] == LOCKSTEP_MAGIC && theirs[1] == LOCKSTEP_VERSION) return 0;
    return end(x, LOCKSTEP_BAD_HELLO,
               "its hello was 0x%08" PRIx32 " 0x%08" PRIx32 ", not 0x%08" PRIx32 " 1", theirs[0],
               theirs[1], LOCKSTEP_MAGIC);
}

static int send_message(struct examination *x, const void *data, size_t len) {
    enum channel_state s = channel_write(&x->channel, data, len);
    if (s == CHANNEL_OK) return 0;
    char what[80];
    snprintf(what, sizeof what, "step %" PRIu32 " of round %" PRIu32, x->step, x->round);
    return end_at(x, s, what);
}

/* The segment that stream b is asked about in this round. */
static size_t segment(const struct examination *x, uint32_t b) {
    return x->plan.order[(size_t)x->round * x->config->streams + b];
}

/* The place of stream b's current token in the text. */
static size_t place(const struct examination *x, uint32_t b) {
    return x->starts[segment(x, b)] + x->step;
}

static int send_step(struct examination *x) {
    const struct lockstep_config *c = x->config;
    x->message[0] = LOCKSTEP_STEP;
    for (uint32_t b = 0; b < c->streams; b++) x->message[1 + b] = c->text[place(x, b)];
    return send_message(x, x->message, (1 + (size_t)c->streams) * sizeof *x->message);
}

static int receive_rows(struct examination *x, uint32_t first, uint32_t rows) {
    const struct lockstep_config *c = x->config;
    size_t row = (size_t)c->vocabulary * sizeof(float), got = 0;
    enum channel_state s = channel_read(&x->channel, x->rows, rows * row, &got);
    if (s == CHANNEL_OK) return 0;
    char what[120];
    snprintf(what, sizeof what,
             "its answer to step %" PRIu32 " of round %" PRIu32 " was whole (%zu of %zu bytes)",
             x->step, x->round, first * row + got, c->streams * row);
    if (s == CHANNEL_CLOSED && first * row + got > 0)
        return end(x, LOCKSTEP_SHORT_ANSWER, "the program was gone before %s", what);
    return end_at(x, s, what);
}

/* Bits count when they are asked for the first time; a second answer is only held
 * against the first. An answer that is wildly off must not hide the others. */
static void add_bits(struct examination *x, uint32_t b, double bits) {
    double *first = &x->first[segment(x, b) * x->config->tokens + x->step];
    if (isnan(*first)) {
        *first = bits;
        x->report->bits_total += bits;
        x->report->positions++;
        return;
    }
    x->apart += fmin(fabs(bits - *first), 1);
    x->again++;
}

static int score_rows(struct examination *x, uint32_t first, uint32_t rows) {
    const struct lockstep_config *c = x->config;
    for (uint32_t i = 0; i < rows; i++) {
        const float *row = x->rows + (size_t)i * c->vocabulary;
        uint32_t bad = 0;
        double bits = lockstep_bits(row, c->vocabulary, c->text[place(x, first + i) + 1], &bad);
        if (isnan(bits))
            return end(x, LOCKSTEP_NOT_FINITE,
                       "score %" PRIu32 " of stream %" PRIu32 " at step %" PRIu32
                       " of round %" PRIu32 " is not a finite number",
                       bad, first + i, x->step, x->round);
        add_bits(x, first + i, bits);
    }
    return 0;
}

static int one_step(struct examination *x) {
    uint32_t streams = x->config->streams;
    if (send_step(x) < 0) return -1;
    for (uint32_t first = 0; first < streams; first += x->rows_max) {
        uint32_t rows = streams - first < x->rows_max ? streams - first : x->rows_max;
        if (receive_rows(x, first, rows) < 0 || score_rows(x, first, rows) < 0) return -1;
    }
    return 0;
}

static int one_round(struct examination *x) {
    const uint32_t reset = LOCKSTEP_RESET;
    x->step = 0;
    if (send_message(x, &reset, sizeof reset) < 0) return -1;
    for (; x->step < x->config->tokens; x->step++)
        if (one_step(x) < 0) return -1;
    return 0;
}

/* END, then nothing but the end of file may come. */
static int finish(struct examination *x) {
    const uint32_t over = LOCKSTEP_END;
    char byte;
    size_t got = 0;
    enum channel_state s = channel_write(&x->channel, &over, sizeof over);
    if (s == CHANNEL_OK || s == CHANNEL_CLOSED) s = channel_read(&x->channel, &byte, 1, &got);
    if (s == CHANNEL_CLOSED) return 0;
    if (s != CHANNEL_OK) return end_at(x, s, "it ended after END");
    return end(x, LOCKSTEP_EXTRA, "it sent more than it was asked for");
}

/* Sums in another order differ in the last digits; who has learnt differs more. */
static void check_again(struct examination *x) {
    x->report->again_bits = x->again ? x->apart / (double)x->again : 0;
    if (x->report->again_bits <= AGAIN_BITS_MAX) return;
    end(x, LOCKSTEP_INCONSISTENT,
        "asked the same again, its answers were %.3g bits a position apart", x->report->again_bits);
}

static void examine(struct examination *x) {
    if (hello(x) < 0) return;
    for (x->round = 0; x->round <= x->config->rounds; x->round++)
        if (one_round(x) < 0) return;
    if (finish(x) == 0) check_again(x);
}

static bool in_range(uint32_t value, uint32_t max) {
    return value >= 1 && value <= max;
}

static int check_config(const struct lockstep_config *c, struct error *err) {
    if (!in_range(c->streams, LOCKSTEP_MAX_STREAMS) || !in_range(c->tokens, LOCKSTEP_MAX_TOKENS) ||
        !in_range(c->vocabulary, LOCKSTEP_MAX_VOCABULARY) || !in_range(c->rounds, UINT32_MAX)) {
        error_set(err, ERROR_INVALID,
                  "lockstep: streams, tokens, rounds or vocabulary out of range");
        return -1;
    }
    for (size_t i = 0; i < c->len; i++)
        if (c->text[i] >= c->vocabulary)
            return error_set(err, ERROR_INVALID,
                             "lockstep: byte %zu of the held-out text is %u, the vocabulary has %u",
                             i, c->text[i], c->vocabulary);
    return 0;
}

static int prepare_repeats(struct examination *x, struct error *err) {
    const struct lockstep_config *c = x->config;
    size_t positions = (size_t)c->streams * c->rounds * c->tokens; /* fewer than the text has */
    x->first = malloc(positions * sizeof *x->first);
    if (!x->first) return error_sys(err, ENOMEM, "lockstep");
    for (size_t i = 0; i < positions; i++) x->first[i] = NAN;
    return repeats_draw(c->streams, c->rounds, c->seed, &x->plan, err);
}

static int prepare(struct examination *x, struct error *err) {
    const struct lockstep_config *c = x->config;
    size_t row = (size_t)c->vocabulary * sizeof(float), count = (size_t)c->streams * c->rounds;
    size_t room = row < CHUNK_BYTES ? CHUNK_BYTES : row;
    x->rows_max = (uint32_t)(room / row);
    if (x->rows_max > c->streams) x->rows_max = c->streams;
    if (count > c->len) /* no text has more segments than bytes */
        return error_set(err, ERROR_INVALID, "lockstep: the held-out text has only %zu bytes",
                         c->len);
    x->starts = calloc(count + 1, sizeof *x->starts);
    x->message = calloc(1 + (size_t)c->streams, sizeof *x->message);
    x->rows = malloc(room);
    if (!x->starts || !x->message || !x->rows) return error_sys(err, ENOMEM, "lockstep");
    if (channel_open(&x->channel) < 0) return error_sys(err, errno, "lockstep");
    if (segments_draw(c->len, c->block_bytes, (size_t)c->tokens + 1, c->seed, count, x->starts,
                      err) < 0)
        return -1;
    return prepare_repeats(x, err);
}

static void examination_clear(struct examination *x) {
    repeats_clear(&x->plan);
    free(x->starts);
    free(x->first);
    free(x->message);
    free(x->rows);
}

int lockstep_run(const struct lockstep_config *config, int to, int from,
                 struct lockstep_report *report, struct error *err) {
    *report = (struct lockstep_report){.outcome = LOCKSTEP_COMPLETE};
    _cleanup_(examination_clear) struct examination x = {
        .config = config,
        .channel = {to, from, config->cancel_fd, config->deadline_ns},
        .report = report};
    if (check_config(config, err) < 0 || prepare(&x, err) < 0) return -1;
    examine(&x);
    return 0;
}
