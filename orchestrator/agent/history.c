#include "orchestrator/agent/history.h"

#include "orchestrator/agent/excerpt.h"

#include <inttypes.h>

#define IDEA_MAX    800
#define REASON_MAX  400
#define SUMMARY_MAX 1500
#define SIBLING_MAX 1500

void history_name(size_t node, struct buf *out) {
    if (node) buf_printf(out, "n%zu", node);
    else buf_puts(out, "the record");
}

static void tell_part(const char *what, const char *text, size_t max, struct buf *out) {
    if (!text || !*text) return;
    buf_printf(out, "  %s: ", what);
    excerpt_line(text, max, out);
    buf_putc(out, '\n');
}

static void tell_node(const struct search_node *nodes, const struct tale *tales, size_t i,
                      size_t best, struct buf *out) {
    const struct tale *t = &tales[i];
    buf_printf(out, "- n%zu (%s of ", i, t->kind ? t->kind : "version");
    history_name(nodes[i].parent, out);
    buf_printf(out, "%s): %s", i == best ? ", the best so far" : "",
               t->outcome ? t->outcome : "not known");
    if (t->result && *t->result) buf_printf(out, ", %s", t->result);
    buf_putc(out, '\n');
    tell_part("idea", t->idea, IDEA_MAX, out);
    tell_part("change", t->change, IDEA_MAX, out);
    tell_part("reason", t->reason, REASON_MAX, out);
    tell_part("what happened", t->summary, SUMMARY_MAX, out);
}

/* The parent and what is above it, from the top down. */
static void tell_above(const struct search_node *nodes, const struct tale *tales, size_t parent,
                       size_t best, struct buf *out) {
    size_t path[HISTORY_ABOVE], depth = 0;
    for (size_t i = parent; i > 0 && depth < HISTORY_ABOVE; i = nodes[i].parent) path[depth++] = i;
    if (depth == 0) return;
    buf_puts(out, "From the record to the version you start from:\n");
    while (depth > 0) tell_node(nodes, tales, path[--depth], best, out);
}

static void tell_below(const struct search_node *nodes, const struct tale *tales, size_t count,
                       size_t parent, size_t best, struct buf *out) {
    size_t below = 0, seen = 0;
    for (size_t i = 1; i < count; i++) below += nodes[i].parent == parent;
    for (size_t i = 1; i < count; i++) {
        if (nodes[i].parent != parent) continue;
        if (seen == 0) buf_puts(out, "Already tried from that version:\n");
        /* The latest ones, which are those with the highest numbers. */
        if (below - seen++ <= HISTORY_BELOW) tell_node(nodes, tales, i, best, out);
    }
}

void history_tell(const struct search_node *nodes, const struct tale *tales, size_t count,
                  size_t parent, size_t best, struct buf *out) {
    tell_above(nodes, tales, parent, best, out);
    tell_below(nodes, tales, count, parent, best, out);
    if (best > 0 && best != parent) {
        buf_puts(out, "The best version so far:\n");
        tell_node(nodes, tales, best, best, out);
    }
}

void history_siblings(const struct tale *tales, size_t first, size_t end, struct buf *out) {
    for (size_t i = first; i < end; i++) {
        const char *idea = tales[i].idea && *tales[i].idea ? tales[i].idea : tales[i].change;
        if (!idea || !*idea) continue;
        buf_puts(out, "- ");
        excerpt_line(idea, SIBLING_MAX, out);
        buf_putc(out, '\n');
    }
}
