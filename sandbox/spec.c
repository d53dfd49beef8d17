#include "sandbox/spec.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/spec_internal.h"

#include <string.h>

enum {
    SPEC_BYTES = 4 << 20,     /* of the document */
    SPEC_ARGUMENTS = 1 << 20, /* bytes of argv and env together, with their NULs */
    SPEC_LIST = 256,          /* mounts, entries to collect */
    COLLECT_FILES = 100000,   /* default caps of an entry to collect */
    COLLECT_BYTES = 1073741824,
    LISTEN_FIRST = 1024, /* ports below are for privileged programs */
    LISTEN_LAST = 65535,
};

static const char *const network_names[] = {"none", "loopback", NULL};
static const char *const stdio_names[] = {"null", "file", "inherit", "tee", NULL};
static const char *const lane_names[] = {"yield", "timed", NULL};

/* An absolute path without "", "." or "..": what it names cannot depend on how
 * it is walked. */
bool spec_is_clean_path(const char *path) {
    return strcmp(path, "/") == 0 || path_is_rooted(path);
}

void spec_get_path(struct json_reader *r, const char *key, enum json_need need, char **out) {
    json_get_string(r, key, need, out);
    if (*out && !spec_is_clean_path(*out))
        json_reader_fail(r, json_find(r->object, key),
                         "must be an absolute path without \".\", \"..\" or empty parts");
}

bool spec_is_below(const char *path, const char *folder) {
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

void spec_get_target(struct json_reader *r, const char *key, enum json_need need, char **out) {
    static const char *const ours[] = {"/proc", "/dev", "/sys"};
    spec_get_path(r, key, need, out);
    if (!*out) return;
    bool taken = strcmp(*out, "/") == 0;
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++) taken |= spec_is_below(*out, ours[i]);
    if (taken) json_reader_fail(r, json_find(r->object, key), "\"%s\" belongs to the fence", *out);
}

static int decode_mount(const struct json *v, struct spec_mount *m, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    spec_get_path(&r, "source", JSON_REQUIRED, &m->source);
    spec_get_target(&r, "target", JSON_REQUIRED, &m->target);
    json_get_bool(&r, "writable", JSON_OPTIONAL, &m->writable);
    json_get_bool(&r, "exec", JSON_OPTIONAL, &m->exec);
    return json_object_end(&r);
}

/* "." is the workspace itself, as a build phase is collected. */
static bool is_below(const char *path) {
    return strcmp(path, ".") == 0 || path_is_confined(path);
}

static int decode_collect(const struct json *v, struct spec_collect *c, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    c->bytes = COLLECT_BYTES;
    c->files = COLLECT_FILES;
    json_get_string(&r, "path", JSON_REQUIRED, &c->path);
    json_get_string(&r, "as", JSON_OPTIONAL, &c->as);
    json_get_int(&r, "bytes", JSON_OPTIONAL, 1, INT64_MAX, &c->bytes);
    json_get_int(&r, "files", JSON_OPTIONAL, 1, INT64_MAX, &c->files);
    json_get_bool(&r, "required", JSON_OPTIONAL, &c->required);
    if (c->path && !is_below(c->path))
        json_reader_fail(&r, json_find(v, "path"), "must be a path below the workspace");
    if (c->as && !is_below(c->as))
        json_reader_fail(&r, json_find(v, "as"), "must be a path below artifacts/");
    if (c->path && !c->as && !(c->as = strdup(c->path))) json_reader_fail(&r, v, "out of memory");
    return json_object_end(&r);
}

/* Allocates an array for the elements of `v`, at most SPEC_LIST. */
void *spec_make_list(const struct json *v, size_t size, struct error *err) {
    if (json_count(v) > SPEC_LIST) {
        json_error(v, err, "has more than %d entries", SPEC_LIST);
        return NULL;
    }
    void *list = calloc(json_count(v) + 1, size);
    if (!list) error_sys(err, ENOMEM, "spec");
    return list;
}

static int decode_mounts(const struct json *v, struct spec *out, struct error *err) {
    if (!v) return 0;
    out->mounts = spec_make_list(v, sizeof *out->mounts, err);
    if (!out->mounts) return -1;
    for (size_t i = 0; i < json_count(v); i++) {
        struct spec_mount *m = &out->mounts[out->mount_count++];
        if (decode_mount(json_at(v, i), m, err) < 0) return -1;
        bool twice = strcmp(m->target, out->workspace_target) == 0;
        for (size_t j = 0; j < i; j++) twice |= strcmp(m->target, out->mounts[j].target) == 0;
        if (twice) return json_error(json_at(v, i), err, "target \"%s\" is used twice", m->target);
    }
    return 0;
}

static int decode_collection(const struct json *v, struct spec *out, struct error *err) {
    if (!v) return 0;
    out->collect = spec_make_list(v, sizeof *out->collect, err);
    if (!out->collect) return -1;
    for (size_t i = 0; i < json_count(v); i++)
        if (decode_collect(json_at(v, i), &out->collect[out->collect_count++], err) < 0) return -1;
    return 0;
}

static int decode_workspace(const struct json *v, struct spec *out, struct error *err) {
    if (v) {
        struct json_reader r;
        json_object(&r, v, err);
        spec_get_path(&r, "source", JSON_OPTIONAL, &out->workspace_source);
        spec_get_target(&r, "target", JSON_OPTIONAL, &out->workspace_target);
        if (json_object_end(&r) < 0) return -1;
    }
    if (!out->workspace_target && !(out->workspace_target = strdup("/work")))
        return error_sys(err, ENOMEM, "spec");
    return 0;
}

static int decode_stdio(struct json_reader *r, struct spec *out) {
    int in = STDIO_NULL, o = STDIO_FILE, e = STDIO_FILE;
    json_get_enum(r, "stdin", JSON_OPTIONAL, stdio_names, &in);
    json_get_enum(r, "stdout", JSON_OPTIONAL, stdio_names, &o);
    json_get_enum(r, "stderr", JSON_OPTIONAL, stdio_names, &e);
    if (in == STDIO_FILE || in == STDIO_TEE)
        json_reader_fail(r, json_find(r->object, "stdin"), "must be \"null\" or \"inherit\"");
    out->stdin_mode = (enum spec_stdio)in;
    out->stdout_mode = (enum spec_stdio)o;
    out->stderr_mode = (enum spec_stdio)e;
    return r->failed ? -1 : 0;
}

static void check_arguments(struct json_reader *r, const struct spec *s) {
    if (s->argv && !s->argv[0])
        json_reader_fail(r, json_find(r->object, "argv"), "must name a program");
    else if (s->argv && !s->argv[0][0])
        json_reader_fail(r, json_find(r->object, "argv"), "the program's name is empty");
    size_t bytes = 0;
    for (size_t i = 0; s->argv && s->argv[i]; i++) bytes += strlen(s->argv[i]) + 1;
    for (size_t i = 0; s->env && s->env[i]; i++) {
        bytes += strlen(s->env[i]) + 1;
        if (s->env[i][0] == '=' || !strchr(s->env[i], '='))
            json_reader_fail(r, json_at(json_find(r->object, "env"), i), "must be KEY=VALUE");
    }
    if (bytes > SPEC_ARGUMENTS)
        json_reader_fail(r, NULL, "argv and env are larger than %d bytes", SPEC_ARGUMENTS);
}

/* Numbers and ranges with commas between; which of them there are, the kernel says. */
static bool is_cpu_list(const char *s) {
    for (;; s++) {
        size_t n = strspn(s, "0123456789");
        if (n == 0 || n > 5) return false;
        s += n;
        if (*s == '\0') return true;
        if (*s == '-') {
            n = strspn(++s, "0123456789");
            if (n == 0 || n > 5) return false;
            s += n;
            if (*s == '\0') return true;
        }
        if (*s != ',') return false;
    }
}

static void check_names(struct json_reader *r, const struct spec *s) {
    if (s->id && !str_is_name(s->id))
        json_reader_fail(r, json_find(r->object, "id"),
                         "must be 1 to 64 of a-z 0-9 . _ -, first a letter or digit");
    if (s->hostname && !str_is_name(s->hostname))
        json_reader_fail(r, json_find(r->object, "hostname"),
                         "must be 1 to 64 of a-z 0-9 . _ -, first a letter or digit");
    if (s->cpus && !is_cpu_list(s->cpus))
        json_reader_fail(r, json_find(r->object, "cpus"), "must be a list such as \"0-1,4\"");
    if (s->image && strcmp(s->image, "host") != 0 && !spec_is_clean_path(s->image))
        json_reader_fail(r, json_find(r->object, "image"),
                         "must be \"host\" or the absolute path of a root file system");
    if (s->policy && s->policy[0] != '/')
        json_reader_fail(r, json_find(r->object, "policy"), "must be an absolute path");
}

/* A copy of a value that outlives its document. */
static struct json *copy_value(const struct json *v, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (w) json_put_value(w, NULL, v);
    size_t len = 0;
    const char *text = w ? json_writer_text(w, &len) : NULL;
    if (!text) {
        error_sys(err, ENOMEM, "labels");
        return NULL;
    }
    return json_parse("labels", text, len, err);
}

static int default_string(char **slot, const char *text, struct error *err) {
    if (!*slot && !(*slot = strdup(text))) return error_sys(err, ENOMEM, "spec");
    return 0;
}

int spec_decode(const struct json *doc, struct spec *out, struct error *err) {
    struct json_reader r;
    int network = NETWORK_NONE, lane = LANE_YIELD;
    json_object(&r, doc, err);
    json_get_string(&r, "id", JSON_REQUIRED, &out->id);
    json_get_strv(&r, "argv", JSON_REQUIRED, &out->argv);
    json_get_strv(&r, "env", JSON_OPTIONAL, &out->env);
    spec_get_path(&r, "cwd", JSON_OPTIONAL, &out->cwd);
    json_get_string(&r, "hostname", JSON_OPTIONAL, &out->hostname);
    json_get_string(&r, "image", JSON_OPTIONAL, &out->image);
    json_get_string(&r, "policy", JSON_REQUIRED, &out->policy);
    json_get_bool(&r, "learn", JSON_OPTIONAL, &out->learn);
    json_get_enum(&r, "network", JSON_OPTIONAL, network_names, &network);
    json_get_int(&r, "listen", JSON_OPTIONAL, LISTEN_FIRST, LISTEN_LAST, &out->listen);
    if (out->listen && network != NETWORK_LOOPBACK)
        json_reader_fail(&r, json_find(doc, "listen"), "needs the network \"loopback\"");
    const struct json *gpus = json_get(&r, "gpus", JSON_OPTIONAL);
    const struct json *workspace = json_get_object(&r, "workspace", JSON_OPTIONAL);
    const struct json *mounts = json_get_array(&r, "mounts", JSON_OPTIONAL);
    const struct json *limits = json_get_object(&r, "limits", JSON_OPTIONAL);
    json_get_string(&r, "cpus", JSON_OPTIONAL, &out->cpus);
    json_get_enum(&r, "lane", JSON_OPTIONAL, lane_names, &lane);
    const struct json *clock = json_get(&r, "clock", JSON_OPTIONAL);
    json_get_bool(&r, "gauge", JSON_OPTIONAL, &out->gauge);
    decode_stdio(&r, out);
    const struct json *collect = json_get_array(&r, "collect", JSON_OPTIONAL);
    json_get_strv(&r, "require", JSON_OPTIONAL, &out->require);
    spec_get_path(&r, "dir", JSON_OPTIONAL, &out->dir);
    const struct json *labels = json_get_object(&r, "labels", JSON_OPTIONAL);
    check_arguments(&r, out);
    check_names(&r, out);
    if (json_object_end(&r) < 0) return -1;
    out->network = (enum spec_network)network;
    out->lane = (enum spec_lane)lane;
    if (decode_workspace(workspace, out, err) < 0 || decode_mounts(mounts, out, err) < 0 ||
        (gpus && spec_gpus_decode(gpus, out->env, &out->gpus, err) < 0) ||
        (limits && spec_limits_decode(limits, &out->limits, err) < 0) ||
        decode_collection(collect, out, err) < 0 ||
        (clock &&
         (spec_clock_decode(clock, &out->clock, err) < 0 || spec_clock_check(clock, out, err) < 0)))
        return -1;
    if (out->limits.cpus_exclusive && !out->cpus)
        return json_error(json_find(limits, "cpus_exclusive"), err, "needs the list \"cpus\"");
    bool passed_on = out->stdout_mode == STDIO_INHERIT || out->stderr_mode == STDIO_INHERIT;
    if (out->clock.kind == CLOCK_LINES && passed_on)
        return json_error(clock, err, "needs stdout and stderr captured, not inherited");
    out->labels_kept = labels != NULL;
    if (labels && !(out->labels = copy_value(labels, err))) return -1;
    if (!out->env && !(out->env = calloc(1, sizeof *out->env)))
        return error_sys(err, ENOMEM, "spec");
    if (default_string(&out->cwd, out->workspace_target, err) < 0 ||
        default_string(&out->hostname, "paddock", err) < 0 ||
        default_string(&out->image, "host", err) < 0)
        return -1;
    return 0;
}

int spec_load(const char *path, struct spec *out, struct error *err) {
    bool from_stdin = strcmp(path, "-") == 0;
    _cleanup_buf_ struct buf text = {0};
    if (from_stdin ? file_read_fd(STDIN_FILENO, SPEC_BYTES, &text, err) < 0
                   : file_read(path, SPEC_BYTES, &text, err) < 0)
        return error_wrap(err, "spec");
    _cleanup_json_ struct json *doc =
        json_parse(from_stdin ? "stdin" : path, buf_text(&text), text.len, err);
    if (!doc || spec_decode(doc, out, err) < 0) return error_wrap(err, "spec");
    return 0;
}

static void put_optional(struct json_writer *w, const char *key, const char *text) {
    if (text) json_put_string(w, key, text);
}

static void encode_mounts(const struct spec *s, struct json_writer *w) {
    json_open_object(w, "workspace");
    put_optional(w, "source", s->workspace_source);
    put_optional(w, "target", s->workspace_target);
    json_close_object(w);
    json_open_array(w, "mounts");
    for (size_t i = 0; i < s->mount_count; i++) {
        json_open_object(w, NULL);
        json_put_string(w, "source", s->mounts[i].source);
        json_put_string(w, "target", s->mounts[i].target);
        json_put_bool(w, "writable", s->mounts[i].writable);
        json_put_bool(w, "exec", s->mounts[i].exec);
        json_close_object(w);
    }
    json_close_array(w);
}

static void encode_collection(const struct spec *s, struct json_writer *w) {
    json_open_array(w, "collect");
    for (size_t i = 0; i < s->collect_count; i++) {
        const struct spec_collect *c = &s->collect[i];
        json_open_object(w, NULL);
        json_put_string(w, "path", c->path);
        put_optional(w, "as", c->as);
        if (c->bytes) json_put_int(w, "bytes", c->bytes);
        if (c->files) json_put_int(w, "files", c->files);
        json_put_bool(w, "required", c->required);
        json_close_object(w);
    }
    json_close_array(w);
}

int spec_encode(const struct spec *s, struct json_writer *w, struct error *err) {
    if (!s->id || !s->argv || !s->policy)
        return error_set(err, ERROR_INVALID, "spec: lacks id, argv or policy");
    json_open_object(w, NULL);
    json_put_string(w, "id", s->id);
    json_put_strv(w, "argv", s->argv);
    json_put_strv(w, "env", s->env);
    put_optional(w, "cwd", s->cwd);
    put_optional(w, "hostname", s->hostname);
    put_optional(w, "image", s->image);
    json_put_string(w, "policy", s->policy);
    if (s->learn) json_put_bool(w, "learn", true);
    json_put_string(w, "network", network_names[s->network]);
    if (s->listen) json_put_int(w, "listen", s->listen);
    spec_gpus_encode(&s->gpus, w);
    encode_mounts(s, w);
    spec_limits_encode(&s->limits, w);
    put_optional(w, "cpus", s->cpus);
    if (s->lane != LANE_YIELD) json_put_string(w, "lane", lane_names[s->lane]);
    spec_clock_encode(&s->clock, w);
    if (s->gauge) json_put_bool(w, "gauge", true);
    json_put_string(w, "stdin", stdio_names[s->stdin_mode]);
    json_put_string(w, "stdout", stdio_names[s->stdout_mode]);
    json_put_string(w, "stderr", stdio_names[s->stderr_mode]);
    encode_collection(s, w);
    json_put_strv(w, "require", s->require);
    put_optional(w, "dir", s->dir);
    if (s->labels) json_put_value(w, "labels", s->labels);
    json_close_object(w);
    return 0;
}

void spec_clear(struct spec *s) {
    free(s->id);
    strv_free(s->argv);
    strv_free(s->env);
    free(s->cwd);
    free(s->hostname);
    free(s->image);
    free(s->policy);
    free(s->workspace_source);
    free(s->workspace_target);
    for (size_t i = 0; i < s->mount_count; i++) {
        free(s->mounts[i].source);
        free(s->mounts[i].target);
    }
    free(s->mounts);
    spec_limits_clear(&s->limits);
    free(s->cpus);
    spec_clock_clear(&s->clock);
    for (size_t i = 0; i < s->collect_count; i++) {
        free(s->collect[i].path);
        free(s->collect[i].as);
    }
    free(s->collect);
    strv_free(s->gpus.names);
    strv_free(s->require);
    free(s->dir);
    json_free(s->labels);
    *s = (struct spec){0};
}
