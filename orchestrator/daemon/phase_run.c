/* Train and examine, and what the judge says of each phase. */
#include "common/cleanup.h"
#include "common/digest.h"
#include "common/file.h"
#include "orchestrator/daemon/gpu_run.h"
#include "orchestrator/daemon/phase.h"
#include "orchestrator/daemon/phase_spec.h"
#include "orchestrator/judge/exam.h"
#include "orchestrator/judge/exam_job.h"
#include "orchestrator/judge/rule.h"
#include "orchestrator/judge/verdict.h"

#include <fcntl.h>
#include <fts.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#define TAIL_BYTES 4096
#define WORK       "/work"
/* The fence is built and torn down beside the phase's own limit. */
#define EXAM_SLACK_MS 30000

void judged_clear(struct judged *j) {
    free(j->reason);
    j->reason = NULL;
}

void judged_set(struct judged *j, const char *outcome, const char *rule, const char *reason) {
    char *copy = reason ? strdup(reason) : NULL;
    free(j->reason);
    j->outcome = outcome;
    j->rule = rule;
    j->reason = copy;
}

enum run_end judged_given_up(struct judged *j, const struct run_row *row) {
    judged_set(j, "invalid-environment", RULE_NOT_RUN, row->reason);
    return RUN_END_DONE;
}

/* ---- the judge ---- */

/* The last bytes of what the program wrote to stderr. */
static void read_tail(const char *dir, struct buf *out) {
    _cleanup_free_ char *path = path_join(dir, "stderr");
    _cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) return;
    off_t from = st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0;
    char *to = buf_reserve(out, TAIL_BYTES);
    ssize_t n = to ? pread(fd, to, TAIL_BYTES, from) : -1;
    if (n > 0) out->len += (size_t)n;
}

int phase_judge(struct execution *x, const struct run_row *row, enum task_phase phase,
                struct judged *j, struct error *err) {
    _cleanup_free_ char *dir = daemon_run_dir(x->d, row->id, err);
    _cleanup_free_ char *result_path = dir ? path_join(dir, "result.json") : NULL;
    _cleanup_free_ char *exam_path = dir ? path_join(dir, "exam.json") : NULL;
    if (!result_path || !exam_path) return error_sys(err, ENOMEM, "judge");
    _cleanup_result_ struct result result = {0};
    _cleanup_exam_ struct exam exam = {0};
    _cleanup_buf_ struct buf tail = {0};
    bool has_result = access(result_path, F_OK) == 0;
    bool has_exam = phase == PHASE_EXAMINE && access(exam_path, F_OK) == 0;
    if (has_result && result_load(result_path, &result, err) < 0) return -1;
    if (has_exam && exam_load(exam_path, &exam, err) < 0) return -1;
    read_tail(dir, &tail);
    struct verdict_facts facts = {.task = x->task,
                                  .phase = phase,
                                  .result = has_result ? &result : NULL,
                                  .exam = has_exam ? &exam : NULL,
                                  .stderr_tail = buf_text(&tail),
                                  .stderr_len = tail.len};
    _cleanup_verdict_ struct verdict verdict = {0};
    if (verdict_judge(&facts, &verdict, err) < 0) return -1;
    if (has_exam && exam.has_metric) j->metric = exam.metric;
    if (verdict.outcome != OUTCOME_VALID || phase == PHASE_EXAMINE)
        judged_set(j, outcome_name(verdict.outcome), verdict.rule, verdict.reason);
    return 0;
}

/* ---- train ---- */

int phase_train_spec(struct execution *x, const struct run_row *row, const char *dir,
                     const char *data, struct spec *s, struct error *err) {
    const struct task *t = x->task;
    _cleanup_free_ char *out = path_join(WORK, t->artifact);
    if (!out) return error_sys(err, ENOMEM, "train");
    if (phase_spec_init(x, row, dir, &t->train, s, err) < 0) return -1;
    s->workspace_source = strdup(x->built);
    if (phase_spec_clock(s, &t->train.clock, err) < 0) return -1;
    s->gauge = true;
    if (phase_spec_env(s, "PADDOCK_SEED", row->seed, err) < 0) return -1;
    if (phase_spec_env(s, "PADDOCK_OUT", out, err) < 0) return -1;
    if (x->data) {
        _cleanup_free_ char *source = path_join(x->data, data);
        if (!source) return error_sys(err, ENOMEM, "train");
        bool gated = t->train.clock.kind == CLOCK_GATED;
        if ((gated ? phase_spec_gate_data : phase_spec_mount)(s, source, "/data", err) < 0)
            return -1;
        if (phase_spec_env(s, "PADDOCK_DATA", "/data", err) < 0) return -1;
    }
    return 0;
}

static int train_prepare(struct execution *x, const struct run_row *row, const char *dir,
                         char ***argv, struct error *err) {
    _cleanup_spec_ struct spec spec = {0};
    const struct task *t = x->task;
    if (phase_train_spec(x, row, dir, "train", &spec, err) < 0 ||
        phase_spec_collect(&spec, t->artifact, "out", t->artifact_bytes, t->artifact_files, err) <
            0)
        return -1;
    if (phase_spec_write(&spec, dir, err) < 0) return -1;
    return phase_launcher_args(dir, argv, err);
}

static int train_finish(struct execution *x, const char *dir, struct run_row *row,
                        struct error *err) {
    if (phase_launcher_finish(x, dir, row, err) < 0) return -1;
    gpu_run_judge(x, row);
    return phase_check_bounds(x, row, err);
}

static const struct run_plan train_plan = {.phase = "train",
                                           .program = "paddock-sandbox",
                                           .pidfile = "launcher.json",
                                           .result = "result.json",
                                           .prepare = train_prepare,
                                           .finish = train_finish};

enum run_end phase_train(struct execution *x, struct run_row *train, struct judged *j,
                         struct error *err) {
    enum run_end end = run_execute(x, &train_plan, train, err);
    if (end == RUN_END_GIVEN_UP) return judged_given_up(j, train);
    if (end != RUN_END_DONE) return end;
    j->wall_ns = train->wall_ns;
    return phase_judge(x, train, PHASE_TRAIN, j, err) < 0 ? RUN_END_FAILED : RUN_END_DONE;
}

/* ---- examine ---- */

/* Collected files are ours alone (0600); inside the fence another id reads them. */
static int open_to_all(const char *path, struct error *err) {
    char *const roots[] = {(char *)path, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!walk) return error_sys(err, errno, "%s", path);
    int rc = 0;
    for (FTSENT *e; rc == 0 && (e = fts_read(walk));) {
        if (e->fts_info == FTS_D && chmod(e->fts_accpath, 0755) < 0) rc = -1;
        if (e->fts_info == FTS_F && chmod(e->fts_accpath, e->fts_statp->st_mode | 0444) < 0)
            rc = -1;
    }
    if (rc < 0) error_sys(err, errno, "%s", path);
    fts_close(walk);
    return rc;
}

int phase_timed_run(struct execution *x, struct run_row *out, struct error *err) {
    bool found;
    int64_t voids;
    if (run_latest(x->d->store, &x->owner, "train", out, &found, &voids, err) < 0) return -1;
    return found ? 0 : error_set(err, ERROR_INTERNAL, "examine: no timed run");
}

/* The artifact that is examined: of the newest timed run of this owner. */
static char *artifact_dir(struct execution *x, struct error *err) {
    _cleanup_run_ struct run_row train = {0};
    if (phase_timed_run(x, &train, err) < 0) return NULL;
    _cleanup_free_ char *dir = daemon_run_dir(x->d, train.id, err);
    char *path = dir ? path_join(dir, "artifacts/out") : NULL;
    if (!path) error_sys(err, ENOMEM, "artifact");
    return path;
}

/* A program of the task's own: its files, and nothing of the candidate's but the
 * artifact. */
static int examine_tools(const struct task *t, struct spec *s, struct error *err) {
    _cleanup_free_ char *tools = path_join(t->dir, "examine");
    if (!tools) return error_sys(err, ENOMEM, "examine");
    if (access(tools, F_OK) < 0) return 0;
    return phase_spec_mount(s, tools, "/examine", err);
}

static int examine_spec(struct execution *x, const struct run_row *row, const char *dir,
                        struct spec *s, struct error *err) {
    const struct task *t = x->task;
    _cleanup_free_ char *out = path_join(WORK, t->artifact);
    _cleanup_free_ char *artifact = artifact_dir(x, err);
    if (!out || !artifact) return artifact ? error_sys(err, ENOMEM, "examine") : -1;
    if (open_to_all(artifact, err) < 0) return -1;
    if (phase_spec_init(x, row, dir, &t->examine, s, err) < 0) return -1;
    if (phase_spec_env(s, "PADDOCK_OUT", out, err) < 0) return -1;
    if (phase_spec_mount(s, artifact, out, err) < 0) return -1;
    if (t->examiner == EXAMINER_LOCKSTEP) {
        s->workspace_source = strdup(x->built);
        s->stdin_mode = s->stdout_mode = STDIO_INHERIT;
    } else if (examine_tools(t, s, err) < 0) {
        return -1;
    }
    return phase_spec_write(s, dir, err);
}

static int write_job(struct execution *x, const char *dir, const char *path, struct error *err) {
    const struct task *t = x->task;
    _cleanup_exam_job_ struct exam_job job = {.kind = t->examiner,
                                              .wall_ms = t->examine.limits.wall_ms + EXAM_SLACK_MS,
                                              .block_bytes = t->data.block_bytes,
                                              .streams = t->streams,
                                              .tokens = t->tokens,
                                              .rounds = t->rounds,
                                              .vocabulary = t->vocabulary};
    job.spec = path_join(dir, "spec.json");
    job.dir = strdup(dir);
    job.held_out = x->data ? path_join(x->data, "held-out.bin") : NULL;
    random_bytes(&job.seed, sizeof job.seed);
    if (!job.spec || !job.dir) return error_sys(err, ENOMEM, "examine");
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    if (!w || exam_job_encode(&job, w, err) < 0) return error_sys(err, ENOMEM, "examine");
    size_t len;
    const char *text = json_writer_text(w, &len);
    return text ? file_write_atomic(path, text, len, 0600, err) : error_sys(err, ENOMEM, "examine");
}

static int examine_prepare(struct execution *x, const struct run_row *row, const char *dir,
                           char ***argv, struct error *err) {
    _cleanup_spec_ struct spec spec = {0};
    _cleanup_free_ char *job = path_join(dir, "job.json");
    if (!job) return error_sys(err, ENOMEM, "examine");
    if (x->task->examiner == EXAMINER_AUDIT) {
        if (phase_audit_prepare(x, row, dir, job, err) < 0) return -1;
    } else if (examine_spec(x, row, dir, &spec, err) < 0 || write_job(x, dir, job, err) < 0) {
        return -1;
    }
    return strv_push(argv, job) < 0 ? error_sys(err, ENOMEM, "examine") : 0;
}

static int examine_finish(struct execution *x, const char *dir, struct run_row *row,
                          struct error *err) {
    (void)x;
    _cleanup_exam_ struct exam exam = {0};
    _cleanup_free_ char *path = path_join(dir, "exam.json");
    _cleanup_free_ char *result = path_join(dir, "result.json");
    if (!path || !result) return error_sys(err, ENOMEM, "examine");
    if (exam_load(path, &exam, err) < 0) return -1;
    free(row->ended);
    free(row->reason);
    row->ended = strdup(exam.end ? exam.end : "complete");
    row->reason = exam.reason ? strdup(exam.reason) : NULL;
    row->wall_ns = exam.wall_ns;
    row->metric = exam.has_metric ? exam.metric : NAN;
    /* Called off, or its launcher died: that says nothing about the candidate. */
    bool died = exam.outcome == OUTCOME_INVALID_ENVIRONMENT && access(result, F_OK) < 0;
    if (exam.outcome == OUTCOME_CANCELLED || died) row->state = RUN_VOID;
    return 0;
}

static const struct run_plan examine_plan = {.phase = "examine",
                                             .program = "paddock-examine",
                                             .pidfile = "examiner.json",
                                             .result = "exam.json",
                                             .prepare = examine_prepare,
                                             .finish = examine_finish};

enum run_end phase_examine(struct execution *x, struct judged *j, struct error *err) {
    _cleanup_run_ struct run_row row = {0};
    enum run_end end = run_execute(x, &examine_plan, &row, err);
    if (end == RUN_END_GIVEN_UP) return judged_given_up(j, &row);
    if (end != RUN_END_DONE) return end;
    return phase_judge(x, &row, PHASE_EXAMINE, j, err) < 0 ? RUN_END_FAILED : RUN_END_DONE;
}
