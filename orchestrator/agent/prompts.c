/* Finding the templates: a folder of the user's, the task's, the shipped ones. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/agent/prompt.h"
#include "orchestrator/paths/paths.h"

#include <string.h>
#include <sys/stat.h>

#define TEMPLATE_MAX ((size_t)256 << 10)

const char *const prompt_names[] = {
    "system",        "ideator",     "ideator-debug",  "coder",  "coder-debug", "format-whole",
    "format-blocks", "format-diff", "format-command", "repair", "analyst",     NULL};

/* Every name a template may use (docs/reference/agent.md); the values are the roles'. */
static const struct prompt_value known[] = {
    {"title", "x"}, {"statement", "x"}, {"goal", "x"},     {"editable", "x"}, {"limits", "x"},
    {"hints", "x"}, {"knowledge", "x"}, {"history", "x"},  {"siblings", "x"}, {"sources", "x"},
    {"idea", "x"},  {"parent", "x"},    {"summary", "x"},  {"outcome", "x"},  {"reason", "x"},
    {"log", "x"},   {"format", "x"},    {"problems", "x"}, {"change", "x"},   {NULL, NULL}};

static int load_one(char *const *folders, enum prompt which, struct prompts *out,
                    struct error *err) {
    _cleanup_free_ char *name = str_printf("%s.md", prompt_names[which]);
    _cleanup_buf_ struct buf text = {0}, tried = {0}, trial = {0};
    for (char *const *f = folders; name && *f; f++) {
        _cleanup_free_ char *path = path_join(*f, name);
        struct stat st;
        buf_printf(&tried, "%s%s", tried.len ? ", " : "", *f);
        if (!path || stat(path, &st) < 0) continue;
        if (file_read(path, TEMPLATE_MAX, &text, err) < 0) return -1;
        if (memchr(buf_text(&text), '\0', text.len))
            return error_set(err, ERROR_INVALID, "%s: holds a NUL", path);
        if (prompt_render(path, buf_text(&text), known, &trial, err) < 0) return -1;
        out->path[which] = steal_ptr(&path);
        out->text[which] = text.len ? buf_steal(&text) : strdup("");
        return out->text[which] ? 0 : error_sys(err, ENOMEM, "%s", name);
    }
    return error_set(err, ERROR_NOT_FOUND, "no prompt %s.md in %s", prompt_names[which],
                     buf_text(&tried));
}

int prompts_load(char *const *folders, struct prompts *out, struct error *err) {
    for (int i = 0; i < PROMPT_COUNT; i++)
        if (load_one(folders, (enum prompt)i, out, err) < 0) return error_wrap(err, "prompts");
    return 0;
}

void prompts_clear(struct prompts *p) {
    for (int i = 0; i < PROMPT_COUNT; i++) {
        free(p->text[i]);
        free(p->path[i]);
    }
    *p = (struct prompts){0};
}

char *prompts_shipped(struct error *err) {
    return paths_shipped("prompts", "orchestrator/agent/prompts", NULL, err);
}

int prompts_render(const struct prompts *p, enum prompt which, const struct prompt_value *values,
                   struct buf *out, struct error *err) {
    return prompt_render(p->path[which], p->text[which], values, out, err);
}
