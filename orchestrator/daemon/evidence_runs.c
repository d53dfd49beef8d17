/* Every run of a measurement, as score.json lists it. */
#include "common/cleanup.h"
#include "common/digest.h"
#include "common/file.h"
#include "orchestrator/daemon/evidence.h"
#include "orchestrator/daemon/run_digests.h"
#include "orchestrator/daemon/store_run.h"
#include "orchestrator/daemon/view.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define DOCUMENT_MAX ((size_t)16 << 20)

/* All rows that are asked for; slots by their ids. */
struct rows {
    struct run_row *runs;
    size_t run_count;
    struct slot_row *slots;
    size_t slot_count;
};

static int rows_load(struct daemon *d, int64_t measurement, struct rows *out, struct error *err) {
    if (run_list_measured(d->store, measurement, &out->runs, &out->run_count, err) < 0) return -1;
    return slot_list(d->store, measurement, &out->slots, &out->slot_count, err);
}

static void rows_clear(struct rows *r) {
    runs_free(r->runs, r->run_count);
    slots_free(r->slots, r->slot_count);
}

static const struct slot_row *slot_of(const struct rows *rows, const struct run_row *r) {
    for (size_t i = 0; r->owner.slot && i < rows->slot_count; i++)
        if (rows->slots[i].id == r->owner.slot) return &rows->slots[i];
    return NULL;
}

/* The task's text is made once for the installation, whoever comes first; what is
 * not over has no evidence yet. */
static bool is_listed(const struct run_row *r) {
    return r->state != RUN_RUNNING && strcmp(r->phase, "data") != 0;
}

/* A document of the run's folder whose digest was taken when the run ended; NULL
 * without an error when there is none. */
static int load_kept(struct daemon *d, const struct run_row *r, const char *name,
                     const char *digest, struct json **out, struct error *err) {
    char hex[DIGEST_HEX];
    _cleanup_buf_ struct buf text = {0};
    _cleanup_free_ char *dir = daemon_run_dir(d, r->id, err);
    _cleanup_free_ char *path = dir ? path_join(dir, name) : NULL;
    _cleanup_error_ struct error bad = {0};
    if (!path) return error_sys(err, ENOMEM, "evidence");
    if (file_read(path, DOCUMENT_MAX, &text, &bad) < 0)
        return bad.kind == ERROR_NOT_FOUND && !*digest ? 0 : error_move(err, &bad);
    digest_hex_of(buf_text(&text), text.len, hex);
    if (*digest && strcmp(digest, hex) != 0)
        return error_set(err, ERROR_SYSTEM,
                         "run r%" PRId64 ": %s is not what it was when the run ended", r->id, name);
    *out = json_parse(path, buf_text(&text), text.len, err);
    return *out ? 0 : -1;
}

static bool is_told(const char *key, const struct json *v) {
    static const char *const no[] = {"id", "labels", "error", "violation", NULL};
    enum json_type type = json_type(v);
    if (type == JSON_ARRAY || type == JSON_NULL) return false;
    for (const char *const *k = no; *k; k++)
        if (strcmp(*k, key) == 0) return false;
    return true;
}

/* Whatever the launcher counted: times, use, witnesses, and what it ran under. The
 * fence report and the limits are in the file that the digest is of. */
static void put_result(struct json_writer *w, const struct json *result) {
    if (!result) {
        json_put_null(w, "result");
        return;
    }
    json_open_object(w, "result");
    for (size_t i = 0; i < json_count(result); i++)
        if (is_told(json_key_at(result, i), json_at(result, i)))
            json_put_value(w, json_key_at(result, i), json_at(result, i));
    json_close_object(w);
}

static void put_exam(struct json_writer *w, const struct json *exam) {
    static const char *const told[] = {"kind",       "outcome",         "end", "positions",
                                       "bits_total", "held_out_sha256", NULL};
    if (!exam) {
        json_put_null(w, "exam");
        return;
    }
    json_open_object(w, "exam");
    for (const char *const *key = told; *key; key++) {
        const struct json *v = json_find(exam, *key);
        if (v) json_put_value(w, *key, v);
    }
    json_close_object(w);
}

static void put_files(struct json_writer *w, const struct run_digests *digests) {
    json_open_object(w, "files");
    for (size_t i = 0; i < SCORE_FILE_COUNT; i++)
        json_put_string(w, score_file_names[i], *digests->of[i] ? digests->of[i] : NULL);
    json_close_object(w);
}

static void put_number_or_null(struct json_writer *w, const char *key, bool there, int64_t v) {
    if (there) json_put_int(w, key, v);
    else json_put_null(w, key);
}

/* Reasons quote what a program wrote; one line, without control characters. */
static void put_reason(struct json_writer *w, const char *reason) {
    _cleanup_free_ char *clean = reason ? str_printable(reason, strlen(reason)) : NULL;
    json_put_string(w, "reason", clean);
}

/* The judge's word on a slot stands with the timed run that it took. */
static void put_row(struct json_writer *w, const struct run_row *r, const struct slot_row *slot) {
    bool is_its = slot && slot->run == r->id;
    bool counts = is_its && r->state == RUN_DONE && slot->state == SLOT_DONE && r->wall_ns > 0;
    view_id(w, "run", 'r', r->id);
    json_put_string(w, "phase", r->phase);
    json_put_int(w, "arm", r->owner.arm);
    put_number_or_null(w, "block", slot, slot ? slot->block : 0);
    put_number_or_null(w, "position", slot, slot ? slot->position : 0);
    json_put_bool(w, "void", r->state == RUN_VOID);
    json_put_bool(w, "counts", counts);
    json_put_string(w, "seed", r->seed);
    put_number_or_null(w, "wall_ns", r->wall_ns > 0, r->wall_ns);
    json_put_double(w, "metric", is_its ? slot->metric : r->metric);
    json_put_string(w, "ended", r->ended);
    json_put_string(w, "outcome", is_its ? slot->outcome : NULL);
    json_put_string(w, "rule", is_its ? slot->rule : NULL);
    put_reason(w, is_its && slot->reason ? slot->reason : r->reason);
    view_time(w, "began", r->created_ns);
    view_time(w, "finished", r->ended_ns);
}

static int put_run(struct daemon *d, struct json_writer *w, const struct run_row *r,
                   const struct slot_row *slot, struct error *err) {
    struct run_digests digests;
    _cleanup_json_ struct json *result = NULL;
    _cleanup_json_ struct json *exam = NULL;
    if (run_digests_get(d->store, r->id, &digests, err) < 0) return -1;
    /* The row of a run that is older than the table of digests has this one. */
    bool examines = strcmp(r->phase, "examine") == 0;
    char *kept = digests.of[examines ? SCORE_FILE_EXAM : SCORE_FILE_RESULT];
    if (!*kept && r->result_sha256) snprintf(kept, DIGEST_HEX, "%s", r->result_sha256);
    if (load_kept(d, r, "result.json", digests.of[SCORE_FILE_RESULT], &result, err) < 0 ||
        load_kept(d, r, "exam.json", digests.of[SCORE_FILE_EXAM], &exam, err) < 0)
        return -1;
    json_open_object(w, NULL);
    put_row(w, r, slot);
    put_files(w, &digests);
    put_exam(w, exam);
    put_result(w, result);
    json_close_object(w);
    return 0;
}

int evidence_put_runs(struct daemon *d, int64_t measurement, struct json_writer *w,
                      struct error *err) {
    _cleanup_(rows_clear) struct rows rows = {0};
    if (rows_load(d, measurement, &rows, err) < 0) return -1;
    json_open_array(w, "runs");
    for (size_t i = 0; i < rows.run_count; i++) {
        const struct run_row *r = &rows.runs[i];
        if (is_listed(r) && put_run(d, w, r, slot_of(&rows, r), err) < 0) return -1;
    }
    json_close_array(w);
    return 0;
}

/* Under what the first run of a phase ran; the others must agree. */
static int put_phase(struct daemon *d, struct json_writer *w, const struct rows *rows,
                     const char *phase, struct error *err) {
    static const char *const keys[] = {"policy_sha256", "filter_sha256", "image_digest", "version",
                                       NULL};
    for (size_t i = 0; i < rows->run_count; i++) {
        const struct run_row *r = &rows->runs[i];
        _cleanup_json_ struct json *result = NULL;
        if (r->state != RUN_DONE || strcmp(r->phase, phase) != 0) continue;
        if (load_kept(d, r, "result.json", "", &result, err) < 0) return -1;
        if (!result) continue;
        json_open_object(w, phase);
        for (const char *const *key = keys; *key; key++)
            if (json_find(result, *key)) json_put_value(w, *key, json_find(result, *key));
        json_close_object(w);
        return 0;
    }
    return 0;
}

int evidence_put_phases(struct daemon *d, int64_t measurement, struct json_writer *w,
                        struct error *err) {
    _cleanup_(rows_clear) struct rows rows = {0};
    if (rows_load(d, measurement, &rows, err) < 0) return -1;
    json_open_object(w, "phases");
    for (const char *const *phase = task_phase_names; *phase; phase++)
        if (put_phase(d, w, &rows, *phase, err) < 0) return -1;
    json_close_object(w);
    return 0;
}
