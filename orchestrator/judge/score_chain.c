/* The chain of digests, and the sealing of a draft. */
#include "common/cleanup.h"
#include "orchestrator/judge/score.h"

#include <math.h>
#include <string.h>

int score_canonical(const struct json *v, struct buf *out, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    size_t len = 0;
    if (w) json_put_value(w, NULL, v);
    const char *text = w ? json_writer_text(w, &len) : NULL;
    if (!text) return error_sys(err, ENOMEM, "score");
    buf_append(out, text, len);
    return buf_failed(out) ? error_sys(err, ENOMEM, "score") : 0;
}

int score_chain_step(const char *before, const struct json *a, const struct json *b,
                     char hex[DIGEST_HEX], struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    buf_printf(&text, "%s\n", before);
    if (score_canonical(a, &text, err) < 0) return -1;
    buf_putc(&text, '\n');
    if (b && score_canonical(b, &text, err) < 0) return -1;
    if (b) buf_putc(&text, '\n');
    if (buf_failed(&text)) return error_sys(err, ENOMEM, "score");
    digest_hex_of(text.data, text.len, hex);
    return 0;
}

/* ---- sealing ---- */

static void put_estimate(struct json_writer *w, const struct score_estimate *e) {
    const struct fsr_interval *i = &e->i;
    json_open_object(w, "estimate");
    json_put_string(w, "method", SCORE_METHOD);
    json_put_double(w, "level", i->level);
    json_open_array(w, "blocks");
    for (size_t k = 0; k < e->block_count; k++) json_put_int(w, NULL, e->blocks[k]);
    json_close_array(w);
    json_put_int(w, "arms", (int64_t)i->arms);
    json_put_bool(w, "trimmed", i->trimmed);
    json_put_bool(w, "bounded", i->bounded);
    json_put_double(w, "fsr", i->estimate);
    json_put_double(w, "low", i->bounded ? i->low : NAN);
    json_put_double(w, "high", i->bounded ? i->high : NAN);
    json_put_double(w, "mean_a_s", i->mean_a);
    json_put_double(w, "mean_b_s", i->mean_b);
    json_put_double(w, "mean_s", i->mean_c);
    json_put_double(w, "gap_s", i->gap);
    json_put_double(w, "gap_low_s", i->gap_low);
    json_put_double(w, "gap_high_s", i->gap_high);
    json_put_double(w, "gap_to_noise", i->gap_to_noise);
    json_put_double(w, "cv", i->cv);
    json_put_double(w, "df", i->df);
    json_close_object(w);
}

/* The verdict with what the runs say, as a value of its own. */
static struct json *make_verdict(const struct score *s, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    struct score_estimate e = {0};
    bool has = false;
    if (score_make_estimate(s, &e, &has, err) < 0) return NULL;
    if (w) {
        json_open_object(w, NULL);
        json_put_string(w, "outcome", s->outcome);
        json_put_string(w, "rule", s->rule);
        json_put_string(w, "reason", s->reason);
        json_put_value(w, "findings", s->findings);
        json_put_double(w, "metric", score_mean_metric(s, s->arm));
        if (has) put_estimate(w, &e);
        else json_put_null(w, "estimate");
        json_close_object(w);
    }
    free(e.blocks);
    size_t len = 0;
    const char *text = w ? json_writer_text(w, &len) : NULL;
    if (text) return json_parse("verdict", text, len, err);
    error_sys(err, ENOMEM, "score");
    return NULL;
}

static int put_member(struct buf *out, const char *key, const struct json *v, struct error *err) {
    buf_printf(out, "\"%s\":", key);
    if (score_canonical(v, out, err) < 0) return -1;
    buf_puts(out, ",\n");
    return 0;
}

/* The runs, one a line, and their links behind one another in `links`. */
static int put_runs(const struct score *s, char link[DIGEST_HEX], struct buf *out,
                    struct buf *links, struct error *err) {
    buf_puts(out, "\"runs\":[");
    for (size_t i = 0; i < s->run_count; i++) {
        char next[DIGEST_HEX];
        if (score_chain_step(link, s->runs[i].node, NULL, next, err) < 0) return -1;
        memcpy(link, next, sizeof next);
        buf_printf(links, "%s\"%s\"", i ? "," : "", link);
        buf_puts(out, i ? ",\n" : "\n");
        if (score_canonical(s->runs[i].node, out, err) < 0) return -1;
    }
    buf_puts(out, s->run_count ? "\n],\n" : "],\n");
    return 0;
}

int score_seal(const struct score *s, struct buf *out, struct error *err) {
    const struct json *subject = json_find(s->doc, "subject"), *arms = json_find(s->doc, "arms");
    _cleanup_json_ struct json *verdict = make_verdict(s, err);
    _cleanup_buf_ struct buf links = {0};
    char start[DIGEST_HEX], link[DIGEST_HEX], head[DIGEST_HEX];
    if (!verdict || score_chain_step(SCORE_CHAIN_FROM, subject, arms, start, err) < 0) return -1;
    memcpy(link, start, sizeof link);
    buf_printf(out, "{\"format\":\"%s\",\"version\":%d,\n", SCORE_FORMAT, SCORE_VERSION);
    if (put_member(out, "subject", subject, err) < 0 || put_member(out, "arms", arms, err) < 0 ||
        put_runs(s, link, out, &links, err) < 0 || put_member(out, "verdict", verdict, err) < 0 ||
        put_member(out, "reproduce", s->reproduce, err) < 0 ||
        score_chain_step(link, verdict, s->reproduce, head, err) < 0)
        return -1;
    buf_printf(out, "\"chain\":{\"algorithm\":\"sha256\",\"start\":\"%s\",\"links\":[%s],", start,
               buf_text(&links));
    buf_printf(out, "\"head\":\"%s\"}}\n", head);
    return buf_failed(out) || buf_failed(&links) ? error_sys(err, ENOMEM, "score") : 0;
}
