#include "orchestrator/daemon/run.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/log.h"
#include "orchestrator/daemon/gpu_run.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/job.h"
#include "orchestrator/daemon/run_digests.h"
#include "orchestrator/daemon/store_version.h"
#include "orchestrator/daemon/store_void.h"
#include "orchestrator/gpu/pool.h"
#include "orchestrator/judge/blocks.h"
#include "orchestrator/paths/paths.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#define SPACE_MIN      ((uint64_t)32 << 20) /* free bytes below which nothing is begun */
#define TERM_WAIT_MS   30000                /* SIGTERM to SIGKILL of a launcher */
#define PIDFILE_TRIES  20
#define PIDFILE_NAP_MS 50
#define LOG_TAIL       400

void execution_clear(struct execution *x) {
    gpu_run_drop(x);
    free(x->built);
    free(x->data);
    x->built = x->data = NULL;
}

static bool has_result(const char *dir, const char *result) {
    _cleanup_free_ char *path = path_join(dir, result);
    return path && access(path, F_OK) == 0;
}

/* By what the launcher wrote of itself, else by what the row says. */
static bool find_process(const char *dir, const char *pidfile, const struct run_row *row,
                         struct process *out) {
    int64_t pid = 0, ticks = 0;
    _cleanup_free_ char *path = path_join(dir, pidfile);
    if (path && process_read(path, &pid, &ticks)) return process_find(pid, ticks, out);
    return process_find(row->pid, row->start_ticks, out);
}

/* A daemon that was killed between starting a launcher and writing down its
 * number leaves a launcher that has yet to write its own. */
static void await_pidfile(const char *dir, const char *pidfile, const struct run_row *row) {
    _cleanup_free_ char *path = path_join(dir, pidfile);
    const struct timespec nap = {.tv_nsec = PIDFILE_NAP_MS * NS_PER_MS};
    for (int i = 0; path && row->pid == 0 && i < PIDFILE_TRIES; i++) {
        if (access(path, F_OK) == 0) return;
        nanosleep(&nap, NULL);
    }
}

enum run_found run_find(const char *dir, const char *pidfile, const char *result,
                        const struct run_row *row, struct process *out) {
    if (access(dir, F_OK) < 0) return RUN_FOUND_NOTHING;
    if (!has_result(dir, result)) await_pidfile(dir, pidfile, row);
    /* It writes the result and then ends: look for the process first. */
    if (find_process(dir, pidfile, row, out)) return RUN_FOUND_ALIVE;
    return has_result(dir, result) ? RUN_FOUND_RESULT : RUN_FOUND_NOTHING;
}

static int record_end(struct execution *x, const struct run_row *row, struct error *err) {
    struct run_digests digests;
    _cleanup_free_ char *dir = daemon_run_dir(x->d, row->id, err);
    if (!dir) return -1;
    run_digests_take(dir, &digests);
    _cleanup_store_tx_ struct store_tx tx = {0};
    if (store_begin(&tx, x->d->store, err) < 0) return -1;
    if (run_end(x->d->store, row, err) < 0) return -1;
    if (run_digests_keep(x->d->store, row->id, &digests, err) < 0) return -1;
    return store_commit(&tx, err);
}

int run_discard(struct execution *x, struct run_row *row, const char *reason, struct error *err) {
    row->state = RUN_VOID;
    free(row->reason);
    row->reason = strdup(reason);
    return record_end(x, row, err);
}

/* The last words of a launcher that left no result. */
static int void_without_result(struct execution *x, const char *dir, struct run_row *row,
                               struct error *err) {
    _cleanup_buf_ struct buf log = {0};
    _cleanup_free_ char *path = path_join(dir, "launcher.log");
    if (path) file_read(path, 1 << 20, &log, NULL);
    while (log.len > 0 && log.data[log.len - 1] == '\n') log.data[--log.len] = '\0';
    size_t from = log.len > LOG_TAIL ? log.len - LOG_TAIL : 0;
    _cleanup_free_ char *words = str_printable(buf_text(&log) + from, log.len - from);
    _cleanup_free_ char *reason =
        str_printf("it left no result%s%s", words && *words ? ": " : "", words ? words : "");
    return run_discard(x, row, reason ? reason : "it left no result", err);
}

static int digest_result(const char *path, struct run_row *row, struct error *err) {
    char hex[DIGEST_HEX];
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return error_sys(err, errno, "%s", path);
    if (digest_fd(fd, hex, err) < 0) return -1;
    free(row->result_sha256);
    row->result_sha256 = strdup(hex);
    return row->result_sha256 ? 0 : error_sys(err, ENOMEM, "%s", path);
}

/* The process is gone: what did it leave? */
static int settle(struct execution *x, const struct run_plan *plan, const char *dir,
                  struct run_row *row, struct error *err) {
    if (!has_result(dir, plan->result)) return void_without_result(x, dir, row, err);
    _cleanup_free_ char *path = path_join(dir, plan->result);
    if (!path) return error_sys(err, ENOMEM, "result");
    row->state = RUN_DONE;
    _cleanup_error_ struct error bad = {0};
    if (digest_result(path, row, &bad) < 0 || plan->finish(x, dir, row, &bad) < 0)
        return run_discard(x, row, error_text(&bad), err);
    return record_end(x, row, err);
}

/* Waits; a cancelled job's launcher is told to stop. */
static enum run_end await_end(struct execution *x, struct process *p) {
    bool told = false;
    for (;;) {
        if (!told && job_over(x->lane)) {
            process_signal(p, SIGTERM);
            told = true;
        }
        int wait = told ? TERM_WAIT_MS : x->gpus ? GPU_SAMPLE_MS : -1;
        switch (process_wait(p, x->lane->wake_fd, wait)) {
        case PROCESS_ENDED: return RUN_END_DONE;
        case PROCESS_TIMEOUT:
            if (told) process_signal(p, SIGKILL);
            else gpu_pool_look(x->d->gpus);
            break;
        case PROCESS_WOKEN:
            lane_drain(x->lane);
            if (lane_stopping(x->lane)) return RUN_END_STOPPED;
            break;
        }
    }
}

/* Fresh and secret. In a measurement the plan draws it, anew for each attempt. */
static char *draw_seed(struct execution *x, int64_t attempt) {
    uint64_t seed;
    char name[ID_MAX];
    const struct slot_row *slot = x->in_slot;
    if (slot)
        seed = blocks_seed(x->d->secret, id_format(ID_MEASUREMENT, slot->measurement, name),
                           (size_t)slot->block, (size_t)slot->arm, (unsigned)attempt);
    else random_bytes(&seed, sizeof seed);
    return str_printf("%" PRIu64, seed);
}

static int add_row(struct execution *x, const struct run_plan *plan, int64_t attempt,
                   struct run_row *row, struct error *err) {
    bool timed = strcmp(plan->phase, "train") == 0;
    *row = (struct run_row){.owner = x->owner, .metric = NAN, .phase = strdup(plan->phase)};
    row->seed = timed ? draw_seed(x, attempt) : NULL;
    _cleanup_store_tx_ struct store_tx tx = {0};
    if (store_begin(&tx, x->d->store, err) < 0) return -1;
    if (run_add(x->d->store, row, err) < 0) return -1;
    if (timed && x->in_slot &&
        slot_set_run(x->d->store, x->in_slot->id, row->id, row->seed, err) < 0)
        return -1;
    return store_commit(&tx, err);
}

static int start(struct execution *x, const struct run_plan *plan, const char *dir,
                 struct run_row *row, struct process *p, struct error *err) {
    _cleanup_strv_ char **argv = NULL;
    _cleanup_free_ char *program = paths_program(plan->program, err);
    _cleanup_free_ char *log = path_join(dir, "launcher.log");
    if (!program) return -1;
    if (!log || strv_push(&argv, program) < 0) return error_sys(err, ENOMEM, "launch");
    if (mkdir(dir, 0700) < 0) return error_sys(err, errno, "%s", dir);
    if (plan->prepare(x, row, dir, &argv, err) < 0) return -1;
    gpu_run_begin(x);
    if (process_start(argv, log, p, err) < 0) return -1;
    if (x->gpus) gpu_pool_follow(x->d->gpus, x->gpus->holder, p->pid);
    row->pid = p->pid;
    row->start_ticks = p->start_ticks;
    /* Without the number the run can still be found by launcher.json. */
    _cleanup_error_ struct error lost = {0};
    if (run_set_process(x->d->store, row->id, p->pid, p->start_ticks, &lost) < 0)
        log_warn("run r%" PRId64 ": %s", row->id, error_text(&lost));
    return 0;
}

/* Whether nobody asks for this run any more. */
static bool is_orphan(struct store *s, const struct run_row *row) {
    _cleanup_version_ struct version_row v = {0};
    _cleanup_measurement_ struct measurement_row m = {0};
    if (row->owner.measurement)
        return measurement_get(s, row->owner.measurement, &m, NULL) == 0 && measurement_is_over(&m);
    return version_get(s, row->owner.version, &v, NULL) == 0 && version_is_over(&v);
}

void run_files(const char *phase, const char **pidfile, const char **result) {
    bool exam = strcmp(phase, "examine") == 0;
    *pidfile = exam ? "examiner.json" : "launcher.json";
    *result = exam ? "exam.json" : "result.json";
}

static int end_orphan(struct lane *l, struct run_row *row, struct error *err) {
    struct execution x = {.lane = l, .d = l->daemon};
    const char *pidfile, *result;
    _cleanup_process_ struct process p = PROCESS_NONE;
    _cleanup_free_ char *dir = daemon_run_dir(l->daemon, row->id, err);
    if (!dir) return -1;
    run_files(row->phase, &pidfile, &result);
    /* The job that await_end() finds to be over. */
    l->job = row->owner.measurement
                 ? (struct queue_job){.kind = QUEUE_MEASUREMENT, .id = row->owner.measurement}
                 : (struct queue_job){.kind = QUEUE_VERSION, .id = row->owner.version};
    if (run_find(dir, pidfile, result, row, &p) == RUN_FOUND_ALIVE &&
        await_end(&x, &p) != RUN_END_DONE)
        return 0; /* the daemon stops; the next one looks again */
    return run_discard(&x, row, "what it was for is over", err);
}

int run_end_orphans(struct lane *l, struct error *err) {
    struct run_row *rows = NULL;
    size_t count = 0;
    int rc = run_running(l->daemon->store, &rows, &count, err);
    for (size_t i = 0; i < count && rc == 0 && !lane_stopping(l); i++)
        if (is_orphan(l->daemon->store, &rows[i])) rc = end_orphan(l, &rows[i], err);
    runs_free(rows, count);
    return rc;
}

/* The cpu time of all our threads so far. */
static int64_t own_cpu_ns(void) {
    struct timespec t = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static void drop_gpus(struct execution **x) {
    gpu_run_drop(*x);
}

/* Busy GPUs are waited for; where there are too few of them, nothing comes of it. */
static enum run_end not_lent(struct run_row *row, struct error *err) {
    if (err->kind != ERROR_UNSUPPORTED) return RUN_END_FAILED;
    row->reason = strdup(error_text(err));
    error_clear(err);
    return RUN_END_GIVEN_UP;
}

/* A new run, up to its end. */
static enum run_end begin(struct execution *x, const struct run_plan *plan, int64_t attempt,
                          struct run_row *row, struct error *err) {
    _cleanup_(drop_gpus) struct execution *held = x;
    if (gpu_run_take(x, plan->phase, err) < 0) return not_lent(row, err);
    if (daemon_check_space(x->d, SPACE_MIN, err) < 0 || add_row(x, plan, attempt, row, err) < 0)
        return RUN_END_FAILED;
    _cleanup_free_ char *dir = daemon_run_dir(x->d, row->id, err);
    _cleanup_process_ struct process p = PROCESS_NONE;
    if (!dir || start(x, plan, dir, row, &p, err) < 0) {
        run_discard(x, row, error_text(err), NULL);
        return RUN_END_FAILED;
    }
    int64_t cpu = own_cpu_ns();
    enum run_end end = await_end(x, &p);
    row->daemon_cpu_ns = own_cpu_ns() - cpu;
    if (end != RUN_END_DONE) return end;
    bool settled = gpu_run_end(x, dir, err) == 0 && settle(x, plan, dir, row, err) == 0;
    return settled ? end : RUN_END_FAILED;
}

/* One that an earlier daemon, or an earlier attempt of ours, began. */
static enum run_end resume(struct execution *x, const struct run_plan *plan, struct run_row *row,
                           struct error *err) {
    _cleanup_free_ char *dir = daemon_run_dir(x->d, row->id, err);
    if (!dir) return RUN_END_FAILED;
    _cleanup_process_ struct process p = PROCESS_NONE;
    if (run_find(dir, plan->pidfile, plan->result, row, &p) == RUN_FOUND_ALIVE) {
        log_info("run r%" PRId64 ": found again, pid %" PRId64, row->id, p.pid);
        enum run_end end = await_end(x, &p);
        if (end != RUN_END_DONE) return end;
    }
    return settle(x, plan, dir, row, err) < 0 ? RUN_END_FAILED : RUN_END_DONE;
}

enum run_end run_execute(struct execution *x, const struct run_plan *plan, struct run_row *out,
                         struct error *err) {
    for (;;) {
        bool found;
        int64_t voids, outside = 0;
        if (lane_stopping(x->lane)) return RUN_END_STOPPED;
        if (job_over(x->lane)) return RUN_END_CANCELLED;
        run_clear(out);
        if (run_latest(x->d->store, &x->owner, plan->phase, out, &found, &voids, err) < 0)
            return RUN_END_FAILED;
        if (found && out->state == RUN_DONE) return RUN_END_DONE;
        _cleanup_free_ char *why = found ? NULL : steal_ptr(&out->reason);
        if (!found &&
            void_count(x->d->store, &x->owner, plan->phase, &outside, &out->reason, err) < 0)
            return RUN_END_FAILED;
        if (outside >= RUN_ATTEMPTS) return RUN_END_OUTSIDE;
        if (!found && voids - outside >= RUN_ATTEMPTS) {
            free(out->reason);
            out->reason = str_printf("%s was void %" PRId64 " times%s%s", plan->phase,
                                     voids - outside, why ? ": " : "", why ? why : "");
            return RUN_END_GIVEN_UP;
        }
        enum run_end end = found ? resume(x, plan, out, err) : begin(x, plan, voids, out, err);
        if (end == RUN_END_DONE && out->state == RUN_DONE) return RUN_END_DONE;
        if (end != RUN_END_DONE) return end;
        log_warn("run r%" PRId64 ": void: %s", out->id, out->reason ? out->reason : "?");
    }
}
