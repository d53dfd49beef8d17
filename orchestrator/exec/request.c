#include "orchestrator/exec/request.h"

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/file.h"
#include "images/store.h"
#include "orchestrator/exec/quantity.h"
#include "orchestrator/paths/paths.h"
#include "policies/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct arg exec_options[] = {
    {"wall", 0, ARG_TEXT, "TIME", "wall-clock limit, e.g. 10s, 250ms, 2m (default 60s)", 0, 0},
    {"cpu", 0, ARG_TEXT, "TIME", "limit on cpu time, user and system, of the whole tree", 0, 0},
    {"mem", 0, ARG_TEXT, "SIZE", "limit on memory of the whole tree (default 1G)", 0, 0},
    {"pids", 0, ARG_INT, "N", "limit on processes and threads (default 512)", 1, 1000000},
    {"output", 0, ARG_TEXT, "SIZE", "limit on stdout and stderr together (default 16M)", 0, 0},
    {"disk", 0, ARG_TEXT, "SIZE", "size of the workspace (default 1G)", 0, 0},
    {"grace", 0, ARG_TEXT, "TIME", "between SIGTERM and SIGKILL at the wall limit", 0, 0},
    {"policy", 0, ARG_TEXT, "NAME|FILE", "what it may do (default train; train-gpu with --gpus)", 0,
     0},
    {"image", 0, ARG_TEXT, "host|NAME|DIR", "what it runs on (default host: this machine's /usr)",
     0, 0},
    {"net", 0, ARG_TEXT, "none|loopback", "its own network (default none)", 0, 0},
    {"workspace", 'w', ARG_TEXT, "DIR", "copied to /work, where it starts", 0, 0},
    {"ro", 0, ARG_LIST, "SRC:DST", "mount a folder or file read-only; may be repeated", 0, 0},
    {"rw", 0, ARG_LIST, "SRC:DST", "the same, writable", 0, 0},
    {"env", 'e', ARG_LIST, "KEY=VALUE", "set a variable; nothing is inherited; may be repeated", 0,
     0},
    {"cwd", 0, ARG_TEXT, "DIR", "where it starts (default /work)", 0, 0},
    {"cpus", 0, ARG_TEXT, "LIST", "the cpus it may use, e.g. 0-1", 0, 0},
    {"gpus", 0, ARG_TEXT, "N|all|LIST",
     "GPUs to lend it: a number, all, or indexes and UUIDs with commas between", 0, 0},
    {"timed", 0, ARG_FLAG, NULL, "a timed run: others leave its cpus, or are frozen, meanwhile", 0,
     0},
    {"collect", 'c', ARG_LIST, "PATH", "keep this file or folder of the workspace (see --out)", 0,
     0},
    {"out", 'o', ARG_TEXT, "DIR", "keep output, artifacts and result there", 0, 0},
    {"json", 0, ARG_TEXT, "FILE", "write the result there; - for stdout, instead of the program's",
     0, 0},
    {"resident", 0, ARG_FLAG, NULL, "ask the launcher that a running daemon keeps ready", 0, 0},
    {"learn", 0, ARG_TEXT, "FILE", "record its calls there instead of enforcing (see policy learn)",
     0, 0},
    {"require", 0, ARG_TEXT, "NAME,…", "refuse to run unless these are enforced in full", 0, 0},
    {NULL, 0, ARG_FLAG, NULL, NULL, 0, 0},
};

static int copy_text(char **to, const char *text, struct error *err) {
    free(*to);
    *to = strdup(text);
    return *to ? 0 : error_sys(err, ENOMEM, "exec");
}

typedef int quantity(const char *, int64_t *, struct error *);

static int read_quantity(const struct args *a, const char *name, quantity *parse, int64_t otherwise,
                         int64_t *out, struct error *err) {
    const char *text = args_text(a, name);
    *out = otherwise;
    if (text && parse(text, out, err) < 0) return error_wrap(err, "--%s", name);
    return 0;
}

static int read_limits(const struct args *a, struct spec_limits *l, struct error *err) {
    l->pids = args_int(a, "pids", 512);
    l->disk_inodes = 100000;
    l->open_files = 4096;
    if (read_quantity(a, "wall", quantity_ms, 60000, &l->wall_ms, err) < 0 ||
        read_quantity(a, "cpu", quantity_ms, 0, &l->cpu_ms, err) < 0 ||
        read_quantity(a, "grace", quantity_ms, 0, &l->grace_ms, err) < 0 ||
        read_quantity(a, "mem", quantity_bytes, INT64_C(1) << 30, &l->memory_bytes, err) < 0 ||
        read_quantity(a, "output", quantity_bytes, 16 << 20, &l->output_bytes, err) < 0 ||
        read_quantity(a, "disk", quantity_bytes, INT64_C(1) << 30, &l->disk_bytes, err) < 0)
        return -1;
    l->tmp_bytes = l->disk_bytes;
    return 0;
}

static int add_mount(struct spec *spec, const char *pair, bool writable, struct error *err) {
    const char *option = writable ? "--rw" : "--ro";
    const char *colon = strrchr(pair, ':');
    if (!colon || colon == pair || colon[1] != '/')
        return error_set(err, ERROR_INVALID, "%s %s: must be SRC:DST with an absolute DST", option,
                         pair);
    _cleanup_free_ char *source = strndup(pair, (size_t)(colon - pair));
    struct spec_mount *grown =
        source ? realloc(spec->mounts, (spec->mount_count + 1) * sizeof *grown) : NULL;
    if (!grown) return error_sys(err, ENOMEM, "%s", option);
    spec->mounts = grown;
    struct spec_mount *m = &grown[spec->mount_count];
    *m = (struct spec_mount){.writable = writable};
    m->source = paths_absolute(source, err);
    if (!m->source) return error_wrap(err, "%s", option);
    spec->mount_count++;
    return copy_text(&m->target, colon + 1, err);
}

static int add_mounts(const struct args *a, struct spec *spec, struct error *err) {
    char *const *ro = args_list(a, "ro");
    char *const *rw = args_list(a, "rw");
    for (size_t i = 0; ro && ro[i]; i++)
        if (add_mount(spec, ro[i], false, err) < 0) return -1;
    for (size_t i = 0; rw && rw[i]; i++)
        if (add_mount(spec, rw[i], true, err) < 0) return -1;
    return 0;
}

static bool sets(char *const *env, const char *name) {
    size_t n = strlen(name);
    for (size_t i = 0; env && env[i]; i++)
        if (strncmp(env[i], name, n) == 0 && env[i][n] == '=') return true;
    return false;
}

static int make_env(const struct args *a, struct spec *spec, struct error *err) {
    static const char *const defaults[][2] = {
        {"PATH", "PATH=/usr/local/bin:/usr/bin:/bin"},
        {"HOME", "HOME=/tmp/home"},
        {"LANG", "LANG=C.UTF-8"},
        {"USER", "USER=paddock"},
    };
    char *const *given = args_list(a, "env");
    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
        if (!sets(given, defaults[i][0]) && strv_push(&spec->env, defaults[i][1]) < 0)
            return error_sys(err, ENOMEM, "env");
    for (size_t i = 0; given && given[i]; i++) {
        const char *equals = strchr(given[i], '=');
        if (!equals || equals == given[i])
            return error_set(err, ERROR_INVALID, "--env %s: must be KEY=VALUE", given[i]);
        if (strv_push(&spec->env, given[i]) < 0) return error_sys(err, ENOMEM, "env");
    }
    return 0;
}

static int make_collection(const struct args *a, struct spec *spec, struct error *err) {
    char *const *paths = args_list(a, "collect");
    size_t count = strv_len(paths);
    if (!count) return 0;
    if (!args_text(a, "out"))
        return error_set(err, ERROR_INVALID, "--collect needs --out DIR to keep the files in");
    spec->collect = calloc(count, sizeof *spec->collect);
    if (!spec->collect) return error_sys(err, ENOMEM, "collect");
    for (size_t i = 0; i < count; i++) {
        struct spec_collect *c = &spec->collect[spec->collect_count++];
        *c = (struct spec_collect){.bytes = spec->limits.disk_bytes, .files = 100000};
        if (copy_text(&c->path, paths[i], err) < 0) return -1;
    }
    return 0;
}

static int make_requirements(const struct args *a, struct spec *spec, struct error *err) {
    const char *names = args_text(a, "require");
    _cleanup_free_ char *list = names ? strdup(names) : NULL;
    char *rest = list;
    for (char *name; rest && (name = strsep(&rest, ","));)
        if (*name && strv_push(&spec->require, name) < 0) return error_sys(err, ENOMEM, "require");
    return 0;
}

/* "host", a folder (with a slash in it), or the name or digest of an image. */
static int find_image(const char *wish, char **out, struct error *err) {
    if (!wish || strcmp(wish, "host") == 0) return copy_text(out, "host", err);
    if (strchr(wish, '/')) {
        *out = paths_absolute(wish, err);
        return *out ? 0 : -1;
    }
    _cleanup_free_ char *state = paths_state(PATHS_PRIVATE, err);
    _cleanup_free_ char *store = state ? path_join(state, "images") : NULL;
    if (!store) return state ? error_sys(err, ENOMEM, "image") : -1;
    _cleanup_image_ struct image image = {0};
    if (image_resolve(store, wish, &image, err) < 0) return error_wrap(err, "--image");
    return copy_text(out, image.location, err);
}

/* One number is how many; an index alone is a list with a comma behind it, "1,". */
static int make_gpus(const struct args *a, struct spec *spec, struct error *err) {
    const char *text = args_text(a, "gpus");
    if (!text) return 0;
    if (strcmp(text, "all") == 0) return spec->gpus.all = true, 0;
    size_t digits = strspn(text, "0123456789");
    if (digits > 0 && digits < 4 && !text[digits]) {
        spec->gpus.count = strtol(text, NULL, 10);
        return spec->gpus.count <= SPEC_GPUS
                   ? 0
                   : error_set(err, ERROR_INVALID, "--gpus %s: at most %d", text, SPEC_GPUS);
    }
    _cleanup_free_ char *list = strdup(text);
    char *rest = list;
    if (!list) return error_sys(err, ENOMEM, "--gpus");
    for (char *name; (name = strsep(&rest, ","));) {
        for (char **seen = spec->gpus.names; seen && *seen; seen++)
            if (strcmp(*seen, name) == 0)
                return error_set(err, ERROR_INVALID, "--gpus %s: %s is named twice", text, name);
        if (*name && strv_push(&spec->gpus.names, name) < 0)
            return error_sys(err, ENOMEM, "--gpus");
    }
    if (spec->gpus.names && strv_len(spec->gpus.names) <= SPEC_GPUS) return 0;
    return error_set(err, ERROR_INVALID, "--gpus %s: must name 1 to %d GPUs", text, SPEC_GPUS);
}

static int make_places(const struct args *a, struct spec *spec, struct error *err) {
    const char *policy = args_text(a, "policy");
    const char *usual = spec_gpus_wanted(&spec->gpus) ? "train-gpu" : "train";
    spec->policy = policy_find(policy ? policy : usual, err);
    if (!spec->policy) return -1;
    const char *net = args_text(a, "net");
    if (net && strcmp(net, "none") != 0 && strcmp(net, "loopback") != 0)
        return error_set(err, ERROR_INVALID, "--net %s: must be none or loopback", net);
    spec->network = str_eq(net, "loopback") ? NETWORK_LOOPBACK : NETWORK_NONE;
    if (find_image(args_text(a, "image"), &spec->image, err) < 0) return -1;
    const char *workspace = args_text(a, "workspace");
    if (workspace && !(spec->workspace_source = paths_absolute(workspace, err))) return -1;
    const char *cpus = args_text(a, "cpus");
    if (cpus && copy_text(&spec->cpus, cpus, err) < 0) return -1;
    const char *cwd = args_text(a, "cwd");
    return copy_text(&spec->cwd, cwd ? cwd : "/work", err);
}

int exec_request_make(const struct args *args, char *const *command, struct exec_request *out,
                      struct error *err) {
    struct spec *spec = &out->spec;
    if (!command || !command[0])
        return error_set(err, ERROR_INVALID, "no command; write it after --");
    uint8_t random[8];
    char hex[17];
    random_bytes(random, sizeof random);
    hex_encode(random, sizeof random, hex);
    spec->id = str_printf("x-%s", hex);
    spec->argv = strv_copy(command);
    if (!spec->id || !spec->argv) return error_sys(err, ENOMEM, "exec");
    if (copy_text(&spec->hostname, "paddock", err) < 0 ||
        copy_text(&spec->workspace_target, "/work", err) < 0 ||
        read_limits(args, &spec->limits, err) < 0 || make_gpus(args, spec, err) < 0 ||
        make_places(args, spec, err) < 0 || add_mounts(args, spec, err) < 0 ||
        make_env(args, spec, err) < 0 || make_collection(args, spec, err) < 0 ||
        make_requirements(args, spec, err) < 0)
        return -1;
    /* A terminal is never handed in: its ioctls reach the session it belongs to. */
    spec->stdin_mode = isatty(STDIN_FILENO) ? STDIO_NULL : STDIO_INHERIT;
    const char *json = args_text(args, "json"), *dir = args_text(args, "out");
    /* With the result on stdout, the program's own stdout stays out of it: it
     * could otherwise print a result of its choosing there. */
    spec->stdout_mode = str_eq(json, "-") ? STDIO_FILE : STDIO_TEE;
    spec->stderr_mode = STDIO_TEE;
    if (json && copy_text(&out->json, json, err) < 0) return -1;
    if (dir && !(out->out = paths_absolute(dir, err))) return -1;
    out->resident = args_given(args, "resident");
    spec->lane = args_given(args, "timed") ? LANE_TIMED : LANE_YIELD;
    const char *learn = args_text(args, "learn");
    spec->learn = learn != NULL;
    if (learn && copy_text(&out->learn, learn, err) < 0) return -1;
    return 0;
}

void exec_request_clear(struct exec_request *r) {
    spec_clear(&r->spec);
    free(r->json);
    free(r->learn);
    free(r->out);
    *r = (struct exec_request){0};
}
