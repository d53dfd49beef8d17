/* Reading a score document: strict, whatever the bytes are. */
#include "orchestrator/judge/score.h"

#include "common/cleanup.h"
#include "orchestrator/judge/blocks.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define NS_MAX    (INT64_C(1) << 62)
#define BLOCK_MAX 9999

const char *const score_file_names[] = {"spec.json", "result.json", "exam.json", "stdout",
                                        "stderr",    "artifacts",   NULL};

/* ---- members ---- */

/* A string that the document owns; NULL for null. */
static const char *get_text(struct json_reader *r, const char *key) {
    const struct json *v = json_get(r, key, JSON_REQUIRED);
    const char *text = NULL;
    if (v && json_type(v) != JSON_NULL && json_as_string(v, &text, r->err) < 0) r->failed = true;
    return text;
}

static const char *need_text(struct json_reader *r, const char *key) {
    const char *text = get_text(r, key);
    if (!r->failed && !text) json_reader_fail(r, json_find(r->object, key), "must be a string");
    return text;
}

static const char *get_digest(struct json_reader *r, const char *key) {
    const char *text = get_text(r, key);
    if (text &&
        (strlen(text) != DIGEST_HEX - 1 || strspn(text, "0123456789abcdef") != strlen(text)))
        json_reader_fail(r, json_find(r->object, key), "must be 64 lower-case hex digits");
    return text;
}

static const char *need_digest(struct json_reader *r, const char *key) {
    const char *text = get_digest(r, key);
    if (!r->failed && !text) json_reader_fail(r, json_find(r->object, key), "must be a digest");
    return text;
}

/* "v12": safe as part of a path or a picture. */
static const char *get_id(struct json_reader *r, const char *key, char kind) {
    const char *text = get_text(r, key);
    if (!text) return NULL;
    size_t digits = strspn(text + (*text == kind), "0123456789");
    if (*text != kind || digits < 1 || digits > 18 || text[1] == '0' || text[1 + digits] != '\0')
        json_reader_fail(r, json_find(r->object, key), "must be a name such as %c12", kind);
    return text;
}

static const char *need_id(struct json_reader *r, const char *key, char kind) {
    const char *text = get_id(r, key, kind);
    if (!r->failed && !text) json_reader_fail(r, json_find(r->object, key), "must be a name");
    return text;
}

static int64_t get_int_or(struct json_reader *r, const char *key, int64_t min, int64_t max,
                          int64_t otherwise) {
    const struct json *v = json_get(r, key, JSON_REQUIRED);
    int64_t n = otherwise;
    if (v && json_type(v) != JSON_NULL && json_as_int(v, min, max, &n, r->err) < 0)
        r->failed = true;
    return n;
}

static double get_number(struct json_reader *r, const char *key) {
    const struct json *v = json_get(r, key, JSON_REQUIRED);
    double d = NAN;
    if (v && json_type(v) != JSON_NULL && json_as_double(v, -1e300, 1e300, &d, r->err) < 0)
        r->failed = true;
    return d;
}

static double need_number(struct json_reader *r, const char *key) {
    double d = get_number(r, key);
    if (!r->failed && !isfinite(d))
        json_reader_fail(r, json_find(r->object, key), "must be a number");
    return d;
}

static bool get_bool(struct json_reader *r, const char *key) {
    bool b = false;
    json_get_bool(r, key, JSON_REQUIRED, &b);
    return b;
}

/* An object, or NULL for null. */
static const struct json *get_object_or_null(struct json_reader *r, const char *key) {
    const struct json *v = json_get(r, key, JSON_REQUIRED);
    if (!v || json_type(v) == JSON_NULL) return NULL;
    return json_get_object(r, key, JSON_REQUIRED);
}

/* ---- subject ---- */

static int decode_task(const struct json *v, struct score *s, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    s->task = need_text(&r, "name");
    json_get_int(&r, "step", JSON_REQUIRED, 1, 100000, &s->step);
    s->task_digest = need_digest(&r, "digest");
    const char *metric = get_text(&r, "metric"), *unit = get_text(&r, "unit");
    s->metric_name = metric ? metric : "metric"; /* of a task that could not be read any more */
    s->unit = unit ? unit : "";
    s->higher_is_better = get_bool(&r, "higher_is_better");
    s->target = get_number(&r, "target");
    s->has_target = isfinite(s->target);
    json_get_double(&r, "p", JSON_REQUIRED, 0, 0.5, &s->p);
    return json_object_end(&r);
}

static int decode_plan(const struct json *v, struct score *s, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    json_get_int(&r, "blocks_min", JSON_REQUIRED, 1, BLOCK_MAX, &s->blocks_min);
    json_get_int(&r, "blocks_max", JSON_REQUIRED, 1, BLOCK_MAX, &s->blocks_max);
    json_get_double(&r, "half_width", JSON_REQUIRED, 0, 1e6, &s->half_width);
    s->level = SCORE_LEVEL;
    json_get_double(&r, "level", JSON_OPTIONAL, 0, 1, &s->level);
    if (s->level != SCORE_LEVEL && s->level != BLOCKS_LOOK_LEVEL)
        json_reader_fail(&r, json_find(r.object, "level"), "must be %g or %g", SCORE_LEVEL,
                         BLOCKS_LOOK_LEVEL);
    return json_object_end(&r);
}

static int decode_measured(const struct json *v, struct score *s, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    s->measured = need_text(&r, "outcome");
    s->measured_reason = get_text(&r, "reason");
    return json_object_end(&r);
}

static int decode_subject(const struct json *v, struct score *s, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    s->paddock = need_text(&r, "paddock");
    s->measurement = need_id(&r, "measurement", 'm');
    s->version = need_id(&r, "version", 'v');
    s->parent = get_id(&r, "parent", 'v');
    s->snapshot = need_digest(&r, "snapshot");
    s->arm = (size_t)get_int_or(&r, "arm", 2, SCORE_ARMS_MAX - 1, 0);
    s->created = need_text(&r, "created");
    const struct json *task = json_get_object(&r, "task", JSON_REQUIRED);
    const struct json *plan = json_get_object(&r, "plan", JSON_REQUIRED);
    const struct json *measured = json_get_object(&r, "measured", JSON_REQUIRED);
    s->phases = json_get_object(&r, "phases", JSON_REQUIRED);
    s->machine = get_object_or_null(&r, "machine");
    if (json_object_end(&r) < 0) return -1;
    if (decode_task(task, s, err) < 0 || decode_plan(plan, s, err) < 0) return -1;
    return decode_measured(measured, s, err);
}

/* ---- arms ---- */

static int decode_arm(const struct json *v, size_t place, struct score_arm *a, struct error *err) {
    static const char *const states[] = {"active", "left", NULL};
    static const char *const kinds[] = {"record", "candidate", NULL};
    struct json_reader r;
    int state = 0, kind = 0;
    json_object(&r, v, err);
    json_get_int(&r, "position", JSON_REQUIRED, 0, SCORE_ARMS_MAX - 1, &a->position);
    json_get_enum(&r, "kind", JSON_REQUIRED, kinds, &kind);
    a->record = get_int_or(&r, "record", 1, 1000000, 0);
    a->version = get_id(&r, "version", 'v');
    a->snapshot = need_digest(&r, "snapshot");
    json_get_enum(&r, "state", JSON_REQUIRED, states, &state);
    a->outcome = get_text(&r, "outcome");
    a->reason = get_text(&r, "reason");
    if (json_object_end(&r) < 0) return -1;
    a->kind = kinds[kind];
    a->active = state == 0;
    if (a->position != (int64_t)place) return json_error(v, err, "is not at its position");
    bool record = kind == 0;
    if (record != (place < 2) || record != (a->record > 0) || record != (a->version == NULL))
        return json_error(v, err, "positions 0 and 1 are records, the others are versions");
    if (!a->active && !a->outcome) return json_error(v, err, "left without an outcome");
    return 0;
}

static int decode_arms(const struct json *v, struct score *s, struct error *err) {
    size_t n = json_count(v);
    if (n < 3 || n > SCORE_ARMS_MAX)
        return json_error(v, err, "must have 3 to %d elements", SCORE_ARMS_MAX);
    s->arms = calloc(n, sizeof *s->arms);
    if (!s->arms) return error_sys(err, ENOMEM, "score");
    for (; s->arm_count < n; s->arm_count++)
        if (decode_arm(json_at(v, s->arm_count), s->arm_count, &s->arms[s->arm_count], err) < 0)
            return -1;
    if (s->arm >= n || !str_eq(s->arms[s->arm].version, s->version))
        return json_error(v, err, "the candidate is not where the subject says");
    return 0;
}

/* ---- runs ---- */

static int decode_files(const struct json *v, struct score_run *run, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    for (size_t i = 0; i < SCORE_FILE_COUNT; i++)
        run->files[i] = get_digest(&r, score_file_names[i]);
    return json_object_end(&r);
}

static int decode_run(const struct json *v, const struct score *s, struct score_run *run,
                      struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    run->node = v;
    run->id = need_id(&r, "run", 'r');
    run->phase = need_text(&r, "phase");
    run->arm = get_int_or(&r, "arm", 0, (int64_t)s->arm_count - 1, 0);
    run->block = get_int_or(&r, "block", 0, BLOCK_MAX, -1);
    run->position = get_int_or(&r, "position", 0, SCORE_ARMS_MAX - 1, -1);
    run->is_void = get_bool(&r, "void");
    run->counts = get_bool(&r, "counts");
    run->seed = get_text(&r, "seed");
    run->wall_ns = get_int_or(&r, "wall_ns", 1, NS_MAX, 0);
    run->metric = get_number(&r, "metric");
    run->ended = get_text(&r, "ended");
    run->outcome = get_text(&r, "outcome");
    run->rule = get_text(&r, "rule");
    run->reason = get_text(&r, "reason");
    run->began = need_text(&r, "began");
    run->finished = get_text(&r, "finished");
    const struct json *files = json_get_object(&r, "files", JSON_REQUIRED);
    run->exam = get_object_or_null(&r, "exam");
    run->result = get_object_or_null(&r, "result");
    if (json_object_end(&r) < 0 || decode_files(files, run, err) < 0) return -1;
    if (run->counts && (run->is_void || run->block < 0 || run->wall_ns == 0))
        return json_error(v, err, "a run that counts is in a block, not void, and has a time");
    return 0;
}

static int decode_runs(const struct json *v, struct score *s, struct error *err) {
    size_t n = json_count(v);
    if (n > SCORE_RUNS_MAX) return json_error(v, err, "has more than %d runs", SCORE_RUNS_MAX);
    s->runs = calloc(n + 1, sizeof *s->runs);
    if (!s->runs) return error_sys(err, ENOMEM, "score");
    for (; s->run_count < n; s->run_count++)
        if (decode_run(json_at(v, s->run_count), s, &s->runs[s->run_count], err) < 0) return -1;
    return 0;
}

/* ---- verdict ---- */

static int decode_blocks(const struct json *v, struct score_estimate *e, struct error *err) {
    e->blocks = calloc(json_count(v) + 1, sizeof *e->blocks);
    if (!e->blocks) return error_sys(err, ENOMEM, "score");
    for (; e->block_count < json_count(v); e->block_count++)
        if (json_as_int(json_at(v, e->block_count), 0, BLOCK_MAX, &e->blocks[e->block_count], err) <
            0)
            return -1;
    return 0;
}

static int decode_estimate(const struct json *v, struct score_estimate *e, struct error *err) {
    static const char *const methods[] = {SCORE_METHOD, NULL};
    struct fsr_interval *i = &e->i;
    struct json_reader r;
    int method = 0;
    int64_t arms = 0;
    json_object(&r, v, err);
    json_get_enum(&r, "method", JSON_REQUIRED, methods, &method);
    json_get_double(&r, "level", JSON_REQUIRED, 0.001, 0.999999, &i->level);
    const struct json *blocks = json_get_array(&r, "blocks", JSON_REQUIRED);
    json_get_int(&r, "arms", JSON_REQUIRED, 3, SCORE_ARMS_MAX, &arms);
    i->trimmed = get_bool(&r, "trimmed");
    i->bounded = get_bool(&r, "bounded");
    i->estimate = i->bounded ? need_number(&r, "fsr") : get_number(&r, "fsr");
    i->low = i->bounded ? need_number(&r, "low") : get_number(&r, "low");
    i->high = i->bounded ? need_number(&r, "high") : get_number(&r, "high");
    i->mean_a = need_number(&r, "mean_a_s");
    i->mean_b = need_number(&r, "mean_b_s");
    i->mean_c = need_number(&r, "mean_s");
    i->gap = need_number(&r, "gap_s");
    i->gap_low = need_number(&r, "gap_low_s");
    i->gap_high = need_number(&r, "gap_high_s");
    i->gap_to_noise = get_number(&r, "gap_to_noise");
    i->cv = need_number(&r, "cv");
    i->df = need_number(&r, "df");
    if (json_object_end(&r) < 0) return -1;
    i->arms = (size_t)arms;
    i->blocks = json_count(blocks);
    return decode_blocks(blocks, e, err);
}

static int check_findings(const struct json *v, struct error *err) {
    for (size_t i = 0; i < json_count(v); i++) {
        const struct json *rule = json_find(json_at(v, i), "rule");
        const struct json *text = json_find(json_at(v, i), "text");
        if (!rule || json_type(rule) != JSON_STRING || !text || json_type(text) != JSON_STRING)
            return json_error(json_at(v, i), err, "a finding has a rule and a text");
    }
    return 0;
}

static int decode_verdict(const struct json *v, struct score *s, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    s->outcome = need_text(&r, "outcome");
    s->rule = get_text(&r, "rule");
    s->reason = get_text(&r, "reason");
    s->findings = json_get_array(&r, "findings", JSON_REQUIRED);
    s->metric = NAN;
    const struct json *estimate = NULL;
    if (s->sealed) {
        s->metric = get_number(&r, "metric");
        estimate = get_object_or_null(&r, "estimate");
    }
    if (json_object_end(&r) < 0 || check_findings(s->findings, err) < 0) return -1;
    s->has_estimate = estimate != NULL;
    return estimate ? decode_estimate(estimate, &s->estimate, err) : 0;
}

/* ---- the whole ---- */

static int decode_chain(const struct json *v, struct score *s, struct error *err) {
    static const char *const algorithms[] = {"sha256", NULL};
    struct json_reader r;
    int algorithm = 0;
    json_object(&r, v, err);
    json_get_enum(&r, "algorithm", JSON_REQUIRED, algorithms, &algorithm);
    s->start = need_digest(&r, "start");
    const struct json *links = json_get_array(&r, "links", JSON_REQUIRED);
    s->head = need_digest(&r, "head");
    if (json_object_end(&r) < 0) return -1;
    if (json_count(links) != s->run_count)
        return json_error(links, err, "has %zu links for %zu runs", json_count(links),
                          s->run_count);
    s->links = calloc(s->run_count + 1, sizeof *s->links);
    if (!s->links) return error_sys(err, ENOMEM, "score");
    for (size_t i = 0; i < s->run_count; i++)
        if (json_as_string(json_at(links, i), &s->links[i], err) < 0) return -1;
    return 0;
}

static int check_reproduce(const struct json *v, struct error *err) {
    const char *text;
    for (size_t i = 0; i < json_count(v); i++)
        if (json_as_string(json_at(v, i), &text, err) < 0) return -1;
    return 0;
}

int score_decode(struct json *doc, struct score *s, struct error *err) {
    static const char *const formats[] = {SCORE_FORMAT, NULL};
    s->doc = doc;
    struct json_reader r;
    int format = 0;
    int64_t version = 0;
    json_object(&r, doc, err);
    json_get_enum(&r, "format", JSON_REQUIRED, formats, &format);
    json_get_int(&r, "version", JSON_REQUIRED, SCORE_VERSION, SCORE_VERSION, &version);
    const struct json *subject = json_get_object(&r, "subject", JSON_REQUIRED);
    const struct json *arms = json_get_array(&r, "arms", JSON_REQUIRED);
    const struct json *runs = json_get_array(&r, "runs", JSON_REQUIRED);
    const struct json *verdict = json_get_object(&r, "verdict", JSON_REQUIRED);
    s->reproduce = json_get_array(&r, "reproduce", JSON_REQUIRED);
    const struct json *chain = json_get_object(&r, "chain", JSON_OPTIONAL);
    if (json_object_end(&r) < 0) return -1;
    s->sealed = chain != NULL;
    if (decode_subject(subject, s, err) < 0 || decode_arms(arms, s, err) < 0 ||
        decode_runs(runs, s, err) < 0 || decode_verdict(verdict, s, err) < 0 ||
        check_reproduce(s->reproduce, err) < 0)
        return -1;
    return chain ? decode_chain(chain, s, err) : 0;
}

int score_parse(const char *source, const char *text, size_t len, struct score *out,
                struct error *err) {
    struct json *doc = json_parse(source, text, len, err);
    return doc ? score_decode(doc, out, err) : -1;
}

void score_clear(struct score *s) {
    json_free(s->doc);
    free(s->arms);
    free(s->runs);
    free(s->estimate.blocks);
    free(s->links);
    *s = (struct score){0};
}
