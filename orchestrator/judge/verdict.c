#include "orchestrator/judge/verdict.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/judge/exam.h"
#include "orchestrator/judge/rule.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#define QUOTED_BYTES 400 /* of the program's stderr */
#define QUOTED_LINES 4

const char *const outcome_names[] = {"valid",          "build-failed",
                                     "invalid-loss",   "invalid-artifact",
                                     "invalid-tamper", "invalid-environment",
                                     "timeout",        "out-of-memory",
                                     "crash",          "limit",
                                     "cancelled",      NULL};

const char *outcome_name(enum outcome o) {
    return outcome_names[o];
}

void verdict_clear(struct verdict *v) {
    free(v->reason);
    *v = (struct verdict){0};
}

/* While judging: what is known, and where the verdict goes. */
struct judge {
    const struct verdict_facts *facts;
    struct verdict *out;
    struct error *err;
};

/* Gives the verdict; the reason opens with the name of the phase. */
__attribute__((format(printf, 4, 5))) static int give(const struct judge *j, enum outcome outcome,
                                                      const char *rule, const char *fmt, ...) {
    _cleanup_buf_ struct buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_printf(&text, "%s: ", task_phase_names[j->facts->phase]);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    j->out->outcome = outcome;
    j->out->rule = rule;
    j->out->reason = buf_steal(&text);
    return j->out->reason ? 0 : error_sys(j->err, ENOMEM, "verdict");
}

static size_t quoted_from(const char *text, size_t len) {
    size_t from = len, lines = 0;
    while (from > 0 && len - from < QUOTED_BYTES) {
        if (text[from - 1] == '\n' && ++lines == QUOTED_LINES) break;
        from--;
    }
    return from;
}

/* The last lines of the program's stderr as ": one | two", or "". */
static char *quote(const struct verdict_facts *f) {
    const char *text = f->stderr_tail;
    size_t len = text ? f->stderr_len : 0;
    while (len > 0 && strchr("\n\r\t ", text[len - 1])) len--;
    _cleanup_buf_ struct buf out = {0};
    buf_puts(&out, "");
    const char *separator = ": ";
    for (size_t at = quoted_from(text, len); at < len;) {
        const char *newline = memchr(text + at, '\n', len - at);
        size_t end = newline ? (size_t)(newline - text) : len;
        _cleanup_free_ char *line = str_printable(text + at, end - at);
        if (line && *line) {
            buf_puts(&out, separator);
            buf_puts(&out, line);
            separator = " | ";
        }
        at = end + 1;
    }
    return out.len ? buf_steal(&out) : strdup("");
}

static const struct task_phase_spec *phase_of(const struct verdict_facts *f) {
    const struct task_phase_spec *const phases[] = {&f->task->build, &f->task->train,
                                                    &f->task->examine};
    return phases[f->phase];
}

static int give_exit(const struct judge *j, int code) {
    _cleanup_free_ char *quoted = quote(j->facts);
    if (j->facts->phase == PHASE_BUILD)
        return give(j, OUTCOME_BUILD_FAILED, RULE_BUILD_FAILED, "exit status %d%s", code,
                    quoted ? quoted : "");
    return give(j, OUTCOME_CRASH, RULE_EXIT_STATUS, "exit status %d%s", code, quoted ? quoted : "");
}

static int give_signal(const struct judge *j, int number) {
    const char *name = sigabbrev_np(number);
    bool build = j->facts->phase == PHASE_BUILD;
    return give(j, build ? OUTCOME_BUILD_FAILED : OUTCOME_CRASH,
                build ? RULE_BUILD_FAILED : RULE_SIGNAL, "ended by signal %d (SIG%s)", number,
                name ? name : "?");
}

/* What the launcher itself has to say, as text fit to show. */
static int give_launcher(const struct judge *j, enum outcome o, const char *rule,
                         const char *what) {
    const char *error = j->facts->result->error ? j->facts->result->error : "no reason given";
    size_t len = strlen(error);
    _cleanup_free_ char *shown = str_printable(error, len < QUOTED_BYTES ? len : QUOTED_BYTES);
    return give(j, o, rule, "%s: %s", what, shown ? shown : "");
}

/* A verdict from how the run ended, unless the program ended by itself. */
static int judge_fence(const struct judge *j, bool *done) {
    const struct result *r = j->facts->result;
    const struct spec_limits *l = &phase_of(j->facts)->limits;
    *done = true;
    switch (r->ended) {
    case ENDED_WALL_LIMIT:
        if (r->error)
            return give_launcher(j, OUTCOME_TIMEOUT, RULE_INIT_LIMIT, "not ready in time");
        return give(j, OUTCOME_TIMEOUT, RULE_WALL_LIMIT, "still running after %.4g s",
                    (double)l->wall_ms / 1e3);
    case ENDED_CPU_LIMIT:
        if (r->error)
            return give_launcher(j, OUTCOME_TIMEOUT, RULE_INIT_LIMIT, "not ready in time");
        return give(j, OUTCOME_TIMEOUT, RULE_CPU_LIMIT, "used more than %.4g s of cpu time",
                    (double)l->cpu_ms / 1e3);
    case ENDED_MEMORY_LIMIT:
        return give(j, OUTCOME_OUT_OF_MEMORY, RULE_MEMORY_LIMIT,
                    "used more than %.4g MiB of memory", (double)l->memory_bytes / 0x1p20);
    case ENDED_PIDS_LIMIT:
        return give(j, OUTCOME_LIMIT, RULE_PIDS_LIMIT,
                    "more than %" PRId64 " processes and threads", l->pids);
    case ENDED_OUTPUT_LIMIT:
        return give(j, OUTCOME_LIMIT, RULE_OUTPUT_LIMIT, "more than %" PRId64 " bytes of output",
                    l->output_bytes);
    case ENDED_DISK_LIMIT:
        return give(j, OUTCOME_LIMIT, RULE_DISK_LIMIT, "filled its workspace of %.4g MiB",
                    (double)l->disk_bytes / 0x1p20);
    case ENDED_POLICY_VIOLATION:
        return give_launcher(j, OUTCOME_INVALID_TAMPER, RULE_POLICY_VIOLATION, "broke the policy");
    case ENDED_SETUP_ERROR:
        return give_launcher(j, OUTCOME_INVALID_ENVIRONMENT, RULE_FENCE_FAILED,
                             "the fence could not be built");
    case ENDED_CLOCK:
        return give_launcher(j, OUTCOME_CRASH, RULE_CLOCK_BROKEN, "broke the clock's protocol");
    case ENDED_DONE:
    case ENDED_CANCELLED:
    case ENDED_EXIT:
    case ENDED_SIGNAL: break;
    }
    *done = false;
    return 0;
}

/* What is built must be whole: half of a tree would be another version. */
static int judge_tree(const struct judge *j) {
    const struct result *r = j->facts->result;
    for (size_t i = 0; i < r->collected_count; i++)
        if (r->collected[i].truncated)
            return give(j, OUTCOME_LIMIT, RULE_BUILT_TOO_LARGE,
                        "the built workspace was more than could be kept");
    return 0;
}

static bool failed_by_itself(const struct result *r) {
    return r->ended == ENDED_SIGNAL || (r->ended == ENDED_EXIT && r->exit_code != 0);
}

static int give_failure(const struct judge *j) {
    const struct result *r = j->facts->result;
    return r->ended == ENDED_SIGNAL ? give_signal(j, r->signal) : give_exit(j, r->exit_code);
}

static int judge_artifact(const struct judge *j) {
    const struct task *t = j->facts->task;
    const struct result *r = j->facts->result;
    for (size_t i = 0; i < r->collected_count; i++) {
        const struct collected *c = &r->collected[i];
        if (!str_eq(c->path, t->artifact)) continue;
        if (!c->present || c->files == 0) break;
        if (c->truncated)
            return give(j, OUTCOME_INVALID_ARTIFACT, RULE_ARTIFACT_TOO_LARGE,
                        "the artifact %s is larger than %" PRId64 " bytes or %" PRId64 " files",
                        t->artifact, t->artifact_bytes, t->artifact_files);
        return 0;
    }
    return give(j, OUTCOME_INVALID_ARTIFACT, RULE_NO_ARTIFACT, "left no artifact in %s",
                t->artifact);
}

/* Faster than any honest program could be on a machine of this kind. */
static int judge_floor(const struct judge *j) {
    const struct task *t = j->facts->task;
    int64_t wall_ns = j->facts->result->wall_ns;
    if (!t->floor_ms || wall_ns >= t->floor_ms * NS_PER_MS) return 0;
    return give(j, OUTCOME_INVALID_TAMPER, RULE_TIME_FLOOR,
                "took %.6g ms, at least %" PRId64 ": %s", (double)wall_ns / (double)NS_PER_MS,
                t->floor_ms, t->floor_why);
}

static int judge_metric(const struct judge *j) {
    const struct task *t = j->facts->task;
    double metric = j->facts->exam->metric;
    if (!j->facts->exam->has_metric || !isfinite(metric))
        return give(j, OUTCOME_INVALID_LOSS, RULE_NOT_FINITE, "%s is not a number", t->metric);
    bool met = !t->has_target || (t->higher_is_better ? metric >= t->target : metric <= t->target);
    if (met) return 0;
    return give(j, OUTCOME_INVALID_LOSS, RULE_TARGET_MISSED, "%s %.6g %s, target at %s %.6g",
                t->metric, metric, t->unit, t->higher_is_better ? "least" : "most", t->target);
}

/* The dialogue broke off because the program was gone. */
static bool broke_off(const struct exam *e) {
    return str_eq(e->end, "closed") || str_eq(e->end, "short-answer");
}

/* The rule that an examination ended by, which was not valid. */
static const char *rule_of(const struct exam *e) {
    static const struct {
        const char *end, *rule;
    } ends[] = {{"not-finite", RULE_NOT_FINITE},        {"late", RULE_WALL_LIMIT},
                {"inconsistent", RULE_EXAMINE_STATE},   {RULE_NO_LOSS, RULE_NO_LOSS},
                {RULE_AUDIT_FRESH, RULE_AUDIT_FRESH},   {RULE_AUDIT_SHUFFLED, RULE_AUDIT_SHUFFLED},
                {RULE_AUDIT_BABBLE, RULE_AUDIT_BABBLE}, {"no-answer", RULE_EXAMINER_FAILED}};
    if (e->outcome == OUTCOME_INVALID_ARTIFACT) return RULE_ARTIFACT_REFUSED;
    if (e->outcome == OUTCOME_INVALID_ENVIRONMENT) return RULE_EXAMINER_FAILED;
    if (e->outcome == OUTCOME_CANCELLED) return RULE_CANCELLED;
    for (size_t i = 0; i < ARRAY_SIZE(ends); i++)
        if (str_eq(e->end, ends[i].end)) return ends[i].rule;
    return RULE_LOCKSTEP_BROKEN;
}

static int judge_exam(const struct judge *j) {
    const struct exam *e = j->facts->exam;
    const struct result *r = j->facts->result;
    if (!e)
        return give(j, OUTCOME_INVALID_ENVIRONMENT, RULE_NO_RESULT,
                    "the examiner left no exam.json");
    if (e->kind == EXAMINER_PROGRAM && failed_by_itself(r)) {
        if (give_failure(j) < 0) return -1;
        j->out->outcome = OUTCOME_INVALID_ENVIRONMENT; /* the program is the task's own */
        j->out->rule = RULE_EXAMINER_FAILED;
        return 0;
    }
    if (failed_by_itself(r) && (broke_off(e) || e->outcome == OUTCOME_VALID))
        return give_failure(j);
    if (e->outcome != OUTCOME_VALID)
        return give(j, e->outcome, rule_of(e), "%s", e->reason ? e->reason : "no reason given");
    if (r->ended == ENDED_CANCELLED) return give(j, OUTCOME_CANCELLED, RULE_CANCELLED, "cancelled");
    return judge_metric(j);
}

int verdict_judge(const struct verdict_facts *facts, struct verdict *out, struct error *err) {
    const struct judge j = {facts, out, err};
    *out = (struct verdict){.outcome = OUTCOME_VALID};
    const struct result *r = facts->result;
    if (!r && facts->exam && facts->exam->outcome == OUTCOME_CANCELLED)
        return give(&j, OUTCOME_CANCELLED, RULE_CANCELLED, "cancelled");
    if (!r)
        return give(&j, OUTCOME_INVALID_ENVIRONMENT, RULE_NO_RESULT, "the launcher left no result");
    bool done = false;
    if (judge_fence(&j, &done) < 0) return -1;
    if (done) return 0;
    if (facts->phase == PHASE_EXAMINE) return judge_exam(&j);
    if (r->ended == ENDED_CANCELLED)
        return give(&j, OUTCOME_CANCELLED, RULE_CANCELLED, "cancelled");
    if (failed_by_itself(r)) return give_failure(&j);
    bool gated = facts->phase == PHASE_TRAIN && facts->task->train.clock.kind == CLOCK_GATED;
    if (gated && r->ended != ENDED_DONE)
        return give(&j, OUTCOME_CRASH, RULE_CLOCK_BROKEN, "left without saying DONE");
    if (facts->phase == PHASE_BUILD) return judge_tree(&j);
    if (judge_artifact(&j) < 0) return -1;
    return out->outcome == OUTCOME_VALID ? judge_floor(&j) : 0;
}
