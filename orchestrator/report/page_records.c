/* The experiments one by one: by record, and how like each change is to the known one. */
#include "common/cleanup.h"
#include "orchestrator/report/document.h"
#include "orchestrator/report/page_parts.h"
#include "orchestrator/report/text.h"

#include <math.h>

static const struct report_version *best_of(const struct report_experiment *e) {
    return e->best < e->count ? &e->versions[e->best] : NULL;
}

static void put_fsr(const struct report_experiment *e, struct buf *out) {
    const struct report_version *best = best_of(e);
    buf_puts(out, "<td class=\"n\">");
    page_estimate(e->fsr, out);
    if (best && e->worth == WORTH_SCORED && isfinite(best->score.low) &&
        isfinite(best->score.high)) {
        buf_puts(out, " <small>");
        page_interval(best->score.low, best->score.high, out);
        buf_puts(out, "</small>");
    }
    buf_puts(out, "</td>");
}

static void put_seconds(double seconds, struct buf *out) {
    buf_puts(out, "<td class=\"n\">");
    page_seconds(seconds, out);
    buf_puts(out, "</td>");
}

static void put_worth(const struct report_experiment *e, struct buf *out) {
    const struct report_version *best = best_of(e);
    const char *why = best && best->score.reason ? best->score.reason : e->reason;
    buf_puts(out, "<td>");
    text_html(page_worth(e->worth), out);
    if (why && e->worth != WORTH_SCORED) {
        buf_puts(out, "<br><small>");
        text_html(why, out);
        buf_puts(out, "</small>");
    }
    buf_puts(out, "</td>");
}

static void put_experiment(const struct report_experiment *e, struct buf *out) {
    const struct report_version *best = best_of(e);
    buf_printf(out, "<tr><td><a href=\"#%s\">%s</a></td>", e->id, e->id);
    page_td(e->model, out);
    page_td(e->hints, out);
    page_td(e->search, out);
    if (e->seed) buf_printf(out, "<td class=\"n\">%lld</td>", (long long)e->seed);
    else page_td_number(NAN, 0, out);
    put_fsr(e, out);
    put_seconds(best ? best->score.mean_s : NAN, out);
    page_td(best ? best->id : NULL, out);
    put_seconds(best ? best->seconds : NAN, out);
    if (!e->task->scored) page_td_number(best ? best->metric : NAN, 4, out);
    page_td_number(e->compared ? e->likeness.f1 : NAN, 2, out);
    put_worth(e, out);
    buf_puts(out, "</tr>\n");
}

static void put_task_head(const struct report_task *t, struct buf *out) {
    _cleanup_buf_ struct buf name = {0};
    report_step_name(t, &name);
    buf_puts(out, "<h3>");
    text_html(buf_text(&name), out);
    buf_puts(out, "</h3>\n<p>");
    if (t->from && t->to) {
        text_html(t->from, out);
        buf_puts(out, " → ");
        text_html(t->to, out);
        buf_puts(out, ". ");
    }
    if (isfinite(t->record_s)) {
        buf_puts(out, "The record takes ");
        page_seconds(t->record_s, out);
        buf_puts(out, " here.");
    }
    if (t->unknown) {
        buf_puts(out, " The known change is not at hand: ");
        text_html(t->unknown, out);
    }
    buf_puts(out, "</p>\n");
}

static void put_task(const struct report *r, size_t index, struct buf *out) {
    static const char *const timed[] = {"experiment", "model",    "hints",     "search",
                                        ">seed",      ">FSR",     ">measured", "best version",
                                        ">searched",  ">similar", "worth",     NULL};
    static const char *const other[] = {
        "experiment",   "model",     "hints",   "search",   ">seed", ">FSR", ">measured",
        "best version", ">searched", ">metric", ">similar", "worth", NULL};
    const struct report_task *t = r->tasks[index];
    put_task_head(t, out);
    buf_puts(out, "<div class=\"wide\"><table>");
    page_heads(t->scored ? timed : other, out);
    buf_puts(out, "<tbody>\n");
    for (size_t i = 0; i < r->count; i++)
        if (r->experiments[i].task == t) put_experiment(&r->experiments[i], out);
    buf_puts(out, "</tbody></table></div>\n");
    _cleanup_buf_ struct buf chart = {0};
    buf_printf(&chart, "record-%zu", index);
    page_figure(buf_text(&chart), "FSR with the interval of its measurement.", out);
}

void page_records(const struct report *r, struct buf *out) {
    buf_puts(out, "<section id=\"records\"><h2>Each record</h2>\n"
                  "<p>FSR with the 95&nbsp;% interval of its measurement; the mean time of fresh "
                  "runs; the single run by which the search chose its best version, which is no "
                  "score.</p>\n");
    for (size_t i = 0; i < r->task_count; i++) put_task(r, i, out);
    buf_puts(out, "</section>\n");
}

/* ---- similarity ---- */

static void put_likeness(const struct report_experiment *e, struct buf *out) {
    _cleanup_buf_ struct buf task = {0};
    report_step_name(e->task, &task);
    buf_printf(out, "<tr><td><a href=\"#%s\">%s</a></td>", e->id, e->id);
    page_td(buf_text(&task), out);
    page_td(e->model, out);
    page_td(e->hints, out);
    page_td(e->search, out);
    page_td_number(e->likeness.f1, 2, out);
    page_td_number(e->likeness.precision, 2, out);
    page_td_number(e->likeness.recall, 2, out);
    page_td_count(e->likeness.ours, out);
    page_td_count(e->likeness.known, out);
    page_td_number(e->fsr, 2, out);
    buf_puts(out, "</tr>\n");
}

void page_similarity(const struct report *r, struct buf *out) {
    static const char *const heads[] = {"experiment", "task",         "model",      "hints",
                                        "search",     ">F1",          ">precision", ">recall",
                                        ">words",     ">known words", ">FSR",       NULL};
    buf_puts(out, "<section id=\"similarity\"><h2>Similarity to the known change</h2>\n"
                  "<p>How many of the words of the removed and the added lines of record → best "
                  "version and of record → next record are the same (F1). It compares texts, not "
                  "ideas: order and place do not count.</p>\n<div class=\"wide\"><table>");
    page_heads(heads, out);
    buf_puts(out, "<tbody>\n");
    size_t compared = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (!r->experiments[i].compared) continue;
        put_likeness(&r->experiments[i], out);
        compared++;
    }
    buf_puts(out, "</tbody></table></div>\n");
    if (compared < r->count)
        buf_printf(out, "<p>%zu of %zu have no valid version or no known change to compare.</p>\n",
                   r->count - compared, r->count);
    page_figure("similarity", "Each experiment that counts: similarity and FSR.", out);
    buf_puts(out, "</section>\n");
}
