/* The trees of versions, each with what it changed. */
#include "common/cleanup.h"
#include "orchestrator/report/document.h"
#include "orchestrator/report/page_parts.h"
#include "orchestrator/report/text.h"

#include <math.h>
#include <string.h>

/* The names of files above a hunk look like its lines. */
static const char *line_class(const char *line, bool *in_hunk) {
    if (str_starts(line, "diff --git ")) *in_hunk = false;
    if (*line == '@') *in_hunk = true;
    switch (*in_hunk ? *line : ' ') {
    case '+': return "add";
    case '-': return "del";
    case '@': return "hunk";
    default: return NULL;
    }
}

static void put_diff(const struct report_version *v, struct buf *out) {
    if (!v->diff || (!*v->diff && !v->diff_left_out)) {
        if (v->diff) buf_puts(out, "<div class=\"why\">changes nothing</div>\n");
        return;
    }
    buf_puts(out, "<details class=\"diff\"><summary>what it changed</summary><pre>");
    bool in_hunk = false;
    for (const char *line = v->diff; *line;) {
        const char *end = strchr(line, '\n');
        size_t len = end ? (size_t)(end - line) : strlen(line);
        const char *class = line_class(line, &in_hunk);
        if (class) buf_printf(out, "<span class=\"%s\">", class);
        text_html_lines(line, len, out);
        if (class) buf_puts(out, "</span>");
        buf_putc(out, '\n');
        line += len + (end != NULL);
    }
    if (v->diff_left_out)
        buf_printf(out, "… %zu bytes more: paddock diff %s\n", v->diff_left_out, v->id);
    buf_puts(out, "</pre></details>\n");
}

static void put_outcome(const struct report_experiment *e, const struct report_version *v,
                        struct buf *out) {
    static const char *const classes[STEP_COUNT] = {"buggy", "abandoned", "same",
                                                    "first", "improved",  "other"};
    bool root = report_is_root(v);
    buf_printf(out, "<span class=\"tag %s\">", root ? "root" : classes[v->step]);
    text_html(v->outcome ? v->outcome : v->state ? v->state : "?", out);
    buf_puts(out, "</span> ");
    if (isfinite(v->seconds)) {
        page_seconds(v->seconds, out);
        buf_putc(out, ' ');
    }
    if (!e->task->scored && isfinite(v->metric)) buf_printf(out, "metric %.4g ", v->metric);
    if (isfinite(v->score.fsr)) {
        buf_puts(out, "FSR ");
        page_estimate(v->score.fsr, out);
        buf_putc(out, ' ');
    }
    if (v == &e->versions[e->best == SIZE_MAX ? 0 : e->best] && !root)
        buf_puts(out, "<span class=\"tag best\">best</span> ");
}

static void put_line(const char *class, const char *text, struct buf *out) {
    if (!text || !*text) return;
    buf_printf(out, "<div class=\"%s\">", class);
    text_html_lines(text, strlen(text), out);
    buf_puts(out, "</div>\n");
}

static void put_version(const struct report_experiment *e, const struct report_version *v,
                        struct buf *out) {
    buf_printf(out, "<b id=\"%s\">%s</b> ", v->id, v->id);
    put_outcome(e, v, out);
    if (v->kind) text_html(v->kind, out);
    buf_putc(out, '\n');
    put_line("idea", v->hypothesis, out);
    if (!str_eq(v->outcome, "valid")) {
        _cleanup_buf_ struct buf why = {0};
        buf_printf(&why, "%s%s%s", v->rule ? v->rule : "", v->rule && v->reason ? ": " : "",
                   v->reason ? v->reason : "");
        put_line("why", buf_text(&why), out);
    }
    put_line("said", v->summary, out);
    if (!report_is_root(v)) put_diff(v, out);
}

/* As deep as the tree, which the budget of versions bounds. */
static void put_children(const struct report_experiment *e, size_t parent, struct buf *out) {
    bool any = false;
    for (size_t i = 0; i < e->count; i++) {
        if (e->versions[i].parent != parent) continue;
        if (!any) buf_puts(out, "<ul>\n");
        any = true;
        buf_puts(out, "<li>");
        put_version(e, &e->versions[i], out);
        put_children(e, i, out);
        buf_puts(out, "</li>\n");
    }
    if (any) buf_puts(out, "</ul>\n");
}

static void put_tree(const struct report_experiment *e, struct buf *out) {
    _cleanup_buf_ struct buf task = {0};
    report_step_name(e->task, &task);
    buf_printf(out, "<details class=\"tree\" id=\"%s\"><summary><b>%s</b> ", e->id, e->id);
    text_html(buf_text(&task), out);
    const char *const names[] = {e->model, e->hints, e->search, e->label, NULL};
    static const char *const before[] = {", ", ", hints ", ", ", ", "};
    for (size_t i = 0; i < 3 + (e->label != NULL); i++) {
        if (str_eq(names[i], "–")) continue;
        buf_puts(out, before[i]);
        text_html(names[i], out);
    }
    buf_printf(out, ": %zu versions, ", e->count ? e->count - 1 : 0);
    if (isfinite(e->fsr)) {
        buf_puts(out, "FSR ");
        page_number(e->fsr, 2, out);
    } else text_html(page_worth(e->worth), out);
    buf_puts(out, "</summary>\n");
    if (e->reason) put_line("why", e->reason, out);
    put_children(e, SIZE_MAX, out);
    buf_puts(out, "</details>\n");
}

void page_trees(const struct report *r, struct buf *out) {
    buf_puts(out, "<section id=\"trees\"><h2>Versions</h2>\n");
    for (size_t i = 0; i < r->count; i++) put_tree(&r->experiments[i], out);
    buf_puts(out, "</section>\n");
}
