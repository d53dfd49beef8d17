/* Data: the task's text, made once and split by the installation's secret. */
#include "common/cleanup.h"
#include "common/digest.h"
#include "common/file.h"
#include "images/dataset.h"
#include "orchestrator/daemon/phase.h"
#include "orchestrator/daemon/phase_spec.h"
#include "orchestrator/judge/audit.h"
#include "orchestrator/judge/rule.h"

#include <inttypes.h>
#include <string.h>

#define DATA_WALL_MS  INT64_C(120000)
#define DATA_MEMORY   (INT64_C(1) << 30)
#define DATA_PIDS     64
#define DATA_SLACK    (INT64_C(64) << 10)
#define DATA_TEXT_MAX ((size_t)1 << 30)

char *phase_data_dir(struct daemon *d, const struct task *t, struct error *err) {
    _cleanup_buf_ struct buf key = {0};
    buf_printf(&key, "%s:%s:%" PRId64 ":%.17g", t->data.sha256, t->data.file, t->data.block_bytes,
               t->data.held_out);
    /* What one task's candidates may see is hidden from another's; and the babble
     * depends on the target. */
    if (t->examiner == EXAMINER_AUDIT)
        buf_printf(&key, ":audit:%.17g:%.17g:%.17g", t->target, t->audit_tolerance,
                   t->loss_per_bit);
    char hex[DIGEST_HEX];
    digest_hex_of(buf_text(&key), key.len, hex);
    char *dir = buf_failed(&key) ? NULL : path_join(d->data, hex);
    if (!dir) error_sys(err, ENOMEM, "data");
    return dir;
}

/* Where the image's search path would find the command. */
static bool command_exists(const char *name) {
    static const char *const folders[] = {"/usr/bin", "/bin"};
    if (strchr(name, '/')) return access(name, X_OK) == 0;
    for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
        _cleanup_free_ char *path = path_join(folders[i], name);
        if (path && access(path, X_OK) == 0) return true;
    }
    return false;
}

/* The data set that the task names, of the digest that it names. That its files
 * are still what was added is `paddock data verify`'s matter: they may be large. */
static int check_store(struct daemon *d, const struct task *t, struct error *err) {
    _cleanup_dataset_ struct dataset set = {0};
    _cleanup_free_ char *store = path_join(d->state, "datasets");
    if (!store) return error_sys(err, ENOMEM, "data");
    if (dataset_find(store, t->store.name, &set, err) < 0)
        return error_wrap(err, "task %s", t->name);
    if (strcmp(set.digest, t->store.digest) == 0) return 0;
    return error_set(err, ERROR_UNSUPPORTED,
                     "task %s: data set %s has the digest %.12s…, the task wants %.12s…:"
                     " paddock data add %s FOLDER --force",
                     t->name, t->store.name, set.digest, t->store.digest, t->store.name);
}

int phase_data_check(struct daemon *d, const struct task *t, struct error *err) {
    if (t->store.name) return check_store(d, t, err);
    if (!t->data.file || strcmp(t->image, "host") != 0) return 0;
    _cleanup_free_ char *dir = phase_data_dir(d, t, err);
    if (!dir) return -1;
    if (access(dir, F_OK) == 0 || command_exists(t->data.command[0])) return 0;
    return error_set(err, ERROR_UNSUPPORTED,
                     "task %s: its text comes from the program %s, which is missing:"
                     " apt-get install %s",
                     t->name, t->data.command[0], t->data.package ? t->data.package : "it");
}

static int prepare(struct execution *x, const struct run_row *row, const char *dir, char ***argv,
                   struct error *err) {
    struct task_phase_spec phase = {
        .argv = x->task->data.command,
        .policy = (char *)"strict",
        .limits = {.wall_ms = DATA_WALL_MS,
                   .memory_bytes = DATA_MEMORY,
                   .pids = DATA_PIDS,
                   .output_bytes = x->task->data.bytes + DATA_SLACK,
                   .disk_bytes = DATA_SLACK,
                   .disk_inodes = 64,
                   .tmp_bytes = INT64_C(64) << 20},
    };
    _cleanup_spec_ struct spec spec = {0};
    if (phase_spec_init(x, row, dir, &phase, &spec, err) < 0) return -1;
    if (phase_spec_write(&spec, dir, err) < 0) return -1;
    return phase_launcher_args(dir, argv, err);
}

static const struct run_plan plan = {.phase = "data",
                                     .program = "paddock-sandbox",
                                     .pidfile = "launcher.json",
                                     .result = "result.json",
                                     .prepare = prepare,
                                     .finish = phase_launcher_finish};

static int check_text(const struct task_data *data, const struct buf *text, struct error *err) {
    char hex[DIGEST_HEX];
    digest_hex_of(buf_text(text), text->len, hex);
    if ((int64_t)text->len == data->bytes && strcmp(hex, data->sha256) == 0) return 0;
    return error_set(err, ERROR_INVALID,
                     "%s printed %zu bytes with digest %.12s…, the task wants %" PRId64
                     " with %.12s…: another version of package %s?",
                     data->command[0], text->len, hex, data->bytes, data->sha256,
                     data->package ? data->package : "?");
}

/* From the run's output to the folder that is mounted, all of it or nothing. */
static int take_text(struct execution *x, const struct run_row *row, const char *dir,
                     struct error *err) {
    _cleanup_free_ char *run = daemon_run_dir(x->d, row->id, err);
    _cleanup_free_ char *out = run ? path_join(run, "stdout") : NULL;
    _cleanup_tmp_ char *tmp = out ? daemon_tmp(x->d, err) : NULL;
    _cleanup_buf_ struct buf text = {0};
    if (!tmp || file_read(out, DATA_TEXT_MAX, &text, err) < 0) return -1;
    if (check_text(&x->task->data, &text, err) < 0) return -1;
    if (task_data_split(&x->task->data, buf_text(&text), text.len, x->d->secret, tmp, err) < 0)
        return -1;
    if (x->task->examiner == EXAMINER_AUDIT &&
        audit_make_streams(x->task, x->d->secret, tmp, err) < 0)
        return -1;
    /* It holds what must stay hidden, and goes first: killed behind this line, the
     * text is made anew. */
    if (unlink(out) < 0) return error_sys(err, errno, "%s", out);
    if (rename(tmp, dir) < 0 && access(dir, F_OK) < 0) return error_sys(err, errno, "%s", dir);
    return 0;
}

static int announce(struct execution *x, const char *dir, struct error *err) {
    _cleanup_store_tx_ struct store_tx tx = {0};
    if (store_begin(&tx, x->d->store, err) < 0) return -1;
    _cleanup_free_ char *data = str_printf("{\"digest\":\"%s\"}", strrchr(dir, '/') + 1);
    if (store_event(x->d->store, "data.prepared", x->task->name, data, NULL, err) < 0) return -1;
    return store_commit(&tx, err);
}

/* Whether the run still has its output; one that lost it is void, and the caller
 * looks again. */
static int check_output(struct execution *x, struct run_row *row, bool *there, struct error *err) {
    _cleanup_free_ char *run = daemon_run_dir(x->d, row->id, err);
    _cleanup_free_ char *out = run ? path_join(run, "stdout") : NULL;
    if (!out) return error_sys(err, ENOMEM, "data");
    *there = access(out, F_OK) == 0;
    return *there ? 0 : run_discard(x, row, "its text is gone", err);
}

static enum run_end make_data(struct execution *x, const char *dir, struct judged *j,
                              struct error *err) {
    _cleanup_run_ struct run_row row = {0};
    enum run_end end = run_execute(x, &plan, &row, err);
    if (end == RUN_END_GIVEN_UP) return judged_given_up(j, &row);
    if (end != RUN_END_DONE) return end;
    _cleanup_result_ struct result result = {0};
    if (phase_result(x, &row, &result, err) < 0) return RUN_END_FAILED;
    if (result.ended != ENDED_EXIT || result.exit_code != 0) {
        _cleanup_free_ char *why =
            str_printf("the task's text could not be made: %s ended with %s %d%s%s (package %s)",
                       x->task->data.command[0], ended_name(result.ended), result.exit_code,
                       result.error ? ": " : "", result.error ? result.error : "",
                       x->task->data.package ? x->task->data.package : "?");
        judged_set(j, "invalid-environment", RULE_NOT_RUN, why);
        return RUN_END_DONE;
    }
    bool there = false;
    if (check_output(x, &row, &there, err) < 0) return RUN_END_FAILED;
    if (!there) return RUN_END_DONE;
    _cleanup_error_ struct error bad = {0};
    if (take_text(x, &row, dir, &bad) < 0) {
        if (bad.kind != ERROR_INVALID) {
            error_move(err, &bad);
            return RUN_END_FAILED;
        }
        judged_set(j, "invalid-environment", RULE_NOT_RUN, error_text(&bad));
        return RUN_END_DONE;
    }
    return announce(x, dir, err) < 0 ? RUN_END_FAILED : RUN_END_DONE;
}

static enum run_end look_in_store(struct execution *x, struct judged *j) {
    _cleanup_error_ struct error missing = {0};
    if (check_store(x->d, x->task, &missing) < 0)
        judged_set(j, "invalid-environment", RULE_NOT_RUN, error_text(&missing));
    return RUN_END_DONE;
}

enum run_end phase_data(struct execution *x, struct judged *j, struct error *err) {
    if (x->task->store.name) return look_in_store(x, j);
    if (!x->task->data.file) return RUN_END_DONE;
    _cleanup_free_ char *dir = phase_data_dir(x->d, x->task, err);
    if (!dir) return RUN_END_FAILED;
    _cleanup_error_ struct error missing = {0};
    if (phase_data_check(x->d, x->task, &missing) < 0) {
        judged_set(j, "invalid-environment", RULE_NOT_RUN, error_text(&missing));
        return RUN_END_DONE;
    }
    enum run_end end = RUN_END_DONE;
    lane_share(x->lane);
    while (end == RUN_END_DONE && !j->outcome && access(dir, F_OK) < 0)
        end = make_data(x, dir, j, err);
    lane_unshare(x->lane);
    if (end != RUN_END_DONE || j->outcome) return end;
    free(x->data);
    x->data = steal_ptr(&dir);
    return RUN_END_DONE;
}
