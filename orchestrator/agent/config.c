#include "orchestrator/agent/config.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <float.h>
#include <string.h>

const char *const role_names[] = {"ideator", "coder", "analyst", NULL};

#define REPAIRS_DEFAULT 2
#define REPAIRS_MAX     10
#define PARALLEL_MAX    1000
#define SYSTEM_MAX      ((size_t)64 << 10)

static const char *const policies[] = {"best", "greedy", NULL};

static void decode_settings(const struct json *v, int64_t nodes, struct search_settings *out,
                            struct error *err, bool *failed) {
    struct json_reader r;
    int policy = SEARCH_BEST;
    out->nodes = 20;
    json_object(&r, v, err);
    json_get_int(&r, "n0", JSON_REQUIRED, 1, SEARCH_NODES_MAX, &out->n0);
    json_get_int(&r, "n", JSON_REQUIRED, 0, SEARCH_NODES_MAX, &out->n);
    json_get_double(&r, "debug_p", JSON_OPTIONAL, 0, 1, &out->debug_p);
    json_get_int(&r, "debug_depth", JSON_OPTIONAL, 0, SEARCH_NODES_MAX, &out->debug_depth);
    json_get_int(&r, "nodes", JSON_OPTIONAL, 1, SEARCH_NODES_MAX, &out->nodes);
    json_get_enum(&r, "policy", JSON_OPTIONAL, policies, &policy);
    out->policy = (enum search_policy)policy;
    if (nodes) out->nodes = nodes;
    *failed = json_object_end(&r) < 0;
}

static void decode_search(struct json_reader *r, struct search_settings *out) {
    int64_t nodes = 0, seed = 1;
    const char *name = NULL;
    _cleanup_error_ struct error why = {0};
    bool failed = false;
    json_get_int(r, "nodes", JSON_OPTIONAL, 1, SEARCH_NODES_MAX, &nodes);
    json_get_int(r, "seed", JSON_OPTIONAL, 0, INT64_MAX, &seed);
    const struct json *v = json_get(r, "search", JSON_REQUIRED);
    if (r->failed || !v) return;
    out->seed = (uint64_t)seed;
    if (json_type(v) == JSON_OBJECT) decode_settings(v, nodes, out, r->err, &failed);
    else if (json_as_string(v, &name, r->err) < 0) failed = true;
    else if (search_named(name, nodes, out, &why) < 0) json_reader_fail(r, v, "%s", why.text);
    r->failed |= failed;
    json_get_double(r, "noise", JSON_OPTIONAL, 0, 1, &out->noise);
}

static void decode_models(struct json_reader *r, struct agent_config *out) {
    _cleanup_free_ char *common = NULL;
    struct json_reader each;
    json_get_string(r, "model", JSON_OPTIONAL, &common);
    const struct json *models = json_get_object(r, "models", JSON_OPTIONAL);
    if (models) {
        json_object(&each, models, r->err);
        for (int i = 0; i < ROLE_COUNT; i++)
            json_get_string(&each, role_names[i], JSON_OPTIONAL, &out->models[i]);
        if (json_object_end(&each) < 0) r->failed = true;
    }
    const bool plays[] = {out->ideates, true, out->analyses};
    for (int i = 0; i < ROLE_COUNT && !r->failed; i++) {
        if (plays[i] && !out->models[i] && common) out->models[i] = strdup(common);
        if (plays[i] && !out->models[i])
            json_reader_fail(r, r->object, "names no model for the %s: set \"model\"",
                             role_names[i]);
    }
}

static void decode_hints(struct json_reader *r, struct agent_config *out) {
    const struct json *hints = json_get_array(r, "hints", JSON_OPTIONAL);
    for (size_t i = 0; hints && i < json_count(hints); i++) {
        int64_t level = 0;
        if (json_as_int(json_at(hints, i), 0, AGENT_HINTS - 1, &level, r->err) < 0)
            r->failed = true;
        else out->hints[level] = true;
    }
}

static void decode_budget(struct json_reader *r, struct agent_budget *out) {
    const struct json *v = json_get_object(r, "budget", JSON_OPTIONAL);
    struct json_reader each;
    if (!v) return;
    json_object(&each, v, r->err);
    json_get_int(&each, "tokens", JSON_OPTIONAL, 0, INT64_MAX / 4, &out->tokens);
    json_get_double(&each, "cost", JSON_OPTIONAL, 0, 1e12, &out->cost);
    json_get_double(&each, "wall_s", JSON_OPTIONAL, 0, 1e12, &out->wall_s);
    json_get_double(&each, "run_s", JSON_OPTIONAL, 0, 1e12, &out->run_s);
    if (json_object_end(&each) < 0) r->failed = true;
}

/* "v12" */
static void decode_start(struct json_reader *r, struct agent_config *out) {
    json_get_string(r, "start", JSON_OPTIONAL, &out->start);
    if (!out->start) return;
    size_t digits = strspn(out->start + (out->start[0] == 'v'), "0123456789");
    if (out->start[0] != 'v' || digits == 0 || digits > 18 || out->start[1 + digits])
        json_reader_fail(r, json_find(r->object, "start"), "must be a version, as in \"v12\"");
}

#define COMMAND "command:"

static void decode_coder_limits(struct json_reader *r, struct agent_coder_limits *out) {
    const struct json *v = json_get_object(r, "coder_limits", JSON_OPTIONAL);
    struct json_reader each;
    if (!v) return;
    json_object(&each, v, r->err);
    json_get_int(&each, "wall_s", JSON_OPTIONAL, 1, 7 * 86400, &out->wall_s);
    json_get_int(&each, "memory_bytes", JSON_OPTIONAL, 1 << 20, INT64_MAX / 4, &out->memory_bytes);
    json_get_int(&each, "pids", JSON_OPTIONAL, 1, 1 << 20, &out->pids);
    json_get_int(&each, "disk_bytes", JSON_OPTIONAL, 1 << 20, INT64_MAX / 4, &out->disk_bytes);
    if (json_object_end(&each) < 0) r->failed = true;
}

/* One of the formats, or a command of the user's. */
static void decode_coder(struct json_reader *r, struct agent_config *out) {
    const struct json *v = json_get(r, "coder", JSON_OPTIONAL);
    const char *text = NULL;
    int format = FORMAT_BLOCKS;
    json_get_strv(r, "coder_mounts", JSON_OPTIONAL, &out->coder_mounts);
    decode_coder_limits(r, &out->coder_limits);
    if (v && json_type(v) == JSON_STRING && json_as_string(v, &text, r->err) == 0 &&
        str_starts(text, COMMAND)) {
        out->command = strdup(text + strlen(COMMAND));
        if (!out->command || !*out->command) json_reader_fail(r, v, "names no command");
    } else if (v && json_as_enum(v, format_names, &format, r->err) < 0) {
        r->failed = true;
    }
    out->format = (enum format)format;
    if (!out->command && (out->coder_mounts || json_find(r->object, "coder_limits")))
        json_reader_fail(r, NULL,
                         "coder_mounts and coder_limits are for a coder that is a command");
}

int agent_config_decode(const struct json *v, struct agent_config *out, struct error *err) {
    static const char *const ideators[] = {"none", "model", NULL};
    static const char *const baselines[] = {"auto", "run", "none", NULL};
    struct json_reader r;
    int ideator = 1, baseline = BASELINE_AUTO;
    out->analyses = true;
    out->repairs = REPAIRS_DEFAULT;
    json_object(&r, v, err);
    json_get_enum(&r, "ideator", JSON_OPTIONAL, ideators, &ideator);
    decode_coder(&r, out);
    json_get_bool(&r, "analyst", JSON_OPTIONAL, &out->analyses);
    out->ideates = ideator == 1;
    decode_models(&r, out);
    decode_search(&r, &out->search);
    decode_hints(&r, out);
    json_get_strv(&r, "knowledge", JSON_OPTIONAL, &out->knowledge);
    json_get_string(&r, "system", JSON_OPTIONAL, &out->system);
    json_get_string(&r, "prompts", JSON_OPTIONAL, &out->prompts);
    decode_start(&r, out);
    decode_budget(&r, &out->budget);
    json_get_enum(&r, "baseline", JSON_OPTIONAL, baselines, &baseline);
    out->baseline = (enum baseline)baseline;
    json_get_int(&r, "parallel", JSON_OPTIONAL, 0, PARALLEL_MAX, &out->parallel);
    json_get_int(&r, "repairs", JSON_OPTIONAL, 0, REPAIRS_MAX, &out->repairs);
    if (out->system && strlen(out->system) > SYSTEM_MAX)
        json_reader_fail(&r, json_find(v, "system"), "has more than %zu bytes", SYSTEM_MAX);
    return json_object_end(&r);
}

void agent_config_clear(struct agent_config *c) {
    for (int i = 0; i < ROLE_COUNT; i++) free(c->models[i]);
    strv_free(c->knowledge);
    free(c->command);
    strv_free(c->coder_mounts);
    free(c->system);
    free(c->prompts);
    free(c->start);
    *c = (struct agent_config){0};
}

/* ---- paths ---- */

static char *absolute(const char *dir, const char *path) {
    return path[0] == '/' ? strdup(path) : path_join(dir, path);
}

/* A model is a name, a path, or a cassette's path behind "replay:". */
static char *absolute_model(const char *dir, const char *model) {
    const char *path = str_starts(model, "replay:") ? model + strlen("replay:") : model;
    if (path == model && !strchr(model, '/')) return strdup(model);
    _cleanup_free_ char *whole = absolute(dir, path);
    return whole ? str_printf("%.*s%s", (int)(path - model), model, whole) : NULL;
}

static int put(struct json_writer *w, const char *key, const struct json *v, const char *dir,
               char *(*change)(const char *, const char *), struct error *err) {
    const char *text = NULL;
    if (json_as_string(v, &text, err) < 0) return -1;
    _cleanup_free_ char *changed = change(dir, text);
    if (!changed) return error_sys(err, ENOMEM, "config");
    json_put_string(w, key, changed);
    return 0;
}

static int put_each(struct json_writer *w, const char *key, const struct json *v, const char *dir,
                    char *(*change)(const char *, const char *), struct error *err) {
    bool is_object = json_type(v) == JSON_OBJECT;
    if (!is_object && json_type(v) != JSON_ARRAY) return json_error(v, err, "must be a list");
    if (is_object) json_open_object(w, key);
    else json_open_array(w, key);
    for (size_t i = 0; i < json_count(v); i++)
        if (put(w, is_object ? json_key_at(v, i) : NULL, json_at(v, i), dir, change, err) < 0)
            return -1;
    if (is_object) json_close_object(w);
    else json_close_array(w);
    return 0;
}

int agent_config_absolute(const struct json *v, const char *dir, struct json_writer *w,
                          const char *key, struct error *err) {
    if (json_type(v) != JSON_OBJECT) return json_error(v, err, "must be an object");
    json_open_object(w, key);
    for (size_t i = 0; i < json_count(v); i++) {
        const char *name = json_key_at(v, i);
        const struct json *one = json_at(v, i);
        int r = 0;
        bool paths = str_eq(name, "knowledge") || str_eq(name, "coder_mounts");
        if (str_eq(name, "model")) r = put(w, name, one, dir, absolute_model, err);
        else if (str_eq(name, "models")) r = put_each(w, name, one, dir, absolute_model, err);
        else if (paths) r = put_each(w, name, one, dir, absolute, err);
        else if (str_eq(name, "prompts")) r = put(w, name, one, dir, absolute, err);
        else json_put_value(w, name, one);
        if (r < 0) return -1;
    }
    json_close_object(w);
    return 0;
}
