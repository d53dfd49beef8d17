#include "orchestrator/agent/prompt.h"

#include "common/cleanup.h"

#include <stdbool.h>
#include <string.h>

#define NAME_MAX_BYTES 40
#define DEPTH_MAX      8

struct render {
    const char *source, *start, *at;
    const struct prompt_value *values;
    struct buf *out;
    char open[DEPTH_MAX][NAME_MAX_BYTES + 1];
    size_t depth;
    size_t hidden; /* the depth of the outermost section that is left out, from 1; 0: none */
    struct error *err;
};

struct tag {
    char kind; /* '#', '/', or 0: a value */
    char name[NAME_MAX_BYTES + 1];
    const char *end; /* behind the tag */
};

static int fail(struct render *r, const char *at, const char *what, const char *name) {
    size_t line = 1;
    for (const char *p = r->start; p < at; p++) line += *p == '\n';
    return error_set(r->err, ERROR_INVALID, "%s: line %zu: %s%s", r->source, line, what, name);
}

static int read_tag(struct render *r, const char *at, struct tag *out) {
    const char *p = at + 2;
    out->kind = *p == '#' || *p == '/' ? *p++ : 0;
    size_t len = strspn(p, "abcdefghijklmnopqrstuvwxyz_");
    if (len == 0 || len > NAME_MAX_BYTES || p[len] != '}' || p[len + 1] != '}')
        return fail(r, at, "“{{” must begin {{name}}, {{#name}} or {{/name}}", "");
    memcpy(out->name, p, len);
    out->name[len] = '\0';
    out->end = p + len + 2;
    return 0;
}

static const struct prompt_value *find(const struct render *r, const char *name) {
    for (const struct prompt_value *v = r->values; v->name; v++)
        if (str_eq(v->name, name)) return v;
    return NULL;
}

/* The mark of a section alone in its line takes the line with it. */
static void swallow_line(struct render *r, const char *tag, struct tag *t) {
    bool begins = tag == r->start || tag[-1] == '\n';
    if (begins && *t->end == '\n') t->end++;
}

static int take_tag(struct render *r, const char *at, struct tag *t) {
    const struct prompt_value *v = find(r, t->name);
    if (!v) return fail(r, at, "there is no value named ", t->name);
    if (t->kind) swallow_line(r, at, t);
    if (t->kind == '#') {
        if (r->depth == DEPTH_MAX) return fail(r, at, "sections are nested too deep at ", t->name);
        memcpy(r->open[r->depth++], t->name, sizeof t->name);
        if (!r->hidden && !(v->text && *v->text)) r->hidden = r->depth;
    } else if (t->kind == '/') {
        if (r->depth == 0 || !str_eq(r->open[r->depth - 1], t->name))
            return fail(r, at, "this closes no open section: ", t->name);
        if (r->hidden == r->depth) r->hidden = 0;
        r->depth--;
    } else if (!r->hidden && v->text) {
        buf_puts(r->out, v->text);
    }
    return 0;
}

int prompt_render(const char *source, const char *text, const struct prompt_value *values,
                  struct buf *out, struct error *err) {
    struct render r = {
        .source = source, .start = text, .at = text, .values = values, .out = out, .err = err};
    for (const char *tag; (tag = strstr(r.at, "{{"));) {
        struct tag t = {.end = tag};
        if (!r.hidden) buf_append(out, r.at, (size_t)(tag - r.at));
        if (read_tag(&r, tag, &t) < 0 || take_tag(&r, tag, &t) < 0) return -1;
        r.at = t.end;
    }
    if (r.depth > 0) return fail(&r, r.at, "this section is not closed: ", r.open[r.depth - 1]);
    buf_puts(out, r.at);
    return buf_failed(out) ? error_sys(err, ENOMEM, "%s", source) : 0;
}
