/* paddock sweep: many experiments by one file. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/client/autostart.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/interrupt.h"
#include "orchestrator/client/sweep_run.h"
#include "orchestrator/paths/paths.h"

#include <inttypes.h>
#include <string.h>

#define PATIENCE_S 300 /* a daemon that is restarted is no reason to give up */

static const struct arg args_sweep[] = {
    {.name = "dry-run", .letter = 'n', .kind = ARG_FLAG, .help = "list the experiments, make none"},
    {.name = "no-measure", .kind = ARG_FLAG, .help = "no measurements at the end"},
    {.name = "quiet", .letter = 'q', .kind = ARG_FLAG, .help = "no progress"},
    {.name = NULL}};

/* A name without a slash and ".json" is one of the shipped sweeps. */
static char *find_file(const char *given, struct error *err) {
    if (strchr(given, '/') || str_ends(given, ".json")) return strdup(given);
    _cleanup_free_ char *name = str_printf("%s.json", given);
    char *path = name ? paths_shipped("sweeps", "orchestrator/client/sweeps", name, NULL) : NULL;
    if (!path)
        error_set(err, ERROR_NOT_FOUND,
                  "there is no sweep %s: neither a file (with .json) nor shipped", given);
    return path;
}

static int print_cells(const struct cli *cli, const struct sweep_file *f, struct error *err) {
    _cleanup_buf_ struct buf out = {0};
    _cleanup_json_writer_ struct json_writer *w = cli->json ? cli_object(err) : NULL;
    if (cli->json && !w) return -1;
    if (w) {
        json_put_string(w, "name", f->name);
        json_open_array(w, "cells");
    }
    for (size_t i = 0; i < f->count; i++) {
        if (w) json_put_string(w, NULL, f->cells[i].key);
        else buf_printf(&out, "%s\n", f->cells[i].key);
    }
    if (!w) {
        buf_printf(&out, "%zu experiments, %" PRId64 " at once, measured %s\n", f->count,
                   f->parallel, sweep_measure_names[f->measure]);
        return cli_print(&out, err);
    }
    json_close_array(w);
    json_close_object(w);
    return cli_print_writer(w, err);
}

static int print_summary(const struct cli *cli, const struct sweep *s, struct error *err) {
    const struct sweep_file *f = s->file;
    _cleanup_buf_ struct buf out = {0};
    if (!cli->json) {
        buf_printf(&out, "%s: %zu of %zu experiments over", f->name, s->over, f->count);
        if (s->left) buf_printf(&out, ", %zu left open: the same command goes on", s->left);
        buf_printf(&out, "\npaddock report --sweep %s -o %s.html\n", f->name, f->name);
        return cli_print(&out, err);
    }
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    json_put_string(w, "name", f->name);
    json_put_int(w, "over", (int64_t)s->over);
    json_put_int(w, "left", (int64_t)s->left);
    json_open_array(w, "cells");
    for (size_t i = 0; i < f->count; i++) {
        json_open_object(w, NULL);
        json_put_string(w, "key", f->cells[i].key);
        json_put_string(w, "experiment", s->jobs[i].experiment);
        json_put_bool(w, "over", s->jobs[i].state == SWEEP_OVER);
        json_close_object(w);
    }
    json_close_array(w);
    json_open_array(w, "measurements");
    for (char **m = s->measurements; m && *m; m++) json_put_string(w, NULL, *m);
    json_close_array(w);
    json_close_object(w);
    return cli_print_writer(w, err);
}

static int play(struct cli *cli, const struct args *args, struct sweep_file *f, struct error *err) {
    _cleanup_progress_ struct progress progress = {.fd = -1};
    _cleanup_(sweep_clear) struct sweep s = {
        .file = f, .progress = &progress, .interrupted = interrupt_flag()};
    interrupt_watch();
    progress_open(&progress, args_given(args, "quiet"));
    s.http = cli_http(cli, err);
    if (!s.http) return -1;
    http_set_patience(s.http, PATIENCE_S);
    http_set_repeatable(s.http, true);
    if (cli->autostart) http_set_revive(s.http, autostart_revive);
    if (args_given(args, "no-measure")) f->measure = SWEEP_NONE;
    if (sweep_run_agents(&s, err) < 0 || sweep_run_measurements(&s, err) < 0) return -1;
    progress_close(&progress);
    if (print_summary(cli, &s, err) < 0) return -1;
    return s.over == f->count ? CLI_OK : CLI_FAILED;
}

static int run(struct cli *cli, const struct args *args, struct error *err) {
    _cleanup_sweep_file_ struct sweep_file file = {0};
    _cleanup_free_ char *path = find_file(args->operands[0], err);
    if (!path || sweep_file_load(path, &file, err) < 0) return -1;
    return args_given(args, "dry-run") ? print_cells(cli, &file, err) : play(cli, args, &file, err);
}

const struct verb verb_sweep = {
    .name = "sweep",
    .summary = "run many experiments by one file, and measure their bests",
    .operands = "FILE.json|NAME",
    .least = 1,
    .most = 1,
    .args = args_sweep,
    .help = "Every combination of the file's lists is an experiment with a key of its own. A\n"
            "sweep that was interrupted or killed is started again with the same file and does\n"
            "what is left; nothing is done twice. NAME is one of the shipped sweeps.",
    .example = "paddock sweep --dry-run baselines\n"
               "paddock sweep mine.json && paddock report --sweep mine -o mine.html",
    .run = run,
};
