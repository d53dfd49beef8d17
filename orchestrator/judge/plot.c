#include "orchestrator/judge/plot.h"

#include "common/cleanup.h"
#include "common/clock.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define LABEL_GAP  17.0 /* between the baselines of two labels */
#define MARK       5.0  /* half a mark */
#define LABELS_MAX 8    /* of blocks on the axis, about */

struct plot {
    const struct score *s;
    struct buf *out;
    double low, high; /* seconds at the bottom and the top */
    double step;
    size_t blocks, places; /* places: positions in a block */
    double means[SCORE_ARMS_MAX];
};

/* ---- scales ---- */

static bool is_shown(const struct score_run *r) {
    return strcmp(r->phase, "train") == 0 && r->block >= 0 && r->wall_ns > 0;
}

static double seconds(const struct score_run *r) {
    return (double)r->wall_ns / (double)NS_PER_SEC;
}

static void find_scale(struct plot *p) {
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < p->s->run_count; i++) {
        const struct score_run *r = &p->s->runs[i];
        if (r->block >= (int64_t)p->blocks) p->blocks = (size_t)r->block + 1;
        if (r->position >= (int64_t)p->places) p->places = (size_t)r->position + 1;
        if (!is_shown(r)) continue;
        low = fmin(low, seconds(r));
        high = fmax(high, seconds(r));
    }
    if (!(low <= high)) low = 0, high = 1; /* nothing to be shown */
    double room = fmax((high - low) * 0.08, high * 0.01);
    p->low = fmax(low - room, 0);
    p->high = high + room;
    p->step = plot_step(p->high - p->low, 8);
}

static double x_of(const struct plot *p, double place) {
    return PLOT_LEFT + (PLOT_RIGHT - PLOT_LEFT) * place / (double)p->blocks;
}

static double x_of_run(const struct plot *p, const struct score_run *r) {
    double inside = ((double)r->position + 0.75) / ((double)p->places + 0.5);
    return x_of(p, (double)r->block + inside);
}

static double y_of(const struct plot *p, double s) {
    return PLOT_BOTTOM - (PLOT_BOTTOM - PLOT_TOP) * (s - p->low) / (p->high - p->low);
}

/* a, b: the records; c: the candidate; s: its siblings. */
static const char *class_of(const struct score *s, size_t arm) {
    if (arm < 2) return arm ? "b" : "a";
    return arm == s->arm ? "c" : "s";
}

/* ---- ground ---- */

static bool block_counts(const struct score *s, size_t block) {
    for (size_t i = 0; s->has_estimate && i < s->estimate.block_count; i++)
        if (s->estimate.blocks[i] == (int64_t)block) return true;
    return false;
}

static void draw_blocks(const struct plot *p) {
    size_t every = (p->blocks + LABELS_MAX - 1) / LABELS_MAX;
    for (size_t b = 0; b < p->blocks; b++) {
        double left = x_of(p, (double)b), width = x_of(p, (double)b + 1) - left;
        if (b % 2 == 0)
            buf_printf(p->out,
                       "<rect class=\"band\" x=\"%.1f\" y=\"%g\" width=\"%.1f\" height=\"%g\"/>\n",
                       left, PLOT_TOP, width, PLOT_BOTTOM - PLOT_TOP);
        if (b % every != 0) continue;
        bool counts = block_counts(p->s, b) || !p->s->has_estimate;
        buf_printf(p->out, "<text class=\"small mid\" x=\"%.1f\" y=\"%g\">%s%zu%s</text>\n",
                   left + width / 2, PLOT_BOTTOM + 18, counts ? "" : "(", b + 1, counts ? "" : ")");
    }
    buf_printf(p->out,
               "<text class=\"small mid\" x=\"%g\" y=\"%g\">block, runs in the order they"
               " were made</text>\n",
               (PLOT_LEFT + PLOT_RIGHT) / 2, PLOT_BOTTOM + 38);
}

static void draw_ticks(const struct plot *p) {
    int digits = plot_digits(p->step);
    int first = (int)ceil(p->low / p->step), last = (int)floor(p->high / p->step);
    for (int k = first; k <= last; k++) {
        double t = k * p->step;
        buf_printf(p->out,
                   "<line class=\"grid\" x1=\"%g\" y1=\"%.1f\" x2=\"%g\" y2=\"%.1f\"/>\n"
                   "<text class=\"small end\" x=\"%g\" y=\"%.1f\">%.*f</text>\n",
                   PLOT_LEFT, y_of(p, t), PLOT_RIGHT, y_of(p, t), PLOT_LEFT - 8, y_of(p, t) + 4,
                   digits, t);
    }
    buf_printf(p->out,
               "<text class=\"small mid\" x=\"18\" y=\"%g\" transform=\"rotate(-90 18 %g)\">seconds"
               "</text>\n<line class=\"axis\" x1=\"%g\" y1=\"%g\" x2=\"%g\" y2=\"%g\"/>\n",
               (PLOT_TOP + PLOT_BOTTOM) / 2, (PLOT_TOP + PLOT_BOTTOM) / 2, PLOT_LEFT, PLOT_BOTTOM,
               PLOT_RIGHT, PLOT_BOTTOM);
}

/* ---- runs ---- */

/* A circle, a square, a diamond and a triangle, so that colour is not needed. */
static void draw_mark(struct buf *out, char kind, const char *more, double x, double y) {
    const double m = MARK;
    switch (kind) {
    case 'a':
        buf_printf(out, "<circle class=\"m a%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%g\"", more, x, y, m);
        break;
    case 'b':
        buf_printf(out, "<rect class=\"m b%s\" x=\"%.1f\" y=\"%.1f\" width=\"%g\" height=\"%g\"",
                   more, x - m * 0.9, y - m * 0.9, m * 1.8, m * 1.8);
        break;
    case 'c':
        buf_printf(out, "<path class=\"m c%s\" d=\"M%.1f %.1fl%g %gl%g %gl%g %gz\"", more, x,
                   y - m * 1.25, m * 1.25, m * 1.25, -m * 1.25, m * 1.25, -m * 1.25, -m * 1.25);
        break;
    default:
        buf_printf(out, "<path class=\"m s%s\" d=\"M%.1f %.1fl%g %gl%g 0z\"", more, x, y - m, m,
                   m * 1.8, -2 * m);
        break;
    }
}

static void draw_cross(struct buf *out, const char *class, double x, double y) {
    buf_printf(out, "<path class=\"m %s\" d=\"M%.1f %.1fl%g %gm0 %gl%g %g\"", class, x - MARK,
               y - MARK, 2 * MARK, 2 * MARK, -2 * MARK, -2 * MARK, 2 * MARK);
}

/* The element that draw_mark() or draw_cross() opened. */
static const char *element_of(const struct score_run *r, char kind) {
    if (!r->counts && !r->is_void) return "path";
    return kind == 'a' ? "circle" : kind == 'b' ? "rect" : "path";
}

/* Who points at a mark reads its run. */
static void draw_run(const struct plot *p, const struct score_run *r) {
    const char *class = class_of(p->s, (size_t)r->arm);
    double x = x_of_run(p, r), y = y_of(p, seconds(r));
    if (r->counts || r->is_void) draw_mark(p->out, *class, r->is_void ? " v" : "", x, y);
    else draw_cross(p->out, class, x, y);
    buf_puts(p->out, "><title>");
    plot_text(r->id, p->out);
    buf_puts(p->out, ", ");
    score_arm_name(&p->s->arms[r->arm], p->out);
    buf_printf(p->out, ", block %" PRId64 ": %.4f s", r->block + 1, seconds(r));
    if (isfinite(r->metric)) buf_printf(p->out, ", %.6g", r->metric);
    if (r->is_void) buf_puts(p->out, ", void");
    if (r->reason) {
        buf_puts(p->out, ": ");
        plot_text(r->reason, p->out);
    }
    buf_printf(p->out, "</title></%s>\n", element_of(r, *class));
}

/* ---- means ---- */

static int by_mean(const void *a, const void *b, void *means) {
    double x = ((const double *)means)[*(const size_t *)a];
    double y = ((const double *)means)[*(const size_t *)b];
    return (x < y) - (x > y); /* the slowest is on top */
}

static void draw_label(const struct plot *p, size_t arm, double y) {
    const char *class = class_of(p->s, arm);
    double at = y_of(p, p->means[arm]);
    buf_printf(
        p->out,
        "<path class=\"mean %s\" d=\"M%g %.1fH%g\"/>\n<path class=\"lead %s\" d=\"M%g %.1fl12"
        " %.1fh6\"/>\n",
        class, PLOT_LEFT, at, PLOT_RIGHT, class, PLOT_RIGHT, at, y - at);
    draw_mark(p->out, *class, "", PLOT_RIGHT + 28, y);
    buf_printf(p->out, "/>\n<text class=\"t %s\" x=\"%g\" y=\"%.1f\">", class, PLOT_RIGHT + 40,
               y + 4);
    score_arm_name(&p->s->arms[arm], p->out);
    buf_printf(p->out, "</text>\n<text x=\"%g\" y=\"%.1f\">%.*f s</text>\n", PLOT_RIGHT + 128,
               y + 4, plot_digits(p->step) + 2, p->means[arm]);
}

/* From the top down, each at its mean or as near below as there is room. */
static void draw_means(const struct plot *p) {
    size_t order[SCORE_ARMS_MAX], n = 0;
    for (size_t i = 0; i < p->s->arm_count; i++)
        if (isfinite(p->means[i])) order[n++] = i;
    qsort_r(order, n, sizeof *order, by_mean, (void *)p->means);
    double y = PLOT_TOP - LABEL_GAP;
    for (size_t k = 0; k < n; k++) {
        double latest = PLOT_BOTTOM - (double)(n - 1 - k) * LABEL_GAP;
        y = fmin(fmax(y_of(p, p->means[order[k]]), y + LABEL_GAP), fmax(latest, y + LABEL_GAP));
        draw_label(p, order[k], y);
    }
}

/* Below: those that have none, and why. */
static void draw_absent(const struct plot *p) {
    double y = PLOT_BOTTOM;
    for (size_t i = 0; i < p->s->arm_count; i++) {
        const struct score_arm *a = &p->s->arms[i];
        if (isfinite(p->means[i])) continue;
        y += LABEL_GAP;
        draw_mark(p->out, *class_of(p->s, i), " v", PLOT_RIGHT + 28, y);
        buf_printf(p->out, "/>\n<text class=\"t %s\" x=\"%g\" y=\"%.1f\">", class_of(p->s, i),
                   PLOT_RIGHT + 40, y + 4);
        score_arm_name(a, p->out);
        buf_printf(p->out, "</text>\n<text class=\"small\" x=\"%g\" y=\"%.1f\">", PLOT_RIGHT + 128,
                   y + 4);
        plot_text(a->outcome ? a->outcome : "no time", p->out);
        buf_puts(p->out, "</text>\n");
    }
}

/* ---- head ---- */

static void count_runs(const struct score *s, size_t *counted, size_t *voids, size_t *unseen) {
    for (size_t i = 0; i < s->run_count; i++) {
        if (strcmp(s->runs[i].phase, "train") != 0) continue;
        *counted += s->runs[i].counts;
        *voids += s->runs[i].is_void;
        *unseen += !is_shown(&s->runs[i]);
    }
}

static void put_summary(const struct plot *p) {
    const struct score *s = p->s;
    size_t counted = 0, voids = 0, unseen = 0;
    count_runs(s, &counted, &voids, &unseen);
    buf_printf(p->out, "%zu blocks, %zu timed runs count, %zu void", p->blocks, counted, voids);
    if (unseen) buf_printf(p->out, ", %zu without a time", unseen);
}

/* What the picture shows, for who cannot see it. */
static void put_description(const struct plot *p) {
    const struct score *s = p->s;
    buf_puts(p->out, "Times of the runs in seconds, block by block: ");
    put_summary(p);
    buf_puts(p->out, ". Means:");
    for (size_t i = 0; i < s->arm_count; i++) {
        buf_puts(p->out, i ? ", " : " ");
        score_arm_name(&s->arms[i], p->out);
        if (isfinite(p->means[i])) buf_printf(p->out, " %.4g s", p->means[i]);
        else buf_puts(p->out, " none");
    }
    buf_puts(p->out, ". Outcome: ");
    plot_text(s->outcome, p->out);
    const struct fsr_interval *i = &s->estimate.i;
    if (s->has_estimate && !isfinite(i->estimate)) buf_puts(p->out, ", no FSR: there is no gap");
    else if (s->has_estimate && i->bounded)
        buf_printf(p->out, ", FSR %.3f, 95 %% interval from %.3f to %.3f", i->estimate, i->low,
                   i->high);
    else if (s->has_estimate) buf_printf(p->out, ", FSR %.3f, unbounded", i->estimate);
    buf_puts(p->out, ".");
}

static void put_title(const struct plot *p) {
    plot_text(p->s->version, p->out);
    buf_puts(p->out, " on ");
    plot_text(p->s->task, p->out);
    buf_printf(p->out, ":%" PRId64 ", measurement ", p->s->step);
    plot_text(p->s->measurement, p->out);
}

static void draw_head(const struct plot *p) {
    buf_printf(p->out,
               "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %g %g\" width=\"%g\""
               " height=\"%g\" role=\"img\" aria-labelledby=\"t d\">\n<title id=\"t\">",
               PLOT_WIDTH, PLOT_HEIGHT, PLOT_WIDTH, PLOT_HEIGHT);
    put_title(p);
    buf_puts(p->out, "</title>\n<desc id=\"d\">");
    put_description(p);
    buf_printf(p->out,
               "</desc>\n%s<rect class=\"ground\" width=\"%g\" height=\"%g\"/>\n"
               "<text class=\"head\" x=\"%g\" y=\"34\">",
               plot_style, PLOT_WIDTH, PLOT_HEIGHT, PLOT_LEFT);
    put_title(p);
    buf_printf(p->out, "</text>\n<text class=\"small\" x=\"%g\" y=\"56\">", PLOT_LEFT);
    put_summary(p);
    buf_puts(p->out, ". Hollow: void. Cross: failed. Dashed: means.</text>\n");
}

int plot_runs(const struct score *s, struct buf *out, struct error *err) {
    struct plot p = {.s = s, .out = out, .blocks = 1, .places = 1};
    if (score_means(s, p.means, err) < 0) return -1;
    find_scale(&p);
    draw_head(&p);
    draw_blocks(&p);
    draw_ticks(&p);
    draw_means(&p);
    draw_absent(&p);
    for (size_t i = 0; i < s->run_count; i++)
        if (is_shown(&s->runs[i])) draw_run(&p, &s->runs[i]);
    plot_interval(s, out);
    buf_puts(out, "</svg>\n");
    return buf_failed(out) ? error_sys(err, ENOMEM, "plot") : 0;
}
