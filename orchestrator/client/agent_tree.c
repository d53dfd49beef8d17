#include "orchestrator/client/agent_tree.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/reply.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double agent_tree_value(const struct json *task, const struct json *version) {
    if (!str_eq(reply_text_or(version, "outcome", ""), "valid")) return NAN;
    return reply_number(version, reply_is_race(task) ? "seconds" : "metric", NAN);
}

const char *agent_tree_id(const struct agent_tree *t, size_t node) {
    return reply_text_or(t->versions[node], "id", "");
}

/* What a machine did, or a person, is nothing that code could repair. */
static enum search_state state_of(const struct json *version) {
    const char *outcome = reply_text_or(version, "outcome", "");
    if (!agent_is_over(version)) return SEARCH_PENDING;
    if (str_eq(outcome, "valid")) return SEARCH_GOOD;
    if (!*outcome || str_eq(outcome, "abandoned") || str_eq(outcome, "invalid-environment"))
        return SEARCH_ABANDONED;
    return SEARCH_BUGGY;
}

/* "8.92 s, loss 2.31 bits" of a valid version. */
static char *result_of(const struct json *task, const struct json *version) {
    _cleanup_buf_ struct buf out = {0};
    double seconds = reply_number(version, "seconds", NAN);
    double metric = reply_number(version, "metric", NAN);
    if (!str_eq(reply_text_or(version, "outcome", ""), "valid")) return strdup("");
    if (isfinite(seconds)) progress_seconds(seconds, &out);
    if (isfinite(metric)) {
        buf_printf(&out, "%s%s %.6g", out.len ? ", " : "", reply_text_or(task, "metric", "metric"),
                   metric);
        if (reply_text(task, "unit")) buf_printf(&out, " %s", reply_text(task, "unit"));
    }
    return buf_steal(&out);
}

static int find_parent(const struct agent_tree *t, size_t node, size_t *out, struct error *err) {
    const char *parent = reply_text_or(t->versions[node], "parent", "");
    for (size_t i = 0; i < node; i++)
        if (str_eq(agent_tree_id(t, i), parent)) {
            *out = i;
            return 0;
        }
    return error_set(err, ERROR_INVALID, "%s has no parent among the nodes before it",
                     agent_tree_id(t, node));
}

static int fill_node(struct agent *a, struct agent_tree *t, size_t i, struct error *err) {
    const struct json *v = t->versions[i];
    if (find_parent(t, i, &t->nodes[i].parent, err) < 0) return -1;
    t->nodes[i].state = state_of(v);
    t->nodes[i].value = agent_tree_value(a->task, v);
    char *result = result_of(a->task, v);
    if (!result) return error_sys(err, ENOMEM, "tree");
    t->tales[i] = (struct tale){.iteration = reply_int(v, "note.iteration", 0),
                                .kind = reply_text(v, "note.kind"),
                                .idea = reply_text(v, "note.idea"),
                                .change = reply_text(v, "note.change"),
                                .outcome = reply_text(v, "outcome"),
                                .reason = reply_text(v, "reason"),
                                .result = result,
                                .summary = reply_text(v, "note.summary")};
    return 0;
}

/* The version belongs at this place; *taken: it is a node. */
static int place(struct agent_tree *t, const struct json *v, bool *taken, struct error *err) {
    const char *key = reply_text_or(v, "key", "");
    char wanted[32];
    *taken = false;
    if (!reply_text(v, "parent")) {
        t->versions[0] = v;
        return 0;
    }
    if (str_eq(key, AGENT_BASELINE_KEY)) return 0;
    if (str_eq(key, AGENT_START_KEY)) {
        if (str_eq(reply_text_or(v, "outcome", ""), "valid")) t->versions[0] = v;
        return 0;
    }
    snprintf(wanted, sizeof wanted, "n%zu", t->count);
    if (!str_eq(key, wanted))
        return error_set(err, ERROR_INVALID,
                         "%s is no node of this agent's: its key is “%s”, not “%s”",
                         reply_text_or(v, "id", "?"), key, wanted);
    t->versions[t->count++] = v;
    *taken = true;
    return 0;
}

static int fill(struct agent *a, struct agent_tree *t, const struct json **sorted, size_t count,
                struct error *err) {
    t->count = 1;
    for (size_t i = 0; i < count; i++) {
        bool taken = false;
        if (place(t, sorted[i], &taken, err) < 0) return -1;
        if (taken && fill_node(a, t, t->count - 1, err) < 0) return -1;
    }
    return t->versions[0] ? 0 : error_set(err, ERROR_INTERNAL, "%s has no root", a->experiment);
}

int agent_tree_load(struct agent *a, double root, struct agent_tree *out, struct error *err) {
    *out = (struct agent_tree){0};
    if (http_getf(a->http, &out->experiment, err, "/v1/experiments/%s", a->experiment) < 0)
        return -1;
    size_t count = reply_count(out->experiment, "versions");
    _cleanup_free_ const struct json **sorted = calloc(count + 1, sizeof *sorted);
    out->nodes = calloc(count + 1, sizeof *out->nodes);
    out->tales = calloc(count + 1, sizeof *out->tales);
    out->versions = calloc(count + 1, sizeof *out->versions);
    if (!sorted || !out->nodes || !out->tales || !out->versions)
        return error_sys(err, ENOMEM, "tree");
    for (size_t i = 0; i < count; i++) sorted[i] = reply_at(out->experiment, "versions", i);
    qsort(sorted, count, sizeof *sorted, reply_by_number);
    out->nodes[0] = (struct search_node){.state = SEARCH_GOOD, .value = root};
    return fill(a, out, sorted, count, err);
}

void agent_tree_clear(struct agent_tree *t) {
    for (size_t i = 1; i < t->count; i++) free((char *)t->tales[i].result);
    free(t->nodes);
    free(t->tales);
    free(t->versions);
    json_free(t->experiment);
    *t = (struct agent_tree){0};
}
