#include "orchestrator/daemon/lane_config.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"

#include <sched.h>
#include <string.h>

enum { CONFIG_BYTES = 1 << 20 };

static const char *const role_names[] = {"timed", "helper", NULL};

const char *lane_role_name(enum lane_role role) {
    return role_names[role];
}

void lane_configs_clear(struct lane_configs *c) {
    for (size_t i = 0; i < c->count; i++) {
        free(c->items[i].name);
        strv_free(c->items[i].gpus);
    }
    free(c->items);
    *c = (struct lane_configs){0};
}

const struct lane_config *lane_configs_helper(const struct lane_configs *c) {
    for (size_t i = 0; i < c->count; i++)
        if (c->items[i].role == LANE_ROLE_HELPER) return &c->items[i];
    return NULL;
}

static int decode_lane(const struct json *v, struct lane_config *out, struct error *err) {
    struct json_reader r;
    int role = LANE_ROLE_TIMED;
    _cleanup_free_ char *cpus = NULL;
    *out = (struct lane_config){.memory_node = -1};
    json_object(&r, v, err);
    json_get_string(&r, "name", JSON_REQUIRED, &out->name);
    json_get_enum(&r, "role", JSON_OPTIONAL, role_names, &role);
    json_get_string(&r, "cpus", JSON_REQUIRED, &cpus);
    json_get_int(&r, "memory_node", JSON_OPTIONAL, 0, 1023, &out->memory_node);
    json_get_strv(&r, "gpus", JSON_OPTIONAL, &out->gpus);
    if (out->name && !str_is_name(out->name))
        json_reader_fail(&r, json_find(v, "name"),
                         "must be 1 to 64 of a-z 0-9 . _ -, first a letter or digit");
    if (cpus && (cpu_list_parse(cpus, &out->cpus) < 0 || cpu_list_count(&out->cpus) == 0))
        json_reader_fail(&r, json_find(v, "cpus"), "must be a list such as \"0-1,4\"");
    out->role = (enum lane_role)role;
    return json_object_end(&r);
}

/* The newest lane against those before it. */
static int check_lane(const struct lane_configs *c, const struct cpu_list *online,
                      const struct json *v, struct error *err) {
    const struct lane_config *last = &c->items[c->count - 1];
    struct cpu_list rest = last->cpus;
    cpu_list_remove(&rest, online);
    _cleanup_free_ char *absent = cpu_list_format(&rest);
    if (cpu_list_count(&rest) > 0)
        return json_error(json_find(v, "cpus"), err, "cpus %s are not there, or not ours to use",
                          absent ? absent : "?");
    for (size_t i = 0; i + 1 < c->count; i++) {
        const struct lane_config *other = &c->items[i];
        if (str_eq(last->name, other->name))
            return json_error(json_find(v, "name"), err, "\"%s\" is used twice", last->name);
        if (cpu_list_overlaps(&last->cpus, &other->cpus))
            return json_error(json_find(v, "cpus"), err, "lane %s has some of them", other->name);
        if (last->role == LANE_ROLE_HELPER && other->role == LANE_ROLE_HELPER)
            return json_error(v, err, "there may be one helper lane only");
    }
    return 0;
}

int lane_configs_decode(const struct json *doc, const struct cpu_list *online,
                        struct lane_configs *out, struct error *err) {
    struct json_reader r;
    json_object(&r, doc, err);
    const struct json *lanes = json_get_array(&r, "lanes", JSON_REQUIRED);
    if (json_object_end(&r) < 0) return -1;
    if (json_count(lanes) > LANES_MAX)
        return json_error(lanes, err, "has more than %d entries", LANES_MAX);
    out->items = calloc(json_count(lanes) + 1, sizeof *out->items);
    if (!out->items) return error_sys(err, ENOMEM, "lanes");
    bool timed = false;
    for (size_t i = 0; i < json_count(lanes); i++) {
        struct lane_config *c = &out->items[out->count++];
        if (decode_lane(json_at(lanes, i), c, err) < 0 ||
            check_lane(out, online, json_at(lanes, i), err) < 0)
            return -1;
        timed |= c->role == LANE_ROLE_TIMED;
    }
    return timed ? 0 : json_error(lanes, err, "must name at least one timed lane");
}

static void allowed_cpus(struct cpu_list *out) {
    cpu_set_t set;
    *out = (struct cpu_list){0};
    if (sched_getaffinity(0, sizeof set, &set) < 0) return;
    for (unsigned i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set)) cpu_list_add(out, i);
}

int lane_configs_load(const char *path, const char *state, struct lane_configs *out,
                      struct error *err) {
    struct cpu_list allowed;
    allowed_cpus(&allowed);
    _cleanup_free_ char *own = path ? strdup(path) : path_join(state, "lanes.json");
    if (!own) return error_sys(err, ENOMEM, "lanes");
    if (!path && access(own, F_OK) < 0) return lane_configs_find("", &allowed, out, err);
    _cleanup_json_ struct json *doc = json_load(own, CONFIG_BYTES, err);
    if (!doc || lane_configs_decode(doc, &allowed, out, err) < 0) return error_wrap(err, "lanes");
    return 0;
}
