/* The task.json of an import. */
#include "common/cleanup.h"
#include "tasks/import/plan.h"

#include <string.h>

/* The text is a placeholder until the machine's own is named: an importer knows the
 * project, not where somebody keeps its data. No program has the command's name, so that
 * a run is refused with it. Its size is what smuggling is reckoned against. */
static void put_data(const struct import_plan *p, struct json_writer *w) {
    char *const command[] = {"name-the-data-in-task.json", NULL};
    static const char none[] = "0000000000000000000000000000000000000000000000000000000000000000";
    json_open_object(w, "data");
    json_put_strv(w, "command", command);
    json_put_string(w, "package", "none");
    json_put_string(w, "sha256", none);
    json_put_int(w, "bytes", 200000000);
    json_put_string(w, "file", p->shape->data_file);
    json_put_int(w, "block_bytes", 4096);
    json_put_double(w, "held_out", 0.05);
    json_close_object(w);
}

/* What eight GPUs and a tokenised corpus take, with room; a machine's owner knows better. */
static void put_limits(const struct import_plan *p, struct json_writer *w) {
    int64_t gpus = p->gpus ? p->gpus : 1;
    json_open_object(w, "limits");
    json_put_int(w, "wall_ms", INT64_C(7200000));
    json_put_int(w, "memory_bytes", gpus * (INT64_C(64) << 30));
    json_put_int(w, "pids", 1024 * gpus);
    json_put_int(w, "output_bytes", 64 << 20);
    json_put_int(w, "disk_bytes", INT64_C(16) << 30);
    json_put_int(w, "disk_inodes", 100000);
    json_put_int(w, "tmp_bytes", INT64_C(16) << 30);
    json_put_int(w, "open_files", 65536);
    json_close_object(w);
}

/* Compiling and warming up lie before the first line of training and are free, as in the
 * projects' own rules, but not for ever: who is to say what a program does meanwhile. */
static void put_clock(const struct plan_shape *s, struct json_writer *w) {
    if (!s->start) return;
    json_open_object(w, "clock");
    json_put_string(w, "kind", "lines");
    json_put_string(w, "start", s->start);
    json_put_string(w, "stop", s->stop);
    json_put_int(w, "outside_ms", 600000);
    json_close_object(w);
}

static void put_argv(const struct import_plan *p, struct json_writer *w) {
    static const char processes[] = "--nproc_per_node=";
    json_open_array(w, "argv");
    for (const char *const *a = p->shape->argv; *a; a++) {
        _cleanup_free_ char *counted = NULL;
        if (str_starts(*a, processes))
            counted = str_printf("%s%lld", processes, (long long)(p->gpus ? p->gpus : 1));
        json_put_string(w, NULL, counted ? counted : *a);
    }
    json_close_array(w);
}

static void put_phases(const struct import_plan *p, const struct import_options *o,
                       struct json_writer *w) {
    const struct plan_shape *s = p->shape;
    json_open_object(w, "phases");
    json_open_object(w, "train");
    put_argv(p, w);
    json_put_string(w, "policy", o->policy);
    put_limits(p, w);
    json_put_string(w, "network", "loopback");
    json_put_int(w, "gpus", p->gpus);
    put_clock(s, w);
    json_close_object(w);
    json_open_object(w, "examine");
    json_put_string(w, "kind", "audit");
    json_put_string(w, "pattern", s->loss);
    json_put_double(w, "tolerance", 0.1);
    json_put_double(w, "loss_per_bit", s->loss_per_bit);
    json_close_object(w);
    json_close_object(w);
}

static void put_metric(const struct plan_shape *s, struct json_writer *w) {
    json_open_object(w, "metric");
    json_put_string(w, "name", s->metric);
    json_put_string(w, "unit", s->unit);
    json_put_bool(w, "higher_is_better", false);
    if (s->target > 0) {
        json_put_double(w, "target", s->target);
        json_put_double(w, "p", 0.01);
    }
    json_close_object(w);
    json_open_object(w, "measure");
    json_put_int(w, "blocks_min", 3);
    json_put_int(w, "blocks_max", 10);
    json_put_double(w, "half_width", 0.1);
    json_close_object(w);
}

/* Twice what the largest record has: room for honest code, little for knowledge. */
static void put_source_limits(const struct import_plan *p, struct json_writer *w) {
    size_t bytes = 65536, files = 4;
    for (size_t i = 0; i < p->count; i++) {
        const struct plan_record *r = &p->records[i];
        size_t sum = 0;
        for (size_t k = 0; k < r->file_count; k++) sum += r->files[k].data.len;
        if (2 * sum > bytes) bytes = 2 * sum;
        if (2 * r->file_count > files) files = 2 * r->file_count;
    }
    json_put_int(w, "max_source_bytes", (int64_t)bytes);
    json_put_int(w, "max_source_files", (int64_t)files);
}

static void put_records(const struct import_plan *p, struct json_writer *w) {
    json_open_array(w, "records");
    for (size_t i = 0; i < p->count; i++) {
        if (!p->records[i].place) continue;
        json_open_object(w, NULL);
        json_put_string(w, "title", p->records[i].title);
        json_put_string(w, "description", p->records[i].description);
        json_close_object(w);
    }
    json_close_array(w);
}

static void put_task(const struct import_plan *p, const struct import_options *o,
                     struct json_writer *w) {
    static const char *const kinds[] = {[TASK_TIME_TO_TARGET] = "time-to-target",
                                        [TASK_FIXED_BUDGET] = "fixed-budget",
                                        [TASK_BEST_EFFORT] = "best-effort"};
    const struct plan_shape *s = p->shape;
    json_put_int(w, "version", 1);
    json_put_string(w, "name", s->name);
    json_put_string(w, "title", s->title);
    json_put_string(w, "kind", kinds[s->kind]);
    json_put_string(w, "statement", "statement.md");
    json_put_string(w, "image", o->image);
    json_open_array(w, "editable");
    for (const char *const *e = s->editable; *e; e++) json_put_string(w, NULL, *e);
    json_close_array(w);
    put_source_limits(p, w);
    put_records(p, w);
    put_data(p, w);
    put_phases(p, o, w);
    json_open_object(w, "artifact");
    json_put_string(w, "path", s->artifact);
    json_put_int(w, "bytes", INT64_C(1) << 30);
    json_put_int(w, "files", 64);
    json_close_object(w);
    put_metric(s, w);
}

char *plan_task_json(const struct import_plan *p, const struct import_options *o,
                     struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    size_t len = 0;
    const char *text = NULL;
    if (w) {
        json_open_object(w, NULL);
        put_task(p, o, w);
        json_close_object(w);
        text = json_writer_text(w, &len);
    }
    char *copy = text ? strndup(text, len) : NULL;
    if (!copy) error_sys(err, ENOMEM, "task.json");
    return copy;
}
