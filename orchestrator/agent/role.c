#include "orchestrator/agent/role.h"

#include "common/cleanup.h"
#include "orchestrator/agent/excerpt.h"

#include <string.h>

#define QUOTED_MAX   ((size_t)64 << 10) /* of a failed reply, when it is repaired */
#define FAILURE_MAX  400
#define EDITABLE_MAX 64

void role_answer_clear(struct role_answer *a) {
    free(a->text);
    free(a->fault);
    *a = (struct role_answer){0};
}

void shift_clear(struct shift *s) {
    buf_free(&s->system);
    buf_free(&s->user);
    buf_free(&s->last);
    buf_free(&s->problems);
}

static void list_editable(const struct briefing *b, struct buf *out) {
    for (size_t i = 0; b->editable && b->editable[i] && i < EDITABLE_MAX; i++)
        buf_printf(out, "%s%s", i ? ", " : "", b->editable[i]);
}

int shift_render(const struct shift *s, enum prompt which, struct buf *out, struct error *err) {
    const struct briefing *b = s->b;
    const struct assignment *a = s->a;
    _cleanup_buf_ struct buf editable = {0}, sources = {0};
    list_editable(b, &editable);
    if (b->place && s->role == ROLE_CODER) buf_puts(&sources, b->place);
    else if (a->sources) sources_show(a->sources, &sources);
    const struct prompt_value values[] = {{"title", b->title},
                                          {"statement", b->statement},
                                          {"goal", b->goal},
                                          {"limits", b->limits},
                                          {"hints", b->hints},
                                          {"knowledge", b->knowledge},
                                          {"editable", buf_text(&editable)},
                                          {"history", a->history},
                                          {"siblings", a->siblings},
                                          {"sources", buf_text(&sources)},
                                          {"idea", s->idea},
                                          {"change", s->change},
                                          {"parent", a->parent},
                                          {"summary", a->summary},
                                          {"outcome", a->outcome},
                                          {"reason", a->reason},
                                          {"log", a->log},
                                          {"format", s->format},
                                          {"problems", buf_text(&s->problems)},
                                          {NULL, NULL}};
    if (buf_failed(&editable) || buf_failed(&sources)) return error_sys(err, ENOMEM, "prompt");
    return prompts_render(b->prompts, which, values, out, err);
}

int shift_begin(struct shift *s, enum prompt which, struct error *err) {
    if (s->b->system) buf_puts(&s->system, s->b->system);
    else if (shift_render(s, PROMPT_SYSTEM, &s->system, err) < 0) return -1;
    return shift_render(s, which, &s->user, err);
}

/* The prompt, and where an attempt failed that reply and what was wrong with it. */
static size_t make_turns(const struct shift *s, struct buf *again, struct turn turns[4]) {
    size_t count = 0;
    if (s->system.len > 0) turns[count++] = (struct turn){SPEAKER_SYSTEM, buf_text(&s->system)};
    turns[count++] = (struct turn){SPEAKER_USER, buf_text(&s->user)};
    if (again->len == 0) return count;
    if (s->last.len > 0) {
        turns[count++] = (struct turn){SPEAKER_MODEL, buf_text(&s->last)};
        turns[count++] = (struct turn){SPEAKER_USER, buf_text(again)};
        return count;
    }
    /* Nothing was said that could be quoted: it becomes part of the one prompt. */
    _cleanup_buf_ struct buf both = {0};
    buf_printf(&both, "%s\n%s", buf_text(&s->user), buf_text(again));
    buf_free(again);
    *again = both;
    both = (struct buf){0};
    turns[count - 1].text = buf_text(again);
    return count;
}

static int call(struct shift *s, struct role_answer *out, struct error *err) {
    _cleanup_buf_ struct buf again = {0};
    struct turn turns[4];
    if (s->problems.len > 0 && shift_render(s, PROMPT_REPAIR, &again, err) < 0) return -1;
    size_t count = make_turns(s, &again, turns);
    _cleanup_free_ char *key =
        str_printf("n%zu/%s/%d", s->a->number, role_names[s->role], s->attempt);
    if (!key || buf_failed(&again)) return error_sys(err, ENOMEM, "prompt");
    const struct talk *talk = s->b->talk;
    return talk->call(talk->context, s->role, key, turns, count, out, err);
}

int shift_ask(struct shift *s, char **reply, bool *more, struct error *err) {
    while (s->attempt < 1 + s->b->repairs) {
        _cleanup_(role_answer_clear) struct role_answer a = {0};
        s->attempt++;
        if (call(s, &a, err) < 0) return -1;
        *more = true;
        if (!a.fault && a.text) {
            *reply = steal_ptr(&a.text);
            return 0;
        }
        _cleanup_free_ char *what = str_printf("- the reply %s\n", a.fault ? a.fault : "is empty");
        if (!what) return error_sys(err, ENOMEM, "reply");
        if (shift_reject(s, a.text, what, err) < 0) return -1;
    }
    *more = false;
    return 0;
}

int shift_reject(struct shift *s, const char *reply, const char *problems, struct error *err) {
    s->last.len = s->problems.len = 0;
    if (reply) excerpt_cut(reply, strlen(reply), QUOTED_MAX, &s->last);
    buf_puts(&s->problems, problems);
    return buf_failed(&s->last) || buf_failed(&s->problems) ? error_sys(err, ENOMEM, "reply") : 0;
}

char *shift_failure(const struct shift *s) {
    _cleanup_buf_ struct buf out = {0};
    const char *text = buf_text(&s->problems);
    buf_printf(&out, "the %s gave no usable reply in %d attempts: ", role_names[s->role],
               s->attempt);
    excerpt_line(str_starts(text, "- ") ? text + 2 : text, FAILURE_MAX, &out);
    while (out.len > 0 && out.data[out.len - 1] == ' ') out.data[--out.len] = '\0';
    return buf_steal(&out);
}
