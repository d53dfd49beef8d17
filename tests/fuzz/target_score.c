/*
 * score.json: a document that anybody may hand to `paddock verify`, and the page
 * and the picture made of it. What is read can be sealed anew, and then its chain
 * holds; no text of it gets out of its place in the picture.
 */
#include "common/cleanup.h"
#include "orchestrator/client/verdict.h"
#include "orchestrator/judge/plot.h"
#include "orchestrator/judge/score.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static size_t count(const struct buf *text, char c) {
    size_t n = 0;
    for (size_t i = 0; i < text->len; i++) n += text->data[i] == c;
    return n;
}

static void check_pages(const struct score *s) {
    _cleanup_buf_ struct buf svg = {0};
    _cleanup_buf_ struct buf page = {0};
    if (plot_runs(s, &svg, NULL) == 0) {
        FUZZ_CHECK(count(&svg, '<') == count(&svg, '>'), "%s", buf_text(&svg));
        FUZZ_CHECK(!strstr(buf_text(&svg), "<script"), "%s", buf_text(&svg));
        FUZZ_CHECK(!strstr(buf_text(&svg), "nan"), "%s", buf_text(&svg));
    }
    if (verdict_page(s, false, &page, NULL) < 0) return;
    for (size_t i = 0; i < page.len; i++)
        FUZZ_CHECK((unsigned char)page.data[i] >= ' ' || page.data[i] == '\n', "%s", page.data);
}

/* What does not contradict itself outright can be sealed. */
static void check_sealing(const struct score *s) {
    _cleanup_buf_ struct buf sealed = {0};
    _cleanup_buf_ struct buf twice = {0};
    _cleanup_score_ struct score again = {0};
    _cleanup_score_report_ struct score_report report = {0};
    struct error err = {0};
    if (score_seal(s, &sealed, NULL) < 0) return;
    FUZZ_CHECK(score_parse("sealed", sealed.data, sealed.len, &again, &err) == 0, "%s",
               error_text(&err));
    FUZZ_CHECK(score_verify(&again, &report, &err) == 0, "%s", error_text(&err));
    FUZZ_CHECK(strcmp(report.checks[0].what, "chain") == 0 && report.checks[0].ok, "%s",
               report.checks[0].detail);
    for (size_t i = 0; i < report.count; i++) {
        bool numbers =
            !strcmp(report.checks[i].what, "estimate") || !strcmp(report.checks[i].what, "metric");
        FUZZ_CHECK(report.checks[i].ok || !numbers, "%s", report.checks[i].detail);
    }
    FUZZ_CHECK(score_seal(&again, &twice, &err) == 0, "%s", error_text(&err));
    FUZZ_CHECK(str_eq(sealed.data, twice.data), "%s\n%s", sealed.data, twice.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    _cleanup_score_ struct score s = {0};
    _cleanup_score_report_ struct score_report report = {0};
    if (score_parse("score", (const char *)data, len, &s, NULL) < 0) return 0;
    if (s.sealed) FUZZ_CHECK(score_verify(&s, &report, NULL) == 0 && report.count > 0, "no report");
    check_pages(&s);
    check_sealing(&s);
    return 0;
}

#ifdef PADDOCK_FUZZ_ENGINE
/* Most bytes that are changed blindly are no JSON any more: one value of the
 * document is changed, left out or put in twice instead. */
struct mutation {
    size_t at, seen;
    unsigned how;
};

static const char *const values[] = {"null",   "0",    "1",        "-1",        "true",
                                     "false",  "2.5",  "1e300",    "1e-300",    "\"\"",
                                     "[]",     "{}",   "\"left\"", "\"train\"", "\"examine\"",
                                     "\"v7\"", "9999", "7",        "\"<b>\"",   "\"v<3\""};

static void mutate(struct json_writer *w, const char *key, const struct json *v,
                   struct mutation *m) {
    enum json_type type = json_type(v);
    bool here = m->seen++ == m->at, inside = type == JSON_ARRAY || type == JSON_OBJECT;
    if (here && m->how % 3 == 0 && key == NULL && m->seen > 1) return; /* left out */
    if (here && !inside) {
        const char *text = values[m->how / 3 % ARRAY_SIZE(values)];
        _cleanup_json_ struct json *other = json_parse("value", text, strlen(text), NULL);
        json_put_value(w, key, other);
        return;
    }
    if (!inside) {
        json_put_value(w, key, v);
        return;
    }
    if (type == JSON_ARRAY) json_open_array(w, key);
    else json_open_object(w, key);
    for (size_t i = 0; i < json_count(v); i++) mutate(w, json_key_at(v, i), json_at(v, i), m);
    if (here && type == JSON_ARRAY && json_count(v) > 0)
        json_put_value(w, NULL, json_at(v, m->how % json_count(v))); /* twice */
    if (type == JSON_ARRAY) json_close_array(w);
    else json_close_object(w);
}

static size_t count_values(const struct json *v) {
    size_t n = 1;
    for (size_t i = 0; i < json_count(v); i++) n += count_values(json_at(v, i));
    return n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed) {
    _cleanup_json_ struct json *doc = json_parse("score", (const char *)data, len, NULL);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!doc || !w || seed % 8 == 0) return LLVMFuzzerMutate(data, len, max);
    struct mutation m = {.at = seed / 8 % count_values(doc), .how = seed / 64};
    mutate(w, NULL, doc, &m);
    size_t n = 0;
    const char *text = json_writer_text(w, &n);
    if (!text || n > max) return LLVMFuzzerMutate(data, len, max);
    memcpy(data, text, n);
    return n;
}
#endif
