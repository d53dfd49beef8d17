/*
 * What a candidate sends (orchestrator/judge): the examiner's side of the lockstep,
 * and the line that a task's own examiner prints. The first bytes choose sizes, the
 * rest is what comes from the other side.
 */
#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/judge/audit.h"
#include "orchestrator/judge/exam.h"
#include "orchestrator/judge/lockstep.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <string.h>

#define VOCABULARY_MIN 4
static const uint8_t text[] = {0, 1, 2, 3, 2, 1, 0, 3, 3, 1, 2, 0, 1, 1, 3, 2, 0, 2, 1, 3, 0, 0, 1,
                               2, 3, 3, 2, 2, 1, 0, 1, 3, 2, 0, 3, 1, 0, 2, 1, 3, 2, 1, 0, 3, 1, 2};

static void is_printable(const char *reason) {
    for (const char *p = reason; *p; p++)
        FUZZ_CHECK(*p >= ' ' && *p < 0x7f, "the reason holds byte 0x%02x", (unsigned char)*p);
}

static void check_report(const struct lockstep_config *c, const struct lockstep_report *r) {
    uint64_t all = (uint64_t)c->streams * c->tokens * c->rounds;
    FUZZ_CHECK(r->outcome <= LOCKSTEP_INCONSISTENT && lockstep_outcome_name(r->outcome),
               "outcome %d", r->outcome);
    FUZZ_CHECK(memchr(r->reason, 0, sizeof r->reason), "an endless reason");
    is_printable(r->reason);
    FUZZ_CHECK((r->outcome == LOCKSTEP_COMPLETE) == (r->reason[0] == '\0'), "%s: %s",
               lockstep_outcome_name(r->outcome), r->reason);
    FUZZ_CHECK(r->positions <= all, "%lu positions of %lu", r->positions, all);
    FUZZ_CHECK(r->outcome != LOCKSTEP_COMPLETE || r->positions == all, "complete with %lu of %lu",
               r->positions, all);
    /* −log2 of a softmax is never below 0, rounding aside. */
    FUZZ_CHECK(isfinite(r->bits_total) && r->bits_total >= -1e-6 * (double)(all + 1), "%g bits",
               r->bits_total);
}

/* What came without a full answer must not count as one. */
static void check_amount(const struct lockstep_config *c, const struct lockstep_report *r,
                         size_t sent) {
    size_t rounds = c->rounds + (size_t)1; /* as many segments as streams are asked again */
    size_t whole = 8 + (size_t)c->streams * c->tokens * rounds * c->vocabulary * sizeof(float);
    if (sent < whole)
        FUZZ_CHECK(r->outcome != LOCKSTEP_COMPLETE && r->outcome != LOCKSTEP_EXTRA,
                   "%s after %zu of %zu bytes", lockstep_outcome_name(r->outcome), sent, whole);
    if (sent > whole)
        FUZZ_CHECK(r->outcome != LOCKSTEP_COMPLETE, "complete with %zu for %zu bytes", sent, whole);
}

static void dialogue(struct fuzz_input *in) {
    struct lockstep_config c = {.text = text,
                                .len = sizeof text,
                                .block_bytes = 23,
                                .streams = 1 + fuzz_number(in, 3),
                                .tokens = 1 + fuzz_number(in, 4),
                                .rounds = 1 + fuzz_number(in, 2),
                                .vocabulary = VOCABULARY_MIN + fuzz_number(in, 5),
                                .seed = fuzz_byte(in),
                                .cancel_fd = -1};
    c.deadline_ns = clock_mono_ns() + 60 * NS_PER_SEC;
    _cleanup_close_ int from = fuzz_memfd(in->at, in->left);
    _cleanup_close_ int to = open("/dev/null", O_WRONLY | O_CLOEXEC);
    struct lockstep_report report;
    struct error err = {0};
    FUZZ_CHECK(lockstep_run(&c, to, from, &report, &err) == 0, "%s", error_text(&err));
    check_report(&c, &report);
    check_amount(&c, &report, in->left);
}

static bool recode(const struct json *doc, struct buf *out) {
    _cleanup_exam_ struct exam e = {0};
    if (exam_decode(doc, &e, NULL) < 0) return false;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    FUZZ_CHECK(w && exam_encode(&e, w, NULL) == 0, "out of memory");
    fuzz_take_text(w, out);
    return true;
}

/* Whatever the line is, there is an exam, and it can be saved and read again. */
static void answer(const struct fuzz_input *in) {
    _cleanup_exam_ struct exam e = {.kind = EXAMINER_PROGRAM};
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    _cleanup_buf_ struct buf written = {0};
    struct error err = {0};
    FUZZ_CHECK(exam_read_answer((const char *)in->at, in->left, &e, &err) == 0, "%s",
               error_text(&err));
    FUZZ_CHECK(e.outcome == OUTCOME_VALID ? e.has_metric && isfinite(e.metric) : !!e.reason,
               "outcome %d", e.outcome);
    FUZZ_CHECK(w && exam_encode(&e, w, &err) == 0, "%s", error_text(&err));
    fuzz_take_text(w, &written);
    FUZZ_CHECK(fuzz_round_trip("exam", buf_text(&written), written.len, recode),
               "our own exam is refused: %s", buf_text(&written));
}

/* What a program that measures itself printed. */
static void reported(const struct fuzz_input *in) {
    bool found = false;
    double loss = 0;
    struct error err = {0};
    FUZZ_CHECK(audit_read_loss((const char *)in->at, in->left, "loss: *([0-9.eE+-]+)( |$)", &found,
                               &loss, &err) == 0,
               "%s", error_text(&err));
    FUZZ_CHECK(!found || isfinite(loss), "%g", loss);
    struct audit_losses l = {.reported = {found ? loss : NAN, 2.5, 5}, .floor = 4};
    _cleanup_exam_ struct exam e = {.kind = EXAMINER_AUDIT};
    FUZZ_CHECK(audit_judge(&l, &e, &err) == 0, "%s", error_text(&err));
    FUZZ_CHECK((e.outcome == OUTCOME_VALID) == (found && loss == 2.5), "%g", loss);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct fuzz_input in = {data, len};
    signal(SIGPIPE, SIG_IGN);
    uint8_t which = fuzz_byte(&in);
    if (which & 0x80) answer(&in);
    else if (which & 0x40) reported(&in);
    else dialogue(&in);
    return 0;
}
