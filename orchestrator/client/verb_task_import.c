/* paddock task import: task folders out of a clone of the user's. */
#include "common/cleanup.h"
#include "orchestrator/client/cli.h"
#include "policies/policy.h"
#include "tasks/import/import.h"
#include "tasks/task.h"

static const struct arg args_import[] = {
    {.name = "into", .kind = ARG_TEXT, .value = "DIR", .help = "the catalogue; default: your own"},
    {.name = "gpus",
     .kind = ARG_INT,
     .value = "N",
     .help = "GPUs of a run; default: the project's",
     .min = 1,
     .max = TASK_GPUS_MOST},
    {.name = "policy",
     .kind = ARG_TEXT,
     .value = "NAME",
     .help = "of the train phase; default: train-gpu, or train"},
    {.name = "image", .kind = ARG_TEXT, .value = "NAME", .help = "what it runs on; default: host"},
    {.name = "force", .kind = ARG_FLAG, .help = "replace what an earlier import made"},
    {.name = NULL}};

/* The policy for GPUs where this installation has one. */
static const char *usual_policy(void) {
    _cleanup_free_ char *path = policy_find("train-gpu", NULL);
    return path ? "train-gpu" : "train";
}

static int print_report(const struct cli *cli, const char *dir, const struct import_plan *plan,
                        struct error *err) {
    if (!cli->json) {
        _cleanup_buf_ struct buf out = {0};
        import_describe(plan, &out);
        return cli_print(&out, err);
    }
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    json_put_string(w, "dir", dir);
    import_put(plan, w);
    json_close_object(w);
    return cli_print_writer(w, err);
}

static int run_import(struct cli *cli, const struct args *args, struct error *err) {
    const char *policy = args_text(args, "policy");
    const char *image = args_text(args, "image");
    const char *into = args_text(args, "into");
    _cleanup_free_ char *own = into ? NULL : task_own_catalogue(err);
    _cleanup_import_ struct import_plan *plan = NULL;
    if (!into && !own) return error_wrap(err, "give --into DIR");
    const struct import_options options = {
        .clone = args->operands[1],
        .into = into ? into : own,
        .policy = policy ? policy : usual_policy(),
        .image = image ? image : "host",
        .gpus = args_int(args, "gpus", 0),
        .force = args_given(args, "force"),
    };
    if (import_run(args->operands[0], &options, &plan, err) < 0) return -1;
    return print_report(cli, import_dir(plan), plan, err);
}

const struct verb verb_task_import = {
    .name = "task import",
    .summary = "make a task of a project's records from your clone of it",
    .operands = "PROJECT CLONE",
    .least = 2,
    .most = 2,
    .args = args_import,
    .help = "PROJECT: nanogpt-speedrun, llm-speedrunner or autoresearch. CLONE is read as data:\n"
            "the files of the commit that HEAD names, with no checkout. What could not be\n"
            "imported is listed with its reason; import.json in the task's folder says where\n"
            "each file came from.",
    .example = "paddock task import nanogpt-speedrun ~/modded-nanogpt --gpus 8",
    .run = run_import,
};
