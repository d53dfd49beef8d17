/* The format "blocks": SEARCH and REPLACE under FILE lines. */
#include "common/cleanup.h"
#include "orchestrator/agent/format_lines.h"

#include <string.h>

#define SEARCH  "<<<<<<< SEARCH"
#define DIVIDER "======="
#define REPLACE ">>>>>>> REPLACE"

/* The text up to a line; false when the reply or another block comes first. */
static bool read_up_to(struct reader *r, const char *marker, const char **text, size_t *len) {
    struct line l;
    *text = r->at;
    while (reader_next(r, &l)) {
        *len = (size_t)(l.text - *text);
        if (line_is(&l, marker)) return true;
        if (line_is(&l, SEARCH)) return false;
    }
    return false;
}

static void take_block(struct reader *r, struct patch *p, const char *path) {
    struct patch_lines lines = {0};
    _cleanup_free_ char *where = str_printf("the block in line %zu", r->number);
    if (!where) p->failed = true;
    else if (!read_up_to(r, DIVIDER, &lines.old, &lines.old_len))
        patch_problem(p, "%s has no line " DIVIDER, where);
    else if (!read_up_to(r, REPLACE, &lines.new, &lines.new_len))
        patch_problem(p, "%s has no line " REPLACE, where);
    else if (!path) patch_problem(p, "%s: no line FILE: path stands before it", where);
    else patch_replace(p, where, path, &lines);
}

void format_blocks(struct reader *r, struct patch *p) {
    _cleanup_free_ char *path = NULL;
    struct line l;
    while (reader_next(r, &l)) {
        _cleanup_free_ char *file = line_value(&l, "FILE");
        _cleanup_free_ char *gone = line_value(&l, "DELETE");
        if (line_is(&l, SEARCH)) {
            take_block(r, p, path);
        } else if (line_starts(&l, "<<<<<<<") || line_starts(&l, ">>>>>>>")) {
            patch_problem(p,
                          "line %zu: a marker must be exactly “" SEARCH "”, “" DIVIDER
                          "” or “" REPLACE "”",
                          r->number);
        } else if (file) {
            free(path);
            path = steal_ptr(&file);
        } else if (gone) {
            _cleanup_free_ char *where = str_printf("line %zu", r->number);
            patch_delete(p, where ? where : "DELETE", gone);
        }
    }
}
