#include "common/buf.h"
#include "orchestrator/report/page_parts.h"
#include "orchestrator/report/text.h"

#include <math.h>

void page_td(const char *text, struct buf *out) {
    buf_puts(out, "<td>");
    if (text && *text) text_html(text, out);
    else buf_puts(out, "–");
    buf_puts(out, "</td>");
}

void page_number(double n, int digits, struct buf *out) {
    double unit = pow(10, digits);
    if (!isfinite(n)) buf_puts(out, "–");
    else if (round(n * unit) < 0) buf_printf(out, "−%.*f", digits, -n);
    else buf_printf(out, "%.*f", digits, fabs(n));
}

void page_td_number(double n, int digits, struct buf *out) {
    buf_puts(out, "<td class=\"n\">");
    page_number(n, digits, out);
    buf_puts(out, "</td>");
}

void page_interval(double low, double high, struct buf *out) {
    buf_putc(out, '[');
    page_number(low, 2, out);
    buf_puts(out, ", ");
    page_number(high, 2, out);
    buf_putc(out, ']');
}

void page_td_count(size_t n, struct buf *out) {
    buf_printf(out, "<td class=\"n\">%zu</td>", n);
}

void page_estimate(double n, struct buf *out) {
    buf_puts(out, "<b>");
    page_number(n, 2, out);
    buf_puts(out, "</b>");
}

void page_td_interval(const struct stats_interval *i, bool narrow, struct buf *out) {
    buf_puts(out, "<td class=\"n\">");
    page_estimate(i->estimate, out);
    if (i->known) {
        buf_puts(out, " <small>");
        page_interval(i->low, i->high, out);
        buf_puts(out, narrow ? "*</small>" : "</small>");
    }
    buf_puts(out, "</td>");
}

void page_seconds(double seconds, struct buf *out) {
    if (!isfinite(seconds)) buf_puts(out, "–");
    else {
        page_number(seconds, fabs(seconds) < 1 ? 3 : fabs(seconds) < 100 ? 2 : 0, out);
        buf_puts(out, " s");
    }
}

void page_money(double usd, struct buf *out) {
    if (!isfinite(usd)) buf_puts(out, "–");
    else buf_printf(out, "$%.*f", usd != 0 && fabs(usd) < 0.1 ? 4 : 2, usd);
}

void page_heads(const char *const *heads, struct buf *out) {
    buf_puts(out, "<thead><tr>");
    for (; *heads; heads++) {
        bool number = **heads == '>';
        buf_printf(out, "<th scope=\"col\"%s>", number ? " class=\"n\"" : "");
        text_html(*heads + number, out);
        buf_puts(out, "</th>");
    }
    buf_puts(out, "</tr></thead>\n");
}

void page_figure(const char *chart, const char *caption, struct buf *out) {
    buf_printf(out, "<figure hidden data-chart=\"%s\">", chart);
    if (*caption) buf_printf(out, "<figcaption>%s</figcaption>", caption);
    buf_puts(out, "</figure>\n");
}

const char *page_worth(enum report_worth worth) {
    switch (worth) {
    case WORTH_SCORED: return "scored";
    case WORTH_NOTHING: return "nothing valid (0)";
    case WORTH_INVALID: return "invalid when measured (0)";
    case WORTH_UNRESOLVED: return "not resolved";
    case WORTH_WITHDRAWN: return "no gap here";
    case WORTH_UNMEASURED: return "not measured";
    case WORTH_OPEN: return "still open";
    case WORTH_FAILED: return "failed";
    case WORTH_NO_FSR: return "no FSR";
    case WORTH_COUNT: break;
    }
    return "";
}
