/* The format "whole": FILE lines and fenced blocks. */
#include "common/cleanup.h"
#include "orchestrator/agent/format_lines.h"

#include <string.h>

/* Reads up to the end of the fence; false when it has none. */
static bool read_block(struct reader *r, char mark, size_t ticks, const char **text, size_t *len) {
    struct line l;
    *text = r->at;
    while (reader_next(r, &l)) {
        *len = (size_t)(l.text - *text);
        if (line_closes(&l, mark, ticks)) return true;
    }
    return false;
}

static void take_block(struct reader *r, struct patch *p, const char *path, char mark,
                       size_t ticks) {
    const char *text = NULL;
    size_t len = 0, begin = r->number;
    _cleanup_free_ char *where = str_printf("the block in line %zu", begin);
    if (!where) p->failed = true;
    else if (!read_block(r, mark, ticks, &text, &len))
        patch_problem(p, "%s is not closed: the reply ends inside %s", where,
                      path ? "a file" : "it");
    else if (path) patch_write(p, where, path, text, len);
}

static void no_block(struct patch *p, const char *path, size_t line) {
    _cleanup_free_ char *shown = path ? str_printable(path, strnlen(path, 200)) : NULL;
    if (path)
        patch_problem(p, "line %zu: no fenced block follows the line FILE: %s", line,
                      shown ? shown : "?");
}

void format_whole(struct reader *r, struct patch *p) {
    _cleanup_free_ char *path = NULL;
    size_t named = 0;
    struct line l;
    while (reader_next(r, &l)) {
        char mark = 0;
        size_t ticks = line_fence(&l, &mark);
        _cleanup_free_ char *file = line_value(&l, "FILE");
        _cleanup_free_ char *gone = line_value(&l, "DELETE");
        _cleanup_free_ char *where = str_printf("line %zu", r->number);
        if (!ticks && line_is_blank(&l)) continue;
        if (ticks) take_block(r, p, path, mark, ticks);
        else no_block(p, path, named);
        free(path);
        path = NULL;
        if (file) {
            path = steal_ptr(&file);
            named = r->number;
        } else if (gone) {
            patch_delete(p, where ? where : "DELETE", gone);
        }
    }
    no_block(p, path, named);
}
