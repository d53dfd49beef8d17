/* paddock verify: is a published score what its runs give? */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/verify.h"

#include <string.h>

static const struct arg args_verify[] = {
    {.name = "state",
     .kind = ARG_TEXT,
     .value = "DIR",
     .help = "also against the run folders and snapshots of this state folder"},
    {.name = "daemon", .kind = ARG_FLAG, .help = "also against the daemon that has the score"},
    {.name = NULL}};

static int print_text(const struct cli *cli, const char *file, const struct score_report *r,
                      struct error *err) {
    _cleanup_buf_ struct buf out = {0};
    size_t failed = 0;
    for (size_t i = 0; i < r->count; i++) {
        const struct score_check *c = &r->checks[i];
        const char *paint = !cli->colour ? "" : c->ok ? "\033[32m" : "\033[31m";
        buf_printf(&out, "%s%-6s%s%-10s %s\n", paint, c->ok ? "ok" : "FAIL",
                   cli->colour ? "\033[0m" : "", c->what, c->detail);
        failed += !c->ok;
    }
    _cleanup_free_ char *name = str_printable(file, strlen(file));
    buf_printf(&out, "%s: ", name ? name : "?");
    if (failed) buf_printf(&out, "does not hold: %zu of %zu checks failed\n", failed, r->count);
    else buf_printf(&out, "verified, %zu checks\n", r->count);
    return cli_print(&out, err);
}

static int print_json(const char *file, const struct score_report *r, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    json_put_string(w, "file", file);
    json_put_bool(w, "verified", !r->failed);
    json_open_array(w, "checks");
    for (size_t i = 0; i < r->count; i++) {
        json_open_object(w, NULL);
        json_put_string(w, "what", r->checks[i].what);
        json_put_bool(w, "ok", r->checks[i].ok);
        json_put_string(w, "detail", r->checks[i].detail);
        json_close_object(w);
    }
    json_close_array(w);
    json_close_object(w);
    return cli_print_writer(w, err);
}

static int run(struct cli *cli, const struct args *args, struct error *err) {
    const char *file = args->operands[0], *state = args_text(args, "state");
    _cleanup_buf_ struct buf text = {0};
    _cleanup_score_ struct score s = {0};
    _cleanup_score_report_ struct score_report report = {0};
    if (file_read(file, SCORE_BYTES_MAX, &text, err) < 0) return -1;
    if (score_parse(file, buf_text(&text), text.len, &s, err) < 0) return -1;
    if (score_verify(&s, &report, err) < 0) return -1;
    if (state && verify_state(&s, state, &report, err) < 0) return -1;
    if (args_given(args, "daemon")) {
        struct http *http = cli_http(cli, err);
        if (!http || verify_daemon(&s, http, &report, err) < 0) return -1;
    }
    if ((cli->json ? print_json(file, &report, err) : print_text(cli, file, &report, err)) < 0)
        return -1;
    return report.failed ? CLI_FAILED : CLI_OK;
}

const struct verb verb_verify = {
    .name = "verify",
    .summary = "check a score.json: its chain, its numbers, its verdict",
    .operands = "FILE",
    .least = 1,
    .most = 1,
    .args = args_verify,
    .help = "Needs nothing but the file: the chain is followed, and estimate, interval and\n"
            "outcome are made again from the runs that it lists. Status 1 when something does\n"
            "not match. It says that the document is whole, not that its host is honest.",
    .example = "paddock show --verdict v3 --json -o score.json\n"
               "paddock verify score.json --daemon",
    .run = run,
};
