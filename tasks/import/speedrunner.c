/*
 * The LLM speedrunner's copy of the NanoGPT records, made to read their data from the
 * environment: workspace_templates/nanogpt_speedrun/record_<i>, with hints in levels.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "tasks/import/plan.h"

#include <string.h>

#define PROGRAM   "train_gpt2.py"
#define TEMPLATES "workspace_templates/nanogpt_speedrun"
#define KNOWLEDGE "data/nanogpt_speedrun_knowledge_in_levels"

static const char statement[] =
    "# The LLM speedrunner's NanoGPT\n\n"
    "`train_gpt2.py` trains a language model on FineWeb, one process for each GPU, until its\n"
    "loss on the validation tokens is at most 3.28. Make it get there sooner.\n\n"
    "* It reads `NANOGPT_TRAIN_FILES`, `NANOGPT_VAL_FILES` and `NANOGPT_VAL_TOKENS` from the\n"
    "  environment: leave that as it is.\n" PLAN_RULE_LINES PLAN_RULE_SURELY
    "* No network, no files but those of this folder and the data.\n";

static const char *const editable[] = {"*.py", NULL};
static const char *const argv[] = {"/usr/bin/env",
                                   "NANOGPT_TRAIN_FILES=/data/fineweb10B/fineweb_train_*.bin",
                                   "NANOGPT_VAL_FILES=/data/fineweb10B/fineweb_val_*.bin",
                                   "NANOGPT_VAL_TOKENS=10485760",
                                   PLAN_TORCHRUN,
                                   PROGRAM,
                                   NULL};

const struct plan_shape speedrunner_shape = {
    .source = "llm-speedrunner",
    .name = "llm-speedrunner",
    .title = "Repeat the first records of the NanoGPT speedrun",
    .statement = statement,
    .kind = TASK_TIME_TO_TARGET,
    .editable = editable,
    .argv = argv,
    .data_file = "fineweb10B",
    .gpus = 8,
    /* Of a step of training, as the first three records print it and as the others do. */
    .start = "^step(:[1-9][0-9]*/[0-9]+ (train_loss|train_time):| +[1-9][0-9]*/[0-9]+ [|])",
    .stop = "^peak memory ",
    .loss = "val_loss:([0-9.]+)",
    .metric = "loss",
    .unit = "nats per token",
    .target = 3.28,
    .loss_per_bit = 0.6931,
    .artifact = "logs",
};

/* Level 0 is a diff, which we make ourselves; 9 repeats papers of others. */
static int read_hint(struct clone *c, size_t step, int level, char **out, struct error *err) {
    static const char *const names[] = {"level_1_pseudo.txt", "level_2_description.txt",
                                        "level_3_paper.txt"};
    _cleanup_free_ char *path = str_printf(KNOWLEDGE "/record_%zu/%s", step, names[level - 1]);
    _cleanup_buf_ struct buf text = {0};
    _cleanup_error_ struct error why = {0};
    if (!path) return error_sys(err, ENOMEM, "hint");
    if (clone_read_text(c, path, &text, &why) == 0 && text.len < (1 << 20)) *out = buf_steal(&text);
    else *out = str_printf("(The project has no hint of this level for this step.)\n");
    return *out ? 0 : error_sys(err, ENOMEM, "hint");
}

/* What the project's own run of the record gave; one line, advisory. */
static char *describe(struct clone *c, const char *dir) {
    _cleanup_free_ char *path = path_join(dir, "results.json");
    _cleanup_buf_ struct buf text = {0};
    double loss = 0, ms = 0;
    if (!path || clone_read_text(c, path, &text, NULL) < 0) return strdup("No results of its own.");
    _cleanup_json_ struct json *doc = json_parse(path, text.data, text.len, NULL);
    const struct json *m = doc && json_type(doc) == JSON_OBJECT ? json_find(doc, "metrics") : NULL;
    if (!m || json_type(m) != JSON_OBJECT || !json_find(m, "val_loss") ||
        !json_find(m, "train_time") ||
        json_as_double(json_find(m, "val_loss"), 0, 1000, &loss, NULL) < 0 ||
        json_as_double(json_find(m, "train_time"), 0, 1e10, &ms, NULL) < 0)
        return strdup("No results of its own.");
    return str_printf("Loss %.4f after %.2f minutes by its own count.", loss, ms / 60e3);
}

static int take_record(struct clone *c, const char *dir, struct plan_record *r, struct error *err) {
    _cleanup_strv_ char **list = NULL;
    size_t below = strlen(dir) + 1;
    if (clone_list(c, dir, &list, err) < 0) return -1;
    for (char **l = list; *l; l++) {
        const char *name = *l + below;
        _cleanup_buf_ struct buf text = {0};
        if (strchr(name, '/') || !str_ends(name, ".py")) continue;
        if (clone_read_text(c, *l, &text, err) < 0) return -1;
        if (plan_file_add(r, name, *l, text.data, text.len, err) < 0) return -1;
    }
    if (!plan_has_file(r, PROGRAM))
        return error_set(err, ERROR_NOT_FOUND, "%s/%s: is no file of the commit", dir, PROGRAM);
    return 0;
}

static int read_record(struct clone *c, size_t i, struct plan_record *r, struct error *err) {
    _cleanup_error_ struct error why = {0};
    r->key = str_printf("record_%zu", i);
    r->title = str_printf("Record %zu", i);
    r->from = str_printf(TEMPLATES "/record_%zu", i);
    r->description = r->from ? describe(c, r->from) : NULL;
    if (!r->key || !r->title || !r->description) return error_sys(err, ENOMEM, "record %zu", i);
    for (int level = 1; i > 1 && level <= 3; level++)
        if (read_hint(c, i - 1, level, &r->hints[level - 1], err) < 0) return -1;
    if (take_record(c, r->from, r, &why) < 0) return plan_skip_for(r, &why, err);
    return 0;
}

/* The number behind "record_" of a listed path below TEMPLATES; 0: none. */
static size_t number_of(const char *path) {
    static const char prefix[] = TEMPLATES "/record_";
    if (!str_starts(path, prefix)) return 0;
    const char *at = path + sizeof prefix - 1;
    size_t n = 0, digits = strspn(at, "0123456789");
    if (!digits || digits > 3 || *at == '0' || at[digits] != '/') return 0;
    for (size_t i = 0; i < digits; i++) n = n * 10 + (size_t)(at[i] - '0');
    return n;
}

int speedrunner_read(struct clone *c, struct import_plan *p, struct error *err) {
    _cleanup_strv_ char **list = NULL;
    size_t most = 0;
    if (clone_list(c, TEMPLATES, &list, err) < 0) return -1;
    for (char **l = list; *l; l++)
        if (number_of(*l) > most) most = number_of(*l);
    for (size_t i = 1; i <= most; i++) {
        struct plan_record *r = plan_add(p, err);
        if (!r || read_record(c, i, r, err) < 0) return -1;
    }
    return 0;
}
