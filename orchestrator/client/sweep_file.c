#include "orchestrator/client/sweep_file.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/agent/config.h"
#include "tasks/task.h"

#include <inttypes.h>
#include <string.h>

#define FILE_MAX     ((size_t)1 << 20)
#define LIST_MAX     1000
#define PARALLEL_MAX 64
#define KEY_MAX      200

const char *const sweep_measure_names[] = {"pooled", "each", "none", NULL};

/* The dimensions as the file has them; borrowed. */
struct axes {
    const struct json *tasks, *hints, *searches, *models, *agents, *seeds;
};

/* ---- decoding ---- */

static const struct json *list_of(struct json_reader *r, const char *key, enum json_need need) {
    const struct json *v = json_get_array(r, key, need);
    if (!v) return NULL;
    if (json_count(v) == 0) json_reader_fail(r, v, "must not be empty");
    else if (json_count(v) > LIST_MAX) json_reader_fail(r, v, "has more than %d", LIST_MAX);
    return v;
}

static void check_axes(struct json_reader *r, const struct axes *a) {
    if (r->failed) return;
    if (a->agents && (a->models || a->hints || a->searches))
        json_reader_fail(r, a->agents,
                         "goes without models, hints and searches: these agents need none");
    else if (!a->agents && !a->models)
        json_reader_fail(r, r->object, "needs either \"models\" or \"agents\"");
    else if (a->models && !a->searches)
        json_reader_fail(r, r->object, "needs the key \"searches\"");
}

static int decode(const struct json *doc, struct sweep_file *f, struct axes *a, struct error *err) {
    struct json_reader r;
    int64_t version = 0;
    int measure = SWEEP_POOLED;
    f->parallel = 1;
    json_object(&r, doc, err);
    json_get_int(&r, "version", JSON_REQUIRED, 1, 1, &version);
    json_get_string(&r, "name", JSON_REQUIRED, &f->name);
    a->tasks = list_of(&r, "tasks", JSON_REQUIRED);
    a->hints = list_of(&r, "hints", JSON_OPTIONAL);
    a->searches = list_of(&r, "searches", JSON_OPTIONAL);
    a->models = list_of(&r, "models", JSON_OPTIONAL);
    a->agents = list_of(&r, "agents", JSON_OPTIONAL);
    a->seeds = list_of(&r, "seeds", JSON_OPTIONAL);
    f->config = json_get_object(&r, "config", JSON_OPTIONAL);
    json_get_enum(&r, "measure", JSON_OPTIONAL, sweep_measure_names, &measure);
    json_get_int(&r, "blocks_min", JSON_OPTIONAL, 2, 1000, &f->blocks_min);
    json_get_int(&r, "blocks_max", JSON_OPTIONAL, 2, 1000, &f->blocks_max);
    json_get_double(&r, "budget_s", JSON_OPTIONAL, 0, 1e9, &f->budget_s);
    json_get_int(&r, "parallel", JSON_OPTIONAL, 1, PARALLEL_MAX, &f->parallel);
    json_get_bool(&r, "cumulative", JSON_OPTIONAL, &f->cumulative);
    f->measure = (enum sweep_measure)measure;
    check_axes(&r, a);
    if (f->name && !str_is_name(f->name))
        json_reader_fail(&r, json_find(doc, "name"), "must be 1 to 64 of a-z 0-9 . _ -");
    if (f->cumulative && a->agents)
        json_reader_fail(&r, json_find(doc, "cumulative"), "goes with models only");
    return json_object_end(&r);
}

/* ---- names within keys ---- */

/* A list of levels as "hints-1+2", "hints-none". */
static int put_hints(const struct json *hints, struct buf *out, struct error *err) {
    buf_puts(out, "hints-");
    if (hints && json_type(hints) != JSON_ARRAY) return json_error(hints, err, "must be a list");
    if (!hints || json_count(hints) == 0) buf_puts(out, "none");
    for (size_t i = 0; hints && i < json_count(hints); i++) {
        int64_t level = 0;
        if (json_as_int(json_at(hints, i), 0, AGENT_HINTS - 1, &level, err) < 0) return -1;
        buf_printf(out, "%s%" PRId64, i ? "+" : "", level);
    }
    return 0;
}

/* "tree", or of one that is spelled out its place in the list. */
static int put_search(const struct json *search, size_t i, struct buf *out, struct error *err) {
    const char *name = NULL;
    if (json_type(search) == JSON_OBJECT) {
        buf_printf(out, "search-%zu", i + 1);
        return 0;
    }
    if (json_as_string(search, &name, err) < 0) return -1;
    buf_puts(out, name);
    return 0;
}

/* A file's name without folder and ".json"; slashes would be more parts. */
static void put_last(const char *text, struct buf *out) {
    const char *slash = strrchr(text, '/');
    size_t len;
    if (slash) text = slash + 1;
    len = strlen(text);
    if (str_ends(text, ".json")) len -= strlen(".json");
    buf_append(out, text, len);
}

/* ---- cells ---- */

static struct sweep_cell *add_cell(struct sweep_file *f, struct error *err) {
    if (f->count >= SWEEP_CELLS_MAX) {
        error_set(err, ERROR_LIMIT, "sweep %s: more than %d experiments", f->name, SWEEP_CELLS_MAX);
        return NULL;
    }
    struct sweep_cell *grown = reallocarray(f->cells, f->count + 1, sizeof *grown);
    if (!grown) {
        error_sys(err, ENOMEM, "sweep");
        return NULL;
    }
    f->cells = grown;
    grown[f->count] = (struct sweep_cell){.before = SIZE_MAX};
    return &grown[f->count++];
}

static int finish_cell(const struct sweep_file *f, struct sweep_cell *c, const char *task,
                       const char *agent, struct buf *key, struct error *err) {
    if (key->len > KEY_MAX)
        return error_set(err, ERROR_INVALID, "sweep %s: the key %s has more than %d bytes", f->name,
                         buf_text(key), KEY_MAX);
    c->task = strdup(task);
    c->agent = strdup(agent);
    c->key = buf_steal(key);
    return c->task && c->agent && c->key ? 0 : error_sys(err, ENOMEM, "sweep");
}

static int seed_at(const struct axes *a, size_t i, int64_t *out, struct error *err) {
    *out = 1;
    return a->seeds ? json_as_int(json_at(a->seeds, i), 0, INT64_MAX, out, err) : 0;
}

static int add_model_cell(struct sweep_file *f, const struct axes *a, const char *task,
                          const size_t at[4], struct error *err) {
    _cleanup_buf_ struct buf key = {0};
    struct sweep_cell *c = add_cell(f, err);
    if (!c) return -1;
    c->hints = a->hints ? json_at(a->hints, at[0]) : NULL;
    c->search = json_at(a->searches, at[1]);
    if (json_as_string(json_at(a->models, at[2]), &c->model, err) < 0 ||
        seed_at(a, at[3], &c->seed, err) < 0)
        return -1;
    buf_printf(&key, "%s/%s/", f->name, task);
    if (put_hints(c->hints, &key, err) < 0) return -1;
    buf_putc(&key, '/');
    if (put_search(c->search, at[1], &key, err) < 0) return -1;
    buf_putc(&key, '/');
    put_last(c->model, &key);
    buf_printf(&key, "/seed-%" PRId64, c->seed);
    return finish_cell(f, c, task, "model", &key, err);
}

static int add_agent_cell(struct sweep_file *f, const struct axes *a, const char *task,
                          const char *agent, size_t seed, struct error *err) {
    _cleanup_buf_ struct buf key = {0};
    struct sweep_cell *c = add_cell(f, err);
    if (!c || seed_at(a, seed, &c->seed, err) < 0) return -1;
    buf_printf(&key, "%s/%s/", f->name, task);
    if (str_starts(agent, "replay:")) buf_puts(&key, "replay-");
    put_last(agent, &key);
    buf_printf(&key, "/seed-%" PRId64, c->seed);
    return finish_cell(f, c, task, agent, &key, err);
}

static int add_agents(struct sweep_file *f, const struct axes *a, const char *task,
                      struct error *err) {
    size_t seeds = a->seeds ? json_count(a->seeds) : 1;
    for (size_t i = 0; i < json_count(a->agents); i++) {
        const char *agent = NULL;
        if (json_as_string(json_at(a->agents, i), &agent, err) < 0) return -1;
        for (size_t s = 0; s < seeds; s++)
            if (add_agent_cell(f, a, task, agent, s, err) < 0) return -1;
    }
    return 0;
}

static int add_models(struct sweep_file *f, const struct axes *a, const char *task,
                      struct error *err) {
    const size_t sizes[4] = {a->hints ? json_count(a->hints) : 1, json_count(a->searches),
                             json_count(a->models), a->seeds ? json_count(a->seeds) : 1};
    size_t total = sizes[0] * sizes[1] * sizes[2] * sizes[3];
    for (size_t i = 0; i < total; i++) {
        size_t at[4], rest = i;
        for (int k = 3; k >= 0; k--) {
            at[k] = rest % sizes[k];
            rest /= sizes[k];
        }
        if (add_model_cell(f, a, task, at, err) < 0) return -1;
    }
    return 0;
}

/* The same key twice would be the same experiment twice. Cells of one task lie together. */
static int check_unique(const struct sweep_file *f, struct error *err) {
    for (size_t i = 0; i < f->count; i++)
        for (size_t k = i + 1; k < f->count && str_eq(f->cells[i].task, f->cells[k].task); k++)
            if (str_eq(f->cells[i].key, f->cells[k].key))
                return error_set(err, ERROR_INVALID, "sweep %s: two experiments would both be %s",
                                 f->name, f->cells[i].key);
    return 0;
}

/* Each step but the first goes on from the one before it in the list. */
static void chain(struct sweep_file *f, size_t tasks) {
    size_t each = tasks ? f->count / tasks : 0;
    for (size_t i = each; f->cumulative && i < f->count; i++) f->cells[i].before = i - each;
}

static int check_task(const struct json *v, const char **out, struct error *err) {
    _cleanup_free_ char *name = NULL;
    _cleanup_error_ struct error why = {0};
    int64_t step;
    if (json_as_string(v, out, err) < 0) return -1;
    if (task_ref_parse(*out, &name, &step, &why) == 0) return 0;
    return json_error(v, err, "%s", error_text(&why));
}

/* Every cell's config must be one. */
static int check_configs(const struct sweep_file *f, struct error *err) {
    for (size_t i = 0; i < f->count; i++) {
        if (!f->cells[i].search) continue;
        _cleanup_agent_config_ struct agent_config config = {0};
        _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
        if (!w) return error_sys(err, ENOMEM, "sweep");
        if (sweep_file_config(f, &f->cells[i], NULL, w, NULL, err) < 0) return -1;
        _cleanup_json_ struct json *doc = json_written(w, f->cells[i].key, err);
        if (!doc || agent_config_decode(doc, &config, err) < 0) return -1;
    }
    return 0;
}

int sweep_file_decode(struct json *doc, const char *dir, struct sweep_file *out,
                      struct error *err) {
    struct axes a = {0};
    out->doc = doc;
    out->dir = strdup(dir);
    if (!out->dir) return error_sys(err, ENOMEM, "sweep");
    if (decode(doc, out, &a, err) < 0) return -1;
    for (size_t i = 0; i < json_count(a.tasks); i++) {
        const char *task = NULL;
        if (check_task(json_at(a.tasks, i), &task, err) < 0 ||
            (a.agents ? add_agents : add_models)(out, &a, task, err) < 0)
            return -1;
    }
    chain(out, json_count(a.tasks));
    return check_unique(out, err) < 0 ? -1 : check_configs(out, err);
}

int sweep_file_load(const char *path, struct sweep_file *out, struct error *err) {
    struct json *doc = json_load(path, FILE_MAX, err);
    if (!doc) return -1;
    _cleanup_free_ char *whole = realpath(path, NULL);
    if (!whole) {
        json_free(doc);
        return error_sys(err, errno, "%s", path);
    }
    char *slash = strrchr(whole, '/');
    if (slash) *slash = '\0';
    return sweep_file_decode(doc, *whole ? whole : "/", out, err);
}

void sweep_file_clear(struct sweep_file *f) {
    for (size_t i = 0; i < f->count; i++) {
        free(f->cells[i].key);
        free(f->cells[i].task);
        free(f->cells[i].agent);
    }
    free(f->cells);
    free(f->name);
    free(f->dir);
    json_free(f->doc);
    *f = (struct sweep_file){0};
}

const char *sweep_replay_folder(const struct sweep_cell *cell) {
    const char *before = "replay:";
    return str_starts(cell->agent, before) ? cell->agent + strlen(before) : NULL;
}

int sweep_file_config(const struct sweep_file *f, const struct sweep_cell *cell, const char *start,
                      struct json_writer *w, const char *key, struct error *err) {
    static const char *const own[] = {"model", "search", "hints", "seed", "start", NULL};
    _cleanup_json_writer_ struct json_writer *raw = json_writer_new(false);
    if (!raw) return error_sys(err, ENOMEM, "sweep");
    json_open_object(raw, NULL);
    for (size_t i = 0; f->config && i < json_count(f->config); i++) {
        const char *name = json_key_at(f->config, i);
        for (size_t k = 0; own[k]; k++)
            if (str_eq(own[k], name))
                return json_error(json_at(f->config, i), err,
                                  "belongs to the sweep's own lists, not into its config");
        json_put_value(raw, name, json_at(f->config, i));
    }
    json_put_string(raw, "model", cell->model);
    json_put_value(raw, "search", cell->search);
    if (cell->hints) json_put_value(raw, "hints", cell->hints);
    json_put_int(raw, "seed", cell->seed);
    if (start) json_put_string(raw, "start", start);
    json_close_object(raw);
    _cleanup_json_ struct json *doc = json_written(raw, "config", err);
    return doc ? agent_config_absolute(doc, f->dir, w, key, err) : -1;
}
