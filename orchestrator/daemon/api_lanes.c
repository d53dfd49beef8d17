/* The lanes: what they are, what runs on them, and how others are kept off. */
#include "common/cleanup.h"
#include "orchestrator/daemon/api.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/lane.h"

static void put_lane(struct json_writer *w, const struct lane_state *l, struct error *err) {
    char id[ID_MAX];
    _cleanup_free_ char *cpus = cpu_list_format(&l->config->cpus);
    if (!cpus) error_sys(err, ENOMEM, "lanes");
    json_open_object(w, NULL);
    json_put_string(w, "name", l->config->name);
    json_put_string(w, "role", lane_role_name(l->config->role));
    json_put_string(w, "cpus", cpus);
    if (l->config->memory_node < 0) json_put_null(w, "memory_node");
    else json_put_int(w, "memory_node", l->config->memory_node);
    json_put_strv(w, "gpus", l->config->gpus);
    char kind = l->job.kind == QUEUE_VERSION ? ID_VERSION : ID_MEASUREMENT;
    json_put_string(w, "job", l->works ? id_format(kind, l->job.id, id) : NULL);
    json_close_object(w);
}

/* What the probe said of one means, under a name of ours. */
static int put_means(struct daemon *d, struct json_writer *w, const char *check, const char *key,
                     struct error *err) {
    _cleanup_free_ char *detail = NULL;
    bool can = false;
    if (daemon_machine_can(d, check, &can, &detail, err) < 0) return -1;
    json_open_object(w, key);
    json_put_bool(w, "can", can);
    json_put_string(w, "detail", detail);
    json_close_object(w);
    return 0;
}

int api_lanes(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    (void)q;
    _cleanup_error_ struct error failed = {0};
    struct lane_state lane;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "lanes");
    json_open_object(w, NULL);
    json_open_array(w, "lanes");
    for (size_t i = 0; lanes_state(d, i, &lane); i++) put_lane(w, &lane, &failed);
    json_close_array(w);
    json_open_object(w, "others"); /* how they are kept off a lane */
    if (put_means(d, w, "freezer", "freeze", err) < 0 || put_means(d, w, "cpuset", "move", err) < 0)
        return -1;
    json_close_object(w);
    json_close_object(w);
    if (error_is_set(&failed)) return error_move(err, &failed);
    return response_json(p, w, err);
}
