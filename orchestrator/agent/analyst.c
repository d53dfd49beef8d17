/* The analyst: a summary in words. Nothing reads numbers out of it. */
#include "common/cleanup.h"
#include "orchestrator/agent/excerpt.h"
#include "orchestrator/agent/role.h"

#include <string.h>

int analyst_ask(const struct briefing *b, const struct assignment *a, const char *idea,
                const char *change, char **summary, char **why, struct error *err) {
    _cleanup_shift_ struct shift s = {
        .b = b, .a = a, .role = ROLE_ANALYST, .idea = idea, .change = change};
    if (shift_begin(&s, PROMPT_ANALYST, err) < 0) return -1;
    for (;;) {
        _cleanup_free_ char *reply = NULL;
        _cleanup_buf_ struct buf cut = {0};
        bool more = false;
        if (shift_ask(&s, &reply, &more, err) < 0) return -1;
        if (!more) break;
        const char *text = reply + strspn(reply, " \t\r\n");
        if (*text) {
            excerpt_cut(text, strlen(text), SUMMARY_BYTES_MAX, &cut);
            *summary = buf_steal(&cut);
            return *summary ? 0 : error_sys(err, ENOMEM, "summary");
        }
        if (shift_reject(&s, NULL, "- the reply is empty\n", err) < 0) return -1;
    }
    *why = shift_failure(&s);
    return *why ? 0 : error_sys(err, ENOMEM, "summary");
}
