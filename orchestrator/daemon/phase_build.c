/* Build: from a snapshot to the tree that is trained and examined, once for
 * each snapshot, task and policy. */
#include "common/cleanup.h"
#include "common/digest.h"
#include "common/file.h"
#include "images/store.h"
#include "orchestrator/daemon/phase.h"
#include "orchestrator/daemon/phase_spec.h"
#include "orchestrator/daemon/snapshot.h"
#include "policies/policy.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define TREE_BYTES_MAX (INT64_C(1) << 30)
#define TREE_FILES_MAX INT64_C(20000)
#define TREE           "tree" /* below artifacts/ */

/* Everything the built tree depends on. The phase's command and limits are part
 * of the task's digest. */
static int build_key(struct execution *x, char hex[DIGEST_HEX], struct error *err) {
    _cleanup_policy_ struct policy policy = {0};
    _cleanup_image_ struct image image = {0};
    if (x->task->has_build) {
        _cleanup_free_ char *path = policy_find(x->task->build.policy, err);
        if (!path || policy_load(path, &policy, err) < 0) return -1;
        if (image_resolve(x->d->images, x->task->image, &image, err) < 0) return -1;
    }
    _cleanup_buf_ struct buf text = {0};
    buf_printf(&text, "build 1\nsnapshot %s\ntask %s\npolicy %s\nimage %s\n", x->snapshot,
               x->task->digest, policy.sha256, image.digest);
    if (buf_failed(&text)) return error_sys(err, ENOMEM, "build");
    digest_hex_of(text.data, text.len, hex);
    return 0;
}

static int prepare(struct execution *x, const struct run_row *row, const char *dir, char ***argv,
                   struct error *err) {
    _cleanup_spec_ struct spec spec = {0};
    _cleanup_tmp_ char *files = snapshot_checkout(x->d, x->snapshot, err);
    _cleanup_free_ char *source = path_join(dir, "workspace");
    if (!files || !source) return files ? error_sys(err, ENOMEM, "build") : -1;
    if (rename(files, source) < 0) return error_sys(err, errno, "%s", source);
    if (phase_spec_init(x, row, dir, &x->task->build, &spec, err) < 0) return -1;
    spec.workspace_source = steal_ptr(&source);
    const struct spec_limits *l = &x->task->build.limits;
    int64_t bytes = l->disk_bytes ? l->disk_bytes : TREE_BYTES_MAX;
    int64_t count = l->disk_inodes ? l->disk_inodes : TREE_FILES_MAX;
    if (phase_spec_collect(&spec, ".", TREE, bytes, count, err) < 0) return -1;
    if (phase_spec_write(&spec, dir, err) < 0) return -1;
    return phase_launcher_args(dir, argv, err);
}

static int finish(struct execution *x, const char *dir, struct run_row *row, struct error *err) {
    _cleanup_free_ char *source = path_join(dir, "workspace");
    if (source && tree_remove(source, err) < 0) return -1;
    return phase_launcher_finish(x, dir, row, err);
}

static const struct run_plan plan = {.phase = "build",
                                     .program = "paddock-sandbox",
                                     .pidfile = "launcher.json",
                                     .result = "result.json",
                                     .prepare = prepare,
                                     .finish = finish};

/* An empty folder for what the train phase leaves; what a build put there is
 * none of its business. */
static int make_out(struct execution *x, const char *tree, struct error *err) {
    _cleanup_close_ int fd = dir_open(tree, err);
    if (fd < 0) return -1;
    if (tree_remove_at(fd, x->task->artifact, err) < 0) return -1;
    _cleanup_free_ char *out = path_join(tree, x->task->artifact);
    if (!out) return error_sys(err, ENOMEM, "build");
    if (dir_make(out, 0755, err) < 0) return -1;
    return syncfs(fd) < 0 ? error_sys(err, errno, "%s", tree) : 0;
}

/* Moves the finished tree to its place and remembers it. */
static int keep_tree(struct execution *x, const char *key, const char *tree, struct error *err) {
    _cleanup_free_ char *dir = path_join(x->d->built, key);
    if (!dir) return error_sys(err, ENOMEM, "build");
    if (make_out(x, tree, err) < 0 || tree_remove(dir, err) < 0) return -1;
    if (chmod(tree, 0755) < 0 || rename(tree, dir) < 0) return error_sys(err, errno, "%s", dir);
    return store_built_put(x->d->store, key, dir, x->snapshot, err);
}

static enum run_end run_build(struct execution *x, const char *key, struct judged *j,
                              struct error *err) {
    _cleanup_run_ struct run_row row = {0};
    enum run_end end = run_execute(x, &plan, &row, err);
    if (end == RUN_END_GIVEN_UP) return judged_given_up(j, &row);
    if (end != RUN_END_DONE) return end;
    if (phase_judge(x, &row, PHASE_BUILD, j, err) < 0) return RUN_END_FAILED;
    if (j->outcome) return RUN_END_DONE;
    _cleanup_free_ char *dir = daemon_run_dir(x->d, row.id, err);
    _cleanup_free_ char *tree = dir ? path_join(dir, "artifacts/" TREE) : NULL;
    if (!tree) return RUN_END_FAILED;
    if (access(tree, F_OK) < 0) {
        /* Taken by an earlier build with this key, whose tree is gone since. */
        bool voided = run_discard(x, &row, "its tree is gone", err) == 0;
        return voided ? RUN_END_DONE : RUN_END_FAILED; /* and the caller looks again */
    }
    return keep_tree(x, key, tree, err) < 0 ? RUN_END_FAILED : RUN_END_DONE;
}

/* A task without a build phase trains what the version holds. */
static enum run_end take_snapshot(struct execution *x, const char *key, struct error *err) {
    _cleanup_tmp_ char *files = snapshot_checkout(x->d, x->snapshot, err);
    if (!files) return RUN_END_FAILED;
    return keep_tree(x, key, files, err) < 0 ? RUN_END_FAILED : RUN_END_DONE;
}

static enum run_end find_or_build(struct execution *x, struct judged *j, struct error *err) {
    char key[DIGEST_HEX];
    if (build_key(x, key, err) < 0) return RUN_END_FAILED;
    for (;;) {
        free(x->built);
        if (store_built_get(x->d->store, key, &x->built, err) < 0) return RUN_END_FAILED;
        if (x->built && access(x->built, F_OK) == 0) return RUN_END_DONE;
        enum run_end end =
            x->task->has_build ? run_build(x, key, j, err) : take_snapshot(x, key, err);
        if (end != RUN_END_DONE || j->outcome) return end;
    }
}

enum run_end phase_build(struct execution *x, struct judged *j, struct error *err) {
    lane_share(x->lane);
    enum run_end end = find_or_build(x, j, err);
    lane_unshare(x->lane);
    return end;
}
