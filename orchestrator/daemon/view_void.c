/* What the machine did to a measurement: the runs that do not count, and what the
 * machine was. */
#include "common/cleanup.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/store_void.h"
#include "orchestrator/daemon/view.h"

#include <string.h>

static const struct slot_row *slot_of(const struct slot_row *slots, size_t count, int64_t id) {
    for (size_t i = 0; i < count; i++)
        if (slots[i].id == id) return &slots[i];
    return NULL;
}

static void put_run(struct json_writer *w, const struct run_row *r, const struct slot_row *slot) {
    json_open_object(w, NULL);
    view_id(w, "run", ID_RUN, r->id);
    if (slot) json_put_int(w, "block", slot->block);
    else json_put_null(w, "block");
    json_put_int(w, "arm", r->owner.arm);
    json_put_string(w, "seed", r->seed);
    view_seconds(w, "wall_s", r->wall_ns);
    json_put_string(w, "reason", r->reason);
    json_close_object(w);
}

static int put_fingerprint(struct json_writer *w, struct store *s, int64_t measurement,
                           struct error *err) {
    _cleanup_free_ char *text = NULL;
    if (measurement_fingerprint(s, measurement, &text, err) < 0) return -1;
    _cleanup_json_ struct json *doc =
        text ? json_parse("fingerprint", text, strlen(text), NULL) : NULL;
    if (doc) json_put_value(w, "fingerprint", doc);
    else json_put_null(w, "fingerprint");
    return 0;
}

int view_voids_of(struct json_writer *w, struct store *s, int64_t measurement, struct error *err) {
    struct slot_row *slots = NULL;
    struct run_row *runs = NULL;
    size_t slot_count = 0, run_count = 0;
    int rc = slot_list(s, measurement, &slots, &slot_count, err);
    if (rc == 0) rc = void_list(s, measurement, &runs, &run_count, err);
    json_put_int(w, "blocks_left_out", slots_left_out(slots, slot_count));
    json_open_array(w, "voids");
    for (size_t i = 0; i < run_count; i++)
        put_run(w, &runs[i], slot_of(slots, slot_count, runs[i].owner.slot));
    json_close_array(w);
    slots_free(slots, slot_count);
    runs_free(runs, run_count);
    return rc < 0 ? -1 : put_fingerprint(w, s, measurement, err);
}
