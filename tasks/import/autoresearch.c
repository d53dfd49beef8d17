/* autoresearch: one program, a fixed time, and files beside it that nobody may change. */
#include "common/cleanup.h"
#include "tasks/import/plan.h"

#include <string.h>

static const char statement[] =
    "# autoresearch\n\n"
    "`train.py` trains a language model on one GPU for a fixed time (five minutes, the constant\n"
    "`TIME_BUDGET` of `prepare.py`) and prints `val_bpb`, its loss in bits per byte of the\n"
    "validation text. Make that number smaller.\n\n"
    "* `train.py` is yours: model, optimizer, schedule, batches. `prepare.py`, which has the\n"
    "  data, the tokenizer and the evaluation, stays as it is.\n"
    "* No packages but those that are installed; no network.\n"
    "* Memory of the GPU is a soft limit: some more is fine for a real gain.\n";

static const char *const editable[] = {"train.py", NULL};
/* -u: the clock goes by lines, which are not to wait in a buffer. */
static const char *const argv[] = {"python3", "-u", "train.py", NULL};

const struct plan_shape autoresearch_shape = {
    .source = "autoresearch",
    .name = "autoresearch",
    .title = "The best model of a text in five minutes of one GPU",
    .statement = statement,
    .kind = TASK_FIXED_BUDGET,
    .editable = editable,
    .argv = argv,
    .data_file = "autoresearch",
    .gpus = 1,
    .loss = "^val_bpb: +([0-9.]+)",
    .metric = "loss",
    .unit = "bits per byte",
    .loss_per_bit = 1,
    .artifact = "out",
};

/* The Python of the commit's top: what the program may import. */
static int take_files(struct clone *c, struct plan_record *r, struct error *err) {
    static const char *const needed[] = {"train.py", "prepare.py"};
    _cleanup_strv_ char **list = NULL;
    if (clone_list(c, "", &list, err) < 0) return -1;
    for (char **l = list; *l; l++) {
        _cleanup_buf_ struct buf text = {0};
        if (strchr(*l, '/') || !str_ends(*l, ".py")) continue;
        if (clone_read_text(c, *l, &text, err) < 0) return -1;
        if (plan_file_add(r, *l, *l, text.data, text.len, err) < 0) return -1;
    }
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
        if (!plan_has_file(r, needed[i]))
            return error_set(err, ERROR_NOT_FOUND, "%s: is no file of the commit", needed[i]);
    return 0;
}

int autoresearch_read(struct clone *c, struct import_plan *p, struct error *err) {
    struct plan_record *r = plan_add(p, err);
    if (!r) return -1;
    r->key = strdup("train.py");
    r->title = strdup("The project's own baseline");
    r->description = strdup("train.py as it is in the commit, beside the files it may not change.");
    r->from = strdup("train.py");
    if (!r->key || !r->title || !r->description || !r->from)
        return error_sys(err, ENOMEM, "train.py");
    return take_files(c, r, err);
}
