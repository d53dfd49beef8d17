/* The tables of FSR and of cost: groups of experiments. */
#include "common/cleanup.h"
#include "orchestrator/report/page_parts.h"
#include "orchestrator/report/text.h"

#include <math.h>

static const struct group *whole(const struct groups *g) {
    return g->count ? &g->groups[g->count - 1] : NULL; /* the last kind is all of them */
}

/* ---- in short ---- */

static void put_fact(const char *name, const char *value, struct buf *out) {
    buf_printf(out, "<div><dt>%s</dt><dd>", name);
    text_html(value, out);
    buf_puts(out, "</dd></div>\n");
}

static void put_interval_fact(const char *name, const struct stats_interval *i, struct buf *out) {
    _cleanup_buf_ struct buf text = {0};
    page_number(i->estimate, 2, &text);
    if (i->known) {
        buf_putc(&text, ' ');
        page_interval(i->low, i->high, &text);
    }
    put_fact(name, buf_text(&text), out);
}

void page_summary(const struct report *r, const struct groups *g, struct buf *out) {
    const struct group *all = whole(g);
    if (!all) return;
    _cleanup_buf_ struct buf counts = {0}, money = {0}, worth = {0};
    buf_printf(&counts, "%zu on %zu %s", r->count, r->task_count,
               r->task_count == 1 ? "step" : "steps");
    page_money(all->cost, &money);
    if (all->tokens) buf_printf(&money, ", %lld tokens", (long long)all->tokens);
    for (int i = 0; i < WORTH_COUNT; i++)
        if (all->worth[i])
            buf_printf(&worth, "%s%zu %s", worth.len ? ", " : "", all->worth[i],
                       page_worth((enum report_worth)i));
    buf_puts(out, "<dl class=\"facts\">\n");
    put_fact("Experiments", buf_text(&counts), out);
    put_interval_fact("Mean FSR", &all->fsr.mean, out);
    put_interval_fact("Interquartile mean", &all->fsr.iqm, out);
    put_fact("Cost", buf_text(&money), out);
    put_fact("What they are worth", buf_text(&worth), out);
    buf_puts(out, "</dl>\n");
}

/* ---- model × hints × search ---- */

/* Whatever a cell holds that is no plain score is said in it. */
static void put_counts(const struct group *g, struct buf *out) {
    buf_printf(out, "<br><small>%zu of %zu", g->fsr.count, g->experiments);
    for (int i = WORTH_SCORED + 1; i < WORTH_COUNT; i++)
        if (g->worth[i])
            buf_printf(out, "<br>%zu %s", g->worth[i], page_worth((enum report_worth)i));
    buf_puts(out, "</small>");
}

static void put_cell(const struct group *g, struct buf *out) {
    if (!g) {
        buf_puts(out, "<td class=\"n none\">·</td>");
        return;
    }
    buf_puts(out, "<td class=\"n\">");
    page_estimate(g->fsr.mean.estimate, out);
    if (g->fsr.mean.known) {
        buf_puts(out, "<br><small>");
        page_interval(g->fsr.mean.low, g->fsr.mean.high, out);
        buf_puts(out, g->fsr.lone ? "*</small>" : "</small>");
    }
    put_counts(g, out);
    buf_puts(out, "</td>");
}

static const struct group *find_cell(const struct groups *g, const char *model, const char *hints,
                                     const char *search) {
    for (size_t i = 0; i < g->count; i++) {
        const struct group *c = &g->groups[i];
        if (c->kind == GROUP_CELL && str_eq(c->model, model) && str_eq(c->hints, hints) &&
            str_eq(c->search, search))
            return c;
    }
    return NULL;
}

/* Whether the model has any cell in this row or column. */
static bool has_any(const struct groups *g, const char *model, const char *hints,
                    const char *search) {
    for (size_t i = 0; i < g->count; i++) {
        const struct group *c = &g->groups[i];
        if (c->kind == GROUP_CELL && str_eq(c->model, model) &&
            (!hints || str_eq(c->hints, hints)) && (!search || str_eq(c->search, search)))
            return true;
    }
    return false;
}

static void put_row(const struct groups *g, const char *model, const char *search,
                    struct buf *out) {
    buf_puts(out, "<tr><th scope=\"row\">");
    text_html(search, out);
    buf_puts(out, "</th>");
    for (size_t i = 0; i < g->count; i++)
        if (g->groups[i].kind == GROUP_HINTS && has_any(g, model, g->groups[i].hints, NULL))
            put_cell(find_cell(g, model, g->groups[i].hints, search), out);
    buf_puts(out, "</tr>\n");
}

static void put_model(const struct groups *g, const char *model, struct buf *out) {
    buf_puts(out, "<h3>");
    text_html(model, out);
    buf_puts(out,
             "</h3>\n<div class=\"wide\"><table><thead><tr><th scope=\"col\">search \\ hints</th>");
    for (size_t i = 0; i < g->count; i++) {
        if (g->groups[i].kind != GROUP_HINTS || !has_any(g, model, g->groups[i].hints, NULL))
            continue;
        buf_puts(out, "<th scope=\"col\" class=\"n\">");
        text_html(g->groups[i].hints, out);
        buf_puts(out, "</th>");
    }
    buf_puts(out, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < g->count; i++)
        if (g->groups[i].kind == GROUP_SEARCH && has_any(g, model, NULL, g->groups[i].search))
            put_row(g, model, g->groups[i].search, out);
    buf_puts(out, "</tbody></table></div>\n");
}

void page_fsr(const struct groups *g, struct buf *out) {
    buf_puts(out, "<section id=\"fsr\"><h2>Mean FSR</h2>\n"
                  "<p>Mean of the experiments that count, its 95&nbsp;% bootstrap interval, how "
                  "many of how many count, and what became of those without a score.</p>\n");
    for (size_t i = 0; i < g->count; i++)
        if (g->groups[i].kind == GROUP_MODEL) put_model(g, g->groups[i].model, out);
    page_figure("mean", "Mean FSR by hints and search. 0 is the record begun with, 1 the next.",
                out);
    buf_puts(out, "</section>\n");
}

/* ---- margins ---- */

static const char *name_of(const struct group *g) {
    switch (g->kind) {
    case GROUP_MODEL: return g->model;
    case GROUP_HINTS: return g->hints;
    case GROUP_SEARCH: return g->search;
    default: return "all";
    }
}

void page_iqm(const struct groups *g, struct buf *out) {
    static const char *const heads[] = {"by",     "",          ">experiments",        ">counted",
                                        ">steps", ">mean FSR", ">interquartile mean", NULL};
    buf_puts(out, "<section id=\"iqm\"><h2>Interquartile mean</h2>\n"
                  "<p>The mean of the middle half, which a few lucky or broken experiments do not "
                  "move; 95&nbsp;% stratified bootstrap intervals.</p>\n"
                  "<div class=\"wide\"><table>");
    page_heads(heads, out);
    buf_puts(out, "<tbody>\n");
    for (size_t i = 0; i < g->count; i++) {
        const struct group *m = &g->groups[i];
        if (m->kind == GROUP_CELL) continue;
        buf_puts(out, "<tr>");
        page_td(m->kind == GROUP_ALL ? "" : group_kind_names[m->kind], out);
        page_td(name_of(m), out);
        page_td_count(m->experiments, out);
        page_td_count(m->fsr.count, out);
        page_td_count(m->fsr.strata, out);
        page_td_interval(&m->fsr.mean, m->fsr.lone > 0, out);
        page_td_interval(&m->fsr.iqm, m->fsr.lone > 0, out);
        buf_puts(out, "</tr>\n");
    }
    buf_puts(out, "</tbody></table></div>\n");
    page_figure("iqm", "Filled: interquartile mean. Hollow: mean. Lines: 95&nbsp;% intervals.",
                out);
    buf_puts(out, "</section>\n");
}

/* ---- cost ---- */

static void put_cost(const struct group *g, struct buf *out) {
    buf_puts(out, g->kind == GROUP_ALL ? "<tr class=\"sum\">" : "<tr>");
    page_td(g->model ? g->model : "all", out);
    page_td(g->hints, out);
    page_td(g->search, out);
    page_td_count(g->fsr.count, out);
    buf_printf(out, "<td class=\"n\">%lld</td><td class=\"n\">", (long long)g->tokens);
    page_money(g->cost, out);
    buf_puts(out, "</td><td class=\"n\">");
    page_seconds(g->fsr.count ? g->recovered_s : NAN, out);
    buf_puts(out, "</td><td class=\"n\">");
    if (g->fsr.count && g->cost > 0 && !(g->recovered_s > 0)) buf_puts(out, "none recovered");
    else page_money(group_cost_per_second(g), out);
    buf_puts(out, "</td></tr>\n");
}

void page_cost(const struct groups *g, struct buf *out) {
    static const char *const heads[] = {"model",      "hints",          "search",
                                        ">counted",   ">tokens",        ">cost",
                                        ">recovered", ">cost a second", NULL};
    buf_puts(out,
             "<section id=\"cost\"><h2>Cost of a recovered second</h2>\n"
             "<p>What the experiments that count have cost, divided by the seconds that they "
             "took off the record together; those that recovered nothing cost as well. A dash: "
             "no model was called.</p>\n<div class=\"wide\"><table>");
    page_heads(heads, out);
    buf_puts(out, "<tbody>\n");
    for (size_t i = 0; i < g->count; i++)
        if (g->groups[i].kind == GROUP_CELL || g->groups[i].kind == GROUP_ALL)
            put_cost(&g->groups[i], out);
    buf_puts(out, "</tbody></table></div></section>\n");
}
