#include "orchestrator/client/agent_talk.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "orchestrator/client/agent_ledger.h"
#include "orchestrator/client/reply.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* ---- budgets ---- */

static int spent(struct agent_talk *t, char *why, struct error *err) {
    if (!why) return error_sys(err, ENOMEM, "budget");
    free(t->over);
    t->over = why;
    return error_set(err, ERROR_LIMIT, "%s", why);
}

int agent_talk_check_time(struct agent_talk *t, double run_s, struct error *err) {
    const struct agent_budget *b = &t->config->budget;
    double wall_s = (double)(clock_real_ns() - t->created_ns) / (double)NS_PER_SEC;
    if (b->wall_s > 0 && wall_s >= b->wall_s)
        return spent(t, str_printf("the budget of %.4g s of wall time is spent", b->wall_s), err);
    if (b->run_s > 0 && run_s >= b->run_s)
        return spent(t, str_printf("the budget of %.4g s of runs is spent", b->run_s), err);
    return 0;
}

/* Before a call: could it cost more than is left? */
static int check_budget(struct agent_talk *t, const struct model *m, const struct model_request *rq,
                        struct error *err) {
    const struct agent_budget *b = &t->config->budget;
    int64_t tokens = 0;
    double cost = 0;
    if (agent_talk_check_time(t, 0, err) < 0) return -1;
    model_bound(m, rq, &tokens, &cost);
    if (b->tokens > 0 && t->tokens + tokens > b->tokens)
        return spent(t,
                     str_printf("the budget of %" PRId64 " tokens is spent: %" PRId64
                                " are, and the next call may take %" PRId64,
                                b->tokens, t->tokens, tokens),
                     err);
    if (b->cost > 0 && t->cost + cost > b->cost)
        return spent(t,
                     str_printf("the budget of $%.4g is spent: $%.4f is, and the next call may "
                                "cost $%.4f",
                                b->cost, t->cost, cost),
                     err);
    return 0;
}

int agent_talk_over(struct agent_talk *t, const char *why, struct error *err) {
    return spent(t, strdup(why), err);
}

int agent_talk_left(struct agent_talk *t, int64_t *tokens, double *cost, struct error *err) {
    const struct agent_budget *b = &t->config->budget;
    *tokens = -1;
    *cost = -1;
    if (agent_talk_check_time(t, 0, err) < 0) return -1;
    if (b->tokens > 0) *tokens = b->tokens - t->tokens - t->unknown;
    if (b->cost > 0) *cost = b->cost - t->cost;
    if (b->tokens > 0 && *tokens <= 0)
        return spent(t, str_printf("the budget of %" PRId64 " tokens is spent", b->tokens), err);
    if (b->cost > 0 && *cost <= 0)
        return spent(t, str_printf("the budget of $%.4g is spent", b->cost), err);
    return 0;
}

/* ---- models ---- */

static int open_model(struct agent_talk *t, enum role role, struct error *err) {
    if (t->models[role]) return 0;
    return model_open(t->config->models[role], &t->models[role], err) < 0
               ? error_wrap(err, "the %s", role_names[role])
               : 0;
}

static const enum model_role speaker_roles[] = {[SPEAKER_SYSTEM] = MODEL_SYSTEM,
                                                [SPEAKER_USER] = MODEL_USER,
                                                [SPEAKER_MODEL] = MODEL_ASSISTANT};

/* What comes back is read off the ledger, where it is by then: the same words and the
 * same fault as for who asks there later. A call that has no answer there failed for
 * the server's sake, and is an error. */
static int ask(struct agent_talk *t, enum role role, const struct model_request *rq,
               struct role_answer *out, struct error *err) {
    _cleanup_model_reply_ struct model_reply reply = {0};
    _cleanup_error_ struct error failed = {0};
    struct agent_call call = {.role = role_names[role],
                              .model = model_name(t->models[role]),
                              .version = t->version,
                              .key = rq->key,
                              .request = rq,
                              .reply = &reply,
                              .began_ns = clock_real_ns()};
    bool answered = false;
    if (model_call(t->models[role], rq, &reply, &failed) < 0) call.failed = &failed;
    if (error_is_set(&failed) && failed.kind == ERROR_CANCELLED) return error_move(err, &failed);
    t->tokens += reply.usage.input + reply.usage.output;
    t->cost += reply.usage.cost;
    if (agent_ledger_add(t, &call, out, &answered, err) < 0) return -1;
    if (answered) return 0;
    t->passing = failed.kind == ERROR_BUSY || failed.kind == ERROR_SYSTEM;
    return error_move(err, &failed);
}

int agent_talk_call(void *context, enum role role, const char *key, const struct turn *turns,
                    size_t count, struct role_answer *out, struct error *err) {
    struct agent_talk *t = context;
    t->passing = false;
    _cleanup_free_ struct model_message *messages = calloc(count, sizeof *messages);
    if (!messages) return error_sys(err, ENOMEM, "prompt");
    for (size_t i = 0; i < count; i++)
        messages[i] = (struct model_message){speaker_roles[turns[i].speaker], turns[i].text};
    const struct model_request rq = {.messages = messages, .count = count, .key = key};
    bool found = false;
    if (agent_ledger_answer(t, &rq, out, &found, err) < 0) return -1;
    if (found) return 0;
    if (open_model(t, role, err) < 0) return -1;
    if (check_budget(t, t->models[role], &rq, err) < 0) return -1;
    return ask(t, role, &rq, out, err);
}

/* ---- the whole ---- */

/* The time of "2026-01-31T12:34:56.789Z"; now, if it is none. */
static int64_t time_of(const char *text) {
    struct tm tm = {0};
    if (!text || !strptime(text, "%Y-%m-%dT%H:%M:%S", &tm)) return clock_real_ns();
    return (int64_t)timegm(&tm) * NS_PER_SEC;
}

int agent_talk_open(struct agent_talk *t, struct http *http, const struct json *experiment,
                    const struct agent_config *config, struct error *err) {
    *t = (struct agent_talk){.http = http,
                             .experiment = reply_text_or(experiment, "id", ""),
                             .config = config,
                             .created_ns = time_of(reply_text(experiment, "created")),
                             .tokens = reply_int(experiment, "spent.input_tokens", 0) +
                                       reply_int(experiment, "spent.output_tokens", 0),
                             .cost = reply_number(experiment, "spent.cost", 0)};
    return agent_ledger_load(t, err);
}

void agent_talk_clear(struct agent_talk *t) {
    for (int i = 0; i < ROLE_COUNT; i++) model_close(t->models[i]);
    agent_ledger_clear(t);
    free(t->over);
    *t = (struct agent_talk){0};
}
