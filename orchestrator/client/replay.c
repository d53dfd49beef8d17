#include "orchestrator/client/replay.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/version/edit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define DOCUMENT_MAX   ((size_t)16 << 20)
#define HYPOTHESIS_MAX ((size_t)4096)

/* The daemon decodes them again; an error here can name the file and the step. */
static int check_edits(const struct json *edits, struct error *err) {
    struct edit *decoded = NULL;
    size_t count = 0;
    if (edits_decode(edits, &decoded, &count, err) < 0) return -1;
    edits_free(decoded, count);
    return 0;
}

static struct json *load_below(const char *dir, const char *name, struct error *err) {
    _cleanup_free_ char *path = path_join(dir, name);
    _cleanup_close_ int top = dir_open(dir, err);
    if (!path || top < 0) return NULL;
    _cleanup_close_ int fd = open_beneath(top, name, O_RDONLY | O_NONBLOCK, 0);
    if (fd < 0) {
        error_sys(err, errno, "%s", path);
        return NULL;
    }
    _cleanup_buf_ struct buf text = {0};
    if (file_read_fd(fd, DOCUMENT_MAX, &text, err) < 0) {
        error_wrap(err, "%s", path);
        return NULL;
    }
    return json_parse(path, buf_text(&text), text.len, err);
}

/* The array of an edits file, in either of its two forms. */
static int edits_of_file(const struct json *doc, const struct json **out, struct error *err) {
    *out = doc;
    if (json_type(doc) == JSON_ARRAY) return 0;
    if (json_type(doc) != JSON_OBJECT)
        return json_error(doc, err, "must be an array of edits, or an object with one");
    struct json_reader r;
    json_object(&r, doc, err);
    *out = json_get_array(&r, "edits", JSON_REQUIRED);
    return json_object_end(&r);
}

static int load_edits_file(const char *dir, const struct json *at, const char *name,
                           struct replay_step *out, struct error *err) {
    if (!path_is_confined(name)) return json_error(at, err, "leaves the replay's folder");
    out->edits_doc = load_below(dir, name, err);
    return out->edits_doc ? edits_of_file(out->edits_doc, &out->edits, err) : -1;
}

static int decode_step(const char *dir, const struct json *v, size_t index, struct replay_step *out,
                       struct error *err) {
    struct json_reader r;
    _cleanup_free_ char *file = NULL;
    json_object(&r, v, err);
    json_get_int(&r, "parent", JSON_REQUIRED, 0, INT64_MAX, &out->parent);
    json_get_string(&r, "hypothesis", JSON_REQUIRED, &out->hypothesis);
    json_get_string(&r, "edits_file", JSON_OPTIONAL, &file);
    out->edits = json_get_array(&r, "edits", JSON_OPTIONAL);
    if (!file == !out->edits) json_reader_fail(&r, v, "needs either edits or edits_file");
    if (out->parent > (int64_t)index)
        json_reader_fail(&r, json_find(v, "parent"),
                         "must be 0 or the number of an earlier step (this is step %zu)",
                         index + 1);
    if (out->hypothesis && (!*out->hypothesis || strlen(out->hypothesis) > HYPOTHESIS_MAX))
        json_reader_fail(&r, json_find(v, "hypothesis"), "must have 1 to %zu bytes",
                         HYPOTHESIS_MAX);
    if (json_object_end(&r) < 0) return -1;
    if (file && load_edits_file(dir, json_find(v, "edits_file"), file, out, err) < 0) return -1;
    return check_edits(out->edits, err);
}

static int decode_steps(const char *dir, const struct json *steps, struct replay *out,
                        struct error *err) {
    size_t count = json_count(steps);
    out->steps = calloc(count ? count : 1, sizeof *out->steps);
    if (!out->steps) return error_sys(err, ENOMEM, "replay");
    for (; out->count < count; out->count++) {
        struct replay_step *step = &out->steps[out->count];
        if (decode_step(dir, json_at(steps, out->count), out->count, step, err) < 0) {
            out->count++; /* so that replay_clear() finds what it holds */
            return -1;
        }
    }
    return 0;
}

int replay_load(const char *dir, struct replay *out, struct error *err) {
    out->doc = load_below(dir, "replay.json", err);
    if (!out->doc) return error_wrap(err, "replay");
    struct json_reader r;
    int64_t version = 0;
    json_object(&r, out->doc, err);
    json_get_int(&r, "version", JSON_REQUIRED, 1, 1, &version);
    json_get_string(&r, "title", JSON_REQUIRED, &out->title);
    const struct json *steps = json_get_array(&r, "steps", JSON_REQUIRED);
    if (steps && json_count(steps) == 0) json_reader_fail(&r, steps, "is empty");
    if (json_object_end(&r) < 0 || decode_steps(dir, steps, out, err) < 0)
        return error_wrap(err, "replay");
    return 0;
}

void replay_clear(struct replay *r) {
    for (size_t i = 0; i < r->count; i++) {
        free(r->steps[i].hypothesis);
        json_free(r->steps[i].edits_doc);
    }
    free(r->steps);
    free(r->title);
    json_free(r->doc);
    *r = (struct replay){0};
}
