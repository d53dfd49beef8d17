#include "orchestrator/client/agent_outside.h"

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/file.h"
#include "images/archive.h"
#include "images/store.h"
#include "orchestrator/client/agent_ledger.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/paths/paths.h"
#include "tasks/task.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#define ROLE      "outside"
#define CALLS_MAX 100000 /* of one node: nobody looks further for a free number */

/* What the proxy asks of us. Its threads ask, while the agent itself waits. */
struct desk {
    struct agent_talk *talk;
    const char *model;
    size_t node;
    int64_t next; /* call of this node */
};

static char *call_key(const struct desk *d) {
    return str_printf("n%zu/" ROLE "/%" PRId64, d->node, d->next);
}

/* ---- budget and ledger ---- */

static int tell_left(void *context, struct relay_left *left, struct error *err) {
    struct desk *d = context;
    return agent_talk_left(d->talk, &left->tokens, &left->cost, err);
}

/* An answer that is calls of tools alone has no text: then it is shown as it came. */
static int add_text(struct model_reply *reply, const struct relay_reply *r) {
    *reply = r->reply;
    if (*reply->text || r->body.len == 0) return 0;
    reply->text = strdup(buf_text(&r->body));
    return reply->text ? 1 : -1;
}

static int take_down(void *context, const struct proxy_call *c, struct error *err) {
    struct desk *d = context;
    struct agent_talk *t = d->talk;
    const struct model_usage *u = &c->reply->reply.usage;
    _cleanup_error_ struct error failed = {0};
    _cleanup_free_ char *key = call_key(d);
    struct model_reply shown;
    int added = add_text(&shown, c->reply);
    if (!key || added < 0) return error_sys(err, ENOMEM, "ledger");
    if (c->error) error_set(&failed, ERROR_SYSTEM, "%s", c->error);
    const struct agent_call call = {.role = ROLE,
                                    .model = d->model,
                                    .key = key,
                                    .relayed = &c->request->body,
                                    .reply = &shown,
                                    .failed = c->error ? &failed : NULL,
                                    .began_ns = c->began_ns};
    t->tokens += u->input + u->output;
    t->cost += u->cost;
    /* Nobody can take more than is left by not saying what it took. */
    if (!c->error && !u->known) t->unknown += c->request->input + c->request->output;
    d->next++;
    int rc = agent_ledger_add(t, &call, NULL, NULL, err);
    if (added) free(shown.text);
    return rc;
}

/* The first number that the ledger has no call of. */
static int find_next(struct desk *d, struct error *err) {
    for (d->next = 1; d->next < CALLS_MAX; d->next++) {
        _cleanup_json_ struct json *call = NULL;
        _cleanup_error_ struct error why = {0};
        _cleanup_free_ char *key = call_key(d);
        _cleanup_free_ char *escaped = key ? http_escape(key) : NULL;
        if (!escaped) return error_sys(err, ENOMEM, "ledger");
        if (http_getf(d->talk->http, &call, &why, "/v1/experiments/%s/calls?key=%s",
                      d->talk->experiment, escaped) < 0)
            return why.kind == ERROR_NOT_FOUND ? 0 : error_move(err, &why);
    }
    return error_set(err, ERROR_LIMIT, "n%zu has too many calls", d->node);
}

/* ---- the place ---- */

struct place {
    char *dir, *files;
    struct task task;
    struct image image;
    char **forbidden;
};

static void place_clear(struct place *p) {
    if (p->dir) tree_remove(p->dir, NULL);
    free(p->dir);
    free(p->files);
    task_clear(&p->task);
    image_clear(&p->image);
    strv_free(p->forbidden);
}

static int make_folders(struct place *p, struct error *err) {
    const char *tmp = getenv("TMPDIR");
    p->dir = str_printf("%s/paddock-version-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
    if (!p->dir) return error_sys(err, ENOMEM, "folder");
    if (!mkdtemp(p->dir)) {
        error_sys(err, errno, "%s", p->dir);
        free(steal_ptr(&p->dir));
        return -1;
    }
    p->files = path_join(p->dir, "files");
    if (!p->files) return error_sys(err, ENOMEM, "folder");
    return dir_make(p->files, 0755, err);
}

static int fetch(struct agent *a, const char *version, struct place *p, struct error *err) {
    _cleanup_close_ int archive = open(p->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    _cleanup_close_ int files = dir_open(p->files, err);
    _cleanup_free_ char *path = str_printf("/v1/versions/%s/snapshot", version);
    const struct archive_limits limits = ARCHIVE_LIMITS_SNAPSHOT;
    if (files < 0) return -1;
    if (archive < 0 || !path) return error_sys(err, archive < 0 ? errno : ENOMEM, "snapshot");
    if (http_download(a->http, path, archive, err) < 0) return -1;
    if (lseek(archive, 0, SEEK_SET) < 0) return error_sys(err, errno, "snapshot");
    return archive_unpack(archive, files, &limits, NULL, err);
}

/* What the task runs on, and what of it nobody may see. */
static int look_at_task(const char *task_dir, struct place *p, struct error *err) {
    _cleanup_free_ char *state = paths_state(PATHS_PRIVATE, err);
    _cleanup_free_ char *images = state ? path_join(state, "images") : NULL;
    if (!images) return -1;
    if (task_load(task_dir, &p->task, err) < 0) return error_wrap(err, "the coder's sandbox");
    if (image_resolve(images, p->task.image, &p->image, err) < 0)
        return error_wrap(err, "the coder's sandbox");
    p->forbidden = paths_config(err);
    if (!p->forbidden) return -1;
    return strv_push(&p->forbidden, state) < 0 || strv_push(&p->forbidden, task_dir) < 0
               ? error_sys(err, ENOMEM, "folders")
               : 0;
}

static int prepare(struct agent_shop *s, const char *parent, struct place *p, struct error *err) {
    if (make_folders(p, err) < 0 || look_at_task(s->task_dir, p, err) < 0) return -1;
    return fetch(s->agent, parent, p, err) < 0 ? error_wrap(err, "the files of %s", parent) : 0;
}

/* ---- the run ---- */

int agent_outside_run(struct agent_shop *s, const char *parent, size_t number, const char *order,
                      struct outside_result *out, struct error *err) {
    const struct agent_config *c = s->config;
    const struct agent_coder_limits *l = &c->coder_limits;
    _cleanup_(place_clear) struct place p = {0};
    struct desk d = {.talk = &s->talk, .model = c->models[ROLE_CODER], .node = number};
    uint32_t random = 0;
    random_bytes(&random, sizeof random);
    _cleanup_free_ char *id = str_printf("coder-n%zu-%08" PRIx32, number, random);
    if (!id) return error_sys(err, ENOMEM, "coder");
    if (find_next(&d, err) < 0 || prepare(s, parent, &p, err) < 0) return -1;
    const struct proxy_host host = {.context = &d, .left = tell_left, .record = take_down};
    const struct outside_request rq = {
        .id = id,
        .command = c->command,
        .model = c->models[ROLE_CODER],
        .host = &host,
        .files = p.files,
        .prompt = order,
        .editable = s->brief.editable,
        .image = p.image.location,
        .hide = p.task.data.hide,
        .mounts = c->coder_mounts,
        .forbidden = p.forbidden,
        .limits = {l->wall_s, l->memory_bytes, l->pids, l->disk_bytes},
    };
    return outside_code(&rq, out, err) < 0 ? error_wrap(err, "coder") : 0;
}

void agent_outside_note(const struct outside_result *r, struct json_writer *w, const char *key) {
    json_open_object(w, key);
    json_put_string(w, "ended", r->ended);
    json_put_int(w, "exit_code", r->exit_code);
    json_put_double(w, "wall_s", r->wall_s);
    json_put_int(w, "calls", r->proxy.calls);
    json_put_int(w, "refused", r->proxy.refused);
    if (r->proxy.over) json_put_string(w, "over", r->proxy.over);
    if (r->proxy.refusal) json_put_string(w, "refusal", r->proxy.refusal);
    if (r->dropped_count) {
        json_put_int(w, "dropped_count", (int64_t)r->dropped_count);
        json_put_strv(w, "dropped", r->dropped);
    }
    if (r->said && *r->said) json_put_string(w, "said", r->said);
    json_close_object(w);
}
