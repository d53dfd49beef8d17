/* The sandbox of a command: what is in it and what it is told (declared in outside.h). */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/client/outside.h"
#include "policies/policy.h"
#include "sandbox/spec.h"

#include <string.h>
#include <sys/stat.h>

#define POLICY           "coder"
#define WALL_S           1800
#define MEMORY_BYTES     (INT64_C(4) << 30)
#define DISK_BYTES       (INT64_C(1) << 30)
#define TMP_BYTES        (INT64_C(1) << 30)
#define PIDS             512
#define OPEN_FILES       4096
#define OUTPUT_BYTES     (INT64_C(64) << 20)
#define GRACE_MS         2000
#define FILES_MAX        19000 /* fewer than anybody lists: images/listing.h */
#define DISK_INODES      100000
#define KEY_THAT_IS_NONE "the-proxy-adds-it"

/* The agent's order on stdin, since many take it there; its home, since many want one. */
static const char *const run_command =
    "mkdir -p \"$HOME\" && exec /bin/sh -c \"$0\" </paddock/PROMPT.md";

static int put_env(struct spec *s, struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int put_env(struct spec *s, struct error *err, const char *fmt, ...) {
    _cleanup_buf_ struct buf line = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&line, fmt, ap);
    va_end(ap);
    if (buf_failed(&line) || strv_push(&s->env, buf_text(&line)) < 0)
        return error_sys(err, ENOMEM, "environment");
    return 0;
}

/* Where clients of each protocol look for their server; the other protocols' are left
 * out, since some clients choose by what they find. */
static int put_server(struct spec *s, const char *protocol, const char *name, struct error *err) {
    static const struct {
        const char *protocol, *variable, *path;
    } urls[] = {{"openai", "OPENAI_BASE_URL", "/v1"},
                {"openai", "OPENAI_API_BASE", "/v1"},
                {"anthropic", "ANTHROPIC_BASE_URL", ""},
                {"gemini", "GOOGLE_GEMINI_BASE_URL", ""},
                {"gemini", "GEMINI_BASE_URL", ""}};
    static const struct {
        const char *protocol, *variable;
        bool is_key;
    } others[] = {{"openai", "OPENAI_API_KEY", true},
                  {"openai", "OPENAI_MODEL", false},
                  {"anthropic", "ANTHROPIC_API_KEY", true},
                  {"anthropic", "ANTHROPIC_MODEL", false},
                  {"anthropic", "ANTHROPIC_SMALL_FAST_MODEL", false},
                  {"gemini", "GEMINI_API_KEY", true},
                  {"gemini", "GOOGLE_API_KEY", true},
                  {"gemini", "GEMINI_MODEL", false}};
    for (size_t i = 0; i < ARRAY_SIZE(urls); i++)
        if (strcmp(urls[i].protocol, protocol) == 0 &&
            put_env(s, err, "%s=http://127.0.0.1:%d%s", urls[i].variable, OUTSIDE_PORT,
                    urls[i].path) < 0)
            return -1;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        if (strcmp(others[i].protocol, protocol) == 0 &&
            put_env(s, err, "%s=%s", others[i].variable,
                    others[i].is_key ? KEY_THAT_IS_NONE : name) < 0)
            return -1;
    return 0;
}

static int put_environment(struct spec *s, const struct outside_request *rq, const char *protocol,
                           const char *name, struct error *err) {
    _cleanup_buf_ struct buf path = {0};
    buf_puts(&path, "/usr/local/bin:/usr/bin:/bin");
    for (size_t i = 0; rq->mounts && rq->mounts[i]; i++)
        buf_printf(&path, ":%s/bin:%s", rq->mounts[i], rq->mounts[i]);
    if (put_env(s, err, "PATH=%s", buf_text(&path)) < 0 || put_env(s, err, "HOME=/tmp/home") < 0 ||
        put_env(s, err, "TMPDIR=/tmp") < 0 || put_env(s, err, "LANG=C.UTF-8") < 0 ||
        put_env(s, err, "PADDOCK_PROMPT_FILE=%s", OUTSIDE_PROMPT) < 0 ||
        put_env(s, err, "PADDOCK_PROTOCOL=%s", protocol) < 0 ||
        put_env(s, err, "PADDOCK_MODEL=%s", name) < 0 ||
        put_env(s, err, "PADDOCK_PROXY=http://127.0.0.1:%d", OUTSIDE_PORT) < 0 ||
        put_env(s, err, "DO_NOT_TRACK=1") < 0)
        return -1;
    return put_server(s, protocol, name, err);
}

/* ---- mounts ---- */

static int put_mount(struct spec *s, const char *source, const char *target, bool exec,
                     struct error *err) {
    struct spec_mount *grown = reallocarray(s->mounts, s->mount_count + 1, sizeof *grown);
    if (!grown) return error_sys(err, ENOMEM, "mounts");
    s->mounts = grown;
    struct spec_mount *m = &grown[s->mount_count++];
    *m = (struct spec_mount){.source = strdup(source), .target = strdup(target), .exec = exec};
    return m->source && m->target ? 0 : error_sys(err, ENOMEM, "mounts");
}

static bool is_below(const char *path, const char *folder) {
    size_t n = strlen(folder);
    if (strcmp(folder, "/") == 0) return true;
    return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

/* What of this machine nobody may be shown: keys, the store, the task's answers. */
static int check_mount(const struct outside_request *rq, const char *path, const char *real,
                       struct error *err) {
    if (strcmp(real, "/") == 0)
        return error_set(err, ERROR_DENIED, "coder_mounts: %s is all of this machine", path);
    for (size_t i = 0; rq->forbidden && rq->forbidden[i]; i++) {
        _cleanup_free_ char *secret = realpath(rq->forbidden[i], NULL);
        if (secret && (is_below(real, secret) || is_below(secret, real)))
            return error_set(err, ERROR_DENIED, "coder_mounts: %s would show %s", path, secret);
    }
    return 0;
}

static int put_mounts(struct spec *s, const struct outside_request *rq, struct error *err) {
    for (size_t i = 0; rq->mounts && rq->mounts[i]; i++) {
        const char *path = rq->mounts[i];
        struct stat st;
        _cleanup_free_ char *real = realpath(path, NULL);
        if (path[0] != '/')
            return error_set(err, ERROR_INVALID, "coder_mounts: %s is relative", path);
        if (!real || stat(real, &st) < 0) return error_sys(err, errno, "coder_mounts: %s", path);
        if (!S_ISDIR(st.st_mode))
            return error_set(err, ERROR_INVALID, "coder_mounts: %s is no folder", path);
        if (check_mount(rq, path, real, err) < 0) return -1;
        /* It is there already. */
        if (strcmp(rq->image, "host") == 0 && is_below(path, "/usr") && is_below(real, "/usr"))
            continue;
        if (put_mount(s, real, path, true, err) < 0) return -1;
    }
    return 0;
}

/* Covered by an empty file or folder. */
static int put_hidden(struct spec *s, const struct outside_request *rq, const char *dir,
                      struct error *err) {
    const char *root = strcmp(rq->image, "host") == 0 ? "" : rq->image;
    _cleanup_free_ char *file = path_join(dir, "nothing"), *folder = path_join(dir, "empty");
    if (!file || !folder) return error_sys(err, ENOMEM, "hidden paths");
    if (dir_make(folder, 0755, err) < 0 || file_write_atomic(file, "", 0, 0644, err) < 0) return -1;
    /* Whatever our umask: the command is another id. */
    if (chmod(folder, 0755) < 0 || chmod(file, 0644) < 0)
        return error_sys(err, errno, "hidden paths");
    for (size_t i = 0; rq->hide && rq->hide[i]; i++) {
        struct stat st;
        _cleanup_free_ char *path = str_printf("%s%s", root, rq->hide[i]);
        if (!path) return error_sys(err, ENOMEM, "hidden paths");
        if (stat(path, &st) < 0) continue;
        if (put_mount(s, S_ISDIR(st.st_mode) ? folder : file, rq->hide[i], false, err) < 0)
            return -1;
    }
    return 0;
}

static int put_prompt(struct spec *s, const struct outside_request *rq, const char *dir,
                      struct error *err) {
    _cleanup_free_ char *path = path_join(dir, "PROMPT.md");
    if (!path) return error_sys(err, ENOMEM, "prompt");
    if (file_write_atomic(path, rq->prompt, strlen(rq->prompt), 0644, err) < 0) return -1;
    if (chmod(path, 0644) < 0) return error_sys(err, errno, "prompt");
    return put_mount(s, path, OUTSIDE_PROMPT, false, err);
}

/* ---- the whole ---- */

static struct spec_limits limits_of(const struct outside_limits *l) {
    return (struct spec_limits){.wall_ms = (l->wall_s ? l->wall_s : WALL_S) * 1000,
                                .memory_bytes = l->memory_bytes ? l->memory_bytes : MEMORY_BYTES,
                                .pids = l->pids ? l->pids : PIDS,
                                .disk_bytes = l->disk_bytes ? l->disk_bytes : DISK_BYTES,
                                .disk_inodes = DISK_INODES,
                                .tmp_bytes = TMP_BYTES,
                                .output_bytes = OUTPUT_BYTES,
                                .open_files = OPEN_FILES,
                                .grace_ms = GRACE_MS};
}

static int fill(struct spec *s, const struct outside_request *rq, const char *dir,
                struct error *err) {
    const char *const argv[] = {"/bin/sh", "-c", run_command, rq->command, NULL};
    s->id = strdup(rq->id);
    s->argv = strv_copy((char *const *)argv);
    s->image = strdup(rq->image);
    s->policy = policy_find(POLICY, err);
    s->workspace_source = strdup(rq->files);
    s->workspace_target = strdup("/work");
    s->dir = strdup(dir);
    s->collect = calloc(1, sizeof *s->collect);
    if (!s->policy) return -1;
    if (!s->id || !s->argv || !s->image || !s->workspace_source || !s->workspace_target ||
        !s->dir || !s->collect)
        return error_sys(err, ENOMEM, "spec");
    s->network = NETWORK_LOOPBACK;
    s->listen = OUTSIDE_PORT;
    s->limits = limits_of(&rq->limits);
    s->stdout_mode = s->stderr_mode = STDIO_FILE;
    s->collect_count = 1;
    s->collect[0] = (struct spec_collect){
        .path = strdup("."), .as = strdup("."), .bytes = s->limits.disk_bytes, .files = FILES_MAX};
    return s->collect[0].path && s->collect[0].as ? 0 : error_sys(err, ENOMEM, "spec");
}

int outside_spec_write(const struct outside_request *rq, const char *dir, const char *protocol,
                       const char *name, struct error *err) {
    _cleanup_spec_ struct spec spec = {0};
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    _cleanup_free_ char *path = path_join(dir, "spec.json");
    size_t len = 0;
    if (!w || !path) return error_sys(err, ENOMEM, "spec");
    if (fill(&spec, rq, dir, err) < 0 || put_environment(&spec, rq, protocol, name, err) < 0 ||
        put_prompt(&spec, rq, dir, err) < 0 || put_mounts(&spec, rq, err) < 0 ||
        put_hidden(&spec, rq, dir, err) < 0 || spec_encode(&spec, w, err) < 0)
        return -1;
    const char *text = json_writer_text(w, &len);
    return text ? file_write_atomic(path, text, len, 0600, err) : error_sys(err, ENOMEM, "spec");
}
