/*
 * The parts of the page (page.h), and how its cells are written. Whatever is text goes
 * through text.h.
 */
#ifndef PADDOCK_ORCHESTRATOR_REPORT_PAGE_PARTS_H
#define PADDOCK_ORCHESTRATOR_REPORT_PAGE_PARTS_H

#include "common/buf.h"
#include "orchestrator/report/groups.h"

/* Sections of the page, in its order. */
void page_summary(const struct report *r, const struct groups *g, struct buf *out);
void page_fsr(const struct groups *g, struct buf *out);
void page_iqm(const struct groups *g, struct buf *out);
void page_records(const struct report *r, struct buf *out);
void page_steps(const struct groups *g, struct buf *out);
void page_cost(const struct groups *g, struct buf *out);
void page_similarity(const struct report *r, struct buf *out);
void page_rules(const struct groups *g, struct buf *out);
void page_trees(const struct report *r, struct buf *out);

/* What the charts are drawn from, as JSON. */
int page_data(const struct report *r, const struct groups *g, struct buf *out, struct error *err);

/* ---- cells ---- */

void page_td(const char *text, struct buf *out); /* NULL or "": a dash */
/* "−0.25", with a minus as long as a plus, and never "−0.00"; a dash when not finite. */
void page_number(double n, int digits, struct buf *out);
void page_td_number(double n, int digits, struct buf *out);
void page_td_count(size_t n, struct buf *out);
void page_estimate(double n, struct buf *out);                /* in bold */
void page_interval(double low, double high, struct buf *out); /* "[0.31, 0.60]" */
/* "0.45" with "[0.31, 0.60]" behind it. */
void page_td_interval(const struct stats_interval *i, bool narrow, struct buf *out);
/* "8.92 s"; a dash when not finite. */
void page_seconds(double seconds, struct buf *out);
/* "$0.012" */
void page_money(double usd, struct buf *out);
/* <thead> of column titles; one that opens with '>' is of numbers. NULL-terminated. */
void page_heads(const char *const *heads, struct buf *out);
/* An empty figure that the script fills; "" as caption: none. */
void page_figure(const char *chart, const char *caption, struct buf *out);
/* What an experiment's worth is called on the page. */
const char *page_worth(enum report_worth worth);

#endif
