/*
 * A score document for tests: three arms, four blocks, one void run; FSR about
 * 0.5. The runs are numbered from r10 on, a timed one and its examination each.
 */
#ifndef PADDOCK_TESTS_UNIT_SCORE_SAMPLE_H
#define PADDOCK_TESTS_UNIT_SCORE_SAMPLE_H

#include "common/cleanup.h"
#include "common/digest.h"
#include "orchestrator/judge/score.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct sample {
    int blocks;
    double loss;         /* of the candidate; the target is 2.3 */
    double noise;        /* relative */
    const char *outcome; /* as stated */
    const char *rule;
    const char *left;     /* the candidate's outcome; NULL: it stayed */
    const char *measured; /* NULL: complete */
    const char *reason;   /* of the void run */
};
static const struct sample sample_plain = {
    .blocks = 4, .loss = 2.2, .noise = 0.002, .outcome = "scored", .reason = "steal above 1 %"};

static void sample_digest(struct json_writer *w, const char *key, const char *what, int n) {
    char text[64], hex[DIGEST_HEX];
    snprintf(text, sizeof text, "%s %d", what, n);
    digest_hex_of(text, strlen(text), hex);
    json_put_string(w, key, hex);
}

static void sample_run(struct json_writer *w, const struct sample *p, int id, int arm, int block,
                       int position, bool timed, bool is_void) {
    static const double seconds[] = {10, 8, 9};
    double sway = (double)((id * 7919) % 11 - 5) / 5;
    int64_t ns = (int64_t)(seconds[arm] * (1 + p->noise * sway) * 1e9);
    double loss = arm == 2 ? p->loss : 2.25;
    char name[16];
    snprintf(name, sizeof name, "r%d", id);
    json_open_object(w, NULL);
    json_put_string(w, "run", name);
    json_put_string(w, "phase", timed ? "train" : "examine");
    json_put_int(w, "arm", arm);
    json_put_int(w, "block", block);
    json_put_int(w, "position", position);
    json_put_bool(w, "void", is_void);
    json_put_bool(w, "counts", timed && !is_void);
    json_put_string(w, "seed", timed ? "12345678901234567890" : NULL);
    json_put_int(w, "wall_ns", timed ? ns : 700000000 + id);
    json_put_double(w, "metric", is_void ? NAN : loss);
    json_put_string(w, "ended", timed ? "exit" : "complete");
    json_put_string(w, "outcome", timed && !is_void ? "valid" : NULL);
    json_put_string(w, "rule", NULL);
    json_put_string(w, "reason", is_void ? p->reason : NULL);
    json_put_string(w, "began", "2026-11-26T03:00:00.000Z");
    json_put_string(w, "finished", "2026-11-26T03:00:10.000Z");
    json_open_object(w, "files");
    for (size_t i = 0; i < SCORE_FILE_COUNT; i++) {
        bool there = i == SCORE_FILE_EXAM ? !timed : i == SCORE_FILE_ARTIFACTS ? timed : true;
        if (there) sample_digest(w, score_file_names[i], score_file_names[i], id);
        else json_put_null(w, score_file_names[i]);
    }
    json_close_object(w);
    if (timed) {
        json_put_null(w, "exam");
    } else {
        json_open_object(w, "exam");
        json_put_string(w, "kind", "lockstep");
        json_put_int(w, "positions", 1000);
        json_put_double(w, "bits_total", 1000 * loss);
        json_close_object(w);
    }
    json_open_object(w, "result");
    json_put_string(w, "ended", "exit");
    json_put_int(w, "wall_ns", timed ? ns : 500000000);
    json_put_int(w, "steal_ns", 10000000);
    sample_digest(w, "spec_sha256", "spec.json", id);
    sample_digest(w, "policy_sha256", "policy", 0);
    json_close_object(w);
    json_close_object(w);
}

static void sample_runs(struct json_writer *w, const struct sample *p) {
    int id = 10;
    json_open_array(w, "runs");
    for (int block = 0; block < p->blocks; block++)
        for (int position = 0; position < 3; position++) {
            int arm = (position + block) % 3;
            if (p->left && arm == 2 && block > 0) continue;
            if (block == 1 && position == 1)
                sample_run(w, p, id++, arm, block, position, true, true);
            sample_run(w, p, id++, arm, block, position, true, false);
            sample_run(w, p, id++, arm, block, position, false, false);
        }
    json_close_array(w);
}

static void sample_arms(struct json_writer *w, const struct sample *p) {
    json_open_array(w, "arms");
    for (int i = 0; i < 3; i++) {
        bool left = i == 2 && p->left;
        json_open_object(w, NULL);
        json_put_int(w, "position", i);
        json_put_string(w, "kind", i < 2 ? "record" : "candidate");
        if (i < 2) json_put_int(w, "record", i + 1);
        else json_put_null(w, "record");
        json_put_string(w, "version", i < 2 ? NULL : "v7");
        sample_digest(w, "snapshot", "snapshot", i);
        json_put_string(w, "state", left ? "left" : "active");
        json_put_string(w, "outcome", left ? p->left : NULL);
        json_put_string(w, "reason", NULL);
        json_close_object(w);
    }
    json_close_array(w);
}

static void sample_subject(struct json_writer *w, const struct sample *p) {
    json_open_object(w, "subject");
    json_put_string(w, "paddock", "0.1.0");
    json_put_string(w, "measurement", "m3");
    json_put_string(w, "version", "v7");
    json_put_string(w, "parent", "v1");
    sample_digest(w, "snapshot", "snapshot", 2);
    json_put_int(w, "arm", 2);
    json_put_string(w, "created", "2026-11-26T03:10:00.000Z");
    json_open_object(w, "task");
    json_put_string(w, "name", "toy");
    json_put_int(w, "step", 1);
    sample_digest(w, "digest", "task", 0);
    json_put_string(w, "metric", "loss");
    json_put_string(w, "unit", "bits per byte");
    json_put_bool(w, "higher_is_better", false);
    json_put_double(w, "target", 2.3);
    json_put_double(w, "p", 0);
    json_close_object(w);
    json_open_object(w, "plan");
    json_put_int(w, "blocks_min", 3);
    json_put_int(w, "blocks_max", 4);
    json_put_double(w, "half_width", 0.1);
    json_close_object(w);
    json_open_object(w, "measured");
    json_put_string(w, "outcome", p->measured ? p->measured : "complete");
    json_put_string(w, "reason", "the 4 blocks allowed are spent");
    json_close_object(w);
    json_open_object(w, "phases");
    json_open_object(w, "train");
    sample_digest(w, "policy_sha256", "policy", 0);
    json_close_object(w);
    json_close_object(w);
    json_open_object(w, "machine");
    json_put_string(w, "cpu", "a test");
    json_close_object(w);
    json_close_object(w);
}

/* The draft as text, into `out`. */
static void sample_draft(const struct sample *p, struct buf *out) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    json_open_object(w, NULL);
    json_put_string(w, "format", SCORE_FORMAT);
    json_put_int(w, "version", SCORE_VERSION);
    sample_subject(w, p);
    sample_arms(w, p);
    sample_runs(w, p);
    json_open_object(w, "verdict");
    json_put_string(w, "outcome", p->outcome);
    json_put_string(w, "rule", p->rule);
    json_put_string(w, "reason", NULL);
    json_open_array(w, "findings");
    json_open_object(w, NULL);
    json_put_string(w, "rule", "noisy-runs");
    json_put_string(w, "text", "1 of its 4 runs was outside the bounds");
    json_close_object(w);
    json_close_array(w);
    json_close_object(w);
    json_open_array(w, "reproduce");
    json_put_string(w, NULL, "paddock export v7 -o v7.tar.zst");
    json_close_array(w);
    json_close_object(w);
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    buf_append(out, text, len);
}

/* The sealed document as text. */
static int sample_seal(const struct sample *p, struct buf *out, struct error *err) {
    _cleanup_buf_ struct buf draft = {0};
    _cleanup_score_ struct score s = {0};
    sample_draft(p, &draft);
    if (score_parse("draft", buf_text(&draft), draft.len, &s, err) < 0) return -1;
    return score_seal(&s, out, err);
}

#endif
