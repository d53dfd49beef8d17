/* What a calibration found, written into the state folder. */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/measure.h"
#include "orchestrator/daemon/view.h"
#include "orchestrator/judge/calibrate.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* A calibration while it is written down. */
struct found {
    const struct measure *m;
    struct measure_table table;
    struct calibration whole;
    struct calibrated_record records[MEASUREMENT_ARMS_MAX];
    bool enough; /* two blocks and two records: the numbers are there */
};

char *measure_calibration_dir(const struct daemon *d, struct error *err) {
    char *dir = path_join(d->state, "calibrations");
    if (!dir) error_sys(err, ENOMEM, "calibrations");
    return dir;
}

static int estimate(struct found *f, struct error *err) {
    size_t numbers[MEASUREMENT_ARMS_MAX];
    if (measure_table(f->m, &f->table, err) < 0) return -1;
    for (size_t k = 0; k < f->table.arms; k++) numbers[k] = f->table.columns[k];
    f->enough = f->table.blocks >= 2 && f->table.arms >= 2;
    if (!f->enough) return 0;
    return calibrate_records(f->table.times, f->table.blocks, f->table.arms, numbers,
                             (size_t)f->m->task.blocks_max, &f->whole, f->records, err);
}

/* The figures of an arm; NULL when it left or there are none. */
static const struct calibrated_record *record_of(const struct found *f, size_t arm) {
    for (size_t k = 0; f->enough && k < f->table.arms; k++)
        if (f->table.columns[k] == arm) return &f->records[k];
    return NULL;
}

/* The time of a measurement with this step's two records and a candidate like
 * the first: as much longer than its timed runs as the blocks here were. */
static double seconds_needed(const struct found *f, const struct calibrated_record *r) {
    double means = 0, block = 3 * r->mean - r->gap;
    for (size_t k = 0; k < f->table.arms; k++) means += f->records[k].mean;
    return r->blocks_needed * block * measure_block_s(f->m) / means;
}

static void put_step(struct json_writer *w, const struct found *f,
                     const struct calibrated_record *r) {
    if (!r || !r->has_step) {
        json_put_null(w, "next");
        return;
    }
    json_open_object(w, "next");
    json_put_double(w, "gap_s", r->gap);
    json_put_double(w, "gap_fraction", r->gap / r->mean);
    json_put_double(w, "cv", r->step_cv);
    json_put_double(w, "cv_single", r->step_cv_single);
    json_put_double(w, "gap_to_noise", r->gap_to_noise);
    json_put_double(w, "noise_fsr", r->noise_fsr);
    json_put_double(w, "noise_fsr_simulated", r->noise_fsr_simulated);
    json_put_double(w, "blocks_needed", r->blocks_needed);
    json_put_double(w, "seconds_needed", seconds_needed(f, r));
    json_put_string(w, "best_outcome", fsr_outcome_name(r->best));
    json_close_object(w);
}

static void put_record(struct json_writer *w, const struct found *f, size_t arm) {
    const struct measure *m = f->m;
    const struct calibrated_record *r = record_of(f, arm);
    struct record_finding target = measure_finding(m, arm);
    struct record_rule rule = measure_rule(&m->task);
    size_t record = (size_t)m->row.step + arm;
    json_open_object(w, NULL);
    json_put_int(w, "record", (int64_t)record);
    json_put_string(w, "title", m->task.records[record - 1].title);
    json_put_string(w, "outcome", m->arms[arm].outcome); /* null: it got through */
    json_put_string(w, "reason", m->arms[arm].reason);
    json_put_int(w, "runs", (int64_t)target.runs);
    json_put_double(w, "mean_s", r ? r->mean : NAN);
    json_put_double(w, "cv", r ? r->cv : NAN);
    json_put_double(w, "metric", target.mean);
    json_put_bool(w, "meets_target", target.met);
    _cleanup_free_ char *why =
        target.met ? NULL : record_rule_reason(&rule, &target, m->task.metric, m->task.unit);
    json_put_string(w, "target_reason", why);
    put_step(w, f, r);
    json_close_object(w);
}

static void put_machine(struct json_writer *w, const struct daemon *d) {
    _cleanup_json_ struct json *machine =
        d->machine ? json_parse("machine", d->machine, strlen(d->machine), NULL) : NULL;
    if (machine) json_put_value(w, "machine", machine);
    else json_put_null(w, "machine");
}

static void put_document(struct json_writer *w, const struct found *f) {
    const struct measure *m = f->m;
    json_open_object(w, NULL);
    view_id(w, "measurement", ID_MEASUREMENT, m->row.id);
    json_put_string(w, "task", m->row.task);
    json_put_string(w, "task_digest", m->row.task_digest);
    view_time(w, "created", clock_real_ns());
    json_put_int(w, "blocks", (int64_t)f->table.blocks);
    json_put_double(w, "block_s", measure_block_s(m));
    json_put_double(w, "cv", f->enough ? f->whole.cv : NAN);
    json_put_double(w, "cv_single", f->enough ? f->whole.cv_single : NAN);
    json_put_double(w, "df", f->enough ? f->whole.df : NAN);
    json_put_int(w, "tries", CALIBRATE_TRIES);
    json_put_double(w, "half_width", CALIBRATE_HALF_WIDTH);
    json_put_int(w, "blocks_max", m->task.blocks_max);
    json_open_array(w, "records");
    for (size_t i = 0; i < m->arm_count; i++) put_record(w, f, i);
    json_close_array(w);
    put_machine(w, m->d);
    json_close_object(w);
}

static int write_file(const char *dir, const char *name, const char *text, size_t len,
                      struct error *err) {
    _cleanup_free_ char *path = name ? path_join(dir, name) : NULL;
    if (!path) return error_sys(err, ENOMEM, "calibration");
    return file_write_atomic(path, text, len, 0644, err);
}

static int write_files(const struct measure *m, const char *text, size_t len, struct error *err) {
    _cleanup_free_ char *dir = measure_calibration_dir(m->d, err);
    _cleanup_free_ char *own = str_printf("m%" PRId64 ".json", m->row.id);
    bool whole = m->arm_count == m->task.record_count;
    _cleanup_free_ char *newest =
        whole ? str_printf("%s.json", m->row.task_digest)
              : str_printf("%s-%" PRId64 ".json", m->row.task_digest, m->row.step);
    if (!dir || dir_make(dir, 0755, err) < 0) return -1;
    if (write_file(dir, own, text, len, err) < 0) return -1;
    return write_file(dir, newest, text, len, err);
}

int measure_write_calibration(const struct measure *m, struct error *err) {
    struct found f = {.m = m};
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    int rc = w ? estimate(&f, err) : error_sys(err, ENOMEM, "calibration");
    if (rc == 0) {
        put_document(w, &f);
        size_t len = 0;
        const char *text = json_writer_text(w, &len);
        rc = text ? write_files(m, text, len, err) : error_sys(err, ENOMEM, "calibration");
    }
    free(f.table.times);
    return rc;
}
