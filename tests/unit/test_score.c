#include "tests/unit/score_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static void sealed(const struct sample *p, struct buf *out) {
    _cleanup_error_ struct error err = {0};
    if (sample_seal(p, out, &err) < 0) fail_msg("%s", error_text(&err));
}

/* The first check that is not ok ("parse" when it is not even read); NULL: all are.
 * `detail` may be NULL. */
static char *fault(const char *text, size_t len, char **detail) {
    _cleanup_error_ struct error err = {0};
    _cleanup_score_ struct score s = {0};
    _cleanup_score_report_ struct score_report r = {0};
    if (score_parse("test", text, len, &s, &err) < 0 || score_verify(&s, &r, &err) < 0) {
        if (detail) *detail = strdup(error_text(&err));
        return strdup("parse");
    }
    for (size_t i = 0; i < r.count; i++) {
        if (r.checks[i].ok) continue;
        assert_true(r.failed);
        if (detail) *detail = strdup(r.checks[i].detail);
        return strdup(r.checks[i].what);
    }
    assert_false(r.failed);
    return NULL;
}

static void holds(const struct buf *text) {
    _cleanup_free_ char *detail = NULL;
    _cleanup_free_ char *what = fault(text->data, text->len, &detail);
    if (what) fail_msg("%s: %s", what, detail);
}

static void untouched_ones_verify(void **state) {
    (void)state;
    static const struct sample samples[] = {
        {.blocks = 4, .loss = 2.2, .noise = 0.002, .outcome = "scored"},
        {.blocks = 12, .loss = 2.2, .noise = 0.002, .outcome = "scored"}, /* trimmed */
        {.blocks = 4, .loss = 2.2, .noise = 0.05, .outcome = "scored-wide"},
        {.blocks = 3, .loss = 2.2, .noise = 0.4, .outcome = "no-resolution"}, /* unbounded */
        {.blocks = 1, .loss = 2.2, .noise = 0.02, .outcome = "no-resolution"},
        {.blocks = 4, .loss = 2.4, .noise = 0.002, .outcome = "invalid-loss"},
        {.blocks = 4, .loss = 2.2, .noise = 0.002, .outcome = "crash", .left = "crash"},
        {.blocks = 2,
         .loss = 2.2,
         .outcome = "invalid-environment",
         .measured = "invalid-environment"},
        {.blocks = 4, .loss = 2.2, .outcome = "invalid-tamper", .rule = "noise-of-its-own"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
        _cleanup_buf_ struct buf text = {0};
        sealed(&samples[i], &text);
        _cleanup_free_ char *detail = NULL;
        _cleanup_free_ char *what = fault(text.data, text.len, &detail);
        if (what) fail_msg("sample %zu: %s: %s", i, what, detail);
    }
}

/* ---- every value of the document, one after the other ---- */

struct change {
    size_t at, seen; /* which scalar; those passed so far */
    char *where;     /* of the one that was changed */
};

static void put_other(struct json_writer *w, const char *key, const struct json *v) {
    const char *text = "";
    double d = 0;
    bool b = false;
    char other[128];
    switch (json_type(v)) {
    case JSON_BOOL:
        json_as_bool(v, &b, NULL);
        json_put_bool(w, key, !b);
        return;
    case JSON_NUMBER:
        json_as_double(v, -1e300, 1e300, &d, NULL);
        if (d == floor(d) && fabs(d) < 9e15) json_put_int(w, key, (int64_t)d + 1);
        else json_put_double(w, key, d * 1.001);
        return;
    case JSON_STRING:
        json_as_string(v, &text, NULL);
        snprintf(other, sizeof other, "%s", text);
        if (*other) other[strlen(other) - 1] = other[strlen(other) - 1] == '1' ? '2' : '1';
        json_put_string(w, key, other);
        return;
    default: json_put_string(w, key, "1"); return;
    }
}

static void copy_changed(struct json_writer *w, const char *key, const struct json *v,
                         struct change *c) {
    enum json_type type = json_type(v);
    if (type != JSON_ARRAY && type != JSON_OBJECT) {
        if (c->seen++ != c->at) {
            json_put_value(w, key, v);
            return;
        }
        c->where = strdup(key ? key : "[]");
        put_other(w, key, v);
        return;
    }
    if (type == JSON_ARRAY) json_open_array(w, key);
    else json_open_object(w, key);
    for (size_t i = 0; i < json_count(v); i++) copy_changed(w, json_key_at(v, i), json_at(v, i), c);
    if (type == JSON_ARRAY) json_close_array(w);
    else json_close_object(w);
}

static void every_single_value_is_covered(void **state) {
    (void)state;
    _cleanup_buf_ struct buf text = {0};
    sealed(&sample_plain, &text);
    _cleanup_json_ struct json *doc = json_parse("t", text.data, text.len, NULL);
    assert_non_null(doc);
    size_t at = 0;
    for (;; at++) {
        struct change c = {.at = at};
        _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
        copy_changed(w, NULL, doc, &c);
        _cleanup_free_ char *where = c.where;
        if (!where) break;
        size_t len = 0;
        const char *changed = json_writer_text(w, &len);
        _cleanup_free_ char *what = fault(changed, len, NULL);
        if (!what) fail_msg("value %zu, %s, can be changed unseen", at, where);
    }
    assert_true(at > 700);
}

static void layout_does_not_matter(void **state) {
    (void)state;
    _cleanup_buf_ struct buf text = {0};
    _cleanup_buf_ struct buf again = {0};
    sealed(&sample_plain, &text);
    _cleanup_json_ struct json *doc = json_parse("t", text.data, text.len, NULL);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    json_put_value(w, NULL, doc);
    size_t len = 0;
    const char *pretty = json_writer_text(w, &len);
    buf_append(&again, pretty, len);
    holds(&again);
    /* One run a line, as the page on it says. */
    size_t lines = 0;
    for (const char *p = text.data; (p = strstr(p, "\n{\"run\":")); p++) lines++;
    assert_int_equal(lines, 25);
}

/* ---- forgers who know the chain ---- */

/* The value at "runs.3.wall_ns" replaced by JSON text. */
static void copy_replaced(struct json_writer *w, const char *key, const struct json *v,
                          const char *path, const char *with) {
    size_t word = path ? strcspn(path, ".") : 0;
    if (path && !*path) {
        _cleanup_json_ struct json *other = json_parse("with", with, strlen(with), NULL);
        assert_non_null(other);
        json_put_value(w, key, other);
        return;
    }
    if (!path || (json_type(v) != JSON_ARRAY && json_type(v) != JSON_OBJECT)) {
        json_put_value(w, key, v);
        return;
    }
    bool array = json_type(v) == JSON_ARRAY;
    if (array) json_open_array(w, key);
    else json_open_object(w, key);
    for (size_t i = 0; i < json_count(v); i++) {
        char number[24];
        snprintf(number, sizeof number, "%zu", i);
        const char *name = array ? number : json_key_at(v, i);
        /* A member's name may have a point in it. */
        bool file = !array && strncmp(path, name, strlen(name)) == 0 && path[strlen(name)] == '\0';
        bool here = file || (strlen(name) == word && strncmp(name, path, word) == 0);
        const char *rest = file ? "" : path[word] ? path + word + 1 : "";
        copy_replaced(w, json_key_at(v, i), json_at(v, i), here ? rest : NULL, with);
    }
    if (array) json_close_array(w);
    else json_close_object(w);
}

static struct json *replaced(const struct json *doc, const char *path, const char *with) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    copy_replaced(w, NULL, doc, path, with);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    return json_parse("replaced", text, len, NULL);
}

/* The same document with a chain that holds; `skip`, `twice` and `swap` do to the
 * runs what they say (−1: nothing). */
static void rechain(const struct json *doc, int skip, int twice, int swap, struct buf *out) {
    char start[DIGEST_HEX], link[DIGEST_HEX], head[DIGEST_HEX];
    const struct json *runs = json_find(doc, "runs");
    const struct json *order[64];
    size_t n = 0;
    for (int i = 0; i < (int)json_count(runs); i++) {
        if (i != skip) order[n++] = json_at(runs, (size_t)i);
        if (i == twice) order[n++] = json_at(runs, (size_t)i);
    }
    if (swap >= 0) {
        const struct json *first = order[swap];
        order[swap] = order[swap + 1];
        order[swap + 1] = first;
    }
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    score_chain_step(SCORE_CHAIN_FROM, json_find(doc, "subject"), json_find(doc, "arms"), start,
                     NULL);
    memcpy(link, start, sizeof link);
    json_open_object(w, NULL);
    for (size_t i = 0; i < json_count(doc); i++) {
        const char *key = json_key_at(doc, i);
        if (strcmp(key, "runs") == 0 || strcmp(key, "chain") == 0) continue;
        json_put_value(w, key, json_at(doc, i));
    }
    json_open_array(w, "runs");
    for (size_t i = 0; i < n; i++) json_put_value(w, NULL, order[i]);
    json_close_array(w);
    json_open_object(w, "chain");
    json_put_string(w, "algorithm", "sha256");
    json_put_string(w, "start", start);
    json_open_array(w, "links");
    for (size_t i = 0; i < n; i++) {
        char next[DIGEST_HEX];
        score_chain_step(link, order[i], NULL, next, NULL);
        memcpy(link, next, sizeof link);
        json_put_string(w, NULL, link);
    }
    json_close_array(w);
    score_chain_step(link, json_find(doc, "verdict"), json_find(doc, "reproduce"), head, NULL);
    json_put_string(w, "head", head);
    json_close_object(w);
    json_close_object(w);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    buf_append(out, text, len);
}

static void a_new_chain_does_not_help(void **state) {
    (void)state;
    static const struct {
        const char *path, *with;   /* NULL: nothing */
        const char *path2, *with2; /* of the same forger */
        int skip, twice, swap;
        const char *what;
    } forgeries[] = {
        {"runs.0.wall_ns", "8000000000", NULL, NULL, -1, -1, -1, "runs"},
        {"runs.0.wall_ns", "8000000000", "runs.0.result.wall_ns", "8000000000", -1, -1, -1,
         "estimate"},
        {"runs.0.counts", "false", NULL, NULL, -1, -1, -1, "estimate"},
        {"runs.0.void", "true", NULL, NULL, -1, -1, -1, "parse"},
        {"runs.0.void", "true", "runs.0.counts", "false", -1, -1, -1, "estimate"},
        {"runs.8.void", "false", "runs.8.counts", "true", -1, -1, -1, "metrics"},
        {"runs.0.metric", "1.5", NULL, NULL, -1, -1, -1, "metrics"},
        {"runs.0.metric", "1.5", "runs.1.metric", "1.5", -1, -1, -1, "metrics"},
        {"runs.0.seed", "null", NULL, NULL, -1, -1, -1, "runs"},
        {"runs.0.ended", "\"signal\"", NULL, NULL, -1, -1, -1, "runs"},
        {"runs.0.result.policy_sha256", "\"another\"", NULL, NULL, -1, -1, -1, "phases"},
        {"runs.0.block", "null", NULL, NULL, -1, -1, -1, "parse"},
        {"runs.0.block", "3", NULL, NULL, -1, -1, -1, "estimate"},
        {"runs.0.arm", "1", "runs.1.arm", "1", -1, -1, -1, "estimate"},
        {"verdict.estimate.fsr", "0.9", NULL, NULL, -1, -1, -1, "estimate"},
        {"verdict.estimate.low", "0.49999", NULL, NULL, -1, -1, -1, "estimate"},
        {"verdict.estimate.blocks", "[0,1,2]", NULL, NULL, -1, -1, -1, "estimate"},
        {"verdict.estimate", "null", NULL, NULL, -1, -1, -1, "estimate"},
        {"verdict.estimate.level", "0.9", NULL, NULL, -1, -1, -1, "estimate"},
        {"verdict.metric", "2.1", NULL, NULL, -1, -1, -1, "metric"},
        {"verdict.outcome", "\"scored-wide\"", NULL, NULL, -1, -1, -1, "outcome"},
        {"verdict.outcome", "\"crash\"", NULL, NULL, -1, -1, -1, "outcome"},
        {"subject.task.target", "2.1", NULL, NULL, -1, -1, -1, "records"},
        {"subject.task.step", "2", NULL, NULL, -1, -1, -1, "subject"},
        {"subject.version", "\"v8\"", NULL, NULL, -1, -1, -1, "parse"},
        {"arms.2.snapshot", "\"0000000000000000000000000000000000000000000000000000000000000000\"",
         NULL, NULL, -1, -1, -1, "subject"},
        {"arms.2.state", "\"left\"", "arms.2.outcome", "\"crash\"", -1, -1, -1, "estimate"},
        {NULL, NULL, NULL, NULL, 0, -1, -1, "estimate"}, /* a timed run left out */
        {NULL, NULL, NULL, NULL, 1, -1, -1, "metrics"},  /* an examination left out */
        {NULL, NULL, NULL, NULL, -1, 0, -1, "runs"},     /* a run put in twice */
        {NULL, NULL, NULL, NULL, -1, -1, 0, "runs"},     /* two of them swapped */
        {"runs.1.run", "\"r9\"", NULL, NULL, -1, -1, -1, "runs"},
    };
    _cleanup_buf_ struct buf text = {0};
    sealed(&sample_plain, &text);
    _cleanup_json_ struct json *doc = json_parse("t", text.data, text.len, NULL);
    _cleanup_buf_ struct buf same = {0};
    rechain(doc, -1, -1, -1, &same);
    holds(&same);
    for (size_t i = 0; i < ARRAY_SIZE(forgeries); i++) {
        _cleanup_json_ struct json *one =
            replaced(doc, forgeries[i].path, forgeries[i].with ? forgeries[i].with : "0");
        _cleanup_json_ struct json *both =
            replaced(one, forgeries[i].path2, forgeries[i].with2 ? forgeries[i].with2 : "0");
        _cleanup_buf_ struct buf forged = {0};
        rechain(both, forgeries[i].skip, forgeries[i].twice, forgeries[i].swap, &forged);
        _cleanup_free_ char *detail = NULL;
        _cleanup_free_ char *what = fault(forged.data, forged.len, &detail);
        if (!str_eq(what, forgeries[i].what))
            fail_msg("forgery %zu: %s: %s", i, what ? what : "holds", detail ? detail : "");
    }
}

/* Who forges everything down to the results makes a document that agrees with
 * itself: that it does not is what this one proves, and no more. */
static void a_consistent_lie_is_for_others_to_find(void **state) {
    (void)state;
    struct sample lie = sample_plain;
    lie.loss = 2.0;
    _cleanup_buf_ struct buf text = {0};
    sealed(&lie, &text);
    holds(&text);
}

static void drafts_and_strange_documents_are_refused(void **state) {
    (void)state;
    _cleanup_buf_ struct buf draft = {0};
    sample_draft(&sample_plain, &draft);
    _cleanup_free_ char *what = fault(draft.data, draft.len, NULL);
    assert_string_equal(what, "parse");
    static const char *const strange[] = {"", "{}", "[]", "{\"format\":\"paddock-score\"}",
                                          "{\"format\":\"paddock-score\",\"version\":2}"};
    for (size_t i = 0; i < ARRAY_SIZE(strange); i++) {
        _cleanup_free_ char *refused = fault(strange[i], strlen(strange[i]), NULL);
        assert_string_equal(refused, "parse");
    }
}

static void the_record_rule_counts(void **state) {
    (void)state;
    _cleanup_buf_ struct buf text = {0};
    sealed(&sample_plain, &text);
    _cleanup_json_ struct json *doc = json_parse("t", text.data, text.len, NULL);
    /* Losses that do not vary at all are as significant as can be. */
    _cleanup_json_ struct json *strict = replaced(doc, "subject.task.p", "0.01");
    _cleanup_buf_ struct buf chained = {0};
    rechain(strict, -1, -1, -1, &chained);
    holds(&chained);
    /* One that varies so much is not, though its mean meets the target. */
    struct score s = {.has_target = true, .target = 2.3, .p = 0.01};
    struct score_run runs[3] = {{.counts = true, .metric = 1.0},
                                {.counts = true, .metric = 2.2},
                                {.counts = true, .metric = 3.5}};
    s.runs = runs;
    s.run_count = 3;
    assert_false(score_meets_target(&s, 0));
    s.p = 0;
    assert_true(score_meets_target(&s, 0));
    runs[0].metric = 2.20;
    runs[2].metric = 2.21;
    s.p = 0.01;
    assert_true(score_meets_target(&s, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(untouched_ones_verify),
        cmocka_unit_test(every_single_value_is_covered),
        cmocka_unit_test(layout_does_not_matter),
        cmocka_unit_test(a_new_chain_does_not_help),
        cmocka_unit_test(a_consistent_lie_is_for_others_to_find),
        cmocka_unit_test(drafts_and_strange_documents_are_refused),
        cmocka_unit_test(the_record_rule_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
