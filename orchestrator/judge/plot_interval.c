/* The lower part of the picture: FSR with its interval, or why there is none. */
#include "common/cleanup.h"
#include "orchestrator/judge/plot.h"

#include <math.h>
#include <string.h>

#define LINE   540.0 /* the axis */
#define BAR    516.0
#define TEXT   490.0
#define FAR    1000.0 /* an end farther away than this is shown as an arrow */
#define APART  110.0  /* room for two names beside one another */
#define NARROW 1e-9
#define REASON 100 /* bytes of a reason that fit */

struct axis {
    double low, high;
};

static double at(const struct axis *a, double fsr) {
    double x = PLOT_LEFT + (PLOT_RIGHT - PLOT_LEFT) * (fsr - a->low) / (a->high - a->low);
    return fmin(fmax(x, PLOT_LEFT), PLOT_RIGHT);
}

/* From below 0 to above 1, and as far as the interval reaches if that is near. */
static struct axis axis_of(const struct fsr_interval *i) {
    double low = i->bounded ? fmin(i->low, i->estimate) : i->estimate;
    double high = i->bounded ? fmax(i->high, i->estimate) : i->estimate;
    low = isfinite(low) ? fmax(low, -FAR) : 0;
    high = isfinite(high) ? fmin(high, FAR) : 1;
    struct axis a = {.low = fmin(low, 0), .high = fmax(high, 1)};
    double room = 0.08 * (a.high - a.low);
    a.low -= room;
    a.high += room;
    return a;
}

static void draw_axis(const struct axis *a, struct buf *out) {
    double step = plot_step(a->high - a->low, 8);
    buf_printf(out, "<path class=\"axis\" d=\"M%g %gH%g\"/>\n", PLOT_LEFT, LINE, PLOT_RIGHT);
    int first = (int)ceil(a->low / step), last = (int)floor(a->high / step + NARROW);
    for (int k = first; k <= last; k++) {
        double tick = k * step;
        buf_printf(out,
                   "<path class=\"axis\" d=\"M%.1f %gv5\"/>\n"
                   "<text class=\"small mid\" x=\"%.1f\" y=\"%g\">%.*f</text>\n",
                   at(a, tick), LINE, at(a, tick), LINE + 19, plot_digits(step), tick);
    }
}

/* 0 is the record it started from, 1 the next. */
static void draw_records(const struct score *s, const struct axis *a, struct buf *out) {
    bool near = at(a, 1) - at(a, 0) < APART;
    for (size_t k = 0; k < 2; k++) {
        const char *side = !near ? "mid" : k ? "" : "end";
        buf_printf(out,
                   "<path class=\"mean %s\" d=\"M%.1f %gV%g\"/>\n"
                   "<text class=\"t %s %s\" x=\"%.1f\" y=\"%g\">",
                   k ? "b" : "a", at(a, (double)k), TEXT + 12, LINE, k ? "b" : "a", side,
                   at(a, (double)k) + (near ? k ? 4 : -4 : 0), LINE + 38);
        score_arm_name(&s->arms[k], out);
        buf_puts(out, "</text>\n");
    }
}

/* One end: a cap, or an arrow where it goes on. */
static void draw_end(const struct axis *a, double value, bool up, struct buf *out) {
    double x = at(a, value), tip = up ? -9 : 9;
    if (value >= a->low && value <= a->high)
        buf_printf(out, "<path class=\"cap c\" d=\"M%.1f %gv16\"/>\n", x, BAR - 8);
    else buf_printf(out, "<path class=\"c\" d=\"M%.1f %gl%g -8v16z\"/>\n", x, BAR, tip);
}

static void draw_bar(const struct axis *a, const struct fsr_interval *i, struct buf *out) {
    double low = i->bounded ? i->low : -INFINITY, high = i->bounded ? i->high : INFINITY;
    buf_printf(out, "<path class=\"bar c\" opacity=\"0.45\" d=\"M%.1f %gH%.1f\"/>\n",
               at(a, fmax(low, a->low)), BAR, at(a, fmin(high, a->high)));
    draw_end(a, low, false, out);
    draw_end(a, high, true, out);
    if (isfinite(i->estimate) && i->estimate >= a->low && i->estimate <= a->high)
        buf_printf(out, "<circle class=\"c\" cx=\"%.1f\" cy=\"%g\" r=\"5.5\"/>\n",
                   at(a, i->estimate), BAR);
}

static void put_numbers(const struct fsr_interval *i, struct buf *out) {
    if (!isfinite(i->estimate)) buf_puts(out, "no FSR: there is no gap");
    else if (i->bounded)
        buf_printf(out, "FSR %.3f, %g %% interval %.3f to %.3f", i->estimate, 100 * i->level,
                   i->low, i->high);
    else
        buf_printf(out, "FSR %.3f, %g %% interval unbounded: the gap is not resolved from 0",
                   i->estimate, 100 * i->level);
}

/* The line is as long as it is: a longer reason is cut between two characters. */
static void put_reason(const char *reason, struct buf *out) {
    size_t n = strlen(reason) < REASON ? strlen(reason) : REASON;
    while (n > 0 && ((unsigned char)reason[n] & 0xC0) == 0x80) n--;
    _cleanup_free_ char *shown = strndup(reason, n);
    plot_text(shown ? shown : "", out);
    if (reason[n]) buf_puts(out, "…");
}

void plot_interval(const struct score *s, struct buf *out) {
    buf_printf(out, "<text x=\"%g\" y=\"%g\"><tspan class=\"t c\">", PLOT_LEFT, TEXT);
    plot_text(s->outcome, out);
    buf_puts(out, "</tspan>  ");
    if (s->has_estimate) put_numbers(&s->estimate.i, out);
    else if (s->reason) put_reason(s->reason, out);
    else buf_puts(out, "no FSR");
    buf_puts(out, "</text>\n");
    if (!s->has_estimate) return;
    struct axis a = axis_of(&s->estimate.i);
    draw_axis(&a, out);
    draw_records(s, &a, out);
    draw_bar(&a, &s->estimate.i, out);
}
