#include "orchestrator/judge/exam.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define MAX_EXAM_JSON (1 << 16)
#define MAX_REASON    200 /* of a reason that a task's program gives */

static const char *const kind_names[] = {"lockstep", "program", "audit", NULL};

int exam_encode(const struct exam *e, struct json_writer *w, struct error *err) {
    char seed[24];
    snprintf(seed, sizeof seed, "%" PRIu64, e->seed);
    json_open_object(w, NULL);
    json_put_string(w, "kind", kind_names[e->kind]);
    json_put_string(w, "outcome", outcome_name(e->outcome));
    json_put_string(w, "end", e->end);
    json_put_string(w, "reason", e->reason);
    if (e->has_metric) json_put_double(w, "metric", e->metric);
    else json_put_null(w, "metric");
    json_put_int(w, "positions", e->positions);
    json_put_double(w, "bits_total", e->bits_total);
    json_put_string(w, "held_out_sha256", *e->held_out_sha256 ? e->held_out_sha256 : NULL);
    json_put_string(w, "seed", seed);
    json_put_int(w, "wall_ns", e->wall_ns);
    if (e->kind == EXAMINER_AUDIT) {
        json_put_double(w, "fresh", e->audited ? e->fresh : NAN);
        json_put_double(w, "shuffled", e->audited ? e->shuffled : NAN);
        json_put_double(w, "floor", e->audited ? e->floor : NAN);
        json_put_double(w, "babble", e->audited ? e->babble : NAN);
        json_put_double(w, "babble_floor", e->audited ? e->babble_floor : NAN);
    }
    json_close_object(w);
    return json_writer_text(w, NULL) ? 0 : error_sys(err, ENOMEM, "exam");
}

/* The member unless it is null. */
static const struct json *get_unless_null(struct json_reader *r, const char *key) {
    const struct json *v = json_get(r, key, JSON_REQUIRED);
    return v && json_type(v) != JSON_NULL ? v : NULL;
}

static void read_optionals(struct json_reader *r, struct exam *out) {
    const struct json *v = get_unless_null(r, "reason");
    const char *text = NULL;
    if (v && json_as_string(v, &text, r->err) < 0) r->failed = true;
    else if (text && !(out->reason = strdup(text))) json_reader_fail(r, v, "out of memory");
    v = get_unless_null(r, "metric");
    out->has_metric = v != NULL;
    if (v && json_as_double(v, -1e300, 1e300, &out->metric, r->err) < 0) r->failed = true;
    v = get_unless_null(r, "held_out_sha256");
    uint8_t bytes[DIGEST_BYTES];
    if (v && json_as_string(v, &text, r->err) < 0) r->failed = true;
    else if (v && (strlen(text) != DIGEST_HEX - 1 || hex_decode(text, bytes, sizeof bytes) < 0))
        json_reader_fail(r, v, "must be 64 hexadecimal digits");
    else if (v) hex_encode(bytes, sizeof bytes, out->held_out_sha256);
}

static void read_seed(struct json_reader *r, struct exam *out) {
    const struct json *v = json_get(r, "seed", JSON_REQUIRED);
    const char *text = NULL;
    char *end = NULL;
    if (!v) return;
    if (json_as_string(v, &text, r->err) < 0) {
        r->failed = true;
        return;
    }
    errno = 0;
    out->seed = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno)
        json_reader_fail(r, v, "must be a 64-bit number in decimal digits");
}

/* All of them or none. */
static void read_audit(struct json_reader *r, struct exam *out) {
    static const char *const keys[] = {"fresh", "shuffled", "floor", "babble", "babble_floor"};
    double *const to[] = {&out->fresh, &out->shuffled, &out->floor, &out->babble,
                          &out->babble_floor};
    size_t there = 0;
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
        const struct json *v = get_unless_null(r, keys[i]);
        if (v && json_as_double(v, -1e300, 1e300, to[i], r->err) < 0) r->failed = true;
        there += v != NULL;
    }
    out->audited = there == ARRAY_SIZE(keys);
    if (!r->failed && there && !out->audited) json_reader_fail(r, r->object, "has half an audit");
}

int exam_decode(const struct json *doc, struct exam *out, struct error *err) {
    struct json_reader r;
    int kind = 0, outcome = 0;
    json_object(&r, doc, err);
    json_get_enum(&r, "kind", JSON_REQUIRED, kind_names, &kind);
    json_get_enum(&r, "outcome", JSON_REQUIRED, outcome_names, &outcome);
    json_get_string(&r, "end", JSON_REQUIRED, &out->end);
    read_optionals(&r, out);
    json_get_int(&r, "positions", JSON_REQUIRED, 0, INT64_MAX, &out->positions);
    json_get_double(&r, "bits_total", JSON_REQUIRED, 0, 1e300, &out->bits_total);
    read_seed(&r, out);
    json_get_int(&r, "wall_ns", JSON_REQUIRED, 0, INT64_MAX, &out->wall_ns);
    out->kind = (enum task_examiner)kind;
    out->outcome = (enum outcome)outcome;
    if (out->kind == EXAMINER_AUDIT) read_audit(&r, out);
    if (!r.failed && out->outcome == OUTCOME_VALID && !out->has_metric)
        json_reader_fail(&r, doc, "is valid without a metric");
    return json_object_end(&r);
}

int exam_load(const char *path, struct exam *out, struct error *err) {
    _cleanup_json_ struct json *doc = json_load(path, MAX_EXAM_JSON, err);
    return doc ? exam_decode(doc, out, err) : -1;
}

int exam_save(const char *dir, const struct exam *e, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    _cleanup_free_ char *path = path_join(dir, "exam.json");
    if (!w || !path) return error_sys(err, ENOMEM, "exam");
    if (exam_encode(e, w, err) < 0) return -1;
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    return file_write_atomic(path, text, len, 0644, err);
}

void exam_clear(struct exam *e) {
    free(e->end);
    free(e->reason);
    *e = (struct exam){0};
}

/* Replaces what the exam says; `reason` is not owned. */
static int say(struct exam *e, enum outcome outcome, const char *end, const char *reason,
               struct error *err) {
    free(e->end);
    free(e->reason);
    e->outcome = outcome;
    e->end = strdup(end);
    e->reason = reason ? strdup(reason) : NULL;
    return e->end && (!reason || e->reason) ? 0 : error_sys(err, ENOMEM, "exam");
}

static int no_answer(struct exam *e, const char *why, struct error *err) {
    _cleanup_free_ char *reason = str_printf("the task's examiner gave no answer: %s", why);
    return say(e, OUTCOME_INVALID_ENVIRONMENT, "no-answer", reason ? reason : why, err);
}

/* One of the two keys, and no other. */
static int decode_answer(const struct json *doc, struct exam *e, struct error *err) {
    struct json_reader r;
    _cleanup_error_ struct error fault = {0};
    _cleanup_free_ char *invalid = NULL;
    json_object(&r, doc, &fault);
    json_get_double(&r, "metric", JSON_OPTIONAL, -1e300, 1e300, &e->metric);
    json_get_string(&r, "invalid", JSON_OPTIONAL, &invalid);
    if (json_object_end(&r) < 0) return no_answer(e, error_text(&fault), err);
    if (json_count(doc) != 1) return no_answer(e, "it needs either metric or invalid", err);
    if (!invalid) {
        e->has_metric = true;
        return say(e, OUTCOME_VALID, "complete", NULL, err);
    }
    size_t len = strlen(invalid);
    _cleanup_free_ char *reason = str_printable(invalid, len < MAX_REASON ? len : MAX_REASON);
    if (!reason) return error_sys(err, ENOMEM, "exam");
    return say(e, OUTCOME_INVALID_ARTIFACT, "complete", reason, err);
}

int exam_read_answer(const char *text, size_t len, struct exam *e, struct error *err) {
    if (len == 0) return no_answer(e, "it printed nothing", err);
    const char *newline = memchr(text, '\n', len);
    if (newline && newline != text + len - 1)
        return no_answer(e, "it printed more than one line", err);
    _cleanup_error_ struct error fault = {0};
    _cleanup_json_ struct json *doc = json_parse("answer", text, len, &fault);
    if (!doc) return no_answer(e, error_text(&fault), err);
    return decode_answer(doc, e, err);
}
