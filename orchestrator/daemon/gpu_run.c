#include "orchestrator/daemon/gpu_run.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "common/log.h"
#include "orchestrator/gpu/pool.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

int64_t gpu_run_needed(const struct task *t, const char *phase) {
    if (strcmp(phase, "train") == 0) return t->train.gpus;
    if (strcmp(phase, "examine") != 0) return 0;
    return t->examiner == EXAMINER_AUDIT ? t->train.gpus : t->examine.gpus;
}

static void gpu_run_free(struct execution *x) {
    strv_free(x->gpus->uuids);
    free(x->gpus->fault);
    free(x->gpus);
    x->gpus = NULL;
}

/* Whether any lane has so many. */
static int check(struct daemon *d, int64_t count, struct error *err) {
    struct lane_state lane;
    if (count == 0) return 0;
    for (size_t i = 0; lanes_state(d, i, &lane); i++) {
        if (lane.config->role != LANE_ROLE_TIMED) continue;
        struct gpu_choice from = {.all = lane.all_gpus, .names = lane.config->gpus};
        error_clear(err);
        if (gpu_pool_check(d->gpus, &from, count, err) == 0) return 0;
    }
    return -1;
}

int gpu_run_take(struct execution *x, const char *phase, struct error *err) {
    int64_t needed = gpu_run_needed(x->task, phase);
    gpu_run_drop(x);
    if (needed == 0) return 0;
    struct gpu_choice from = {.all = x->lane->all_gpus, .names = x->lane->config->gpus};
    x->gpus = calloc(1, sizeof *x->gpus);
    if (!x->gpus) return error_sys(err, ENOMEM, "GPUs");
    bool measured = x->owner.measurement != 0;
    snprintf(x->gpus->holder, sizeof x->gpus->holder, "%c%" PRId64 "-%s", measured ? 'm' : 'v',
             measured ? x->owner.measurement : x->owner.version, phase);
    x->gpus->timed = strcmp(phase, "train") == 0;
    int rc = gpu_pool_take(x->d->gpus, &from, needed, x->gpus->holder, &x->gpus->uuids, err);
    if (rc < 0) x->gpus->holder[0] = '\0';
    /* A lane that has too few takes nothing from one that has them. */
    _cleanup_error_ struct error other = {0};
    if (rc < 0 && err->kind == ERROR_UNSUPPORTED && check(x->d, needed, &other) == 0) {
        error_clear(err);
        x->lane->unfit = true;
        return error_set(err, ERROR_BUSY, "lane %s has too few GPUs, another has them",
                         x->lane->config->name);
    }
    return rc;
}

static void gauge_all(struct gpu_run *g, const char *verb, struct gpu_gauge *out) {
    for (size_t i = 0; g->uuids[i]; i++) gpu_gauge_run(verb, g->uuids[i], &out[i]);
}

void gpu_run_begin(struct execution *x) {
    if (x->gpus && x->gpus->timed) gauge_all(x->gpus, "measure", x->gpus->before);
}

static void put_gauge(struct json_writer *w, const char *key, const struct gpu_gauge *g) {
    json_open_object(w, key);
    json_put_string(w, "skipped", g->skipped[0] ? g->skipped : NULL);
    for (size_t i = 0; i < g->count; i++) json_put_double(w, g->rates[i].name, g->rates[i].value);
    json_close_object(w);
}

static int write_down(const struct gpu_run *g, const char *dir, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    _cleanup_free_ char *path = path_join(dir, "gpus.json");
    size_t len = 0;
    if (!w || !path) return error_sys(err, ENOMEM, "GPUs");
    json_open_object(w, NULL);
    json_put_string(w, "fault", g->fault);
    json_open_array(w, "gpus");
    for (size_t i = 0; g->uuids[i]; i++) {
        json_open_object(w, NULL);
        json_put_string(w, "uuid", g->uuids[i]);
        if (g->timed) {
            put_gauge(w, "gauge_before", &g->before[i]);
            put_gauge(w, "gauge_after", &g->after[i]);
        }
        put_gauge(w, "scrub", &g->scrub[i]);
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
    const char *text = json_writer_text(w, &len);
    return text ? file_write_atomic(path, text, len, 0600, err) : error_sys(err, ENOMEM, "GPUs");
}

static void compare_gauges(struct gpu_run *g) {
    for (size_t i = 0; g->uuids[i] && !g->fault; i++) {
        const char *name;
        double change = gpu_gauge_change(&g->before[i], &g->after[i], &name);
        if (name && change > GAUGE_CHANGE_MOST)
            g->fault = str_printf("GPU %s: its gauge %s changed by %.1f %%", g->uuids[i], name,
                                  change * 100);
    }
}

int gpu_run_end(struct execution *x, const char *dir, struct error *err) {
    struct gpu_run *g = x->gpus;
    if (!g) return 0;
    gpu_pool_look(x->d->gpus);
    g->fault = gpu_pool_fault(x->d->gpus, g->holder);
    /* The gauge is a descendant of ours. */
    gpu_pool_follow(x->d->gpus, g->holder, getpid());
    if (g->timed) {
        gauge_all(g, "measure", g->after);
        compare_gauges(g);
    }
    gauge_all(g, "scrub", g->scrub);
    gpu_pool_give(x->d->gpus, g->holder, true);
    g->holder[0] = '\0';
    return write_down(g, dir, err);
}

void gpu_run_drop(struct execution *x) {
    if (!x->gpus) return;
    if (x->gpus->holder[0]) gpu_pool_give(x->d->gpus, x->gpus->holder, false);
    gpu_run_free(x);
}

void gpu_run_judge(struct execution *x, struct run_row *row) {
    if (row->state != RUN_DONE || gpu_run_needed(x->task, row->phase) == 0) return;
    if (x->gpus && !x->gpus->fault) return;
    free(row->reason);
    row->reason =
        strdup(x->gpus ? x->gpus->fault : "nobody watched its GPUs: paddockd was away meanwhile");
    row->state = RUN_VOID;
}

int gpu_run_check(struct daemon *d, const struct task *t, struct error *err) {
    int64_t train = t->train.gpus, examine = gpu_run_needed(t, "examine");
    return check(d, train > examine ? train : examine, err);
}
