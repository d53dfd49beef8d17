/* What became of versions: over the steps of the search, and by which rule. */
#include "common/cleanup.h"
#include "orchestrator/report/page_parts.h"
#include "orchestrator/report/text.h"

static const char *const class_titles[STEP_COUNT] = {
    ">buggy", ">given up", ">no improvement", ">first valid", ">improved", ">does not count"};

static void put_class_heads(const char *const *first, size_t count, struct buf *out) {
    const char *heads[3 + STEP_COUNT + 1] = {0};
    for (size_t i = 0; i < count; i++) heads[i] = first[i];
    for (size_t i = 0; i < STEP_COUNT; i++) heads[count + i] = class_titles[i];
    page_heads(heads, out);
}

static void put_sums(const struct series *s, struct buf *out) {
    buf_puts(out, "<tr>");
    page_td(s->model, out);
    page_td(s->search, out);
    page_td_count(s->experiments, out);
    for (int class = 0; class < STEP_COUNT; class ++) {
        size_t sum = 0;
        for (size_t n = 0; n < s->length; n++) sum += s->counts[n][class];
        page_td_count(sum, out);
    }
    buf_puts(out, "</tr>\n");
}

static void put_steps(const struct series *s, struct buf *out) {
    static const char *const first[] = {">version"};
    buf_puts(out, "<details><summary>");
    text_html(s->model, out);
    buf_puts(out, ", ");
    text_html(s->search, out);
    buf_puts(out, ": version by version</summary>\n<div class=\"wide\"><table>");
    put_class_heads(first, 1, out);
    buf_puts(out, "<tbody>\n");
    for (size_t n = 0; n < s->length; n++) {
        buf_puts(out, "<tr>");
        page_td_count(n + 1, out);
        for (int class = 0; class < STEP_COUNT; class ++) page_td_count(s->counts[n][class], out);
        buf_puts(out, "</tr>\n");
    }
    buf_puts(out, "</tbody></table></div></details>\n");
}

void page_steps(const struct groups *g, struct buf *out) {
    static const char *const first[] = {"model", "search", ">experiments"};
    buf_puts(out,
             "<section id=\"steps\"><h2>Outcomes over the search</h2>\n"
             "<p>The n-th versions of all experiments together. <i>Improved</i>: valid, and faster "
             "(or of a better metric) than the record and every version before it, by the search's "
             "single runs. <i>First valid</i>: nobody knows how long the record takes here.</p>\n"
             "<div class=\"wide\"><table>");
    put_class_heads(first, 3, out);
    buf_puts(out, "<tbody>\n");
    for (size_t i = 0; i < g->series_count; i++) put_sums(&g->series[i], out);
    buf_puts(out, "</tbody></table></div>\n");
    page_figure("steps", "Versions by their number in the search.", out);
    for (size_t i = 0; i < g->series_count; i++) put_steps(&g->series[i], out);
    buf_puts(out, "</section>\n");
}

static void put_rule(const struct broken_rule *rule, struct buf *out) {
    const struct report_version *v = rule->example;
    const char *reason = rule->measured ? v->score.reason : v->reason;
    buf_puts(out, "<tr>");
    page_td(rule->rule, out);
    page_td(rule->outcome, out);
    page_td(rule->measured ? "when measured" : "in the search", out);
    page_td_count(rule->versions, out);
    buf_printf(out, "<td><a href=\"#%s\">%s</a>", v->id, v->id);
    if (reason) {
        buf_puts(out, ": ");
        text_html(reason, out);
    }
    buf_puts(out, "</td></tr>\n");
}

void page_rules(const struct groups *g, struct buf *out) {
    static const char *const heads[] = {"rule", "outcome", "seen", ">versions", "the first", NULL};
    buf_puts(out, "<section id=\"rules\"><h2>Invalid versions by rule</h2>\n");
    if (g->rule_count == 0) {
        buf_puts(out, "<p>None.</p></section>\n");
        return;
    }
    buf_puts(out, "<div class=\"wide\"><table>");
    page_heads(heads, out);
    buf_puts(out, "<tbody>\n");
    for (size_t i = 0; i < g->rule_count; i++) put_rule(&g->rules[i], out);
    buf_puts(out, "</tbody></table></div></section>\n");
}
