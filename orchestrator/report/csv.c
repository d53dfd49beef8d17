/* The experiments as CSV: a line each, a column for each number, empty where there is none. */
#include "common/cleanup.h"
#include "orchestrator/report/document.h"
#include "orchestrator/report/text.h"

#include <math.h>

static void put_text(const char *text, struct buf *out) {
    text_csv(text, out);
    buf_putc(out, ',');
}

static void put_number(double n, struct buf *out) {
    if (isfinite(n)) buf_printf(out, "%.10g", n);
    buf_putc(out, ',');
}

static void put_count(int64_t n, struct buf *out) {
    buf_printf(out, "%lld,", (long long)n);
}

static void put_score(const struct report_experiment *e, struct buf *out) {
    static const struct report_score none = {NULL, NULL, NULL, NAN, NAN, NAN,
                                             NAN,  NAN,  NAN,  NAN, NAN};
    const struct report_version *best = e->best == SIZE_MAX ? NULL : &e->versions[e->best];
    const struct report_score *s = best && best->score.outcome ? &best->score : &none;
    put_text(report_worth_names[e->worth], out);
    put_number(e->fsr, out);
    put_number(s->low, out);
    put_number(s->high, out);
    put_number(s->level, out);
    put_text(best ? best->id : NULL, out);
    put_text(s->measurement, out);
    put_text(s->outcome, out);
    put_number(s->mean_a_s, out);
    put_number(s->mean_s, out);
    put_number(s->mean_b_s, out);
    put_number(best ? best->seconds : NAN, out);
    put_number(best ? best->metric : NAN, out);
    put_number(e->recovered_s, out);
}

static void put_classes(const struct report_experiment *e, struct buf *out) {
    size_t counts[STEP_COUNT] = {0}, versions = 0;
    for (size_t i = 0; i < e->count; i++) {
        if (report_is_root(&e->versions[i])) continue;
        versions++;
        counts[e->versions[i].step]++;
    }
    put_count((int64_t)versions, out);
    for (int i = 0; i < STEP_COUNT; i++) put_count((int64_t)counts[i], out);
}

static void put_line(const struct report_experiment *e, struct buf *out) {
    put_text(e->id, out);
    put_text(e->task->name, out);
    put_count(e->task->step, out);
    put_text(e->model, out);
    put_text(e->hints, out);
    put_text(e->search, out);
    if (e->seed) buf_printf(out, "%lld", (long long)e->seed);
    buf_putc(out, ',');
    put_text(e->agent, out);
    put_text(e->label, out);
    put_text(e->sweep, out);
    put_text(e->key, out);
    put_text(e->state, out);
    put_score(e, out);
    put_classes(e, out);
    put_number(e->compared ? e->likeness.f1 : NAN, out);
    put_count(e->spent.calls, out);
    put_count(e->spent.input, out);
    put_count(e->spent.output, out);
    if (e->spent.calls) buf_printf(out, "%.10g", e->spent.cost);
    buf_puts(out, "\r\n");
}

void report_csv(const struct report *r, struct buf *out) {
    buf_puts(out, "experiment,task,step,model,hints,search,seed,agent,label,sweep,key,state,"
                  "worth,fsr,low,high,level,best,measurement,outcome,record_s,best_s,next_record_s,"
                  "search_s,search_metric,recovered_s,versions");
    for (int i = 0; i < STEP_COUNT; i++) buf_printf(out, ",%s", step_class_names[i]);
    buf_puts(out, ",similarity,calls,input_tokens,output_tokens,cost\r\n");
    for (size_t i = 0; i < r->count; i++) put_line(&r->experiments[i], out);
}
