/* The member "gpus" of a result. */
#include "sandbox/result.h"

#include "common/buf.h"
#include "common/cleanup.h"

enum { GPUS_MOST = 64 };

void gpu_report_encode(const struct gpu_report *g, struct json_writer *w) {
    if (!g) return;
    json_open_object(w, "gpus");
    json_put_string(w, "driver", g->driver);
    json_open_array(w, "lent");
    for (size_t i = 0; i < g->count; i++) {
        json_open_object(w, NULL);
        json_put_string(w, "uuid", g->items[i].uuid);
        json_put_string(w, "name", g->items[i].name);
        json_put_int(w, "index", g->items[i].index);
        json_put_string(w, "pci", g->items[i].pci);
        if (g->items[i].instance) json_put_string(w, "instance", g->items[i].instance);
        json_close_object(w);
    }
    json_close_array(w);
    json_put_strv(w, "nodes", g->nodes);
    json_put_strv(w, "notes", g->notes);
    json_close_object(w);
}

static int decode_item(const struct json *v, struct gpu_report_item *out, struct error *err) {
    struct json_reader r;
    json_object(&r, v, err);
    json_get_string(&r, "uuid", JSON_REQUIRED, &out->uuid);
    json_get_string(&r, "name", JSON_REQUIRED, &out->name);
    json_get_int(&r, "index", JSON_REQUIRED, 0, GPUS_MOST, &out->index);
    json_get_string(&r, "pci", JSON_REQUIRED, &out->pci);
    json_get_string(&r, "instance", JSON_OPTIONAL, &out->instance);
    return json_object_end(&r);
}

int gpu_report_decode(const struct json *doc, struct gpu_report **out, struct error *err) {
    if (!doc) return 0;
    struct gpu_report *g = *out = calloc(1, sizeof *g);
    if (!g) return error_sys(err, ENOMEM, "result");
    struct json_reader r;
    json_object(&r, doc, err);
    json_get_string(&r, "driver", JSON_REQUIRED, &g->driver);
    const struct json *lent = json_get_array(&r, "lent", JSON_REQUIRED);
    json_get_strv(&r, "nodes", JSON_REQUIRED, &g->nodes);
    json_get_strv(&r, "notes", JSON_REQUIRED, &g->notes);
    if (json_object_end(&r) < 0) return -1;
    if (json_count(lent) > GPUS_MOST) return json_error(lent, err, "has more than %d", GPUS_MOST);
    g->items = calloc(json_count(lent) + 1, sizeof *g->items);
    if (!g->items) return error_sys(err, ENOMEM, "result");
    for (size_t i = 0; i < json_count(lent); i++)
        if (decode_item(json_at(lent, i), &g->items[g->count++], err) < 0) return -1;
    return 0;
}

void gpu_report_free(struct gpu_report *g) {
    if (!g) return;
    for (size_t i = 0; i < g->count; i++) {
        free(g->items[i].uuid);
        free(g->items[i].name);
        free(g->items[i].pci);
        free(g->items[i].instance);
    }
    free(g->items);
    free(g->driver);
    strv_free(g->nodes);
    strv_free(g->notes);
    free(g);
}
