/* The clock of a spec as JSON (declared in spec.h): the word "process", or an object
 * whose `kind` says which other. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "sandbox/spec_internal.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

enum { PATTERN_BYTES = 512 };

static const char *const clock_names[] = {"process", "gated", "lines", NULL};
static const int64_t most_ms = 1000000000;

/* ---- gated ---- */

static int decode_datum(const struct json *v, struct spec_gate *g, struct error *err) {
    struct spec_mount *m = &g->data[g->data_count++];
    struct json_reader r;
    json_object(&r, v, err);
    spec_get_path(&r, "source", JSON_REQUIRED, &m->source);
    spec_get_target(&r, "target", JSON_REQUIRED, &m->target);
    return json_object_end(&r);
}

static int decode_data(const struct json *v, struct spec_gate *g, struct error *err) {
    if (!v) return 0;
    if (json_count(v) > SPEC_GATE_DATA)
        return json_error(v, err, "has more than %d entries", SPEC_GATE_DATA);
    g->data = spec_make_list(v, sizeof *g->data, err);
    if (!g->data) return -1;
    for (size_t i = 0; i < json_count(v); i++)
        if (decode_datum(json_at(v, i), g, err) < 0) return -1;
    return 0;
}

static const struct json *read_gate(struct json_reader *r, struct spec_gate *g) {
    json_get_int(r, "init_wall_ms", JSON_REQUIRED, 1, most_ms, &g->init_wall_ms);
    json_get_int(r, "init_cpu_ms", JSON_OPTIONAL, 0, most_ms, &g->init_cpu_ms);
    return json_get_array(r, "data", JSON_OPTIONAL);
}

/* What the program may write to is no place for a mount point: it could be moved
 * away, and another put there. */
static bool is_apart(const char *target, const struct spec *s, size_t before) {
    const struct spec_gate *g = &s->clock.gate;
    if (spec_is_below(target, s->workspace_target) || spec_is_below(target, "/tmp") ||
        spec_is_below(s->workspace_target, target))
        return false;
    for (size_t i = 0; i < s->mount_count; i++)
        if (spec_is_below(target, s->mounts[i].target) ||
            spec_is_below(s->mounts[i].target, target))
            return false;
    for (size_t i = 0; i < before; i++)
        if (spec_is_below(target, g->data[i].target) || spec_is_below(g->data[i].target, target))
            return false;
    return true;
}

int spec_clock_check(const struct json *v, const struct spec *s, struct error *err) {
    const struct json *data = json_find(v, "data");
    for (size_t i = 0; i < s->clock.gate.data_count; i++) {
        const char *target = s->clock.gate.data[i].target;
        if (!is_apart(target, s, i))
            return json_error(json_find(json_at(data, i), "target"), err,
                              "\"%s\" may not lie in another mount, /tmp or the workspace", target);
    }
    return 0;
}

/* ---- lines ---- */

static void read_pattern(struct json_reader *r, const char *key, char **out) {
    regex_t compiled;
    char why[128];
    json_get_string(r, key, JSON_REQUIRED, out);
    if (!*out) return;
    if (!**out || strlen(*out) > PATTERN_BYTES) {
        json_reader_fail(r, json_find(r->object, key), "must have 1 to %d bytes", PATTERN_BYTES);
        return;
    }
    int code = regcomp(&compiled, *out, REG_EXTENDED | REG_NOSUB);
    if (code == 0) {
        regfree(&compiled);
        return;
    }
    regerror(code, &compiled, why, sizeof why);
    json_reader_fail(r, json_find(r->object, key), "is no regular expression: %s", why);
}

static void read_lines(struct json_reader *r, struct spec_lines *l) {
    read_pattern(r, "start", &l->start);
    read_pattern(r, "stop", &l->stop);
    json_get_int(r, "outside_ms", JSON_REQUIRED, 0, most_ms, &l->outside_ms);
}

/* ---- both ---- */

int spec_clock_decode(const struct json *v, struct spec_clock *out, struct error *err) {
    int kind = CLOCK_PROCESS;
    if (json_type(v) == JSON_STRING) {
        const char *word = "";
        if (json_as_string(v, &word, err) < 0) return -1;
        if (strcmp(word, clock_names[CLOCK_PROCESS]) == 0) return 0;
        return json_error(v, err, "must be \"process\" or an object");
    }
    struct json_reader r;
    json_object(&r, v, err);
    json_get_enum(&r, "kind", JSON_REQUIRED, clock_names, &kind);
    out->kind = (enum spec_clock_kind)kind;
    const struct json *data = kind == CLOCK_GATED ? read_gate(&r, &out->gate) : NULL;
    if (kind == CLOCK_LINES) read_lines(&r, &out->lines);
    return json_object_end(&r) < 0 ? -1 : decode_data(data, &out->gate, err);
}

static void encode_gate(const struct spec_gate *g, struct json_writer *w) {
    json_put_int(w, "init_wall_ms", g->init_wall_ms);
    json_put_int(w, "init_cpu_ms", g->init_cpu_ms);
    json_open_array(w, "data");
    for (size_t i = 0; i < g->data_count; i++) {
        json_open_object(w, NULL);
        json_put_string(w, "source", g->data[i].source);
        json_put_string(w, "target", g->data[i].target);
        json_close_object(w);
    }
    json_close_array(w);
}

void spec_clock_encode(const struct spec_clock *c, struct json_writer *w) {
    if (c->kind == CLOCK_PROCESS) {
        json_put_string(w, "clock", clock_names[CLOCK_PROCESS]);
        return;
    }
    json_open_object(w, "clock");
    json_put_string(w, "kind", clock_names[c->kind]);
    if (c->kind == CLOCK_GATED) {
        encode_gate(&c->gate, w);
    } else {
        json_put_string(w, "start", c->lines.start);
        json_put_string(w, "stop", c->lines.stop);
        json_put_int(w, "outside_ms", c->lines.outside_ms);
    }
    json_close_object(w);
}

void spec_clock_clear(struct spec_clock *c) {
    for (size_t i = 0; i < c->gate.data_count; i++) {
        free(c->gate.data[i].source);
        free(c->gate.data[i].target);
    }
    free(c->gate.data);
    free(c->lines.start);
    free(c->lines.stop);
    *c = (struct spec_clock){0};
}
