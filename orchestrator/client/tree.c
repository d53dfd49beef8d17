#include "orchestrator/client/tree.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "orchestrator/client/reply.h"

#include <stdlib.h>
#include <string.h>

struct layout {
    const struct json **versions; /* by number */
    size_t count;
    bool with_root;
    struct tree *out;
};

int64_t tree_number(const struct json *version, const char *key) {
    return reply_id_number(reply_text(version, key));
}

/* A parent has a smaller number than its child, so the search ends early. */
static bool is_root(const struct layout *l, size_t index) {
    int64_t parent = tree_number(l->versions[index], "parent");
    for (size_t i = 0; parent > 0 && i < index; i++)
        if (tree_number(l->versions[i], "id") == parent) return false;
    return true;
}

static bool is_child(const struct layout *l, size_t index, int64_t parent) {
    return parent ? tree_number(l->versions[index], "parent") == parent && !is_root(l, index)
                  : is_root(l, index);
}

static size_t next_child(const struct layout *l, int64_t parent, size_t from) {
    while (from < l->count && !is_child(l, from, parent)) from++;
    return from;
}

static int add_line(struct layout *l, size_t index, const char *margin, const char *branch) {
    struct tree_line *line = &l->out->lines[l->out->count];
    line->version = l->versions[index];
    line->label = str_printf("%s%s%s", margin, branch, reply_text_or(line->version, "id", "?"));
    if (!line->label) return -1;
    l->out->count++;
    return 0;
}

/* Depth is bounded by the number of versions of one experiment, which its
 * budget of nodes keeps small. */
static int add_children(struct layout *l, int64_t parent, int depth, const char *margin) {
    bool flat = depth < (l->with_root ? 1 : 2);
    for (size_t i = next_child(l, parent, 0), after; i < l->count; i = after) {
        after = next_child(l, parent, i + 1);
        bool last = after == l->count;
        bool hidden = depth == 0 && !l->with_root;
        if (!hidden && add_line(l, i, margin, flat ? "" : last ? "└─ " : "├─ ") < 0) return -1;
        _cleanup_free_ char *deeper = str_printf("%s%s", margin, flat ? "" : last ? "   " : "│  ");
        if (!deeper || add_children(l, tree_number(l->versions[i], "id"), depth + 1, deeper) < 0)
            return -1;
    }
    return 0;
}

int tree_layout(const struct json *experiment, bool with_root, struct tree *out,
                struct error *err) {
    size_t count = reply_count(experiment, "versions");
    _cleanup_free_ const struct json **versions = calloc(count + 1, sizeof *versions);
    out->lines = calloc(count + 1, sizeof *out->lines);
    if (!versions || !out->lines) return error_sys(err, ENOMEM, "tree");
    struct layout l = {.versions = versions, .with_root = with_root, .out = out};
    for (size_t i = 0; i < count; i++) {
        const struct json *v = reply_at(experiment, "versions", i);
        if (tree_number(v, "id") > 0) versions[l.count++] = v;
    }
    qsort(versions, l.count, sizeof *versions, reply_by_number);
    return add_children(&l, 0, 0, "") < 0 ? error_sys(err, ENOMEM, "tree") : 0;
}

void tree_clear(struct tree *t) {
    for (size_t i = 0; i < t->count; i++) free(t->lines[i].label);
    free(t->lines);
    *t = (struct tree){0};
}
