/* Checking a sealed score against itself: one line for each thing looked at. */
#include "common/cleanup.h"
#include "orchestrator/judge/score.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#define TOLERANCE 1e-9 /* relative: another C library may round otherwise */

/* ---- the report ---- */

void score_report_add(struct score_report *r, bool ok, const char *what, const char *fmt, ...) {
    _cleanup_buf_ struct buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    r->failed = r->failed || !ok;
    struct score_check *grown = reallocarray(r->checks, r->count + 1, sizeof *grown);
    if (grown) r->checks = grown;
    char *copy = grown ? strdup(what) : NULL;
    char *detail = copy ? str_printable(buf_text(&text), text.len) : NULL;
    if (!detail) {
        free(copy);
        r->no_room = true;
        return;
    }
    grown[r->count++] = (struct score_check){.what = copy, .detail = detail, .ok = ok};
}

void score_report_clear(struct score_report *r) {
    for (size_t i = 0; i < r->count; i++) {
        free(r->checks[i].what);
        free(r->checks[i].detail);
    }
    free(r->checks);
    *r = (struct score_report){0};
}

/* ---- the chain ---- */

/* False when a link is not what it must be; the report names the first. */
static int follow_links(const struct score *s, struct score_report *out, bool *whole,
                        struct error *err) {
    char hex[DIGEST_HEX];
    const char *before = s->start;
    for (size_t i = 0; i < s->run_count; i++) {
        if (score_chain_step(before, s->runs[i].node, NULL, hex, err) < 0) return -1;
        if (!str_eq(hex, s->links[i])) {
            score_report_add(out, false, "chain",
                             "the link of run %zu, %s, does not follow from the one before: the run"
                             " was changed, moved, added or left out",
                             i + 1, s->runs[i].id);
            *whole = false;
            return 0;
        }
        before = s->links[i];
    }
    return 0;
}

static int check_chain(const struct score *s, struct score_report *out, struct error *err) {
    char hex[DIGEST_HEX];
    const struct json *subject = json_find(s->doc, "subject"), *arms = json_find(s->doc, "arms");
    const struct json *verdict = json_find(s->doc, "verdict");
    bool whole = true;
    if (score_chain_step(SCORE_CHAIN_FROM, subject, arms, hex, err) < 0) return -1;
    if (!str_eq(hex, s->start)) {
        score_report_add(out, false, "chain", "its start is not that of the subject and the arms");
        whole = false;
    }
    if (follow_links(s, out, &whole, err) < 0) return -1;
    const char *last = s->run_count ? s->links[s->run_count - 1] : s->start;
    if (score_chain_step(last, verdict, s->reproduce, hex, err) < 0) return -1;
    if (!str_eq(hex, s->head)) {
        score_report_add(out, false, "chain", "its head is not that of the verdict");
        whole = false;
    }
    if (whole) score_report_add(out, true, "chain", "%zu links, head %s", s->run_count, s->head);
    return 0;
}

/* ---- the runs ---- */

static bool same_number(const struct json *object, const char *key, double value) {
    const struct json *v = object ? json_find(object, key) : NULL;
    double d = NAN;
    if (!v || json_as_double(v, -INFINITY, INFINITY, &d, NULL) < 0) return true; /* not told */
    return d == value;
}

static bool same_text(const struct json *object, const char *key, const char *value) {
    const struct json *v = object ? json_find(object, key) : NULL;
    const char *text = NULL;
    if (!v || !value || json_as_string(v, &text, NULL) < 0) return true;
    return strcmp(text, value) == 0;
}

/* What a run's own result says against its entry; NULL: nothing. */
static const char *contradiction(const struct score_run *r) {
    bool timed = strcmp(r->phase, "train") == 0;
    if (!same_text(r->result, "spec_sha256", r->files[SCORE_FILE_SPEC]))
        return "its result was made under another spec.json";
    if (timed && r->wall_ns && !same_number(r->result, "wall_ns", (double)r->wall_ns))
        return "its official time is not that of its result";
    if (timed && !same_text(r->result, "ended", r->ended))
        return "how it ended is not what its result says";
    if (r->counts && !timed) return "only a timed run counts";
    if (r->counts && !r->files[SCORE_FILE_RESULT]) return "it counts and has no result.json";
    if (r->counts && !r->seed) return "it counts and has no seed";
    return NULL;
}

static int64_t number_of(const char *id) {
    return *id ? strtoll(id + 1, NULL, 10) : 0;
}

static void check_runs(const struct score *s, struct score_report *out) {
    size_t counted = 0, voids = 0, timed = 0;
    bool ok = true;
    for (size_t i = 0; i < s->run_count; i++) {
        const struct score_run *r = &s->runs[i];
        const char *against = contradiction(r);
        if (i > 0 && number_of(r->id) <= number_of(s->runs[i - 1].id))
            against = "it is not in the order in which runs are begun";
        if (against) {
            score_report_add(out, false, "runs", "%s: %s", r->id, against);
            ok = false;
        }
        counted += r->counts;
        voids += r->is_void;
        timed += strcmp(r->phase, "train") == 0;
    }
    if (ok)
        score_report_add(out, true, "runs", "%zu runs, %zu timed, %zu count, %zu void",
                         s->run_count, timed, counted, voids);
}

/* The examination that a timed run's metric is from: the last one of its slot. */
static const struct score_run *exam_of(const struct score *s, const struct score_run *timed) {
    for (size_t i = s->run_count; i > 0; i--) {
        const struct score_run *r = &s->runs[i - 1];
        if (r->block == timed->block && r->arm == timed->arm && !r->is_void &&
            strcmp(r->phase, "examine") == 0)
            return r;
    }
    return NULL;
}

/* Of a lockstep: bits over positions. */
static bool metric_is_its_bits(const struct score_run *exam) {
    const struct json *kind = exam->exam ? json_find(exam->exam, "kind") : NULL;
    const char *name = NULL;
    double bits = NAN, positions = NAN;
    if (!kind || json_as_string(kind, &name, NULL) < 0 || strcmp(name, "lockstep") != 0)
        return true;
    const struct json *b = json_find(exam->exam, "bits_total");
    const struct json *p = json_find(exam->exam, "positions");
    if (!b || !p || json_as_double(b, 0, INFINITY, &bits, NULL) < 0 ||
        json_as_double(p, 0, INFINITY, &positions, NULL) < 0 || positions == 0)
        return true;
    return fabs(bits / positions - exam->metric) <= TOLERANCE * fabs(exam->metric);
}

static void check_metrics(const struct score *s, struct score_report *out) {
    size_t n = 0;
    bool ok = true;
    for (size_t i = 0; i < s->run_count; i++) {
        const struct score_run *r = &s->runs[i];
        if (!r->counts) continue;
        const struct score_run *exam = exam_of(s, r);
        const char *against = NULL;
        if (!exam) against = "nothing examined what it left";
        else if (!isfinite(r->metric) || exam->metric != r->metric)
            against = "its metric is not its examiner's";
        else if (!metric_is_its_bits(exam)) against = "its metric is not bits over positions";
        if (against) score_report_add(out, false, "metrics", "%s: %s", r->id, against);
        ok = ok && !against;
        n++;
    }
    if (ok) score_report_add(out, true, "metrics", "of %zu runs, each its examiner's", n);
}

/* Every run of a phase under one policy, filter and image, by one Paddock. */
static void check_phases(const struct score *s, struct score_report *out) {
    static const char *const keys[] = {"policy_sha256", "filter_sha256", "image_digest", "version"};
    bool ok = true;
    for (size_t i = 0; i < s->run_count; i++) {
        const struct score_run *r = &s->runs[i];
        const struct json *phase = json_find(s->phases, r->phase);
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
            const struct json *want = phase && r->result ? json_find(phase, keys[k]) : NULL;
            const char *text = NULL;
            if (!want || r->is_void || json_as_string(want, &text, NULL) < 0) continue;
            if (same_text(r->result, keys[k], text)) continue;
            score_report_add(out, false, "phases", "%s: another %s than the document names", r->id,
                             keys[k]);
            ok = false;
        }
    }
    if (ok)
        score_report_add(out, true, "phases",
                         "all runs of a phase under one policy, filter and"
                         " image");
}

/* ---- the verdict ---- */

static bool same(double a, double b) {
    if (!isfinite(a) || !isfinite(b)) return isfinite(a) == isfinite(b);
    return fabs(a - b) <= TOLERANCE * fmax(fabs(a), fabs(b)) || fabs(a - b) < 1e-15;
}

static bool compare(struct score_report *out, const char *key, double stated, double found) {
    if (same(stated, found)) return true;
    score_report_add(out, false, "estimate", "%s is stated as %.9g, the runs give %.9g", key,
                     stated, found);
    return false;
}

static bool same_blocks(const struct score_estimate *a, const struct score_estimate *b) {
    return a->block_count == b->block_count &&
           memcmp(a->blocks, b->blocks, a->block_count * sizeof *a->blocks) == 0;
}

static bool compare_estimates(const struct score_estimate *stated,
                              const struct score_estimate *found, struct score_report *out) {
    const struct fsr_interval *a = &stated->i, *b = &found->i;
    double a_low = a->bounded ? a->low : NAN, a_high = a->bounded ? a->high : NAN;
    double b_low = b->bounded ? b->low : NAN, b_high = b->bounded ? b->high : NAN;
    bool ok = same_blocks(stated, found);
    if (!ok) score_report_add(out, false, "estimate", "other blocks count than those it names");
    if (a->bounded != b->bounded || a->trimmed != b->trimmed || a->arms != b->arms) {
        score_report_add(out, false, "estimate", "bounded, trimmed or arms is not what it must be");
        ok = false;
    }
    ok &= compare(out, "level", a->level, b->level);
    ok &= compare(out, "fsr", a->estimate, b->estimate);
    ok &= compare(out, "low", a_low, b_low);
    ok &= compare(out, "high", a_high, b_high);
    ok &= compare(out, "mean_a_s", a->mean_a, b->mean_a);
    ok &= compare(out, "mean_b_s", a->mean_b, b->mean_b);
    ok &= compare(out, "mean_s", a->mean_c, b->mean_c);
    ok &= compare(out, "gap_s", a->gap, b->gap);
    ok &= compare(out, "gap_low_s", a->gap_low, b->gap_low);
    ok &= compare(out, "gap_high_s", a->gap_high, b->gap_high);
    ok &= compare(out, "gap_to_noise", a->gap_to_noise, b->gap_to_noise);
    ok &= compare(out, "cv", a->cv, b->cv);
    ok &= compare(out, "df", a->df, b->df);
    return ok;
}

static void check_estimate(const struct score *s, const struct score_estimate *found, bool has,
                           struct score_report *out) {
    if (has != s->has_estimate) {
        score_report_add(out, false, "estimate",
                         has ? "the runs give one, and none is stated"
                             : "one is stated, and the runs give none");
        return;
    }
    if (!has) {
        score_report_add(out, true, "estimate", "none, as the runs have it");
        return;
    }
    if (compare_estimates(&s->estimate, found, out))
        score_report_add(out, true, "estimate", "FSR %.4f from %zu blocks of %zu arms, recomputed",
                         found->i.estimate, found->block_count, found->i.arms);
}

static void check_metric(const struct score *s, struct score_report *out) {
    double mean = score_mean_metric(s, s->arm);
    if (!same(mean, s->metric)) {
        score_report_add(out, false, "metric", "the mean is stated as %.9g, the runs give %.9g",
                         s->metric, mean);
        return;
    }
    if (!isfinite(mean)) score_report_add(out, true, "metric", "none, as the runs have it");
    else if (!s->has_target)
        score_report_add(out, true, "metric", "mean %s %.6g %s; there is no target", s->metric_name,
                         mean, s->unit);
    else
        score_report_add(out, true, "metric", "mean %s %.6g %s, which %s the target, %.6g",
                         s->metric_name, mean, s->unit,
                         score_meets_target(s, s->arm) ? "meets" : "misses", s->target);
}

/* An outcome that is not for the numbers to give must be one of a rule. */
static void check_outcome(const struct score *s, const struct score_estimate *found, bool has,
                          struct score_report *out) {
    const char *expected = score_expect_outcome(s, has ? found : NULL);
    if (str_eq(expected, s->outcome)) {
        score_report_add(out, true, "outcome", "%s", s->outcome);
        return;
    }
    if (s->rule && str_starts(s->outcome, "invalid-") && !str_eq(s->outcome, "invalid-loss")) {
        score_report_add(out, true, "outcome", "%s by rule %s, which the numbers alone do not tell",
                         s->outcome, s->rule);
        return;
    }
    score_report_add(out, false, "outcome", "stated as %s, the runs give %s", s->outcome, expected);
}

/* A record that misses its own target makes the whole measurement worthless. */
static void check_records(const struct score *s, struct score_report *out) {
    if (!str_eq(s->measured, "complete")) return;
    for (size_t i = 0; i < 2; i++)
        if (isfinite(score_mean_metric(s, i)) && !score_meets_target(s, i))
            score_report_add(out, false, "records",
                             "record %" PRId64 " misses the target itself: nothing can be scored",
                             s->arms[i].record);
}

static void check_subject(const struct score *s, struct score_report *out) {
    const struct score_arm *a = &s->arms[s->arm];
    bool same_files = str_eq(a->snapshot, s->snapshot);
    bool ladder = s->arms[0].record == s->step && s->arms[1].record == s->step + 1;
    if (!same_files)
        score_report_add(out, false, "subject", "the candidate's arm has another snapshot");
    if (!ladder) score_report_add(out, false, "subject", "the records are not those of the step");
    if (same_files && ladder)
        score_report_add(out, true, "subject", "%s of %s:%" PRId64 " in %s, snapshot %s",
                         s->version, s->task, s->step, s->measurement, s->snapshot);
}

int score_verify(const struct score *s, struct score_report *out, struct error *err) {
    struct score_estimate found = {0};
    bool has = false;
    if (!s->sealed)
        return error_set(err, ERROR_INVALID, "score: has no chain: a draft, not a score");
    if (check_chain(s, out, err) < 0) return -1;
    check_subject(s, out);
    check_phases(s, out);
    check_runs(s, out);
    check_metrics(s, out);
    check_records(s, out);
    _cleanup_error_ struct error bad = {0};
    if (score_make_estimate(s, &found, &has, &bad) < 0) {
        score_report_add(out, false, "estimate", "%s", error_text(&bad));
    } else {
        check_estimate(s, &found, has, out);
        check_metric(s, out);
        check_outcome(s, &found, has, out);
    }
    free(found.blocks);
    return out->no_room ? error_sys(err, ENOMEM, "score") : 0;
}
