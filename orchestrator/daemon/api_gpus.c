/* The GPUs: what they are, who has them, which are out of the pool. */
#include "common/cleanup.h"
#include "orchestrator/daemon/api.h"
#include "orchestrator/daemon/lane.h"
#include "orchestrator/gpu/pool.h"

#include <string.h>

static const char *lane_of(struct daemon *d, const struct gpu_reading *r) {
    struct lane_state lane;
    for (size_t i = 0; lanes_state(d, i, &lane); i++) {
        struct gpu_choice from = {.all = lane.all_gpus, .names = lane.config->gpus};
        if (lane.config->role == LANE_ROLE_TIMED && gpu_chosen(&from, r)) return lane.config->name;
    }
    return NULL;
}

static void put_number(struct json_writer *w, const char *key, int64_t value) {
    if (value < 0) json_put_null(w, key);
    else json_put_int(w, key, value);
}

static void put_text(struct json_writer *w, const char *key, const char *text) {
    json_put_string(w, key, text && *text ? text : NULL);
}

static void put_numbers(struct json_writer *w, const struct gpu_reading *r) {
    const struct {
        const char *key;
        int64_t value;
    } numbers[] = {{"minor", r->minor},
                   {"memory_total", r->memory_total},
                   {"memory_used", r->memory_used},
                   {"memory_reserved", r->memory_reserved},
                   {"mig_mode", r->mig_mode},
                   {"mig_instances", r->mig_instances},
                   {"sm_mhz", r->sm_mhz},
                   {"memory_mhz", r->memory_mhz},
                   {"temperature_c", r->temperature_c},
                   {"power_mw", r->power_mw},
                   {"energy_mj", r->energy_mj},
                   {"ecc_corrected", r->ecc_corrected},
                   {"ecc_uncorrected", r->ecc_uncorrected},
                   {"remapped_rows", r->remapped},
                   {"remap_pending", r->remap_pending},
                   {"remap_failed", r->remap_failed},
                   {"retired_pending", r->retired_pending},
                   {"recovery_action", r->recovery}};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        put_number(w, numbers[i].key, numbers[i].value);
}

static void put_gpu(struct daemon *d, struct json_writer *w, const struct gpu_status *s) {
    const struct gpu_reading *r = &s->reading;
    char throttle[160];
    throttle_names(r->throttle, throttle, sizeof throttle);
    json_open_object(w, NULL);
    json_put_int(w, "index", r->index);
    put_text(w, "uuid", r->uuid);
    put_text(w, "name", r->name);
    put_text(w, "pci", r->pci);
    put_text(w, "lane", lane_of(d, r));
    json_put_string(w, "state", gpu_state_name(s->state));
    put_text(w, "detail", s->detail);
    put_numbers(w, r);
    if (r->throttle < 0) json_put_null(w, "throttle");
    else json_put_string(w, "throttle", throttle);
    json_open_array(w, "processes");
    for (size_t i = 0; i < r->process_count; i++) {
        json_open_object(w, NULL);
        json_put_int(w, "pid", r->processes[i].pid);
        put_number(w, "memory_bytes", r->processes[i].memory_bytes);
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
}

int api_gpus(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    (void)q;
    _cleanup_gpu_list_ struct gpu_list list = {0};
    if (gpu_pool_list(d->gpus, &list, err) < 0) return -1;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "GPUs");
    json_open_object(w, NULL);
    put_text(w, "driver", list.driver);
    put_text(w, "absent", list.absent);
    json_open_array(w, "gpus");
    for (size_t i = 0; i < list.count; i++) put_gpu(d, w, &list.items[i]);
    json_close_array(w);
    json_close_object(w);
    return response_json(p, w, err);
}

/* Only we, or root, reach the socket at all (http.h). */
int api_gpu_clear(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    if (gpu_pool_quarantine(d->gpus, q->params[0], NULL, err) < 0) return -1;
    lanes_wake(d);
    return api_gpus(d, q, p, err);
}
