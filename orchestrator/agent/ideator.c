/* The ideator: one idea, below a line "IDEA:". */
#include "common/cleanup.h"
#include "orchestrator/agent/excerpt.h"
#include "orchestrator/agent/format_lines.h"
#include "orchestrator/agent/role.h"

#include <string.h>

/* What stands behind the last line that begins with "IDEA:"; NULL: nothing does. */
static char *idea_of(const char *reply) {
    struct reader r = {.at = reply, .end = reply + strlen(reply)};
    _cleanup_buf_ struct buf idea = {0};
    bool found = false;
    struct line l;
    while (reader_next(&r, &l)) {
        _cleanup_free_ char *first = line_value(&l, "IDEA");
        if (first) {
            idea.len = 0;
            found = true;
            buf_puts(&idea, first);
        } else if (found) {
            buf_append(&idea, l.text, l.len);
        }
        if (found) buf_putc(&idea, '\n');
    }
    const char *text = buf_text(&idea);
    size_t begin = strspn(text, " \t\r\n"), end = idea.len;
    while (end > begin && strchr(" \t\r\n", text[end - 1])) end--;
    return end > begin ? strndup(text + begin, end - begin) : NULL;
}

int ideator_ask(const struct briefing *b, const struct assignment *a, char **idea, char **why,
                struct error *err) {
    _cleanup_shift_ struct shift s = {.b = b, .a = a, .role = ROLE_IDEATOR};
    if (shift_begin(&s, a->debug ? PROMPT_IDEATOR_DEBUG : PROMPT_IDEATOR, err) < 0) return -1;
    for (;;) {
        _cleanup_free_ char *reply = NULL, *found = NULL;
        bool more = false;
        if (shift_ask(&s, &reply, &more, err) < 0) return -1;
        if (!more) break;
        found = idea_of(reply);
        if (found) {
            _cleanup_buf_ struct buf cut = {0};
            excerpt_cut(found, strlen(found), IDEA_BYTES_MAX, &cut);
            *idea = buf_steal(&cut);
            return *idea ? 0 : error_sys(err, ENOMEM, "idea");
        }
        if (shift_reject(&s, reply,
                         "- there is no line that begins with “IDEA:” with an idea "
                         "behind it\n",
                         err) < 0)
            return -1;
    }
    *why = shift_failure(&s);
    return *why ? 0 : error_sys(err, ENOMEM, "idea");
}
