#include "orchestrator/agent/search.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/digest.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

const char *const search_kind_names[] = {"draft", "improve", "debug", NULL};

#define NODES_DEFAULT 20
#define NOISE_DEFAULT 0.01

int search_named(const char *name, int64_t nodes, struct search_settings *out, struct error *err) {
    static const struct {
        const char *name;
        int64_t n0, n; /* n0 0: all nodes */
        double p;
        int64_t depth;
        enum search_policy policy;
    } named[] = {
        {"flat", 0, 0, 0, 0, SEARCH_BEST},         {"tree", 1, 3, 0, 0, SEARCH_BEST},
        {"forest", 3, 3, 0, 0, SEARCH_BEST},       {"aide", 3, 1, 0.5, 5, SEARCH_BEST},
        {"multi-aide", 3, 3, 0.5, 5, SEARCH_BEST}, {"greedy", 1, 1, 0, 0, SEARCH_GREEDY},
    };
    for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
        if (!str_eq(named[i].name, name)) continue;
        out->nodes = nodes ? nodes : NODES_DEFAULT;
        out->n0 = named[i].n0 ? named[i].n0 : out->nodes;
        out->n = named[i].n;
        out->debug_p = named[i].p;
        out->debug_depth = named[i].depth;
        out->policy = named[i].policy;
        out->noise = named[i].policy == SEARCH_GREEDY ? NOISE_DEFAULT : 0;
        return 0;
    }
    return error_set(err, ERROR_NOT_FOUND,
                     "there is no search “%.40s”; there are flat, tree, forest, aide, multi-aide "
                     "and greedy",
                     name);
}

/* 64 random bits that depend on seed, iteration and what they are for alone. */
static uint64_t draw(const struct search_settings *s, int64_t iteration, const char *what) {
    char text[96];
    int len = snprintf(text, sizeof text, "paddock search %" PRIu64 " %" PRId64 " %s", s->seed,
                       iteration, what);
    uint8_t digest[DIGEST_BYTES];
    digest_bytes(text, (size_t)len, digest);
    uint64_t bits = 0;
    for (size_t i = 0; i < sizeof bits; i++) bits = bits << 8 | digest[i];
    return bits;
}

static double draw_fraction(const struct search_settings *s, int64_t iteration, const char *what) {
    return (double)(draw(s, iteration, what) >> 11) * 0x1p-53;
}

/* Whether a takes b's place as the best. */
static bool is_better(const struct search_settings *s, double a, double b) {
    if (isnan(a)) return false;
    if (isnan(b)) return true;
    double margin = s->policy == SEARCH_GREEDY ? s->noise * fabs(b) : 0;
    return s->higher_is_better ? a > b + margin : a < b - margin;
}

size_t search_best(const struct search_settings *s, const struct search_node *nodes, size_t count) {
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (nodes[i].state == SEARCH_GOOD && is_better(s, nodes[i].value, nodes[best].value))
            best = i;
    return best;
}

int64_t search_bug_depth(const struct search_node *nodes, size_t node) {
    int64_t depth = 0;
    for (; node > 0 && nodes[node].state == SEARCH_BUGGY; node = nodes[node].parent) depth++;
    return depth;
}

static bool is_leaf(const struct search_node *nodes, size_t count, size_t node) {
    for (size_t i = node + 1; i < count; i++)
        if (nodes[i].parent == node) return false;
    return true;
}

/* The leaf to debug, or 0 when none may be. */
static size_t choose_buggy(const struct search_settings *s, const struct search_node *nodes,
                           size_t count, int64_t iteration) {
    size_t fit = 0, chosen = 0;
    for (int counting = 1; counting >= 0; counting--) {
        uint64_t nth = counting || !fit ? 0 : draw(s, iteration, "leaf") % fit;
        for (size_t i = 1; i < count; i++) {
            if (nodes[i].state != SEARCH_BUGGY || !is_leaf(nodes, count, i) ||
                search_bug_depth(nodes, i) > s->debug_depth)
                continue;
            if (counting) fit++;
            else if (nth-- == 0) chosen = i;
        }
    }
    return chosen;
}

/* What iteration `i` is, after the first `count` nodes, all of them over. */
static void decide(const struct search_settings *s, const struct search_node *nodes, size_t count,
                   int64_t i, struct search_decision *out) {
    size_t left = (size_t)s->nodes + 1 - count, wanted = (size_t)(i == 0 ? s->n0 : s->n);
    *out = (struct search_decision){
        .answer = SEARCH_EXPAND, .iteration = i, .first = count, .kind = SEARCH_DRAFT};
    out->best = search_best(s, nodes, count);
    if (left == 0 || wanted == 0) {
        out->answer = SEARCH_DONE;
        return;
    }
    out->parent = i == 0 ? 0 : out->best;
    if (i > 0 && draw_fraction(s, i, "debug") < s->debug_p) {
        size_t buggy = choose_buggy(s, nodes, count, i);
        if (buggy) {
            out->parent = buggy;
            out->kind = SEARCH_DEBUG;
            wanted = 1;
        }
    }
    if (out->kind != SEARCH_DEBUG && out->parent > 0) out->kind = SEARCH_IMPROVE;
    out->batch = wanted < left ? wanted : left;
}

static int check_settings(const struct search_settings *s, size_t count, struct error *err) {
    if (s->n0 < 1 || s->n < 0 || s->nodes < 1 || s->nodes > SEARCH_NODES_MAX)
        return error_set(err, ERROR_INVALID, "search: N0 and M must be at least 1");
    if (count < 1 || count - 1 > (size_t)s->nodes)
        return error_set(err, ERROR_INVALID, "search: %zu nodes, where M is %" PRId64,
                         count ? count - 1 : 0, s->nodes);
    return 0;
}

/* The nodes of a batch must be where the decision put them; *pending counts
 * those that are not over. */
static int check_batch(const struct search_decision *d, const struct search_node *nodes,
                       size_t count, size_t *pending, struct error *err) {
    size_t end = d->first + d->batch < count ? d->first + d->batch : count;
    for (size_t i = d->first; i < end; i++) {
        if (nodes[i].parent != d->parent)
            return error_set(err, ERROR_INVALID,
                             "search: node %zu hangs below node %zu where iteration %" PRId64
                             " of this search goes on from node %zu",
                             i, nodes[i].parent, d->iteration, d->parent);
        *pending += nodes[i].state == SEARCH_PENDING;
    }
    return 0;
}

int search_next(const struct search_settings *s, const struct search_node *nodes, size_t count,
                struct search_decision *out, struct error *err) {
    if (check_settings(s, count, err) < 0) return -1;
    size_t decided = 1, pending = 0;
    for (int64_t i = 0;; i++) {
        decide(s, nodes, decided, i, out);
        if (out->answer == SEARCH_DONE) break;
        if (check_batch(out, nodes, count, &pending, err) < 0) return -1;
        if (decided + out->batch > count) return 0; /* some are yet to be made */
        decided += out->batch;
        if (pending == 0) continue;
        if (decided < count)
            return error_set(err, ERROR_INVALID,
                             "search: node %zu was made before iteration %" PRId64 " was over",
                             decided, i);
        out->answer = SEARCH_WAIT;
        return 0;
    }
    if (decided < count)
        return error_set(err, ERROR_INVALID, "search: node %zu comes after the end", decided);
    return 0;
}
