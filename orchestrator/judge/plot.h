/*
 * The runs of a score as a picture: SVG with no scripts and no outside parts,
 * for light and dark grounds, with a title and a description for who cannot see
 * it. Every text is escaped.
 */
#ifndef PADDOCK_ORCHESTRATOR_JUDGE_PLOT_H
#define PADDOCK_ORCHESTRATOR_JUDGE_PLOT_H

#include "orchestrator/judge/score.h"

/* Times by block in the order they were run, a mark for each arm; void runs are
 * hollow, runs that failed are crosses, means are lines. Below, FSR with its
 * interval. Takes no sides: what is drawn is what the document says. */
int plot_runs(const struct score *s, struct buf *out, struct error *err);

/* ---- shared by plot*.c ---- */

#define PLOT_WIDTH  960.0
#define PLOT_LEFT   72.0
#define PLOT_RIGHT  740.0 /* the labels of the means stand behind it */
#define PLOT_TOP    84.0
#define PLOT_BOTTOM 424.0
#define PLOT_HEIGHT 600.0

extern const char plot_style[]; /* the element "style" */

/* Text as the content of an element or an attribute. */
void plot_text(const char *text, struct buf *out);
/* A round step that cuts `range` into about `parts`. */
double plot_step(double range, int parts);
/* How many digits behind the point a tick of this step needs. */
int plot_digits(double step);
/* The bar of the interval, or why there is none. */
void plot_interval(const struct score *s, struct buf *out);

#endif
