/* Tasks as the API shows them. */
#include "orchestrator/daemon/view.h"

#include <math.h>

static const char *kind_name(enum task_kind kind) {
    switch (kind) {
    case TASK_TIME_TO_TARGET: return "time-to-target";
    case TASK_FIXED_BUDGET: return "fixed-budget";
    case TASK_BEST_EFFORT: return "best-effort";
    }
    return NULL;
}

static int64_t steps_of(const struct task *t) {
    int64_t records = (int64_t)t->record_count;
    return t->kind == TASK_TIME_TO_TARGET ? records - 1 : records;
}

void view_task_line(struct json_writer *w, const struct task *t) {
    json_put_string(w, "name", t->name);
    json_put_string(w, "title", t->title);
    json_put_string(w, "kind", kind_name(t->kind));
    json_put_int(w, "steps", steps_of(t));
}

static void put_records(struct json_writer *w, const struct task *t) {
    json_open_array(w, "records");
    for (size_t i = 0; i < t->record_count; i++) {
        json_open_object(w, NULL);
        json_put_int(w, "record", (int64_t)i + 1);
        json_put_string(w, "title", t->records[i].title);
        json_put_string(w, "description", t->records[i].description);
        json_put_string(w, "digest", t->records[i].digest);
        json_close_object(w);
    }
    json_close_array(w);
}

static void put_limits(struct json_writer *w, const struct spec_limits *l) {
    const struct {
        const char *name;
        int64_t value;
    } limits[] = {{"wall_ms", l->wall_ms},           {"cpu_ms", l->cpu_ms},
                  {"memory_bytes", l->memory_bytes}, {"pids", l->pids},
                  {"output_bytes", l->output_bytes}, {"disk_bytes", l->disk_bytes},
                  {"disk_inodes", l->disk_inodes},   {"tmp_bytes", l->tmp_bytes},
                  {"open_files", l->open_files},     {"file_bytes", l->file_bytes}};
    json_open_object(w, "limits");
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        if (limits[i].value) json_put_int(w, limits[i].name, limits[i].value);
    json_close_object(w);
}

static void put_phase(struct json_writer *w, const char *name, const struct task_phase_spec *p) {
    json_open_object(w, name);
    json_put_strv(w, "argv", p->argv);
    json_put_string(w, "policy", p->policy);
    put_limits(w, &p->limits);
    if (p->gpus > 0) json_put_int(w, "gpus", p->gpus);
    json_close_object(w);
}

void view_task(struct json_writer *w, const struct task *t) {
    view_task_line(w, t);
    json_put_string(w, "digest", t->digest);
    json_put_string(w, "statement", t->statement);
    json_put_string(w, "metric", t->metric);
    json_put_string(w, "unit", t->unit);
    json_put_bool(w, "higher_is_better", t->higher_is_better);
    json_put_double(w, "target", t->has_target ? t->target : NAN);
    json_put_double(w, "p", t->p > 0 ? t->p : NAN);
    json_put_strv(w, "editable", t->editable);
    json_put_int(w, "max_source_bytes", t->max_source_bytes);
    json_put_int(w, "max_source_files", t->max_source_files);
    put_records(w, t);
    json_open_object(w, "phases");
    if (t->has_build) put_phase(w, "build", &t->build);
    put_phase(w, "train", &t->train);
    put_phase(w, "examine", &t->examine);
    json_close_object(w);
    json_open_object(w, "measure");
    json_put_int(w, "blocks_min", t->blocks_min);
    json_put_int(w, "blocks_max", t->blocks_max);
    json_put_double(w, "half_width", t->half_width);
    json_open_object(w, "bounds"); /* null: not judged */
    for (int i = 0; i < BOUND_COUNT; i++)
        json_put_double(w, task_bound_names[i], t->bounds.most[i]);
    json_close_object(w);
    json_put_double(w, "budget_s", t->budget_s > 0 ? t->budget_s : NAN);
    json_close_object(w);
}
