#include "tasks/decode.h"

#include "common/file.h"
#include "tasks/bounds.h"
#include "tasks/fields.h"

#include <regex.h>
#include <string.h>

/* The two ends of the lockstep agree on these (docs/architecture.md). */
#define MAX_STREAMS    1024
#define MAX_TOKENS     4096
#define MAX_VOCABULARY 65536
#define MAX_ROUNDS     100000

#define MAX_MS    INT64_C(604800000) /* a week */
#define MAX_BYTES (INT64_C(1) << 50)

const char *const task_phase_names[] = {"build", "train", "examine", NULL};
static const char *const kind_names[] = {"time-to-target", "fixed-budget", "best-effort", NULL};
static const char *const network_names[] = {"none", "loopback", NULL};
static const char *const examiner_names[] = {"lockstep", "program", "audit", NULL};

static void check_argv(struct faults *faults, const struct json *v, const char *key, char **argv) {
    if (argv && (!argv[0] || !*argv[0])) fault_at(faults, json_find(v, key), "must name a program");
}

static void read_version(struct faults *faults, const struct json *v, void *base) {
    (void)base;
    _cleanup_error_ struct error err = {0};
    int64_t version = 0;
    if (json_as_int(v, 1, 1, &version, &err) < 0) fault_take(faults, &err);
}

/* What is wrong with a pattern of `editable`, or NULL. fnmatch(3) itself takes
 * an open bracket for a letter, which is never what its author meant. */
static const char *pattern_fault(const char *pattern) {
    if (!path_is_confined(pattern)) return "must be a path below the workspace";
    bool in_bracket = false;
    for (const char *p = pattern; *p; p++) {
        if (*p == '\\' && !*++p) return "ends in a lone backslash";
        if (*p == '[') in_bracket = true;
        else if (*p == ']') in_bracket = false;
    }
    return in_bracket ? "has a [ without its ]" : NULL;
}

static void read_editable(struct faults *faults, const struct json *v, void *base) {
    struct task *t = base;
    _cleanup_error_ struct error err = {0};
    if (json_type(v) != JSON_ARRAY || json_count(v) == 0)
        return fault_at(faults, v, "must be an array of at least one pattern");
    for (size_t i = 0; i < json_count(v); i++) {
        const struct json *item = json_at(v, i);
        const char *text = NULL;
        if (json_as_string(item, &text, &err) < 0) fault_take(faults, &err);
        else if (pattern_fault(text)) fault_at(faults, item, pattern_fault(text));
        else if (strv_push(&t->editable, text) < 0) fault_at(faults, item, "out of memory");
    }
}

static const struct field record_fields[] = {
    FIELD(STRING, "title", JSON_REQUIRED, struct task_record, title),
    FIELD(STRING, "description", JSON_REQUIRED, struct task_record, description),
};

static void read_records(struct faults *faults, const struct json *v, void *base) {
    struct task *t = base;
    size_t count = json_type(v) == JSON_ARRAY ? json_count(v) : 0;
    if (count == 0 || count > 1000)
        return fault_at(faults, v, "must be an array of 1 to 1000 records");
    t->records = calloc(count, sizeof *t->records);
    if (!t->records) return fault_at(faults, v, "out of memory");
    t->record_count = count;
    for (size_t i = 0; i < count; i++)
        FIELDS_READ(faults, json_at(v, i), record_fields, &t->records[i]);
}

static void read_digest(struct faults *faults, const struct json *v, char hex[DIGEST_HEX]) {
    _cleanup_error_ struct error err = {0};
    const char *text = NULL;
    uint8_t bytes[DIGEST_BYTES];
    if (json_as_string(v, &text, &err) < 0) return fault_take(faults, &err);
    if (strlen(text) != DIGEST_HEX - 1 || hex_decode(text, bytes, sizeof bytes) < 0)
        return fault_at(faults, v, "must be 64 hexadecimal digits");
    hex_encode(bytes, sizeof bytes, hex);
}

static void read_sha256(struct faults *faults, const struct json *v, void *base) {
    read_digest(faults, v, ((struct task_data *)base)->sha256);
}

static void read_store_digest(struct faults *faults, const struct json *v, void *base) {
    read_digest(faults, v, ((struct task_store *)base)->digest);
}

static const struct field store_fields[] = {
    FIELD(STRING, "store", JSON_REQUIRED, struct task_store, name),
    FIELD_SECTION("digest", JSON_REQUIRED, read_store_digest),
    FIELD(STRING, "target", JSON_REQUIRED, struct task_store, target),
};

static void read_store(struct faults *faults, const struct json *v, struct task_store *store) {
    FIELDS_READ(faults, v, store_fields, store);
    if (store->name && !str_is_name(store->name))
        fault_at(faults, json_find(v, "store"), "must be the name of a data set");
    if (store->target && !path_is_rooted(store->target))
        fault_at(faults, json_find(v, "target"), "must be an absolute path without . or ..");
}

static void read_hide(struct faults *faults, const struct json *v, void *base) {
    struct task_data *data = base;
    _cleanup_error_ struct error err = {0};
    if (json_type(v) != JSON_ARRAY) return fault_at(faults, v, "must be an array of paths");
    for (size_t i = 0; i < json_count(v); i++) {
        const char *text = NULL;
        if (json_as_string(json_at(v, i), &text, &err) < 0) fault_take(faults, &err);
        else if (!path_is_rooted(text))
            fault_at(faults, json_at(v, i), "must be an absolute path without . or ..");
        else if (strv_push(&data->hide, text) < 0) fault_at(faults, v, "out of memory");
    }
}

static const struct field data_fields[] = {
    FIELD(STRV, "command", JSON_REQUIRED, struct task_data, command),
    FIELD(STRING, "package", JSON_REQUIRED, struct task_data, package),
    FIELD_SECTION("sha256", JSON_REQUIRED, read_sha256),
    FIELD_NUMBER(INT, "bytes", JSON_REQUIRED, struct task_data, bytes, 1, 1 << 30),
    FIELD(STRING, "file", JSON_REQUIRED, struct task_data, file),
    FIELD_NUMBER(INT, "block_bytes", JSON_REQUIRED, struct task_data, block_bytes, 64, 1 << 20),
    FIELD_NUMBER(DOUBLE, "held_out", JSON_REQUIRED, struct task_data, held_out, 0.001, 0.5),
    FIELD_SECTION("hide", JSON_OPTIONAL, read_hide),
};

static void read_data(struct faults *faults, const struct json *v, void *base) {
    struct task_data *data = &((struct task *)base)->data;
    if (json_type(v) == JSON_OBJECT && json_find(v, "store"))
        return read_store(faults, v, &((struct task *)base)->store);
    FIELDS_READ(faults, v, data_fields, data);
    check_argv(faults, v, "command", data->command);
    if (data->file && (!path_is_confined(data->file) || strchr(data->file, '/')))
        fault_at(faults, json_find(v, "file"), "must be a plain file name");
}

#define LIMIT(name, need, least, most) \
    FIELD_NUMBER(INT, #name, need, struct spec_limits, name, least, most)

/* What could take a machine down has to be said; the rest may be left open. */
static const struct field limit_fields[] = {
    LIMIT(wall_ms, JSON_REQUIRED, 1, MAX_MS),
    LIMIT(cpu_ms, JSON_OPTIONAL, 1, MAX_MS * 1024),
    LIMIT(memory_bytes, JSON_REQUIRED, 1 << 20, MAX_BYTES),
    LIMIT(pids, JSON_REQUIRED, 1, 1 << 20),
    LIMIT(output_bytes, JSON_REQUIRED, 1, MAX_BYTES),
    LIMIT(disk_bytes, JSON_REQUIRED, 4096, MAX_BYTES),
    LIMIT(disk_inodes, JSON_REQUIRED, 8, 1 << 30),
    LIMIT(tmp_bytes, JSON_REQUIRED, 4096, MAX_BYTES),
    LIMIT(open_files, JSON_OPTIONAL, 8, 1 << 20),
    LIMIT(file_bytes, JSON_OPTIONAL, 1, MAX_BYTES),
    LIMIT(grace_ms, JSON_OPTIONAL, 0, 60000),
};

static void read_limits(struct faults *faults, const struct json *v, void *base) {
    FIELDS_READ(faults, v, limit_fields, &((struct task_phase_spec *)base)->limits);
}

#define PHASE_FIELDS                                                            \
    FIELD(STRV, "argv", JSON_REQUIRED, struct task_phase_spec, argv),           \
        FIELD(STRING, "policy", JSON_REQUIRED, struct task_phase_spec, policy), \
        FIELD_SECTION("limits", JSON_REQUIRED, read_limits),                    \
        FIELD_CHOICE("network", JSON_OPTIONAL, struct task_phase_spec, network, network_names)

static const struct field phase_fields[] = {PHASE_FIELDS};

static void read_build(struct faults *faults, const struct json *v, void *base) {
    struct task *t = base;
    t->has_build = true;
    FIELDS_READ(faults, v, phase_fields, &t->build);
    check_argv(faults, v, "argv", t->build.argv);
}

static void read_clock(struct faults *faults, const struct json *v, void *base) {
    struct spec_clock *clock = &((struct task_phase_spec *)base)->clock;
    _cleanup_error_ struct error err = {0};
    if (spec_clock_decode(v, clock, &err) < 0) return fault_take(faults, &err);
    if (json_find(v, "data")) fault_at(faults, json_find(v, "data"), "is the task's own text");
}

/* Of the phases that may have GPUs: what is built needs none. */
#define GPUS_FIELD \
    FIELD_NUMBER(INT, "gpus", JSON_OPTIONAL, struct task_phase_spec, gpus, 0, TASK_GPUS_MOST)

static const struct field train_fields[] = {PHASE_FIELDS, GPUS_FIELD,
                                            FIELD_SECTION("clock", JSON_OPTIONAL, read_clock)};

static void read_train(struct faults *faults, const struct json *v, void *base) {
    struct task *t = base;
    FIELDS_READ(faults, v, train_fields, &t->train);
    check_argv(faults, v, "argv", t->train.argv);
}

/* The examine phase has a phase's keys and the examiner's own. */
struct examine_keys {
    struct task_phase_spec phase; /* first: PHASE_FIELDS are read at its place */
    enum task_examiner kind;
    int64_t streams, tokens, rounds, vocabulary;
};

#define LOCKSTEP(name, least, most) \
    FIELD_NUMBER(INT, #name, JSON_OPTIONAL, struct examine_keys, name, least, most)

static const struct field examine_fields[] = {
    PHASE_FIELDS,
    GPUS_FIELD,
    FIELD_CHOICE("kind", JSON_REQUIRED, struct examine_keys, kind, examiner_names),
    LOCKSTEP(streams, 1, MAX_STREAMS),
    LOCKSTEP(tokens, 1, MAX_TOKENS),
    LOCKSTEP(rounds, 1, MAX_ROUNDS),
    LOCKSTEP(vocabulary, 2, MAX_VOCABULARY),
};

/* An audit is the train phase again: it has no command or limits of its own. */
struct audit_keys {
    enum task_examiner kind;
    char *pattern;
    double tolerance, loss_per_bit;
};

static const struct field audit_fields[] = {
    FIELD_CHOICE("kind", JSON_REQUIRED, struct audit_keys, kind, examiner_names),
    FIELD(STRING, "pattern", JSON_REQUIRED, struct audit_keys, pattern),
    FIELD_NUMBER(DOUBLE, "tolerance", JSON_REQUIRED, struct audit_keys, tolerance, 0, 1000),
    FIELD_NUMBER(DOUBLE, "loss_per_bit", JSON_OPTIONAL, struct audit_keys, loss_per_bit, 1e-6, 1e6),
};

static void check_loss_pattern(struct faults *faults, const struct json *v, const char *pattern) {
    regex_t compiled;
    if (!pattern) return;
    if (regcomp(&compiled, pattern, REG_EXTENDED) != 0)
        return fault_at(faults, json_find(v, "pattern"), "is no regular expression");
    if (compiled.re_nsub < 1)
        fault_at(faults, json_find(v, "pattern"), "must have a group for the loss");
    regfree(&compiled);
}

static void read_audit(struct faults *faults, const struct json *v, struct task *t) {
    struct audit_keys a = {.loss_per_bit = 1};
    FIELDS_READ(faults, v, audit_fields, &a);
    check_loss_pattern(faults, v, a.pattern);
    t->examiner = EXAMINER_AUDIT;
    t->loss_pattern = a.pattern;
    t->audit_tolerance = a.tolerance;
    t->loss_per_bit = a.loss_per_bit;
}

static bool is_audit(const struct json *v) {
    const struct json *kind = json_type(v) == JSON_OBJECT ? json_find(v, "kind") : NULL;
    const char *word = "";
    return kind && json_type(kind) == JSON_STRING && json_as_string(kind, &word, NULL) == 0 &&
           strcmp(word, "audit") == 0;
}

static void read_examine(struct faults *faults, const struct json *v, void *base) {
    struct task *t = base;
    struct examine_keys e = {0};
    if (is_audit(v)) return read_audit(faults, v, t);
    FIELDS_READ(faults, v, examine_fields, &e);
    check_argv(faults, v, "argv", e.phase.argv);
    t->examine = e.phase;
    t->examiner = e.kind;
    t->streams = e.streams;
    t->tokens = e.tokens;
    t->rounds = e.rounds;
    t->vocabulary = e.vocabulary;
    bool all = e.streams && e.tokens && e.rounds && e.vocabulary;
    bool any = e.streams || e.tokens || e.rounds || e.vocabulary;
    if (e.kind == EXAMINER_LOCKSTEP && !all && json_type(v) == JSON_OBJECT)
        fault_at(faults, v, "a lockstep needs streams, tokens, rounds and vocabulary");
    if (e.kind == EXAMINER_PROGRAM && any)
        fault_at(faults, v, "streams, tokens, rounds and vocabulary belong to a lockstep only");
}

static const struct field phases_fields[] = {
    FIELD_SECTION("build", JSON_OPTIONAL, read_build),
    FIELD_SECTION("train", JSON_REQUIRED, read_train),
    FIELD_SECTION("examine", JSON_REQUIRED, read_examine),
};

static void read_phases(struct faults *faults, const struct json *v, void *base) {
    FIELDS_READ(faults, v, phases_fields, base);
}

static const struct field artifact_fields[] = {
    FIELD(STRING, "path", JSON_REQUIRED, struct task, artifact),
    FIELD_NUMBER(INT, "bytes", JSON_REQUIRED, struct task, artifact_bytes, 1, MAX_BYTES),
    FIELD_NUMBER(INT, "files", JSON_REQUIRED, struct task, artifact_files, 1, 1 << 20),
};

static void read_artifact(struct faults *faults, const struct json *v, void *base) {
    const struct task *t = base;
    FIELDS_READ(faults, v, artifact_fields, base);
    if (t->artifact && !path_is_confined(t->artifact))
        fault_at(faults, json_find(v, "path"), "must be a path below the workspace");
}

static void read_target(struct faults *faults, const struct json *v, void *base) {
    struct task *t = base;
    _cleanup_error_ struct error err = {0};
    if (json_as_double(v, -1e300, 1e300, &t->target, &err) < 0) return fault_take(faults, &err);
    t->has_target = true;
}

static const struct field metric_fields[] = {
    FIELD(STRING, "name", JSON_REQUIRED, struct task, metric),
    FIELD(STRING, "unit", JSON_REQUIRED, struct task, unit),
    FIELD(BOOL, "higher_is_better", JSON_REQUIRED, struct task, higher_is_better),
    FIELD_SECTION("target", JSON_OPTIONAL, read_target),
    FIELD_NUMBER(DOUBLE, "p", JSON_OPTIONAL, struct task, p, 1e-6, 0.5),
};

static void read_metric(struct faults *faults, const struct json *v, void *base) {
    const struct task *t = base;
    FIELDS_READ(faults, v, metric_fields, base);
    if (t->p > 0 && !t->has_target)
        fault_at(faults, json_find(v, "p"), "says how surely a target is met: it needs one");
}

static const struct field measure_fields[] = {
    FIELD_NUMBER(INT, "blocks_min", JSON_REQUIRED, struct task, blocks_min, 2, 1000),
    FIELD_NUMBER(INT, "blocks_max", JSON_REQUIRED, struct task, blocks_max, 2, 1000),
    FIELD_NUMBER(DOUBLE, "half_width", JSON_REQUIRED, struct task, half_width, 0.001, 10),
    FIELD_SECTION("bounds", JSON_OPTIONAL, bounds_read),
    FIELD_NUMBER(DOUBLE, "budget_s", JSON_OPTIONAL, struct task, budget_s, 1, MAX_MS / 1000),
};

static void read_measure(struct faults *faults, const struct json *v, void *base) {
    const struct task *t = base;
    FIELDS_READ(faults, v, measure_fields, base);
    if (json_find(v, "blocks_max") && t->blocks_max < t->blocks_min)
        fault_at(faults, json_find(v, "blocks_max"), "must not be below blocks_min");
}

static const struct field floor_fields[] = {
    FIELD_NUMBER(INT, "ms", JSON_REQUIRED, struct task, floor_ms, 1, MAX_MS),
    FIELD(STRING, "why", JSON_REQUIRED, struct task, floor_why),
};

static void read_floor(struct faults *faults, const struct json *v, void *base) {
    const struct task *t = base;
    FIELDS_READ(faults, v, floor_fields, base);
    if (t->floor_why && (!*t->floor_why || strchr(t->floor_why, '\n')))
        fault_at(faults, json_find(v, "why"), "must be one line that gives the arithmetic");
}

static const struct field task_fields[] = {
    FIELD_SECTION("version", JSON_REQUIRED, read_version),
    FIELD(STRING, "name", JSON_REQUIRED, struct task, name),
    FIELD(STRING, "title", JSON_REQUIRED, struct task, title),
    FIELD_CHOICE("kind", JSON_REQUIRED, struct task, kind, kind_names),
    FIELD(STRING, "statement", JSON_REQUIRED, struct task, statement_file),
    FIELD(STRING, "image", JSON_REQUIRED, struct task, image),
    FIELD_SECTION("editable", JSON_REQUIRED, read_editable),
    FIELD_NUMBER(INT, "max_source_bytes", JSON_REQUIRED, struct task, max_source_bytes, 1, 1 << 30),
    FIELD_NUMBER(INT, "max_source_files", JSON_REQUIRED, struct task, max_source_files, 1, 10000),
    FIELD_NUMBER(INT, "max_packed_bytes", JSON_OPTIONAL, struct task, max_packed_bytes, 1, 1 << 30),
    FIELD_SECTION("records", JSON_REQUIRED, read_records),
    FIELD_SECTION("data", JSON_OPTIONAL, read_data),
    FIELD_SECTION("phases", JSON_REQUIRED, read_phases),
    FIELD_SECTION("artifact", JSON_REQUIRED, read_artifact),
    FIELD_SECTION("metric", JSON_REQUIRED, read_metric),
    FIELD_SECTION("measure", JSON_OPTIONAL, read_measure),
    FIELD_SECTION("floor", JSON_OPTIONAL, read_floor),
};

static void check_names(const struct task *t, const struct json *doc, struct faults *faults) {
    if (t->name && !str_is_name(t->name))
        fault_at(faults, json_find(doc, "name"), "must be 1 to 64 of a-z 0-9 . _ -");
    if (t->image && !str_is_name(t->image))
        fault_at(faults, json_find(doc, "image"), "must be \"host\" or the name of an image");
    if (t->statement_file && !path_is_confined(t->statement_file))
        fault_at(faults, json_find(doc, "statement"), "must be a path below the task's folder");
}

/* A race against the clock has a finish line, and somebody to race against. */
static void check_race(const struct task *t, const struct json *doc, struct faults *faults) {
    if (t->kind != TASK_TIME_TO_TARGET || !json_find(doc, "kind")) return;
    if (t->metric && !t->has_target)
        fault_at(faults, json_find(doc, "metric"), "time-to-target needs a target");
    if (t->record_count == 1)
        fault_at(faults, json_find(doc, "records"), "time-to-target needs at least two records");
    if (!json_find(doc, "measure"))
        fault_at(faults, doc, "time-to-target needs the key \"measure\"");
}

static void check_floor(const struct task *t, const struct json *doc, struct faults *faults) {
    if (t->floor_ms && t->train.limits.wall_ms && t->floor_ms >= t->train.limits.wall_ms)
        fault_at(faults, json_find(doc, "floor"), "must lie below the train phase's wall_ms");
}

static void check_examiner(const struct task *t, const struct json *doc, struct faults *faults) {
    /* Of what lies in the store nothing is held out, and nobody knows its floor. */
    if (t->store.name && t->examiner != EXAMINER_PROGRAM)
        fault_at(faults, json_find(doc, "data"), "a data set goes with an examiner program only");
    if (t->examiner == EXAMINER_AUDIT && !json_find(doc, "data"))
        fault_at(faults, doc, "an audit needs held-out text: the key \"data\"");
    if (t->examiner == EXAMINER_AUDIT && t->higher_is_better)
        fault_at(faults, json_find(doc, "metric"), "an audit knows losses only: lower is better");
    if (t->examiner != EXAMINER_LOCKSTEP || !t->streams) return;
    if (!json_find(doc, "data"))
        fault_at(faults, doc, "a lockstep needs held-out text: the key \"data\"");
    else if (t->data.block_bytes && t->tokens + 1 > t->data.block_bytes)
        fault_at(faults, json_find(doc, "data"), "a block must hold tokens + 1 bytes");
}

void task_decode(const struct json *doc, struct task *t, struct faults *faults) {
    t->blocks_min = 3;
    t->blocks_max = 10;
    t->half_width = 0.10;
    task_bounds_default(&t->bounds);
    FIELDS_READ(faults, doc, task_fields, t);
    check_names(t, doc, faults);
    check_race(t, doc, faults);
    check_floor(t, doc, faults);
    check_examiner(t, doc, faults);
}
