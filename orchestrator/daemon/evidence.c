#include "orchestrator/daemon/evidence.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "common/log.h"
#include "orchestrator/daemon/create.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/store_void.h"
#include "orchestrator/daemon/view.h"
#include "orchestrator/judge/score.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

/* What a document is made of beside its runs. */
struct facts {
    struct daemon *d;
    struct measurement_row m;
    struct arm_row *arms;
    size_t arm_count;
    struct score_row *scores;
    size_t score_count;
    const struct score_row *score; /* the one asked for */
    struct version_row version;
    struct task task;
    bool has_task; /* false: it was changed since, or is gone */
};

static void facts_clear(struct facts *f) {
    measurement_clear(&f->m);
    arms_free(f->arms, f->arm_count);
    scores_free(f->scores, f->score_count);
    version_clear(&f->version);
    task_clear(&f->task);
}

static int load(struct daemon *d, int64_t measurement, int64_t version, struct facts *f,
                struct error *err) {
    f->d = d;
    if (measurement_get(d->store, measurement, &f->m, err) < 0 ||
        version_get(d->store, version, &f->version, err) < 0 ||
        arm_list(d->store, measurement, &f->arms, &f->arm_count, err) < 0 ||
        score_list(d->store, measurement, 0, &f->scores, &f->score_count, err) < 0)
        return -1;
    for (size_t i = 0; i < f->score_count; i++)
        if (f->scores[i].version == version) f->score = &f->scores[i];
    if (!f->score)
        return error_set(err, ERROR_NOT_FOUND,
                         "measurement m%" PRId64 " has no score of v%" PRId64 "%s", measurement,
                         version, measurement_is_over(&f->m) ? "" : " yet: it is not over");
    f->has_task = create_load_task(f->m.task_dir, f->m.task_digest, &f->task, NULL) == 0;
    return 0;
}

/* ---- the parts of a draft ---- */

static void put_task(struct json_writer *w, const struct facts *f) {
    const struct task *t = &f->task;
    json_open_object(w, "task");
    json_put_string(w, "name", f->m.task);
    json_put_int(w, "step", f->m.step);
    json_put_string(w, "digest", f->m.task_digest);
    json_put_string(w, "metric", f->has_task ? t->metric : NULL);
    json_put_string(w, "unit", f->has_task ? t->unit : NULL);
    json_put_bool(w, "higher_is_better", t->higher_is_better);
    json_put_double(w, "target", t->has_target ? t->target : NAN);
    json_put_double(w, "p", t->p);
    json_close_object(w);
}

/* What the score says its interval is worth; the default of one without. */
static double level_of(const struct facts *f) {
    const char *text = f->score->document;
    _cleanup_json_ struct json *numbers = json_parse("score", text, strlen(text), NULL);
    const struct json *v = numbers ? json_find(numbers, "level") : NULL;
    double level = SCORE_LEVEL;
    if (v && json_type(v) == JSON_NUMBER) json_as_double(v, 0, 1, &level, NULL);
    return level;
}

static void put_plan(struct json_writer *w, const struct facts *f) {
    const struct measurement_row *m = &f->m;
    json_open_object(w, "plan");
    json_put_int(w, "blocks_min", m->blocks_min);
    json_put_int(w, "blocks_max", m->blocks_max);
    json_put_double(w, "half_width", m->half_width);
    json_put_double(w, "level", level_of(f));
    json_close_object(w);
    json_open_object(w, "measured");
    json_put_string(w, "outcome", m->outcome);
    json_put_string(w, "reason", m->reason);
    json_close_object(w);
}

/* What the measurement ran on, as it was noted then. */
static int put_machine(struct json_writer *w, const struct facts *f, struct error *err) {
    _cleanup_free_ char *text = NULL;
    if (measurement_fingerprint(f->d->store, f->m.id, &text, err) < 0) return -1;
    _cleanup_json_ struct json *machine =
        text ? json_parse("fingerprint", text, strlen(text), err) : NULL;
    if (text && !machine) return -1;
    if (machine) json_put_value(w, "machine", machine);
    else json_put_null(w, "machine");
    return 0;
}

static int put_subject(struct json_writer *w, const struct facts *f, struct error *err) {
    json_open_object(w, "subject");
    json_put_string(w, "paddock", PADDOCK_VERSION);
    view_id(w, "measurement", ID_MEASUREMENT, f->m.id);
    view_id(w, "version", ID_VERSION, f->version.id);
    view_id(w, "parent", ID_VERSION, f->version.parent);
    json_put_string(w, "snapshot", f->version.snapshot);
    json_put_int(w, "arm", f->score->arm);
    view_time(w, "created", f->score->created_ns);
    put_task(w, f);
    put_plan(w, f);
    if (evidence_put_phases(f->d, f->m.id, w, err) < 0) return -1;
    if (put_machine(w, f, err) < 0) return -1;
    json_close_object(w);
    return 0;
}

static void put_arms(struct json_writer *w, const struct facts *f) {
    json_open_array(w, "arms");
    for (size_t i = 0; i < f->arm_count; i++) {
        const struct arm_row *a = &f->arms[i];
        json_open_object(w, NULL);
        json_put_int(w, "position", a->position);
        json_put_string(w, "kind", a->kind);
        if (a->version) json_put_null(w, "record");
        else json_put_int(w, "record", f->m.step + a->position);
        view_id(w, "version", ID_VERSION, a->version);
        json_put_string(w, "snapshot", a->snapshot);
        json_put_string(w, "state", a->state);
        json_put_string(w, "outcome", a->outcome);
        json_put_string(w, "reason", a->reason);
        json_close_object(w);
    }
    json_close_array(w);
}

static void put_verdict(struct json_writer *w, const struct facts *f) {
    const char *text = f->score->document;
    _cleanup_json_ struct json *numbers = json_parse("score", text, strlen(text), NULL);
    const struct json *rule = numbers ? json_find(numbers, "rule") : NULL;
    const struct json *findings = numbers ? json_find(numbers, "findings") : NULL;
    json_open_object(w, "verdict");
    json_put_string(w, "outcome", f->score->outcome);
    if (rule) json_put_value(w, "rule", rule);
    else json_put_null(w, "rule");
    json_put_string(w, "reason", f->score->reason);
    if (findings) json_put_value(w, "findings", findings);
    else json_put_strv(w, "findings", NULL);
    json_close_object(w);
}

/* Command lines for whoever has the same installation. */
static void put_reproduce(struct json_writer *w, const struct facts *f) {
    _cleanup_buf_ struct buf line = {0};
    json_open_array(w, "reproduce");
    buf_printf(&line, "paddock export v%" PRId64 " -o v%" PRId64 ".tar.zst", f->version.id,
               f->version.id);
    json_put_string(w, NULL, buf_text(&line));
    buf_free(&line);
    buf_puts(&line, "paddock score");
    for (size_t i = 2; i < f->arm_count; i++) buf_printf(&line, " v%" PRId64, f->arms[i].version);
    if (f->m.blocks >= 2)
        buf_printf(&line, " --blocks-min %" PRId64 " --blocks-max %" PRId64, f->m.blocks,
                   f->m.blocks);
    json_put_string(w, NULL, buf_text(&line));
    buf_free(&line);
    buf_printf(&line,
               "paddock show --verdict v%" PRId64 " --measurement m%" PRId64 " --json -o m%" PRId64
               "-v%" PRId64 ".json",
               f->version.id, f->m.id, f->m.id, f->version.id);
    json_put_string(w, NULL, buf_text(&line));
    buf_free(&line);
    buf_printf(&line, "paddock verify m%" PRId64 "-v%" PRId64 ".json --daemon", f->m.id,
               f->version.id);
    json_put_string(w, NULL, buf_text(&line));
    json_close_array(w);
}

static int make(const struct facts *f, struct buf *out, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "evidence");
    json_open_object(w, NULL);
    json_put_string(w, "format", SCORE_FORMAT);
    json_put_int(w, "version", SCORE_VERSION);
    if (put_subject(w, f, err) < 0) return -1;
    put_arms(w, f);
    if (evidence_put_runs(f->d, f->m.id, w, err) < 0) return -1;
    put_verdict(w, f);
    put_reproduce(w, f);
    json_close_object(w);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    _cleanup_score_ struct score draft = {0};
    if (!text) return error_sys(err, ENOMEM, "evidence");
    return score_parse("evidence", text, len, &draft, err) < 0 ? -1 : score_seal(&draft, out, err);
}

/* ---- kept ---- */

static int keep(struct daemon *d, const char *name, const struct buf *text, struct error *err) {
    _cleanup_free_ char *dir = path_join(d->state, "scores");
    if (!dir) return error_sys(err, ENOMEM, "evidence");
    if (dir_make(dir, 0700, err) < 0) return -1;
    _cleanup_close_ int fd = dir_open(dir, err);
    return fd < 0 ? -1 : file_write_atomic_at(fd, name, buf_text(text), text->len, 0600, err);
}

int evidence_get(struct daemon *d, int64_t measurement, int64_t version, struct buf *out,
                 struct error *err) {
    char name[64];
    snprintf(name, sizeof name, "m%" PRId64 "-v%" PRId64 ".json", measurement, version);
    _cleanup_error_ struct error none = {0};
    _cleanup_free_ char *path = str_printf("%s/scores/%s", d->state, name);
    if (!path) return error_sys(err, ENOMEM, "evidence");
    if (file_read(path, SCORE_BYTES_MAX, out, &none) == 0) return 0;
    if (none.kind != ERROR_NOT_FOUND) return error_move(err, &none);
    _cleanup_(facts_clear) struct facts f = {0};
    if (load(d, measurement, version, &f, err) < 0 || make(&f, out, err) < 0)
        return error_wrap(err, "evidence");
    return keep(d, name, out, err);
}

void evidence_keep(struct daemon *d, int64_t measurement) {
    struct score_row *rows = NULL;
    size_t count = 0;
    _cleanup_error_ struct error err = {0};
    int rc = score_list(d->store, measurement, 0, &rows, &count, &err);
    for (size_t i = 0; i < count && rc == 0; i++) {
        _cleanup_buf_ struct buf text = {0};
        rc = evidence_get(d, measurement, rows[i].version, &text, &err);
    }
    if (rc < 0) log_warn("measurement m%" PRId64 ": %s", measurement, error_text(&err));
    scores_free(rows, count);
}
