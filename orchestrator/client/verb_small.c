/* paddock cancel, gc, events, daemon: short talks with the daemon. */
#include "common/cleanup.h"
#include "orchestrator/client/autostart.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/follow.h"
#include "orchestrator/client/interrupt.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/reply.h"

#include <string.h>

static const struct arg args_none[] = {{.name = NULL}};
static const struct arg args_events[] = {
    {.name = "follow", .letter = 'f', .kind = ARG_FLAG, .help = "go on as they come"},
    {.name = "after",
     .kind = ARG_INT,
     .value = "SEQ",
     .min = 0,
     .max = INT64_MAX,
     .help = "only events behind this number (default: the last 50)"},
    {.name = NULL}};
static const struct arg args_stop[] = {
    {.name = "now", .kind = ARG_FLAG, .help = "at once; runs go on and are found again"},
    {.name = NULL}};

static int cancel_one(struct http *http, const char *id, struct json **out, struct error *err) {
    const char *kind = *id == 'e'   ? "experiments"
                       : *id == 'v' ? "versions"
                       : *id == 'r' ? "runs"
                                    : "measurements";
    return http_postf(http, NULL, out, err, "/v1/%s/%s/cancel", kind, id);
}

static int run_cancel(struct cli *cli, const struct args *args, struct error *err) {
    for (char *const *id = args->operands; *id; id++)
        if (reply_check_id(*id, "evrm", err) < 0) return -1;
    struct http *http = cli_http(cli, err);
    _cleanup_json_writer_ struct json_writer *w = http ? cli_object(err) : NULL;
    if (!w) return -1;
    _cleanup_buf_ struct buf out = {0};
    json_open_array(w, "cancelled");
    for (char *const *id = args->operands; *id; id++) {
        if (cancel_one(http, *id, NULL, err) < 0) return -1;
        json_put_string(w, NULL, *id);
        buf_printf(&out, "%s is cancelled\n", *id);
    }
    json_close_array(w);
    json_close_object(w);
    return cli->json ? cli_print_writer(w, err) : cli_print(&out, err);
}

static int run_gc(struct cli *cli, const struct args *args, struct error *err) {
    (void)args;
    struct http *http = cli_http(cli, err);
    _cleanup_json_ struct json *doc = NULL;
    if (!http || http_post(http, "/v1/gc", NULL, &doc, err) < 0) return -1;
    if (cli->json) return cli_print_json(doc, err);
    _cleanup_buf_ struct buf out = {0};
    const struct json *removed = reply_find(doc, "removed");
    for (size_t i = 0; removed && json_type(removed) == JSON_OBJECT && i < json_count(removed); i++)
        buf_printf(&out, "%s%lld %s",
                   i ? ", " : "removed: ", (long long)reply_int(json_at(removed, i), "", 0),
                   json_key_at(removed, i));
    buf_printf(&out, "%s%lld bytes\n",
               out.len ? ", " : "removed: ", (long long)reply_int(doc, "bytes", 0));
    return cli_print(&out, err);
}

static void put_event(const struct json *event, struct buf *out) {
    const struct json *data = reply_find(event, "data");
    buf_printf(out, "%6lld  %s  %-20s %s", (long long)reply_int(event, "seq", 0),
               reply_text_or(event, "at", ""), reply_text_or(event, "type", ""),
               reply_text_or(event, "subject", ""));
    for (size_t i = 0; data && json_type(data) == JSON_OBJECT && i < json_count(data); i++) {
        const char *text = NULL;
        if (json_type(json_at(data, i)) != JSON_STRING) continue;
        json_as_string(json_at(data, i), &text, NULL);
        buf_printf(out, "  %s=", json_key_at(data, i));
        progress_text(text ? text : "", 80, out);
    }
    buf_putc(out, '\n');
}

/* With --json and -f: one document a line, since there is no end to wait for. */
static int print_events(const struct cli *cli, const struct json *doc, struct error *err) {
    for (size_t i = 0; i < reply_count(doc, "events"); i++) {
        const struct json *event = reply_at(doc, "events", i);
        _cleanup_buf_ struct buf out = {0};
        if (cli->json) {
            _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
            if (!w) return error_sys(err, ENOMEM, "events");
            json_put_value(w, NULL, event);
            if (cli_print_writer(w, err) < 0) return -1;
            buf_putc(&out, '\n');
        } else {
            put_event(event, &out);
        }
        if (cli_print(&out, err) < 0) return -1;
    }
    return 0;
}

static int follow_events(struct cli *cli, struct follow *follow, struct error *err) {
    interrupt_watch();
    while (!*interrupt_flag()) {
        _cleanup_json_ struct json *doc = NULL;
        if (follow_next(follow, 1000, &doc, err) < 0 || print_events(cli, doc, err) < 0) return -1;
    }
    return CLI_OK;
}

static int run_events(struct cli *cli, const struct args *args, struct error *err) {
    struct http *http = cli_http(cli, err);
    struct follow follow;
    _cleanup_json_ struct json *doc = NULL;
    if (!http || follow_start(&follow, http, err) < 0) return -1;
    follow.after = args_int(args, "after", follow.after > 50 ? follow.after - 50 : 0);
    if (args_given(args, "follow")) return follow_events(cli, &follow, err);
    if (follow_next(&follow, 0, &doc, err) < 0) return -1;
    return cli->json ? cli_print_json(doc, err) : print_events(cli, doc, err);
}

static int run_status(struct cli *cli, const struct args *args, struct error *err) {
    (void)args;
    _cleanup_json_ struct json *doc = NULL;
    cli->http = autostart_existing(err);
    if (!cli->http || http_probe(cli->http, &doc, err) < 0) return -1;
    if (cli->json) return cli_print_json(doc, err);
    _cleanup_buf_ struct buf out = {0};
    buf_printf(&out, "paddockd %s runs as process %lld; state in ",
               reply_text_or(doc, "version", "?"), (long long)reply_int(doc, "pid", 0));
    progress_text(reply_text_or(doc, "state", "?"), SIZE_MAX, &out);
    buf_putc(&out, '\n');
    return cli_print(&out, err);
}

static int run_stop(struct cli *cli, const struct args *args, struct error *err) {
    _cleanup_error_ struct error probe = {0};
    cli->http = autostart_existing(&probe);
    bool ran = cli->http != NULL;
    if (!ran && probe.kind != ERROR_NOT_FOUND) return error_move(err, &probe);
    _cleanup_json_writer_ struct json_writer *body = cli_object(err);
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!body || !w) return -1;
    if (args_given(args, "now")) json_put_bool(body, "now", true);
    json_close_object(body);
    if (ran && http_post(cli->http, "/v1/shutdown", body, NULL, err) < 0) return -1;
    json_put_bool(w, "was_running", ran);
    json_close_object(w);
    if (cli->json) return cli_print_writer(w, err);
    const char *said = ran ? "paddockd stops\n" : "no paddockd runs\n";
    return cli_write(said, strlen(said), err);
}

const struct verb verb_cancel = {
    .name = "cancel",
    .summary = "stop experiments, versions, runs or measurements",
    .operands = "ID…",
    .least = 1,
    .most = -1,
    .args = args_none,
    .example = "paddock cancel e3\npaddock cancel m2",
    .run = run_cancel,
};

const struct verb verb_gc = {
    .name = "gc",
    .summary = "remove files that nothing refers to",
    .operands = "",
    .args = args_none,
    .example = "paddock gc",
    .run = run_gc,
};

const struct verb verb_events = {
    .name = "events",
    .summary = "list what happened, or follow it",
    .operands = "",
    .args = args_events,
    .help = "With -f --json each event is a document on a line of its own.",
    .example = "paddock events -f",
    .run = run_events,
};

const struct verb verb_daemon_status = {
    .name = "daemon status",
    .summary = "say whether a daemon answers; never starts one",
    .operands = "",
    .args = args_none,
    .example = "paddock daemon status",
    .run = run_status,
};

const struct verb verb_daemon_stop = {
    .name = "daemon stop",
    .summary = "ask the daemon to stop, once it is idle",
    .operands = "",
    .args = args_stop,
    .help = "It is no error when none runs.",
    .example = "paddock daemon stop",
    .run = run_stop,
};
