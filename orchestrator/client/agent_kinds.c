/* The kinds that need no model. */
#include "common/cleanup.h"
#include "orchestrator/client/agent_model.h"
#include "orchestrator/client/replay.h"
#include "orchestrator/client/reply.h"

#include <stdlib.h>
#include <string.h>

/* One version below the root, then the end: what noop and reference share. */
static int propose_once(const struct agent_view *view, const char *hypothesis, const char *base,
                        struct agent_proposal *out, enum agent_step *step, struct error *err) {
    if (view->refused) return error_set(err, ERROR_INVALID, "refused: %s", view->refused);
    *step = view->count > 1 ? AGENT_IS_DONE : AGENT_PROPOSES;
    if (*step == AGENT_IS_DONE) return 0;
    out->parent = strdup(reply_text_or(view->versions[0], "id", ""));
    out->hypothesis = strdup(hypothesis);
    out->base = base;
    return out->parent && out->hypothesis ? 0 : error_sys(err, ENOMEM, "proposal");
}

static int noop_next(void *state, const struct agent_view *view, struct agent_proposal *out,
                     enum agent_step *step, struct error *err) {
    (void)state;
    return propose_once(view, "No change: the record as it is.", NULL, out, step, err);
}

static int reference_next(void *state, const struct agent_view *view, struct agent_proposal *out,
                          enum agent_step *step, struct error *err) {
    (void)state;
    return propose_once(view, "The next human record.", "next-record", out, step, err);
}

static int replay_open(const struct agent_options *options, void **state, struct error *err) {
    if (!options->replay_dir)
        return error_set(err, ERROR_INVALID, "the agent replay needs a folder: --agent replay:DIR");
    struct replay *r = calloc(1, sizeof *r);
    if (!r) return error_sys(err, ENOMEM, "replay");
    *state = r;
    return replay_load(options->replay_dir, r, err);
}

static void replay_close(void *state) {
    if (state) replay_clear(state);
    free(state);
}

/* Step n became the version n + 1 of the experiment, so the server's list says
 * where to go on. */
static int replay_next(void *state, const struct agent_view *view, struct agent_proposal *out,
                       enum agent_step *step, struct error *err) {
    const struct replay *r = state;
    size_t played = view->count - 1;
    if (view->refused)
        return error_set(err, ERROR_INVALID, "step %zu was refused: %s", played + 1, view->refused);
    *step = played >= r->count ? AGENT_IS_DONE : AGENT_PROPOSES;
    if (*step == AGENT_IS_DONE) return 0;
    const struct replay_step *now = &r->steps[played];
    out->parent = strdup(reply_text_or(view->versions[now->parent], "id", ""));
    out->hypothesis = strdup(now->hypothesis);
    out->edits = now->edits;
    return out->parent && out->hypothesis ? 0 : error_sys(err, ENOMEM, "proposal");
}

const struct agent_kind agent_noop = {
    .name = "noop",
    .summary = "submits the record unchanged: FSR about 0",
    .next = noop_next,
};
const struct agent_kind agent_reference = {
    .name = "reference",
    .summary = "submits the next human record: FSR about 1",
    .next = reference_next,
};
const struct agent_kind agent_replay = {
    .name = "replay",
    .summary = "plays recorded edits from a folder: replay:DIR",
    .takes_dir = true,
    .open = replay_open,
    .next = replay_next,
    .close = replay_close,
};

const struct agent_kind *agent_find(const char *name, struct error *err) {
    static const struct agent_kind *const kinds[] = {&agent_reference, &agent_noop, &agent_replay,
                                                     &agent_model};
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (str_eq(kinds[i]->name, name)) return kinds[i];
    error_set(err, ERROR_NOT_FOUND,
              "there is no agent “%s”; there are reference, noop, replay and model", name);
    return NULL;
}
