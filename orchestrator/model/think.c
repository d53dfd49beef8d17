/* Reasoning that stands in the text itself (declared in answer.h). */
#include "common/cleanup.h"
#include "orchestrator/model/answer.h"

#include <string.h>

#define OPEN  "<think>"
#define CLOSE "</think>"

static const char *skip_blank(const char *p) {
    return p + strspn(p, " \t\r\n");
}

/* The first CLOSE that has a line of its own. */
static const char *lone_close(const char *text) {
    for (const char *p = strstr(text, CLOSE); p; p = strstr(p + 1, CLOSE)) {
        const char *behind = p + strlen(CLOSE);
        bool begins = p == text || p[-1] == '\n';
        if (begins && (*behind == '\n' || *behind == '\r' || !*behind)) return p;
    }
    return NULL;
}

static void split(struct answer *a, const char *from, const char *to, const char *rest) {
    struct buf text = {0};
    buf_append(&a->reasoning, from, (size_t)(to - from));
    buf_puts(&text, skip_blank(rest));
    text.failed |= a->text.failed;
    buf_free(&a->text);
    a->text = text;
}

void answer_split_think(struct answer *a) {
    if (a->reasoning.len || a->text.len == 0) return;
    const char *text = buf_text(&a->text);
    const char *start = skip_blank(text);
    if (str_starts(start, OPEN)) {
        const char *from = start + strlen(OPEN);
        const char *close = strstr(from, CLOSE);
        if (close) split(a, from, close, close + strlen(CLOSE));
        else split(a, from, from + strlen(from), "");
        return;
    }
    const char *close = lone_close(text);
    if (close && !memmem(text, (size_t)(close - text), OPEN, strlen(OPEN)))
        split(a, text, close, close + strlen(CLOSE));
}
