/* paddock data: the data sets that tasks name, without the daemon. */
#include "common/cleanup.h"
#include "common/file.h"
#include "images/dataset.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/table.h"
#include "orchestrator/paths/paths.h"

static const struct arg args_none[] = {{.name = NULL}};
static const struct arg args_add[] = {
    {.name = "link", .kind = ARG_FLAG, .help = "hard links instead of copies"},
    {.name = "force", .kind = ARG_FLAG, .help = "replace one of this name"},
    {.name = NULL}};

static char *store_path(struct error *err) {
    _cleanup_free_ char *state = paths_state(PATHS_PRIVATE, err);
    char *path = state ? path_join(state, "datasets") : NULL;
    if (state && !path) error_sys(err, ENOMEM, "data sets");
    return path;
}

static int print_one(const struct cli *cli, const struct dataset *d, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    _cleanup_buf_ struct buf out = {0};
    if (!w) return error_sys(err, ENOMEM, "data set");
    dataset_encode(d, w, NULL);
    if (cli->json) return cli_print_writer(w, err);
    buf_printf(&out, "%s: %lld files, %lld bytes\ndigest %s\n", d->name, (long long)d->files,
               (long long)d->bytes, d->digest);
    return cli_print(&out, err);
}

static int run_add(struct cli *cli, const struct args *args, struct error *err) {
    _cleanup_dataset_ struct dataset d = {0};
    _cleanup_free_ char *store = store_path(err);
    if (!store || dataset_add(store, args->operands[0], args->operands + 1,
                              args_given(args, "link"), args_given(args, "force"), &d, err) < 0)
        return -1;
    return print_one(cli, &d, err);
}

static int run_list(struct cli *cli, const struct args *args, struct error *err) {
    static const char *const heads[] = {"DATA", "DIGEST", ">FILES", ">BYTES", "ADDED", NULL};
    (void)args;
    char **names __attribute__((cleanup(cleanup_strv))) = NULL;
    _cleanup_free_ char *store = store_path(err);
    if (!store || dataset_list(store, &names, err) < 0) return -1;
    _cleanup_table_ struct table *t = table_new(heads);
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    _cleanup_buf_ struct buf out = {0};
    if (!w) return -1;
    json_open_array(w, "data");
    for (char **name = names; *name; name++) {
        _cleanup_dataset_ struct dataset d = {0};
        if (dataset_find(store, *name, &d, err) < 0) return -1;
        dataset_encode(&d, w, NULL);
        table_cell(t, d.name);
        table_cellf(t, "%.12s", d.digest);
        table_cellf(t, "%lld", (long long)d.files);
        table_cellf(t, "%lld", (long long)d.bytes);
        table_cell(t, d.added_at);
    }
    json_close_array(w);
    json_close_object(w);
    if (cli->json) return cli_print_writer(w, err);
    if (table_print(t, cli->colour, &out) < 0) return error_sys(err, ENOMEM, "table");
    return cli_print(&out, err);
}

/* The record as it is, listing and all: it is JSON for a person too. */
static int run_show(struct cli *cli, const struct args *args, struct error *err) {
    (void)cli;
    _cleanup_free_ char *store = store_path(err);
    _cleanup_json_ struct json *doc = store ? dataset_record(store, args->operands[0], err) : NULL;
    return doc ? cli_print_json(doc, err) : -1;
}

static int each(struct cli *cli, const struct args *args, const char *word,
                int (*act)(const char *store, const char *name, struct error *err),
                struct error *err) {
    _cleanup_free_ char *store = store_path(err);
    _cleanup_json_writer_ struct json_writer *w = store ? cli_object(err) : NULL;
    _cleanup_buf_ struct buf out = {0};
    if (!w) return -1;
    json_open_array(w, word);
    for (char *const *name = args->operands; *name; name++) {
        if (act(store, *name, err) < 0) return -1;
        json_put_string(w, NULL, *name);
        buf_printf(&out, "%s: %s\n", *name, word);
    }
    json_close_array(w);
    json_close_object(w);
    return cli->json ? cli_print_writer(w, err) : cli_print(&out, err);
}

static int run_rm(struct cli *cli, const struct args *args, struct error *err) {
    return each(cli, args, "removed", dataset_remove, err);
}

static int run_verify(struct cli *cli, const struct args *args, struct error *err) {
    return each(cli, args, "verified", dataset_verify, err);
}

const struct verb verb_data_add = {
    .name = "data add",
    .summary = "add a folder or files as a data set",
    .operands = "NAME FOLDER|FILE…",
    .least = 2,
    .most = -1,
    .args = args_add,
    .help = "Copies them, all or nothing, and says their digest.",
    .example = "paddock data add fineweb10B ./fineweb10B",
    .run = run_add,
};

const struct verb verb_data_list = {
    .name = "data list",
    .summary = "list the data sets",
    .operands = "",
    .args = args_none,
    .example = "paddock data list",
    .run = run_list,
};

const struct verb verb_data_show = {
    .name = "data show",
    .summary = "print what a data set holds, as JSON",
    .operands = "NAME",
    .least = 1,
    .most = 1,
    .args = args_none,
    .example = "paddock data show fineweb10B",
    .run = run_show,
};

const struct verb verb_data_rm = {
    .name = "data rm",
    .summary = "remove data sets and their files",
    .operands = "NAME…",
    .least = 1,
    .most = -1,
    .args = args_none,
    .example = "paddock data rm fineweb10B",
    .run = run_rm,
};

const struct verb verb_data_verify = {
    .name = "data verify",
    .summary = "read data sets again and compare their digests",
    .operands = "NAME…",
    .least = 1,
    .most = -1,
    .args = args_none,
    .example = "paddock data verify fineweb10B",
    .run = run_verify,
};
