#include "orchestrator/client/agent_node.h"

#include "common/cleanup.h"
#include "orchestrator/agent/excerpt.h"
#include "orchestrator/client/agent_outside.h"
#include "orchestrator/client/reply.h"

#include <string.h>

#define HYPOTHESIS_MAX ((size_t)2000)
#define ABANDONED_MAX  ((size_t)2000)
#define CHANGE_MAX     ((size_t)1000)
#define UNSAID         "(the model did not say)"

/* One node in the making. */
struct making {
    struct agent_shop *shop;
    const struct agent_tree *tree;
    const struct search_decision *decision;
    size_t number;
    const char *idea;                     /* NULL: none */
    struct json *version;                 /* once it is submitted */
    const struct outside_result *outside; /* what a command did; NULL: no command */
};

/* ---- submitting ---- */

static void put_note(struct json_writer *w, const struct making *m, const char *change) {
    json_open_object(w, "note");
    json_put_int(w, "iteration", m->decision->iteration);
    json_put_string(w, "kind", search_kind_names[m->decision->kind]);
    json_put_string(w, "idea", m->idea);
    json_put_string(w, "change", change);
    if (m->outside) agent_outside_note(m->outside, w, "coder");
    json_close_object(w);
}

static void put_hypothesis(struct json_writer *w, const struct making *m, const char *change) {
    _cleanup_buf_ struct buf text = {0};
    const char *from = m->idea && *m->idea ? m->idea : change && *change ? change : UNSAID;
    excerpt_cut(from, strlen(from), HYPOTHESIS_MAX, &text);
    json_put_string(w, "hypothesis", text.len ? buf_text(&text) : UNSAID);
}

/* The body of a version; the caller adds its edits, or why there are none. */
static struct json_writer *begin_version(const struct making *m, const char *change) {
    struct json_writer *w = json_writer_new(false);
    char key[32];
    if (!w) return NULL;
    snprintf(key, sizeof key, "n%zu", m->number);
    json_open_object(w, NULL);
    json_put_string(w, "parent", agent_tree_id(m->tree, m->decision->parent));
    json_put_string(w, "key", key);
    put_hypothesis(w, m, change);
    put_note(w, m, change);
    return w;
}

static int post_version(struct making *m, struct json_writer *w, struct error *err) {
    struct agent *a = m->shop->agent;
    json_close_object(w);
    if (http_postf(a->http, w, &m->version, err, "/v1/experiments/%s/versions", a->experiment) < 0)
        return -1;
    agent_say(a, m->version);
    return 0;
}

/* What the daemon will not take, the model is told and may repair. */
static int submit(void *context, const struct patch *p, const char *change, char **refused,
                  struct error *err) {
    struct making *m = context;
    _cleanup_error_ struct error why = {0};
    _cleanup_json_writer_ struct json_writer *w = begin_version(m, change);
    if (!w) return error_sys(err, ENOMEM, "version");
    if (patch_encode(p, w, "edits", err) < 0) return -1;
    if (post_version(m, w, &why) == 0) return 0;
    if (why.kind != ERROR_INVALID && why.kind != ERROR_LIMIT && why.kind != ERROR_DENIED)
        return error_move(err, &why);
    *refused = strdup(error_text(&why));
    return *refused ? 0 : error_sys(err, ENOMEM, "version");
}

static int abandon(struct making *m, const char *why, struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    _cleanup_json_writer_ struct json_writer *w = begin_version(m, NULL);
    excerpt_line(why, ABANDONED_MAX, &text);
    if (!w || buf_failed(&text)) return error_sys(err, ENOMEM, "version");
    json_put_string(w, "abandoned", text.len ? buf_text(&text) : "no reason");
    return post_version(m, w, err);
}

/* ---- making ---- */

/* Texts that an assignment borrows. */
struct papers {
    struct buf parent, history, siblings, log;
    struct sources sources;
};

static void papers_clear(struct papers *p) {
    buf_free(&p->parent);
    buf_free(&p->history);
    buf_free(&p->siblings);
    buf_free(&p->log);
    sources_clear(&p->sources);
}

static int gather(const struct making *m, struct papers *p, struct assignment *out,
                  struct error *err) {
    const struct agent_tree *t = m->tree;
    const struct search_decision *d = m->decision;
    struct agent *a = m->shop->agent;
    const char *parent = agent_tree_id(t, d->parent);
    history_name(d->parent, &p->parent);
    history_tell(t->nodes, t->tales, d->first, d->parent, d->best, &p->history);
    history_siblings(t->tales, d->first, m->number, &p->siblings);
    if (agent_brief_sources(a, parent, m->shop->brief.editable, &p->sources, err) < 0) return -1;
    if (d->kind == SEARCH_DEBUG && agent_brief_log(a, parent, &p->log, err) < 0) return -1;
    if (buf_failed(&p->parent) || buf_failed(&p->history) || buf_failed(&p->siblings))
        return error_sys(err, ENOMEM, "assignment");
    *out = (struct assignment){.number = m->number,
                               .debug = d->kind == SEARCH_DEBUG,
                               .sources = &p->sources,
                               .parent = buf_text(&p->parent),
                               .history = buf_text(&p->history),
                               .siblings = buf_text(&p->siblings),
                               .log = buf_text(&p->log)};
    if (d->parent == 0) return 0;
    const struct tale *tale = &t->tales[d->parent];
    out->summary = tale->summary;
    out->outcome = tale->outcome;
    out->reason = tale->reason;
    return 0;
}

/* ---- a command as the coder ---- */

/* The edits of a command as a version; what the daemon will not take is its failure. */
static int submit_edits(struct making *m, bool *done, char **why, struct error *err) {
    const struct outside_result *r = m->outside;
    _cleanup_error_ struct error refused = {0};
    _cleanup_buf_ struct buf change = {0};
    _cleanup_free_ char *summary = format_summary(r->said ? r->said : "");
    if (!summary) return error_sys(err, ENOMEM, "version");
    excerpt_line(summary, CHANGE_MAX, &change);
    _cleanup_json_writer_ struct json_writer *w = begin_version(m, buf_text(&change));
    if (!w) return error_sys(err, ENOMEM, "version");
    edits_encode(r->edits, r->count, w, "edits");
    if (post_version(m, w, &refused) == 0) {
        *done = true;
        return 0;
    }
    if (refused.kind != ERROR_INVALID && refused.kind != ERROR_LIMIT &&
        refused.kind != ERROR_DENIED)
        return error_move(err, &refused);
    *why = str_printf("the change was refused: %s", error_text(&refused));
    return *why ? 0 : error_sys(err, ENOMEM, "version");
}

static int run_command(struct making *m, const struct assignment *a, const char *idea, bool *done,
                       char **why, struct error *err) {
    struct agent_shop *s = m->shop;
    _cleanup_outside_result_ struct outside_result result = {0};
    _cleanup_free_ char *order = coder_order(&s->brief.briefing, a, idea, err);
    if (!order) return -1;
    if (s->over) return agent_talk_over(&s->talk, s->over, err);
    if (agent_outside_run(s, agent_tree_id(m->tree, m->decision->parent), m->number, order, &result,
                          err) < 0)
        return -1;
    if (result.proxy.over) s->over = strdup(result.proxy.over);
    /* What it had done when nothing more could be spent may be good; nothing is not. */
    if (result.failure && s->over) return agent_talk_over(&s->talk, s->over, err);
    m->outside = &result;
    int rc = 0;
    if (!result.failure) rc = submit_edits(m, done, why, err);
    else if (!(*why = strdup(result.failure))) rc = error_sys(err, ENOMEM, "coder");
    if (rc == 0 && !*done) {
        rc = abandon(m, *why, err);
        *done = true;
    }
    m->outside = NULL;
    return rc;
}

/* ---- the node ---- */

int agent_node_make(struct agent_shop *s, const struct agent_tree *t,
                    const struct search_decision *d, struct error *err) {
    struct making m = {.shop = s, .tree = t, .decision = d, .number = t->count};
    _cleanup_(papers_clear) struct papers papers = {0};
    _cleanup_free_ char *idea = NULL, *why = NULL;
    struct assignment a;
    bool done = false;
    s->talk.version = NULL;
    int rc = gather(&m, &papers, &a, err);
    if (rc == 0 && s->config->ideates) rc = ideator_ask(&s->brief.briefing, &a, &idea, &why, err);
    m.idea = idea;
    if (rc == 0 && !why && s->config->command) rc = run_command(&m, &a, idea, &done, &why, err);
    else if (rc == 0 && !why)
        rc = coder_ask(&s->brief.briefing, &a, idea, submit, &m, &done, &why, err);
    if (rc == 0 && !done) rc = abandon(&m, why ? why : "", err);
    json_free(m.version);
    return rc < 0 ? error_wrap(err, "n%zu", m.number) : 0;
}

/* ---- analysing ---- */

bool agent_node_wants_analysis(const struct agent_tree *t, size_t node) {
    return node > 0 &&
           (t->nodes[node].state == SEARCH_GOOD || t->nodes[node].state == SEARCH_BUGGY) &&
           !reply_find(t->versions[node], "note.analysed");
}

/* The note of before, with the summary, or why there is none. */
static int note_summary(struct agent_shop *s, const struct agent_tree *t, size_t node,
                        const char *summary, const char *why, struct error *err) {
    static const char *const mine[] = {"summary", "analysed", "analysis_failed", NULL};
    const struct json *note = reply_find(t->versions[node], "note");
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "note");
    json_open_object(w, NULL);
    json_open_object(w, "note");
    for (size_t i = 0; note && i < json_count(note); i++) {
        bool own = false;
        for (size_t k = 0; mine[k]; k++) own |= str_eq(mine[k], json_key_at(note, i));
        if (!own) json_put_value(w, json_key_at(note, i), json_at(note, i));
    }
    json_put_string(w, "summary", summary);
    if (why) json_put_string(w, "analysis_failed", why);
    json_put_bool(w, "analysed", true);
    json_close_object(w);
    json_close_object(w);
    return http_postf(s->agent->http, w, NULL, err, "/v1/versions/%s/note", agent_tree_id(t, node));
}

int agent_node_analyse(struct agent_shop *s, const struct agent_tree *t, size_t node,
                       struct error *err) {
    const struct tale *tale = &t->tales[node];
    _cleanup_free_ char *summary = NULL, *why = NULL;
    _cleanup_buf_ struct buf log = {0}, name = {0};
    history_name(node, &name);
    s->talk.version = agent_tree_id(t, node);
    if (agent_brief_log(s->agent, s->talk.version, &log, err) < 0) return -1;
    const struct assignment a = {.number = node,
                                 .parent = buf_text(&name),
                                 .outcome = tale->outcome,
                                 .reason =
                                     tale->reason && *tale->reason ? tale->reason : tale->result,
                                 .log = buf_text(&log)};
    int rc = analyst_ask(&s->brief.briefing, &a, tale->idea, tale->change, &summary, &why, err);
    s->talk.version = NULL;
    if (rc < 0) return error_wrap(err, "n%zu", node);
    return note_summary(s, t, node, summary, why, err);
}
