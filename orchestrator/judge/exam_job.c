#include "orchestrator/judge/exam_job.h"

#include "common/cleanup.h"
#include "orchestrator/judge/lockstep.h"

#include <inttypes.h>

#define MAX_JOB_JSON (1 << 16)

static const char *const kind_names[] = {"lockstep", "program", "audit", NULL};

static void encode_audit(const struct exam_job *job, struct json_writer *w) {
    json_put_string(w, "shuffled_spec", job->shuffled_spec);
    json_put_string(w, "shuffled_dir", job->shuffled_dir);
    json_put_string(w, "babble_spec", job->babble_spec);
    json_put_string(w, "babble_dir", job->babble_dir);
    json_put_double(w, "babble_bits", job->babble_bits);
    json_put_string(w, "output", job->output);
    json_put_string(w, "stream", job->stream);
    json_put_string(w, "pattern", job->pattern);
    json_put_double(w, "tolerance", job->tolerance);
    json_put_double(w, "loss_per_bit", job->loss_per_bit);
}

int exam_job_encode(const struct exam_job *job, struct json_writer *w, struct error *err) {
    char seed[24];
    snprintf(seed, sizeof seed, "%" PRIu64, job->seed);
    json_open_object(w, NULL);
    json_put_string(w, "kind", kind_names[job->kind]);
    json_put_string(w, "spec", job->spec);
    json_put_string(w, "dir", job->dir);
    json_put_int(w, "wall_ms", job->wall_ms);
    if (job->kind == EXAMINER_LOCKSTEP) {
        json_put_string(w, "held_out", job->held_out);
        json_put_int(w, "block_bytes", job->block_bytes);
        json_put_int(w, "streams", job->streams);
        json_put_int(w, "tokens", job->tokens);
        json_put_int(w, "rounds", job->rounds);
        json_put_int(w, "vocabulary", job->vocabulary);
        json_put_string(w, "seed", seed);
    }
    if (job->kind == EXAMINER_AUDIT) encode_audit(job, w);
    json_close_object(w);
    return json_writer_text(w, NULL) ? 0 : error_sys(err, ENOMEM, "exam job");
}

static void get_path(struct json_reader *r, const char *key, char **out) {
    json_get_string(r, key, JSON_REQUIRED, out);
    if (!r->failed && (*out)[0] != '/')
        json_reader_fail(r, json_find(r->object, key), "must be an absolute path");
}

static void get_seed(struct json_reader *r, uint64_t *out) {
    const struct json *v = json_get(r, "seed", JSON_REQUIRED);
    const char *text = NULL;
    char *end = NULL;
    if (!v) return;
    if (json_as_string(v, &text, r->err) < 0) {
        r->failed = true;
        return;
    }
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno)
        json_reader_fail(r, v, "must be a 64-bit number in decimal digits");
}

static void read_audit(struct json_reader *r, struct exam_job *out) {
    get_path(r, "shuffled_spec", &out->shuffled_spec);
    get_path(r, "shuffled_dir", &out->shuffled_dir);
    get_path(r, "babble_spec", &out->babble_spec);
    get_path(r, "babble_dir", &out->babble_dir);
    json_get_double(r, "babble_bits", JSON_REQUIRED, 0, 8, &out->babble_bits);
    get_path(r, "output", &out->output);
    get_path(r, "stream", &out->stream);
    json_get_string(r, "pattern", JSON_REQUIRED, &out->pattern);
    json_get_double(r, "tolerance", JSON_REQUIRED, 0, 1e9, &out->tolerance);
    json_get_double(r, "loss_per_bit", JSON_REQUIRED, 1e-6, 1e6, &out->loss_per_bit);
}

int exam_job_decode(const struct json *doc, struct exam_job *out, struct error *err) {
    struct json_reader r;
    int kind = 0;
    json_object(&r, doc, err);
    json_get_enum(&r, "kind", JSON_REQUIRED, kind_names, &kind);
    out->kind = (enum task_examiner)kind;
    get_path(&r, "spec", &out->spec);
    get_path(&r, "dir", &out->dir);
    json_get_int(&r, "wall_ms", JSON_REQUIRED, 1, INT64_C(604800000), &out->wall_ms);
    if (out->kind == EXAMINER_LOCKSTEP) {
        get_path(&r, "held_out", &out->held_out);
        json_get_int(&r, "block_bytes", JSON_REQUIRED, 2, 1 << 20, &out->block_bytes);
        json_get_int(&r, "streams", JSON_REQUIRED, 1, LOCKSTEP_MAX_STREAMS, &out->streams);
        json_get_int(&r, "tokens", JSON_REQUIRED, 1, LOCKSTEP_MAX_TOKENS, &out->tokens);
        json_get_int(&r, "rounds", JSON_REQUIRED, 1, UINT32_MAX, &out->rounds);
        json_get_int(&r, "vocabulary", JSON_REQUIRED, 2, LOCKSTEP_MAX_VOCABULARY, &out->vocabulary);
        get_seed(&r, &out->seed);
    }
    if (out->kind == EXAMINER_AUDIT) read_audit(&r, out);
    return json_object_end(&r);
}

int exam_job_load(const char *path, struct exam_job *out, struct error *err) {
    _cleanup_json_ struct json *doc = json_load(path, MAX_JOB_JSON, err);
    return doc ? exam_job_decode(doc, out, err) : -1;
}

void exam_job_clear(struct exam_job *job) {
    free(job->spec);
    free(job->dir);
    free(job->held_out);
    free(job->shuffled_spec);
    free(job->shuffled_dir);
    free(job->babble_spec);
    free(job->babble_dir);
    free(job->output);
    free(job->stream);
    free(job->pattern);
    *job = (struct exam_job){0};
}
