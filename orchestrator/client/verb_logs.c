/* paddock logs: what a run wrote. */
#include "common/cleanup.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/interrupt.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/reply.h"

#include <string.h>
#include <time.h>

#define POLL_NS 300000000L

static const char *const phases[] = {"build", "train", "examine", NULL};

static const struct arg args_logs[] = {
    {.name = "follow", .letter = 'f', .kind = ARG_FLAG, .help = "go on until the run is over"},
    {.name = "stream",
     .kind = ARG_TEXT,
     .value = "NAME",
     .help = "stdout or stderr (default: both, stdout first)"},
    {.name = "phase",
     .kind = ARG_TEXT,
     .value = "PHASE",
     .help = "of a version: build, train or examine (default: train)"},
    {.name = "raw", .kind = ARG_FLAG, .help = "the bytes as they are, control characters and all"},
    {.name = NULL}};

/* One stream of one run, read from `offset` on. */
struct reader {
    struct http *http;
    const char *run;
    const char *stream;
    int64_t offset;
    bool raw;
    bool over; /* the run is over and everything was read */
};

static int read_chunk(struct reader *r, struct buf *out, struct error *err) {
    char state[32] = "";
    _cleanup_buf_ struct buf chunk = {0};
    _cleanup_free_ char *path = str_printf("/v1/runs/%s/output?stream=%s&offset=%lld", r->run,
                                           r->stream, (long long)r->offset);
    if (!path) return error_sys(err, ENOMEM, "logs");
    if (http_bytes(r->http, path, &chunk, state, err) < 0) return -1;
    r->offset += (int64_t)chunk.len;
    r->over = chunk.len == 0 && !str_eq(state, "running");
    if (r->raw) buf_append(out, buf_text(&chunk), chunk.len);
    else progress_lines(buf_text(&chunk), chunk.len, out);
    if (buf_failed(out)) return error_sys(err, ENOMEM, "logs");
    return (int)(chunk.len > 0);
}

/* To where the stream is now. */
static int drain(struct reader *r, struct buf *out, struct error *err) {
    int got = 0;
    do got = read_chunk(r, out, err);
    while (got > 0 && !*interrupt_flag());
    return got;
}

static int follow(struct reader *readers, size_t count, struct error *err) {
    interrupt_watch();
    for (bool over = false; !over && !*interrupt_flag();) {
        over = true;
        for (size_t i = 0; i < count; i++) {
            _cleanup_buf_ struct buf out = {0};
            if (drain(&readers[i], &out, err) < 0 || cli_print(&out, err) < 0) return -1;
            over &= readers[i].over;
        }
        const struct timespec pause = {.tv_nsec = POLL_NS};
        if (!over) nanosleep(&pause, NULL);
    }
    return CLI_OK;
}

/* The newest run of a phase: a version may have been run again. */
static char *run_of_version(struct http *http, const char *id, const char *phase,
                            struct error *err) {
    _cleanup_json_ struct json *doc = NULL;
    if (http_getf(http, &doc, err, "/v1/versions/%s", id) < 0) return NULL;
    for (size_t i = reply_count(doc, "runs"); i-- > 0;) {
        const struct json *run = reply_at(doc, "runs", i);
        const char *run_id = reply_text_or(run, "id", "");
        if (str_eq(reply_text(run, "phase"), phase) && reply_check_id(run_id, "r", NULL) == 0)
            return strdup(run_id);
    }
    error_set(err, ERROR_NOT_FOUND, "%s has no run of the phase %s", id, phase);
    return NULL;
}

static int print_json(struct reader *readers, size_t count, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = cli_object(err);
    if (!w) return -1;
    json_put_string(w, "run", readers[0].run);
    for (size_t i = 0; i < count; i++) {
        _cleanup_buf_ struct buf out = {0};
        readers[i].raw = true; /* the writer makes it UTF-8 */
        if (drain(&readers[i], &out, err) < 0) return -1;
        json_put_bytes(w, readers[i].stream, buf_text(&out), out.len);
    }
    json_close_object(w);
    return cli_print_writer(w, err);
}

static bool is_one_of(const char *text, const char *const *list) {
    for (; *list; list++)
        if (str_eq(text, *list)) return true;
    return false;
}

static int check(const char *stream, const char *phase, struct error *err) {
    static const char *const streams[] = {"stdout", "stderr", NULL};
    if (stream && !is_one_of(stream, streams))
        return error_set(err, ERROR_INVALID, "--stream: must be stdout or stderr");
    if (!is_one_of(phase, phases))
        return error_set(err, ERROR_INVALID, "--phase: must be build, train or examine");
    return 0;
}

static int run(struct cli *cli, const struct args *args, struct error *err) {
    const char *id = args->operands[0], *stream = args_text(args, "stream");
    const char *phase = args_given(args, "phase") ? args_text(args, "phase") : "train";
    if (reply_check_id(id, "vr", err) < 0 || check(stream, phase, err) < 0) return -1;
    struct http *http = cli_http(cli, err);
    if (!http) return -1;
    _cleanup_free_ char *run_id = *id == 'r' ? strdup(id) : run_of_version(http, id, phase, err);
    if (!run_id) return -1;
    bool raw = args_given(args, "raw");
    struct reader readers[] = {
        {.http = http, .run = run_id, .stream = stream ? stream : "stdout", .raw = raw},
        {.http = http, .run = run_id, .stream = "stderr", .raw = raw}};
    size_t count = stream ? 1 : 2;
    if (cli->json) return print_json(readers, count, err);
    if (args_given(args, "follow")) return follow(readers, count, err);
    for (size_t i = 0; i < count; i++) {
        _cleanup_buf_ struct buf out = {0};
        if (drain(&readers[i], &out, err) < 0 || cli_print(&out, err) < 0) return -1;
    }
    return CLI_OK;
}

const struct verb verb_logs = {
    .name = "logs",
    .summary = "print what a run wrote",
    .operands = "RUN|VERSION",
    .least = 1,
    .most = 1,
    .args = args_logs,
    .help = "Bytes that could drive a terminal are shown as \\xNN unless --raw is given.",
    .example = "paddock logs v3 -f\npaddock logs r7 --stream stderr",
    .run = run,
};
