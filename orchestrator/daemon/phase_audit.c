/*
 * The examination of a program that measures itself (judge/audit.h): the train phase
 * three times more, with the timed run's seed, each on another validation stream. Nothing
 * in these runs tells the program that it is not timed.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/daemon/phase_spec.h"
#include "orchestrator/judge/audit.h"
#include "orchestrator/judge/exam_job.h"

#include <string.h>

#define SLACK_MS 30000 /* for fences to be built and torn down */

static int write_spec(struct execution *x, const struct run_row *row, const char *dir,
                      enum audit_stream which, struct error *err) {
    _cleanup_spec_ struct spec spec = {0};
    if (phase_train_spec(x, row, dir, audit_folders[which], &spec, err) < 0) return -1;
    /* The first one's janitor may still be about when the second starts. */
    char *id = str_printf("%s-%s", spec.id, audit_folders[which]);
    if (!id) return error_sys(err, ENOMEM, "audit");
    free(spec.id);
    spec.id = id;
    return phase_spec_write(&spec, dir, err);
}

/* What the audits may take together. */
static int64_t wall_of(const struct task *t) {
    int64_t init = t->train.clock.kind == CLOCK_GATED ? t->train.clock.gate.init_wall_ms : 0;
    return (AUDIT_STREAMS - 1) * (t->train.limits.wall_ms + init) + SLACK_MS;
}

static int write_job(const struct exam_job *job, const char *path, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    size_t len = 0;
    if (!w || exam_job_encode(job, w, err) < 0) return error_sys(err, ENOMEM, "audit");
    const char *text = json_writer_text(w, &len);
    return text ? file_write_atomic(path, text, len, 0600, err) : error_sys(err, ENOMEM, "audit");
}

int phase_audit_prepare(struct execution *x, const struct run_row *row, const char *dir,
                        const char *path, struct error *err) {
    const struct task *t = x->task;
    _cleanup_run_ struct run_row train = {0};
    if (phase_timed_run(x, &train, err) < 0) return -1;
    _cleanup_free_ char *timed = daemon_run_dir(x->d, train.id, err);
    _cleanup_exam_job_ struct exam_job job = {.kind = EXAMINER_AUDIT,
                                              .wall_ms = wall_of(t),
                                              .tolerance = t->audit_tolerance,
                                              .loss_per_bit = t->loss_per_bit};
    job.dir = strdup(dir);
    job.spec = path_join(dir, "spec.json");
    job.shuffled_dir = path_join(dir, audit_folders[AUDIT_SHUFFLED]);
    job.shuffled_spec = job.shuffled_dir ? path_join(job.shuffled_dir, "spec.json") : NULL;
    job.babble_dir = path_join(dir, audit_folders[AUDIT_BABBLE]);
    job.babble_spec = job.babble_dir ? path_join(job.babble_dir, "spec.json") : NULL;
    job.output = timed ? path_join(timed, "stdout") : NULL;
    job.stream = str_printf("%s/%s/" AUDIT_VAL, x->data, audit_folders[AUDIT_SHUFFLED]);
    job.pattern = strdup(t->loss_pattern);
    if (!job.dir || !job.spec || !job.shuffled_spec || !job.babble_spec || !job.output ||
        !job.stream || !job.pattern)
        return error_sys(err, ENOMEM, "audit");
    if (audit_babble_bits(x->data, &job.babble_bits, err) < 0) return -1;
    /* As the program sees it, this is the train phase with the same seed. */
    struct run_row as_train = *row;
    as_train.phase = train.phase;
    as_train.seed = train.seed;
    if (dir_make(job.shuffled_dir, 0755, err) < 0 || dir_make(job.babble_dir, 0755, err) < 0 ||
        write_spec(x, &as_train, dir, AUDIT_FRESH, err) < 0 ||
        write_spec(x, &as_train, job.shuffled_dir, AUDIT_SHUFFLED, err) < 0 ||
        write_spec(x, &as_train, job.babble_dir, AUDIT_BABBLE, err) < 0)
        return -1;
    return write_job(&job, path, err);
}
