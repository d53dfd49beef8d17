#include "sandbox/result.h"

#include "common/buf.h"
#include "common/cleanup.h"

#include <string.h>

enum { RESULT_BYTES = 8 << 20, RESULT_LIST = 4096 };

static const char *const ended_names[] = {
    "exit",         "signal",     "wall-limit",       "cpu-limit",   "memory-limit", "pids-limit",
    "output-limit", "disk-limit", "policy-violation", "setup-error", "cancelled",    "done",
    "clock",        NULL};
static const char *const state_names[] = {"on", "weaker", "off", NULL};
static const char *const enforcer_names[] = {"none", "kernel", "rlimit", "watcher", NULL};

const char *ended_name(enum ended e) {
    return ended_names[e];
}

/* The numbers of a result, in the order they are written: one table serves
 * both directions, so that they cannot differ. */
struct number {
    const char *key;
    size_t offset;
};
#define NUMBER(field) \
    { #field, offsetof(struct result, field) }
static const struct number numbers[] = {
    NUMBER(t_launch),
    NUMBER(t_ready),
    NUMBER(t_clock_start),
    NUMBER(t_first_output),
    NUMBER(t_clock_stop),
    NUMBER(t_empty),
    NUMBER(t_done),
    NUMBER(wall_ns),
    NUMBER(cpu_user_ns),
    NUMBER(cpu_system_ns),
    NUMBER(memory_peak_bytes),
    NUMBER(io_read_bytes),
    NUMBER(io_write_bytes),
    NUMBER(context_switches),
    NUMBER(involuntary_switches),
    NUMBER(page_faults_major),
    NUMBER(page_faults_minor),
    NUMBER(stdout_bytes),
    NUMBER(stderr_bytes),
    NUMBER(steal_ns),
    NUMBER(pressure_cpu_ns),
    NUMBER(pressure_memory_ns),
    NUMBER(pressure_io_ns),
    NUMBER(launcher_cpu_ns),
    NUMBER(frequency_khz),
};

/* Those that a result of an older version lacks: −1 then. */
static const struct number later[] = {
    NUMBER(t_release),
    NUMBER(init_wall_ns),
    NUMBER(init_cpu_ns),
    NUMBER(outside_ns),
    NUMBER(cpus),
    NUMBER(foreign_cpu_ns),
    NUMBER(throttled_ns),
    NUMBER(run_delay_ns),
    NUMBER(frequency_start_khz),
    NUMBER(thermal_throttles),
    NUMBER(swap_pages),
    NUMBER(gauge_cpu_before_ns),
    NUMBER(gauge_cpu_after_ns),
    NUMBER(gauge_memory_before_ns),
    NUMBER(gauge_memory_after_ns),
};

static const struct number texts[] = {
    NUMBER(error),         NUMBER(privilege),    NUMBER(spec_sha256), NUMBER(policy_sha256),
    NUMBER(filter_sha256), NUMBER(image_digest), NUMBER(version),
};
#undef NUMBER

static int64_t *number_at(const struct result *r, const struct number *n) {
    return (int64_t *)((char *)r + n->offset);
}

void result_know_nothing(struct result *r) {
    for (size_t i = 0; i < ARRAY_SIZE(later); i++) *number_at(r, &later[i]) = -1;
}

static char **text_at(const struct result *r, const struct number *n) {
    return (char **)((char *)r + n->offset);
}

static void encode_layers(const struct result *r, struct json_writer *w) {
    json_open_array(w, "fence");
    for (size_t i = 0; i < r->layer_count; i++) {
        json_open_object(w, NULL);
        json_put_string(w, "name", r->layers[i].name);
        json_put_string(w, "state", state_names[r->layers[i].state]);
        json_put_string(w, "detail", r->layers[i].detail);
        json_close_object(w);
    }
    json_close_array(w);
}

static void encode_limits(const struct result *r, struct json_writer *w) {
    json_open_array(w, "limits");
    for (size_t i = 0; i < r->limit_count; i++) {
        json_open_object(w, NULL);
        json_put_string(w, "name", r->limits[i].name);
        json_put_int(w, "value", r->limits[i].value);
        json_put_string(w, "by", enforcer_names[r->limits[i].by]);
        json_put_string(w, "detail", r->limits[i].detail);
        json_close_object(w);
    }
    json_close_array(w);
}

static void encode_collected(const struct result *r, struct json_writer *w) {
    json_open_array(w, "collected");
    for (size_t i = 0; i < r->collected_count; i++) {
        const struct collected *c = &r->collected[i];
        json_open_object(w, NULL);
        json_put_string(w, "path", c->path);
        json_put_string(w, "as", c->as);
        json_put_bool(w, "present", c->present);
        json_put_int(w, "files", c->files);
        json_put_int(w, "bytes", c->bytes);
        json_put_int(w, "skipped", c->skipped);
        json_put_bool(w, "truncated", c->truncated);
        json_put_string(w, "reason", c->reason);
        json_close_object(w);
    }
    json_close_array(w);
}

int result_encode(const struct result *r, struct json_writer *w, struct error *err) {
    if (!r->id) return error_set(err, ERROR_INTERNAL, "result: lacks the id");
    json_open_object(w, NULL);
    json_put_string(w, "id", r->id);
    json_put_string(w, "ended", ended_names[r->ended]);
    json_put_int(w, "exit_code", r->exit_code);
    json_put_int(w, "signal", r->signal);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        json_put_string(w, texts[i].key, *text_at(r, &texts[i]));
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        json_put_int(w, numbers[i].key, *number_at(r, &numbers[i]));
    for (size_t i = 0; i < ARRAY_SIZE(later); i++)
        json_put_int(w, later[i].key, *number_at(r, &later[i]));
    json_put_bool(w, "output_truncated", r->output_truncated);
    violation_encode(r->violation, w);
    quiet_report_encode(&r->quiet, w);
    gpu_report_encode(r->gpus, w);
    encode_layers(r, w);
    encode_limits(r, w);
    encode_collected(r, w);
    if (r->labels) json_put_value(w, "labels", r->labels);
    json_close_object(w);
    return 0;
}

/* A string, or null for "none". */
static void get_text(struct json_reader *r, const char *key, char **out) {
    const struct json *v = json_get(r, key, JSON_REQUIRED);
    if (v && json_type(v) != JSON_NULL) json_get_string(r, key, JSON_REQUIRED, out);
}

static void *make_list(const struct json *v, size_t size, struct error *err) {
    if (json_count(v) > RESULT_LIST) {
        json_error(v, err, "has more than %d entries", RESULT_LIST);
        return NULL;
    }
    void *list = calloc(json_count(v) + 1, size);
    if (!list) error_sys(err, ENOMEM, "result");
    return list;
}

static int decode_layers(const struct json *v, struct result *out, struct error *err) {
    if (!(out->layers = make_list(v, sizeof *out->layers, err))) return -1;
    for (size_t i = 0; i < json_count(v); i++) {
        struct layer *l = &out->layers[out->layer_count++];
        struct json_reader r;
        int state = 0;
        json_object(&r, json_at(v, i), err);
        json_get_string(&r, "name", JSON_REQUIRED, &l->name);
        json_get_enum(&r, "state", JSON_REQUIRED, state_names, &state);
        get_text(&r, "detail", &l->detail);
        if (json_object_end(&r) < 0) return -1;
        l->state = (enum layer_state)state;
    }
    return 0;
}

static int decode_limits(const struct json *v, struct result *out, struct error *err) {
    if (!(out->limits = make_list(v, sizeof *out->limits, err))) return -1;
    for (size_t i = 0; i < json_count(v); i++) {
        struct limit_report *l = &out->limits[out->limit_count++];
        struct json_reader r;
        int by = 0;
        json_object(&r, json_at(v, i), err);
        json_get_string(&r, "name", JSON_REQUIRED, &l->name);
        json_get_int(&r, "value", JSON_REQUIRED, 0, INT64_MAX, &l->value);
        json_get_enum(&r, "by", JSON_REQUIRED, enforcer_names, &by);
        get_text(&r, "detail", &l->detail);
        if (json_object_end(&r) < 0) return -1;
        l->by = (enum enforcer)by;
    }
    return 0;
}

static int decode_collected(const struct json *v, struct result *out, struct error *err) {
    if (!(out->collected = make_list(v, sizeof *out->collected, err))) return -1;
    for (size_t i = 0; i < json_count(v); i++) {
        struct collected *c = &out->collected[out->collected_count++];
        struct json_reader r;
        json_object(&r, json_at(v, i), err);
        json_get_string(&r, "path", JSON_REQUIRED, &c->path);
        get_text(&r, "as", &c->as);
        json_get_bool(&r, "present", JSON_REQUIRED, &c->present);
        json_get_int(&r, "files", JSON_REQUIRED, 0, INT64_MAX, &c->files);
        json_get_int(&r, "bytes", JSON_REQUIRED, 0, INT64_MAX, &c->bytes);
        json_get_int(&r, "skipped", JSON_REQUIRED, 0, INT64_MAX, &c->skipped);
        json_get_bool(&r, "truncated", JSON_REQUIRED, &c->truncated);
        get_text(&r, "reason", &c->reason);
        if (json_object_end(&r) < 0) return -1;
    }
    return 0;
}

static int copy_labels(const struct json *v, struct result *out, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (w) json_put_value(w, NULL, v);
    size_t len = 0;
    const char *text = w ? json_writer_text(w, &len) : NULL;
    if (!text) return error_sys(err, ENOMEM, "labels");
    out->labels = json_parse("labels", text, len, err);
    return out->labels ? 0 : -1;
}

int result_decode(const struct json *doc, struct result *out, struct error *err) {
    struct json_reader r;
    int ended = 0;
    int64_t code = 0, sig = 0;
    json_object(&r, doc, err);
    json_get_string(&r, "id", JSON_REQUIRED, &out->id);
    json_get_enum(&r, "ended", JSON_REQUIRED, ended_names, &ended);
    json_get_int(&r, "exit_code", JSON_REQUIRED, 0, 255, &code);
    json_get_int(&r, "signal", JSON_REQUIRED, 0, 127, &sig);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        get_text(&r, texts[i].key, text_at(out, &texts[i]));
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        json_get_int(&r, numbers[i].key, JSON_REQUIRED, -1, INT64_MAX, number_at(out, &numbers[i]));
    result_know_nothing(out);
    for (size_t i = 0; i < ARRAY_SIZE(later); i++)
        json_get_int(&r, later[i].key, JSON_OPTIONAL, -1, INT64_MAX, number_at(out, &later[i]));
    json_get_bool(&r, "output_truncated", JSON_REQUIRED, &out->output_truncated);
    const struct json *violation = json_get(&r, "violation", JSON_OPTIONAL);
    const struct json *quiet = json_get_object(&r, "quiet", JSON_OPTIONAL);
    const struct json *gpus = json_get_object(&r, "gpus", JSON_OPTIONAL);
    const struct json *fence = json_get_array(&r, "fence", JSON_REQUIRED);
    const struct json *limits = json_get_array(&r, "limits", JSON_REQUIRED);
    const struct json *collected = json_get_array(&r, "collected", JSON_REQUIRED);
    const struct json *labels = json_get_object(&r, "labels", JSON_OPTIONAL);
    if (json_object_end(&r) < 0) return -1;
    out->ended = (enum ended)ended;
    out->exit_code = (int)code;
    out->signal = (int)sig;
    if (violation_decode(violation, &out->violation, err) < 0 ||
        quiet_report_decode(quiet, &out->quiet, err) < 0 ||
        gpu_report_decode(gpus, &out->gpus, err) < 0 || decode_layers(fence, out, err) < 0 ||
        decode_limits(limits, out, err) < 0 || decode_collected(collected, out, err) < 0)
        return -1;
    return labels ? copy_labels(labels, out, err) : 0;
}

int result_load(const char *path, struct result *out, struct error *err) {
    _cleanup_json_ struct json *doc = json_load(path, RESULT_BYTES, err);
    if (!doc || result_decode(doc, out, err) < 0) return error_wrap(err, "result");
    return 0;
}

void result_clear(struct result *r) {
    free(r->id);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) free(*text_at(r, &texts[i]));
    for (size_t i = 0; i < r->layer_count; i++) {
        free(r->layers[i].name);
        free(r->layers[i].detail);
    }
    free(r->layers);
    for (size_t i = 0; i < r->limit_count; i++) {
        free(r->limits[i].name);
        free(r->limits[i].detail);
    }
    free(r->limits);
    for (size_t i = 0; i < r->collected_count; i++) {
        free(r->collected[i].path);
        free(r->collected[i].as);
        free(r->collected[i].reason);
    }
    free(r->collected);
    violation_free(r->violation);
    gpu_report_free(r->gpus);
    json_free(r->labels);
    *r = (struct result){0};
}

int result_exit_status(const struct result *r) {
    switch (r->ended) {
    case ENDED_EXIT: return r->exit_code;
    case ENDED_DONE: return 0;
    case ENDED_WALL_LIMIT:
    case ENDED_CPU_LIMIT: return 124;
    case ENDED_SETUP_ERROR: return 125;
    case ENDED_MEMORY_LIMIT: return 137;
    default: return 128 + r->signal;
    }
}
