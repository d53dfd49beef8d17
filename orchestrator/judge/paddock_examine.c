/*
 * paddock-examine JOB.json: one examination. Starts the launcher for the examine
 * phase, asks the candidate or waits for the task's own program, and leaves
 * exam.json in the run folder.
 *
 * A process of its own, since an examination must outlive a restart of the
 * daemon: it starts a session, hears no hang-up, and says in examiner.json who it
 * is before anything else. SIGTERM calls it off. Exit status: 0 when exam.json
 * was written, whatever it says; 125 when not, 2 for wrong usage.
 */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "orchestrator/judge/audit.h"
#include "orchestrator/judge/exam.h"
#include "orchestrator/judge/exam_job.h"
#include "orchestrator/judge/launch.h"
#include "orchestrator/judge/lockstep.h"
#include "orchestrator/paths/paths.h"

#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#define MAX_HELD_OUT (256 << 20)
#define MAX_ANSWER   (64 << 10)
#define MAX_OUTPUT   (256 << 20)
#define STOP_MS      20000 /* for the launcher to end a sandbox and write its result */

/* A process and its start time, which together name it for good. */
static int say_who(const char *dir, struct error *err) {
    _cleanup_buf_ struct buf stat = {0};
    if (file_read("/proc/self/stat", 4096, &stat, err) < 0) return -1;
    /* Field 22, counted behind the name, which may hold blanks and brackets. */
    char *at = strrchr(stat.data, ')');
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    if (!at) return error_set(err, ERROR_SYSTEM, "/proc/self/stat: no start time");
    _cleanup_free_ char *text = str_printf("{\"pid\": %d, \"start_ticks\": %llu}\n", (int)getpid(),
                                           strtoull(at + 1, NULL, 10));
    _cleanup_free_ char *path = path_join(dir, "examiner.json");
    if (!text || !path) return error_sys(err, ENOMEM, "examiner.json");
    return file_write_atomic(path, text, strlen(text), 0644, err);
}

/* Detaches from whoever started us; a descriptor that SIGTERM makes readable. */
static int detach(struct error *err) {
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    setsid(); /* fails for the leader of a group, who needs none */
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    if (sigprocmask(SIG_BLOCK, &stop, NULL) < 0) return error_sys(err, errno, "signals");
    int fd = signalfd(-1, &stop, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? error_sys(err, errno, "signalfd") : fd;
}

static int say(struct exam *e, enum outcome outcome, const char *end, const char *reason,
               struct error *err) {
    free(e->end);
    free(e->reason);
    e->outcome = outcome;
    e->has_metric = false;
    e->end = strdup(end);
    e->reason = strdup(reason);
    return e->end && e->reason ? 0 : error_sys(err, ENOMEM, "exam");
}

/* Only a launcher that wrote a result ran the phase at all. One that we stopped
 * ourselves changes nothing about why. */
static int check_launcher(const struct launch *l, struct exam *e, struct error *err) {
    if (l->stopped || (WIFEXITED(l->status) && WEXITSTATUS(l->status) == 0)) return 0;
    _cleanup_free_ char *reason =
        WIFEXITED(l->status)
            ? str_printf("the launcher failed with exit status %d", WEXITSTATUS(l->status))
            : str_printf("the launcher was ended by signal %d", WTERMSIG(l->status));
    if (!reason) return error_sys(err, ENOMEM, "exam");
    return say(e, OUTCOME_INVALID_ENVIRONMENT, "no-answer", reason, err);
}

static enum outcome outcome_of(enum lockstep_outcome o) {
    switch (o) {
    case LOCKSTEP_COMPLETE: return OUTCOME_VALID;
    case LOCKSTEP_LATE: return OUTCOME_TIMEOUT;
    case LOCKSTEP_CANCELLED: return OUTCOME_CANCELLED;
    case LOCKSTEP_INCONSISTENT: return OUTCOME_INVALID_TAMPER;
    default: return OUTCOME_INVALID_LOSS;
    }
}

static int fill_exam(const struct lockstep_report *report, struct exam *e, struct error *err) {
    e->positions = (int64_t)report->positions;
    e->bits_total = report->bits_total;
    if (say(e, outcome_of(report->outcome), lockstep_outcome_name(report->outcome), report->reason,
            err) < 0)
        return -1;
    if (report->outcome != LOCKSTEP_COMPLETE) return 0;
    free(steal_ptr(&e->reason));
    e->has_metric = true;
    e->metric = report->bits_total / (double)report->positions;
    return 0;
}

static bool is_cancelled(int cancel_fd) {
    struct signalfd_siginfo info;
    return read(cancel_fd, &info, sizeof info) == sizeof info;
}

/* Lets the launcher end by itself where its program did, so that its result says
 * how; stops it where only our verdict ends the run. A program that has answered
 * everything must end as well. */
static int finish_launch(struct launch *l, int cancel_fd, int64_t deadline_ns, struct exam *e,
                         struct error *err) {
    bool gone = str_eq(e->end, "complete") || str_eq(e->end, "inconsistent") ||
                str_eq(e->end, "closed") || str_eq(e->end, "short-answer");
    launch_close_pipes(l);
    if (gone) launch_wait(l, cancel_fd, deadline_ns);
    launch_stop(l, STOP_MS);
    if (!l->stopped || e->outcome != OUTCOME_VALID) return check_launcher(l, e, err);
    if (is_cancelled(cancel_fd)) return say(e, OUTCOME_CANCELLED, "cancelled", "cancelled", err);
    return say(e, OUTCOME_TIMEOUT, "late", "it was still running when the time was up", err);
}

static int examine_lockstep(const struct exam_job *job, const char *launcher, int cancel_fd,
                            int64_t deadline_ns, struct exam *e, struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    if (file_read(job->held_out, MAX_HELD_OUT, &text, err) < 0) return -1;
    digest_hex_of(buf_text(&text), text.len, e->held_out_sha256);
    e->seed = job->seed;
    const struct lockstep_config config = {.text = (const uint8_t *)buf_text(&text),
                                           .len = text.len,
                                           .block_bytes = (size_t)job->block_bytes,
                                           .streams = (uint32_t)job->streams,
                                           .tokens = (uint32_t)job->tokens,
                                           .rounds = (uint32_t)job->rounds,
                                           .vocabulary = (uint32_t)job->vocabulary,
                                           .seed = job->seed,
                                           .deadline_ns = deadline_ns,
                                           .cancel_fd = cancel_fd};
    _cleanup_launch_ struct launch l;
    struct lockstep_report report;
    if (launch_start(launcher, job->spec, job->dir, true, &l, err) < 0) return -1;
    if (lockstep_run(&config, l.to, l.from, &report, err) < 0) return -1;
    if (fill_exam(&report, e, err) < 0) return -1;
    return finish_launch(&l, cancel_fd, deadline_ns, e, err);
}

static int examine_program(const struct exam_job *job, const char *launcher, int cancel_fd,
                           int64_t deadline_ns, struct exam *e, struct error *err) {
    _cleanup_launch_ struct launch l;
    if (launch_start(launcher, job->spec, job->dir, false, &l, err) < 0) return -1;
    if (!launch_wait(&l, cancel_fd, deadline_ns)) {
        launch_stop(&l, STOP_MS);
        if (is_cancelled(cancel_fd))
            return say(e, OUTCOME_CANCELLED, "no-answer", "cancelled", err);
        return say(e, OUTCOME_TIMEOUT, "no-answer", "the time of the examination was up", err);
    }
    _cleanup_buf_ struct buf answer = {0};
    _cleanup_free_ char *path = path_join(job->dir, "stdout");
    _cleanup_error_ struct error fault = {0};
    if (!path) return error_sys(err, ENOMEM, "stdout");
    /* No output or too much of it is no answer. */
    if (file_read(path, MAX_ANSWER, &answer, &fault) < 0) answer.len = 0;
    if (exam_read_answer(buf_text(&answer), answer.len, e, err) < 0) return -1;
    return check_launcher(&l, e, err);
}

/* What a run printed last; NaN for nothing. */
static int reported_loss(const struct exam_job *job, const char *path, double *out,
                         struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    _cleanup_error_ struct error fault = {0};
    bool found = false;
    *out = NAN;
    if (file_read(path, MAX_OUTPUT, &text, &fault) < 0) return 0;
    double loss = 0;
    if (audit_read_loss(buf_text(&text), text.len, job->pattern, &found, &loss, err) < 0) return -1;
    if (found) *out = loss;
    return 0;
}

/* Trains once more; 1 when it was called off or late, which `e` then says. */
static int audit_run(const struct exam_job *job, const char *launcher, enum audit_stream which,
                     int cancel_fd, int64_t deadline_ns, struct audit_losses *losses,
                     struct exam *e, struct error *err) {
    const char *const dirs[] = {NULL, job->dir, job->shuffled_dir, job->babble_dir};
    const char *const specs[] = {NULL, job->spec, job->shuffled_spec, job->babble_spec};
    const char *dir = dirs[which];
    _cleanup_launch_ struct launch l;
    _cleanup_free_ char *output = path_join(dir, "stdout");
    if (!output) return error_sys(err, ENOMEM, "audit");
    if (launch_start(launcher, specs[which], dir, false, &l, err) < 0) return -1;
    if (!launch_wait(&l, cancel_fd, deadline_ns)) {
        launch_stop(&l, STOP_MS);
        bool called_off = is_cancelled(cancel_fd);
        return say(e, called_off ? OUTCOME_CANCELLED : OUTCOME_TIMEOUT, "no-answer",
                   called_off ? "cancelled" : "the time of the audits was up", err) < 0
                   ? -1
                   : 1;
    }
    if (reported_loss(job, output, &losses->reported[which], err) < 0) return -1;
    e->end = strdup("complete"); /* until something else is said */
    if (!e->end) return error_sys(err, ENOMEM, "audit");
    if (check_launcher(&l, e, err) < 0) return -1;
    return e->outcome == OUTCOME_INVALID_ENVIRONMENT;
}

static int examine_audit(const struct exam_job *job, const char *launcher, int cancel_fd,
                         int64_t deadline_ns, struct exam *e, struct error *err) {
    struct audit_losses losses = {.tolerance = job->tolerance,
                                  .slack = job->loss_per_bit * AUDIT_SLACK_BITS,
                                  .babble_floor = job->loss_per_bit * job->babble_bits};
    _cleanup_buf_ struct buf stream = {0};
    if (file_read(job->stream, MAX_HELD_OUT, &stream, err) < 0 ||
        reported_loss(job, job->output, &losses.reported[AUDIT_OFFICIAL], err) < 0)
        return -1;
    losses.floor =
        job->loss_per_bit * audit_entropy((const uint8_t *)buf_text(&stream), stream.len);
    for (enum audit_stream s = AUDIT_FRESH; s < AUDIT_STREAMS; s++) {
        free(steal_ptr(&e->end));
        int done = audit_run(job, launcher, s, cancel_fd, deadline_ns, &losses, e, err);
        if (done) return done < 0 ? -1 : 0;
    }
    return audit_judge(&losses, e, err);
}

static int examine(const char *job_path, struct error *err) {
    _cleanup_exam_job_ struct exam_job job = {0};
    _cleanup_exam_ struct exam e = {0};
    _cleanup_error_ struct error fault = {0};
    int64_t begin = clock_mono_ns();
    if (exam_job_load(job_path, &job, err) < 0 || say_who(job.dir, err) < 0) return -1;
    _cleanup_close_ int cancel_fd = detach(err);
    if (cancel_fd < 0) return -1;
    _cleanup_free_ char *launcher = paths_program("paddock-sandbox", &fault);
    int64_t deadline = begin + job.wall_ms * NS_PER_MS;
    e.kind = job.kind;
    int failed = -1;
    if (launcher && job.kind == EXAMINER_LOCKSTEP)
        failed = examine_lockstep(&job, launcher, cancel_fd, deadline, &e, &fault);
    else if (launcher && job.kind == EXAMINER_AUDIT)
        failed = examine_audit(&job, launcher, cancel_fd, deadline, &e, &fault);
    else if (launcher) failed = examine_program(&job, launcher, cancel_fd, deadline, &e, &fault);
    if (failed < 0 &&
        say(&e, OUTCOME_INVALID_ENVIRONMENT, "no-answer", error_text(&fault), err) < 0)
        return -1;
    e.wall_ns = clock_mono_ns() - begin;
    return exam_save(job.dir, &e, err);
}

int main(int argc, char **argv) {
    log_init("paddock-examine", LOG_LEVEL_WARN);
    if (argc != 2 || argv[1][0] == '-') {
        fprintf(stderr, "usage: paddock-examine JOB.json\n"
                        "Runs one examination and leaves exam.json in the run folder.\n");
        return 2;
    }
    prctl(PR_SET_DUMPABLE, 0); /* the held-out text is in our memory */
    _cleanup_error_ struct error err = {0};
    if (examine(argv[1], &err) == 0) return 0;
    log_error("%s", error_text(&err));
    return 125;
}
