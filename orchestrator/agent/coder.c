/* The coder: a change in one of the three formats, repaired until it applies. */
#include "common/cleanup.h"
#include "orchestrator/agent/excerpt.h"
#include "orchestrator/agent/role.h"

#include <string.h>

#define CHANGE_MAX 1000

static char *change_of(const char *reply) {
    _cleanup_free_ char *summary = format_summary(reply);
    _cleanup_buf_ struct buf cut = {0};
    if (!summary) return NULL;
    excerpt_line(summary, CHANGE_MAX, &cut);
    return cut.len ? buf_steal(&cut) : strdup("");
}

/* Judges one reply: *done when it was accepted, else it was rejected. */
static int judge(struct shift *s, const char *reply, coder_accept accept, void *context, bool *done,
                 struct error *err) {
    _cleanup_patch_ struct patch p = {.base = s->a->sources, .editable = s->b->editable};
    _cleanup_free_ char *change = change_of(reply), *refused = NULL;
    if (!change) return error_sys(err, ENOMEM, "reply");
    if (format_read(s->b->format, reply, &p, err) < 0) return -1;
    if (p.problem_count > 0) return shift_reject(s, reply, buf_text(&p.problems), err);
    if (accept(context, &p, change, &refused, err) < 0) return -1;
    *done = !refused;
    if (*done) return 0;
    _cleanup_free_ char *what = str_printf("- the change was refused: %s\n", refused);
    return what ? shift_reject(s, reply, what, err) : error_sys(err, ENOMEM, "reply");
}

int coder_ask(const struct briefing *b, const struct assignment *a, const char *idea,
              coder_accept accept, void *context, bool *done, char **why, struct error *err) {
    _cleanup_shift_ struct shift s = {.b = b, .a = a, .role = ROLE_CODER, .idea = idea};
    _cleanup_buf_ struct buf format = {0};
    enum prompt rules = (enum prompt)(PROMPT_WHOLE + (int)b->format);
    *done = false;
    if (shift_render(&s, rules, &format, err) < 0) return -1;
    s.format = buf_text(&format);
    if (shift_begin(&s, a->debug ? PROMPT_CODER_DEBUG : PROMPT_CODER, err) < 0) return -1;
    for (;;) {
        _cleanup_free_ char *reply = NULL;
        bool more = false;
        if (shift_ask(&s, &reply, &more, err) < 0) return -1;
        if (!more) break;
        if (judge(&s, reply, accept, context, done, err) < 0) return -1;
        if (*done) return 0;
    }
    *why = shift_failure(&s);
    return *why ? 0 : error_sys(err, ENOMEM, "reply");
}

char *coder_order(const struct briefing *b, const struct assignment *a, const char *idea,
                  struct error *err) {
    _cleanup_shift_ struct shift s = {.b = b, .a = a, .role = ROLE_CODER, .idea = idea};
    _cleanup_buf_ struct buf format = {0}, order = {0};
    if (shift_render(&s, PROMPT_COMMAND, &format, err) < 0) return NULL;
    s.format = buf_text(&format);
    if (shift_begin(&s, a->debug ? PROMPT_CODER_DEBUG : PROMPT_CODER, err) < 0) return NULL;
    if (b->system) buf_printf(&order, "%s\n\n", b->system);
    buf_append(&order, buf_text(&s.user), s.user.len);
    char *text = buf_steal(&order);
    if (!text) error_sys(err, ENOMEM, "prompt");
    return text;
}
