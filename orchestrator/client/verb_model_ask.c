/* paddock model ask: one question to one model. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/interrupt.h"
#include "orchestrator/model/model.h"

#include <string.h>

#define TEXT_MAX ((size_t)1 << 20)

static const struct arg args_ask[] = {
    {.name = "system", .kind = ARG_TEXT, .value = "TEXT", .help = "the system message"},
    {.name = "max-tokens",
     .kind = ARG_INT,
     .value = "N",
     .min = 1,
     .max = 10000000,
     .help = "of the answer; default: the config's"},
    {.name = "record", .kind = ARG_TEXT, .value = "FILE", .help = "append the call to a cassette"},
    {.name = "reasoning", .kind = ARG_FLAG, .help = "print what it thought as well, on stderr"},
    {.name = NULL}};

/* Line by line, since a model's text is as hostile as a run's. */
static void put_lines(const char *text, struct buf *out) {
    for (const char *from = text; *from;) {
        size_t n = strcspn(from, "\n");
        _cleanup_free_ char *clean = str_printable(from, n);
        buf_printf(out, "%s\n", clean ? clean : "");
        from += n + (from[n] == '\n');
    }
}

static void put_usage(const struct model_reply *r, struct json_writer *w) {
    json_open_object(w, "usage");
    json_put_bool(w, "known", r->usage.known);
    json_put_int(w, "input_tokens", r->usage.input);
    json_put_int(w, "cached_tokens", r->usage.cached_input);
    json_put_int(w, "cache_write_tokens", r->usage.cache_write);
    json_put_int(w, "output_tokens", r->usage.output);
    json_put_int(w, "reasoning_tokens", r->usage.reasoning);
    json_put_double(w, "cost", r->usage.cost);
    json_close_object(w);
}

/* Of a failed call as well, for it may have cost. */
static int answer_json(const struct model *m, const struct model_reply *r,
                       const struct error *failed, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    json_put_string(w, "model", model_name(m));
    json_put_string(w, "echoed", r->model);
    json_put_string(w, "request_id", r->request_id);
    json_put_string(w, "request_sha256", r->request_sha256);
    json_put_string(w, "reply", r->text);
    json_put_string(w, "reasoning", r->reasoning);
    json_put_string(w, "refusal", r->refusal);
    json_put_string(w, "stop", error_is_set(failed) ? NULL : model_stop_name(r->stop));
    put_usage(r, w);
    json_put_int(w, "retries", r->retries);
    json_put_double(w, "latency_ms", (double)r->latency_ns / 1e6);
    json_put_bool(w, "differs", r->differs);
    if (error_is_set(failed)) {
        json_open_object(w, "error");
        json_put_string(w, "kind", error_kind_name(failed->kind));
        json_put_string(w, "detail", error_text(failed));
        json_close_object(w);
    }
    json_close_object(w);
    return cli_print_writer(w, err);
}

static void sum_up(const struct model *m, const struct model_reply *r, struct buf *out) {
    const struct model_usage *u = &r->usage;
    buf_printf(out, "%s%s%s: %s; ", model_name(m), r->model ? " as " : "", r->model ? r->model : "",
               model_stop_name(r->stop));
    if (u->known)
        buf_printf(out, "%lld tokens in (%lld cached), %lld out (%lld reasoning), ",
                   (long long)u->input, (long long)u->cached_input, (long long)u->output,
                   (long long)u->reasoning);
    else buf_puts(out, "tokens not told, ");
    if (u->cost > 0) buf_printf(out, "%.6f USD, ", u->cost);
    buf_printf(out, "%.1f s, %d %s\n", (double)r->latency_ns / 1e9, r->retries,
               r->retries == 1 ? "retry" : "retries");
}

static int answer_text(const struct model *m, const struct model_reply *r, bool reasoning,
                       struct error *err) {
    _cleanup_buf_ struct buf text = {0}, notes = {0};
    put_lines(r->text, &text);
    if (reasoning) put_lines(r->reasoning, &notes);
    if (r->refusal) buf_printf(&notes, "refused: %s\n", r->refusal);
    if (r->differs) buf_puts(&notes, "the cassette has another request under this key\n");
    sum_up(m, r, &notes);
    if (write_all(STDERR_FILENO, buf_text(&notes), notes.len) < 0) errno = 0;
    return cli_print(&text, err);
}

static int question(const char *operand, struct buf *out, struct error *err) {
    if (strcmp(operand, "-") == 0) return file_read_fd(STDIN_FILENO, TEXT_MAX, out, err);
    buf_puts(out, operand);
    return buf_failed(out) ? error_sys(err, ENOMEM, "question") : 0;
}

static int run_ask(struct cli *cli, const struct args *args, struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    if (question(args->operands[1], &text, err) < 0) return -1;
    struct model_message messages[2];
    struct model_request rq = {
        .messages = messages, .max_tokens = args_int(args, "max-tokens", 0), .key = "ask"};
    const char *system = args_text(args, "system");
    if (system) messages[rq.count++] = (struct model_message){MODEL_SYSTEM, system};
    messages[rq.count++] = (struct model_message){MODEL_USER, buf_text(&text)};
    interrupt_watch();
    const struct model_options options = {.record = args_text(args, "record"),
                                          .abort = interrupt_flag()};
    _cleanup_model_ struct model *m = NULL;
    _cleanup_model_reply_ struct model_reply reply = {0};
    if (model_open_with(args->operands[0], &options, &m, err) < 0) return -1;
    _cleanup_error_ struct error failed = {0};
    int status = model_call(m, &rq, &reply, &failed);
    if (cli->json) {
        if (answer_json(m, &reply, &failed, err) < 0) return -1;
        return status < 0 ? CLI_FAILED : CLI_OK;
    }
    if (status < 0) return error_move(err, &failed);
    return answer_text(m, &reply, args_given(args, "reasoning"), err);
}

const struct verb verb_model_ask = {
    .name = "model ask",
    .summary = "ask a model one question, and show what it cost",
    .operands = "MODEL TEXT",
    .least = 2,
    .most = 2,
    .args = args_ask,
    .help = "TEXT is - for standard input. The answer goes to stdout; tokens, money and time\n"
            "to stderr. MODEL may be replay:FILE, a cassette.",
    .example = "paddock model ask gpt \"What is a paddock?\"",
    .run = run_ask,
};
