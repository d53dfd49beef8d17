/* paddock task: task folders, without the daemon. */
#include "common/cleanup.h"
#include "orchestrator/client/calibration.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/table.h"
#include "tasks/task.h"

#include <math.h>
#include <string.h>

static const struct arg args_none[] = {{.name = NULL}};
static const struct arg args_show[] = {
    {.name = "hints", .kind = ARG_FLAG, .help = "the hints of the step, levels 1 to 3"},
    {.name = NULL}};

static const char *const kind_names[] = {
    [TASK_TIME_TO_TARGET] = "time-to-target",
    [TASK_FIXED_BUDGET] = "fixed-budget",
    [TASK_BEST_EFFORT] = "best-effort",
};

/* A task that cannot be loaded is listed with its reason: a host wants to know. */
static void list_one(const char *name, struct table *t, struct json_writer *w) {
    _cleanup_task_ struct task task = {0};
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *dir = task_find(name, &err);
    bool good = dir && task_load(dir, &task, &err) == 0;
    json_open_object(w, NULL);
    json_put_string(w, "name", name);
    json_put_string(w, "title", good ? task.title : NULL);
    json_put_string(w, "kind", good ? kind_names[task.kind] : NULL);
    json_put_int(w, "records", (int64_t)task.record_count);
    json_put_string(w, "dir", dir);
    json_put_string(w, "error", good ? NULL : error_text(&err));
    json_close_object(w);
    table_cell(t, name);
    table_cell(t, good ? kind_names[task.kind] : NULL);
    table_cellf(t, "%zu", task.record_count);
    table_cell(t, good ? task.title : error_text(&err));
}

static int run_list(struct cli *cli, const struct args *args, struct error *err) {
    static const char *const heads[] = {"TASK", "KIND", ">RECORDS", "TITLE", NULL};
    (void)args;
    _cleanup_strv_ char **names = NULL;
    _cleanup_table_ struct table *t = table_new(heads);
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w || task_list(&names, err) < 0) return -1;
    json_open_array(w, "tasks");
    for (char **name = names; name && *name; name++) list_one(*name, t, w);
    json_close_array(w);
    json_close_object(w);
    if (cli->json) return cli_print_writer(w, err);
    _cleanup_buf_ struct buf out = {0};
    if (table_print(t, cli->colour, &out) < 0) return error_sys(err, ENOMEM, "table");
    return cli_print(&out, err);
}

static void put_records(const struct task *t, int64_t step, struct buf *out) {
    buf_puts(out, "\nRecords\n");
    for (size_t i = 0; i < t->record_count; i++) {
        bool here = (int64_t)i + 1 == step || (int64_t)i == step;
        buf_printf(out, "%s %2zu  ", here ? "*" : " ", i + 1);
        progress_text(t->records[i].title ? t->records[i].title : "", SIZE_MAX, out);
        buf_putc(out, '\n');
    }
}

/* Text of the host, lines kept. */
static void put_paragraphs(const char *text, struct buf *out) {
    buf_putc(out, '\n');
    for (const char *from = text; *from;) {
        size_t n = strcspn(from, "\n");
        _cleanup_free_ char *line = str_printable(from, n);
        buf_printf(out, "%s\n", line ? line : "");
        from += n + (from[n] == '\n');
    }
}

static int put_hints(const struct task *t, int64_t step, struct buf *out, struct error *err) {
    for (int level = 1; level <= 3; level++) {
        _cleanup_free_ char *text = NULL;
        if (task_hint(t, step, level, &text, err) < 0) return -1;
        buf_printf(out, "\nHint of level %d, from record %lld to %lld\n", level, (long long)step,
                   (long long)step + 1);
        put_paragraphs(text, out);
    }
    return 0;
}

static int show_text(const struct task *t, int64_t step, bool hints, bool colour,
                     struct error *err) {
    _cleanup_buf_ struct buf out = {0};
    buf_printf(&out, "%s: %s (%s)\n", t->name, t->title, kind_names[t->kind]);
    buf_printf(&out, "  folder    %s\n  digest    %s\n  metric    %s, %s, %s is better\n", t->dir,
               t->digest, t->metric, t->unit ? t->unit : "no unit",
               t->higher_is_better ? "more" : "less");
    if (t->has_target) buf_printf(&out, "  target    %g", t->target);
    if (t->has_target && t->p > 0) buf_printf(&out, ", by the mean of fresh runs at p < %g", t->p);
    if (t->has_target) buf_putc(&out, '\n');
    buf_printf(&out, "  measured  %lld to %lld blocks, until ±%g\n", (long long)t->blocks_min,
               (long long)t->blocks_max, t->half_width);
    put_records(t, step, &out);
    _cleanup_json_ struct json *calibration = calibration_find(t, step);
    if (calibration) {
        buf_putc(&out, '\n');
        calibration_text(calibration, colour, &out);
    }
    put_paragraphs(t->statement ? t->statement : "", &out);
    if (hints && put_hints(t, step, &out, err) < 0) return -1;
    return cli_print(&out, err);
}

static int show_json(const struct task *t, int64_t step, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    json_put_string(w, "name", t->name);
    json_put_string(w, "title", t->title);
    json_put_string(w, "kind", kind_names[t->kind]);
    json_put_int(w, "step", step);
    json_put_string(w, "dir", t->dir);
    json_put_string(w, "digest", t->digest);
    json_put_string(w, "metric", t->metric);
    json_put_string(w, "unit", t->unit);
    json_put_bool(w, "higher_is_better", t->higher_is_better);
    if (t->has_target) json_put_double(w, "target", t->target);
    else json_put_null(w, "target");
    json_put_double(w, "p", t->p > 0 ? t->p : NAN);
    json_put_strv(w, "editable", t->editable);
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
    json_put_string(w, "statement", t->statement);
    _cleanup_json_ struct json *calibration = calibration_find(t, step);
    if (calibration) json_put_value(w, "calibration", calibration);
    else json_put_null(w, "calibration");
    json_close_object(w);
    return cli_print_writer(w, err);
}

static int run_show(struct cli *cli, const struct args *args, struct error *err) {
    _cleanup_free_ char *name = NULL;
    _cleanup_task_ struct task task = {0};
    int64_t step = 1;
    if (task_ref_parse(args->operands[0], &name, &step, err) < 0) return -1;
    _cleanup_free_ char *dir = task_find(name, err);
    if (!dir || task_load(dir, &task, err) < 0) return -1;
    if (step > 1 && step >= (int64_t)task.record_count)
        return error_set(err, ERROR_NOT_FOUND, "task %s has no step %lld", name, (long long)step);
    return cli->json ? show_json(&task, step, err)
                     : show_text(&task, step, args_given(args, "hints"), cli->colour, err);
}

static int report_faults(const struct cli *cli, const char *dir, int count,
                         const struct buf *faults, struct error *err) {
    _cleanup_buf_ struct buf out = {0};
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    json_put_string(w, "dir", dir);
    json_put_bool(w, "good", count == 0);
    json_open_array(w, "faults");
    for (const char *from = buf_text(faults); *from;) {
        size_t n = strcspn(from, "\n");
        _cleanup_free_ char *line = str_printable(from, n);
        json_put_bytes(w, NULL, from, n);
        buf_printf(&out, "%s\n", line ? line : "");
        from += n + (from[n] == '\n');
    }
    json_close_array(w);
    json_close_object(w);
    if (cli->json) return cli_print_writer(w, err);
    if (count == 0) buf_printf(&out, "%s: no faults\n", dir);
    else buf_printf(&out, "%d %s\n", count, count == 1 ? "fault" : "faults");
    return cli_print(&out, err);
}

static int run_check(struct cli *cli, const struct args *args, struct error *err) {
    const char *dir = args->operands[0];
    _cleanup_buf_ struct buf faults = {0};
    int count = task_check(dir, &faults, err);
    if (count < 0 || report_faults(cli, dir, count, &faults, err) < 0) return -1;
    return count == 0 ? CLI_OK : CLI_FAILED;
}

const struct verb verb_task_list = {
    .name = "task list",
    .summary = "list the tasks of the catalogues",
    .operands = "",
    .args = args_none,
    .help = "Looks into PADDOCK_TASKS, your own tasks and the shipped ones.",
    .example = "paddock task list",
    .run = run_list,
};

const struct verb verb_task_show = {
    .name = "task show",
    .summary = "show a task: statement, records, target",
    .operands = "TASK[:STEP]",
    .least = 1,
    .most = 1,
    .args = args_show,
    .help = "The two records of the step are marked with an asterisk.",
    .example = "paddock task show tinygpt:2 --hints",
    .run = run_show,
};

const struct verb verb_task_check = {
    .name = "task check",
    .summary = "list every fault of a task folder",
    .operands = "DIR",
    .least = 1,
    .most = 1,
    .args = args_none,
    .help = "Each fault names file, key and reason. The exit status is 1 when there is one.",
    .example = "paddock task check tasks/catalog/tinygpt",
    .run = run_check,
};
