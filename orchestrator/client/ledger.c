#include "orchestrator/client/ledger.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/show.h"
#include "orchestrator/client/table.h"

#include <string.h>

#define PAGE 1000

/* The calls with a number above `after`. Returns how many, the last's number in *after;
 * -1 on error. */
static int64_t page_of(struct http *http, const char *experiment, int64_t *after, struct json **out,
                       struct error *err) {
    if (http_getf(http, out, err, "/v1/experiments/%s/calls?after=%lld&limit=%d", experiment,
                  (long long)*after, PAGE) < 0)
        return -1;
    size_t n = reply_count(*out, "calls");
    if (n > 0) *after = reply_int(reply_at(*out, "calls", n - 1), "number", INT64_MAX);
    return (int64_t)n;
}

static void text_cell(struct table *t, const char *text) {
    _cleanup_buf_ struct buf clean = {0};
    progress_text(text, SIZE_MAX, &clean);
    table_cell(t, buf_text(&clean));
}

static void call_row(struct table *t, const struct json *call) {
    table_cellf(t, "%lld", (long long)reply_int(call, "number", 0));
    text_cell(t, reply_text_or(call, "key", ""));
    table_cell(t, reply_text_or(call, "version", ""));
    text_cell(t, reply_text_or(call, "echoed", reply_text_or(call, "model", "")));
    table_cellf(t, "%lld", (long long)reply_int(call, "input_tokens", 0));
    table_cellf(t, "%lld", (long long)reply_int(call, "cached_tokens", 0));
    table_cellf(t, "%lld", (long long)reply_int(call, "output_tokens", 0));
    table_cellf(t, "%lld", (long long)reply_int(call, "reasoning_tokens", 0));
    table_cellf(t, "$%.4f", reply_number(call, "cost", 0));
    table_cellf(t, "%.1f s", (double)reply_int(call, "latency_ms", 0) / 1000);
    table_cellf(t, "%lld", (long long)reply_int(call, "retries", 0));
    text_cell(t, reply_text_or(call, "error", reply_text_or(call, "stop", "")));
}

static void put_spent(const struct json *doc, struct buf *out) {
    buf_printf(out,
               "\n%lld calls, %lld input tokens (%lld cached), %lld output tokens (%lld "
               "reasoning), $%.4f\n",
               (long long)reply_int(doc, "spent.calls", 0),
               (long long)reply_int(doc, "spent.input_tokens", 0),
               (long long)reply_int(doc, "spent.cached_tokens", 0),
               (long long)reply_int(doc, "spent.output_tokens", 0),
               (long long)reply_int(doc, "spent.reasoning_tokens", 0),
               reply_number(doc, "spent.cost", 0));
}

static int show_table(struct cli *cli, struct http *http, const char *experiment,
                      struct error *err) {
    static const char *const heads[] = {">#",       "KEY",     "VERSION",    "MODEL", ">INPUT",
                                        ">CACHED",  ">OUTPUT", ">REASONING", ">COST", ">TIME",
                                        ">RETRIES", "END",     NULL};
    _cleanup_table_ struct table *t = table_new(heads);
    _cleanup_buf_ struct buf out = {0};
    if (!t) return error_sys(err, ENOMEM, "calls");
    for (int64_t after = 0;;) {
        _cleanup_json_ struct json *doc = NULL;
        int64_t n = page_of(http, experiment, &after, &doc, err);
        if (n < 0) return -1;
        for (size_t i = 0; i < (size_t)n; i++) call_row(t, reply_at(doc, "calls", i));
        if (n == PAGE) continue;
        table_print(t, cli->colour, &out);
        put_spent(doc, &out);
        return cli_print(&out, err);
    }
}

/* As the API shows it, the pages put together. */
static int show_json(struct http *http, const char *experiment, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    json_open_array(w, "calls");
    for (int64_t after = 0;;) {
        _cleanup_json_ struct json *doc = NULL;
        int64_t n = page_of(http, experiment, &after, &doc, err);
        if (n < 0) return -1;
        for (size_t i = 0; i < (size_t)n; i++) json_put_value(w, NULL, reply_at(doc, "calls", i));
        if (n == PAGE) continue;
        json_close_array(w);
        json_put_value(w, "spent", reply_find(doc, "spent"));
        json_close_object(w);
        return cli_print_writer(w, err);
    }
}

int ledger_show(struct cli *cli, const char *experiment, struct error *err) {
    struct http *http = cli_http(cli, err);
    if (!http) return -1;
    return cli->json ? show_json(http, experiment, err) : show_table(cli, http, experiment, err);
}

static void put_text(const char *title, const char *text, struct buf *out) {
    buf_printf(out, "\n--- %s\n", title);
    progress_lines(text, strlen(text), out);
    if (out->len && buf_text(out)[out->len - 1] != '\n') buf_putc(out, '\n');
}

static void put_prompt(const struct json *call, struct buf *out) {
    size_t n = reply_count(call, "request.messages");
    for (size_t i = 0; i < n; i++) {
        const struct json *m = reply_at(call, "request.messages", i);
        _cleanup_buf_ struct buf role = {0};
        progress_text(reply_text_or(m, "role", "?"), SIZE_MAX, &role);
        put_text(buf_text(&role), reply_text_or(m, "text", ""), out);
    }
}

int ledger_show_call(struct cli *cli, const char *experiment, int64_t number, struct error *err) {
    static const char *const skip[] = {"reply", "reasoning", NULL};
    struct http *http = cli_http(cli, err);
    _cleanup_json_ struct json *doc = NULL;
    if (!http || http_getf(http, &doc, err, "/v1/experiments/%s/calls/%lld", experiment,
                           (long long)number) < 0)
        return -1;
    if (cli->json) return cli_print_json(doc, err);
    _cleanup_buf_ struct buf out = {0};
    buf_printf(&out, "call %lld of %s\n", (long long)number, experiment);
    show_members(doc, skip, &out);
    put_prompt(doc, &out);
    const char *reasoning = reply_text(doc, "reasoning"), *reply = reply_text(doc, "reply");
    if (reasoning && *reasoning) put_text("reasoning", reasoning, &out);
    if (reply) put_text("reply", reply, &out);
    return cli_print(&out, err);
}

static int export_call(struct http *http, const char *experiment, int64_t number, int fd,
                       struct error *err) {
    _cleanup_json_ struct json *doc = NULL;
    _cleanup_buf_ struct buf line = {0};
    if (http_getf(http, &doc, err, "/v1/experiments/%s/calls/%lld", experiment, (long long)number) <
        0)
        return -1;
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (w) json_put_value(w, NULL, doc);
    size_t len = 0;
    const char *text = w ? json_writer_text(w, &len) : NULL;
    if (text) buf_append(&line, text, len);
    buf_putc(&line, '\n');
    if (!text || buf_failed(&line)) return error_sys(err, ENOMEM, "cassette");
    return write_all(fd, line.data, line.len) < 0 ? error_sys(err, errno, "cassette") : 0;
}

int ledger_export(struct cli *cli, const char *experiment, int fd, int64_t *calls,
                  struct error *err) {
    struct http *http = cli_http(cli, err);
    if (!http) return -1;
    *calls = 0;
    for (int64_t after = 0;;) {
        _cleanup_json_ struct json *doc = NULL;
        int64_t n = page_of(http, experiment, &after, &doc, err);
        if (n < 0) return -1;
        for (size_t i = 0; i < (size_t)n; i++) {
            int64_t number = reply_int(reply_at(doc, "calls", i), "number", 0);
            if (export_call(http, experiment, number, fd, err) < 0) return -1;
        }
        *calls += n;
        if (n < PAGE) return 0;
    }
}
