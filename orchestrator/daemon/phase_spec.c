#include "orchestrator/daemon/phase_spec.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "images/store.h"
#include "orchestrator/daemon/gpu_run.h"
#include "orchestrator/daemon/id.h"
#include "policies/policy.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

int phase_spec_env(struct spec *s, const char *name, const char *value, struct error *err) {
    _cleanup_free_ char *line = str_printf("%s=%s", name, value);
    if (!line || strv_push(&s->env, line) < 0) return error_sys(err, ENOMEM, "environment");
    return 0;
}

int phase_spec_mount(struct spec *s, const char *source, const char *target, struct error *err) {
    struct spec_mount *grown = reallocarray(s->mounts, s->mount_count + 1, sizeof *grown);
    if (!grown) return error_sys(err, ENOMEM, "mounts");
    s->mounts = grown;
    struct spec_mount *m = &grown[s->mount_count++];
    *m = (struct spec_mount){.source = strdup(source), .target = strdup(target)};
    return m->source && m->target ? 0 : error_sys(err, ENOMEM, "mounts");
}

int phase_spec_clock(struct spec *s, const struct spec_clock *clock, struct error *err) {
    s->clock = *clock;
    s->clock.gate.data = NULL;
    s->clock.gate.data_count = 0;
    if (clock->kind != CLOCK_LINES) return 0;
    s->clock.lines.start = strdup(clock->lines.start);
    s->clock.lines.stop = strdup(clock->lines.stop);
    return s->clock.lines.start && s->clock.lines.stop ? 0 : error_sys(err, ENOMEM, "clock");
}

int phase_spec_gate_data(struct spec *s, const char *source, const char *target,
                         struct error *err) {
    struct spec_gate *g = &s->clock.gate;
    g->data = calloc(1, sizeof *g->data);
    if (!g->data) return error_sys(err, ENOMEM, "clock");
    g->data_count = 1;
    g->data[0] = (struct spec_mount){.source = strdup(source), .target = strdup(target)};
    return g->data[0].source && g->data[0].target ? 0 : error_sys(err, ENOMEM, "clock");
}

int phase_spec_collect(struct spec *s, const char *path, const char *as, int64_t bytes,
                       int64_t files, struct error *err) {
    struct spec_collect *grown = reallocarray(s->collect, s->collect_count + 1, sizeof *grown);
    if (!grown) return error_sys(err, ENOMEM, "collection");
    s->collect = grown;
    struct spec_collect *c = &grown[s->collect_count++];
    *c = (struct spec_collect){
        .path = strdup(path), .as = strdup(as), .bytes = bytes, .files = files, .required = true};
    return c->path && c->as ? 0 : error_sys(err, ENOMEM, "collection");
}

static int fixed_environment(struct spec *s, const struct run_row *row, struct error *err) {
    if (phase_spec_env(s, "HOME", "/tmp/home", err) < 0) return -1;
    if (phase_spec_env(s, "PATH", "/usr/bin:/bin", err) < 0) return -1;
    if (phase_spec_env(s, "LANG", "C.UTF-8", err) < 0) return -1;
    return phase_spec_env(s, "PADDOCK_PHASE", row->phase, err);
}

/* What the task hides of the image: an empty file or folder in its place. What
 * the image does not have needs no hiding. */
static int hide_paths(struct execution *x, struct spec *s, struct error *err) {
    char *const *hide = x->task->data.hide;
    const char *root = strcmp(s->image, "host") == 0 ? "" : s->image;
    _cleanup_free_ char *file = path_join(x->d->state, "empty/file");
    _cleanup_free_ char *folder = path_join(x->d->state, "empty/folder");
    if (!hide) return 0;
    if (!file || !folder) return error_sys(err, ENOMEM, "hidden paths");
    if (dir_make(folder, 0755, err) < 0) return -1;
    if (access(file, F_OK) < 0 && file_write_atomic(file, "", 0, 0644, err) < 0) return -1;
    for (size_t i = 0; hide[i]; i++) {
        struct stat st;
        _cleanup_free_ char *path = str_printf("%s%s", root, hide[i]);
        if (!path) return error_sys(err, ENOMEM, "hidden paths");
        if (stat(path, &st) < 0) continue;
        if (phase_spec_mount(s, S_ISDIR(st.st_mode) ? folder : file, hide[i], err) < 0) return -1;
    }
    return 0;
}

/* Train and examine see the task's data set. */
static int mount_store(struct execution *x, const struct run_row *row, struct spec *s,
                       struct error *err) {
    const struct task_store *store = &x->task->store;
    if (!store->name || strcmp(row->phase, "build") == 0) return 0;
    _cleanup_free_ char *files = str_printf("%s/datasets/%s/files", x->d->state, store->name);
    if (!files) return error_sys(err, ENOMEM, "data set");
    return phase_spec_mount(s, files, store->target, err);
}

static int set_places(struct execution *x, const struct task_phase_spec *phase, struct spec *s,
                      struct error *err) {
    _cleanup_image_ struct image image = {0};
    if (image_resolve(x->d->images, x->task->image, &image, err) < 0) return -1;
    s->image = strdup(image.location);
    s->policy = policy_find(phase->policy, err);
    if (!s->policy) return -1;
    return s->image ? 0 : error_sys(err, ENOMEM, "spec");
}

/* The timed run has its lane for itself; all else goes beside it. */
static int set_lane(struct execution *x, const struct run_row *row, struct spec *s,
                    struct error *err) {
    bool timed = strcmp(row->phase, "train") == 0;
    const char *cpus = timed ? x->lane->cpus : x->lane->beside;
    s->lane = timed ? LANE_TIMED : LANE_YIELD;
    s->cpus = cpus ? strdup(cpus) : NULL;
    return s->cpus || !cpus ? 0 : error_sys(err, ENOMEM, "spec");
}

/* Labels tell a person who looks at a run's folder what it belongs to. */
static int set_labels(struct execution *x, const struct run_row *row, struct spec *s,
                      struct error *err) {
    char version[ID_MAX], measurement[ID_MAX];
    id_format(ID_VERSION, x->owner.version, version);
    id_format(ID_MEASUREMENT, x->owner.measurement, measurement);
    _cleanup_buf_ struct buf text = {0};
    buf_printf(&text, "{\"phase\": \"%s\", \"task\": \"%s\"", row->phase, x->task->name);
    if (x->owner.version) buf_printf(&text, ", \"version\": \"%s\"", version);
    if (x->owner.measurement) buf_printf(&text, ", \"measurement\": \"%s\"", measurement);
    buf_puts(&text, "}");
    s->labels = json_parse("labels", buf_text(&text), text.len, err);
    s->labels_kept = s->labels;
    return s->labels ? 0 : -1;
}

int phase_spec_init(struct execution *x, const struct run_row *row, const char *dir,
                    const struct task_phase_spec *phase, struct spec *out, struct error *err) {
    out->id = str_printf("r%" PRId64 "-%s", row->id, x->d->installation);
    out->argv = strv_copy(phase->argv);
    out->cwd = strdup("/work");
    out->workspace_target = strdup("/work");
    out->hostname = strdup("paddock");
    out->dir = strdup(dir);
    if (!out->id || !out->argv || !out->cwd || !out->workspace_target || !out->dir)
        return error_sys(err, ENOMEM, "spec");
    out->network = phase->network;
    out->limits = phase->limits;
    out->stdin_mode = STDIO_NULL;
    out->stdout_mode = out->stderr_mode = STDIO_FILE;
    if (set_places(x, phase, out, err) < 0 || set_lane(x, row, out, err) < 0 ||
        fixed_environment(out, row, err) < 0)
        return -1;
    if (x->gpus && !(out->gpus.names = strv_copy(x->gpus->uuids)))
        return error_sys(err, ENOMEM, "spec");
    if (set_labels(x, row, out, err) < 0 || mount_store(x, row, out, err) < 0) return -1;
    return strcmp(row->phase, "data") == 0 ? 0 : hide_paths(x, out, err);
}

int phase_spec_write(const struct spec *s, const char *dir, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    _cleanup_free_ char *path = path_join(dir, "spec.json");
    if (!w || !path) return error_sys(err, ENOMEM, "spec");
    if (spec_encode(s, w, err) < 0) return -1;
    size_t len;
    const char *text = json_writer_text(w, &len);
    if (!text) return error_sys(err, ENOMEM, "spec");
    return file_write_atomic(path, text, len, 0600, err);
}

int phase_launcher_args(const char *dir, char ***argv, struct error *err) {
    _cleanup_free_ char *spec = path_join(dir, "spec.json");
    if (!spec || strv_push(argv, "run") < 0 || strv_push(argv, spec) < 0 ||
        strv_push(argv, "--dir") < 0 || strv_push(argv, dir) < 0)
        return error_sys(err, ENOMEM, "launcher");
    return 0;
}

int phase_result(struct execution *x, const struct run_row *row, struct result *out,
                 struct error *err) {
    _cleanup_free_ char *dir = daemon_run_dir(x->d, row->id, err);
    _cleanup_free_ char *path = dir ? path_join(dir, "result.json") : NULL;
    return path ? result_load(path, out, err) : error_sys(err, ENOMEM, "result");
}

int phase_launcher_finish(struct execution *x, const char *dir, struct run_row *row,
                          struct error *err) {
    (void)dir;
    _cleanup_result_ struct result result = {0};
    if (phase_result(x, row, &result, err) < 0) return -1;
    free(row->ended);
    free(row->reason);
    row->ended = strdup(ended_name(result.ended));
    row->reason = result.error ? strdup(result.error) : NULL;
    row->wall_ns = result.wall_ns;
    if (result.ended == ENDED_CANCELLED) row->state = RUN_VOID;
    return 0;
}
