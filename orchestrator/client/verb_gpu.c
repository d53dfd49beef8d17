/* paddock gpu list, show, clear: the GPUs as the daemon lends them. */
#include "common/cleanup.h"
#include "orchestrator/client/cli.h"
#include "orchestrator/client/progress.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/client/table.h"

#include <string.h>

static const struct arg args_none[] = {{.name = NULL}};

static void put_foot(const struct json *doc, struct buf *out) {
    const char *absent = reply_text(doc, "absent");
    buf_puts(out, absent ? "no GPUs: " : "driver ");
    progress_text(absent ? absent : reply_text_or(doc, "driver", "?"), SIZE_MAX, out);
    buf_putc(out, '\n');
}

static void put_row(struct table *table, const struct json *gpu) {
    table_cellf(table, "%lld", (long long)reply_int(gpu, "index", -1));
    table_cell(table, reply_text(gpu, "uuid"));
    table_cell(table, reply_text(gpu, "name"));
    int64_t total = reply_int(gpu, "memory_total", -1), used = reply_int(gpu, "memory_used", -1);
    if (total < 0) table_cell(table, NULL);
    else table_cellf(table, "%lld/%lld MiB", (long long)(used >> 20), (long long)(total >> 20));
    table_cell(table, reply_text(gpu, "lane"));
    table_cell(table, reply_text(gpu, "state"));
    table_cell(table, reply_text(gpu, "detail"));
}

static int print_list(struct cli *cli, const struct json *doc, struct error *err) {
    static const char *const heads[] = {"GPU",  "UUID",  "NAME", "MEMORY",
                                        "LANE", "STATE", "WHY",  NULL};
    _cleanup_table_ struct table *table = table_new(heads);
    for (size_t i = 0; i < reply_count(doc, "gpus"); i++) put_row(table, reply_at(doc, "gpus", i));
    _cleanup_buf_ struct buf out = {0};
    if (reply_count(doc, "gpus") > 0 && table_print(table, cli->colour, &out) < 0)
        return error_sys(err, ENOMEM, "GPUs");
    put_foot(doc, &out);
    return cli_print(&out, err);
}

static int run_list(struct cli *cli, const struct args *args, struct error *err) {
    (void)args;
    struct http *http = cli_http(cli, err);
    _cleanup_json_ struct json *doc = NULL;
    if (!http || http_get(http, "/v1/gpus", &doc, err) < 0) return -1;
    return cli->json ? cli_print_json(doc, err) : print_list(cli, doc, err);
}

static const struct json *find_gpu(const struct json *doc, const char *name) {
    for (size_t i = 0; i < reply_count(doc, "gpus"); i++) {
        const struct json *gpu = reply_at(doc, "gpus", i);
        char index[24];
        snprintf(index, sizeof index, "%lld", (long long)reply_int(gpu, "index", -1));
        if (str_eq(index, name) || str_eq(reply_text(gpu, "uuid"), name)) return gpu;
    }
    return NULL;
}

static int print_gpu(const struct json *gpu, struct error *err) {
    _cleanup_buf_ struct buf out = {0};
    for (size_t i = 0; i < json_count(gpu); i++) {
        const struct json *v = json_at(gpu, i);
        const char *text = NULL;
        int64_t number = 0;
        if (json_type(v) == JSON_STRING && json_as_string(v, &text, err) < 0) return -1;
        bool whole = !text && json_as_int(v, INT64_MIN, INT64_MAX, &number, NULL) == 0;
        if (!text && !whole) continue; /* not told, or a list */
        buf_printf(&out, "%-16s ", json_key_at(gpu, i));
        if (text) progress_text(text, SIZE_MAX, &out);
        else buf_printf(&out, "%lld", (long long)number);
        buf_putc(&out, '\n');
    }
    for (size_t i = 0; i < reply_count(gpu, "processes"); i++)
        buf_printf(&out, "%-16s %lld\n", "process",
                   (long long)reply_int(reply_at(gpu, "processes", i), "pid", -1));
    return cli_print(&out, err);
}

static int run_show(struct cli *cli, const struct args *args, struct error *err) {
    struct http *http = cli_http(cli, err);
    _cleanup_json_ struct json *doc = NULL;
    if (!http || http_get(http, "/v1/gpus", &doc, err) < 0) return -1;
    const struct json *gpu = find_gpu(doc, args->operands[0]);
    if (!gpu)
        return error_set(err, ERROR_NOT_FOUND, "no GPU %s%s%s", args->operands[0],
                         reply_text(doc, "absent") ? ": " : "", reply_text_or(doc, "absent", ""));
    return cli->json ? cli_print_json(gpu, err) : print_gpu(gpu, err);
}

static int run_clear(struct cli *cli, const struct args *args, struct error *err) {
    struct http *http = cli_http(cli, err);
    _cleanup_json_ struct json *doc = NULL;
    _cleanup_free_ char *path = str_printf("/v1/gpus/%s/clear", args->operands[0]);
    if (!path) return error_sys(err, ENOMEM, "GPUs");
    if (strspn(args->operands[0],
               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-") !=
        strlen(args->operands[0]))
        return error_set(err, ERROR_INVALID, "%s: is no index and no UUID", args->operands[0]);
    if (!http || http_post(http, path, NULL, &doc, err) < 0) return -1;
    return cli->json ? cli_print_json(doc, err) : print_list(cli, doc, err);
}

const struct verb verb_gpu_list = {
    .name = "gpu list",
    .summary = "list the GPUs: memory, lane, who has them, which are out",
    .operands = "",
    .args = args_none,
    .help = "A GPU is free, lent (to a run or to a sandbox), busy (somebody else is on it) or\n"
            "sick: out of the pool, with the reason.",
    .example = "paddock gpu list",
    .run = run_list,
};

const struct verb verb_gpu_show = {
    .name = "gpu show",
    .summary = "show all that is told of a GPU",
    .operands = "UUID|INDEX",
    .least = 1,
    .most = 1,
    .args = args_none,
    .help = "Clocks, throttling, temperature, power, memory errors, processes. What the driver\n"
            "does not tell is left out.",
    .example = "paddock gpu show 0",
    .run = run_show,
};

const struct verb verb_gpu_clear = {
    .name = "gpu clear",
    .summary = "put a GPU back into the pool",
    .operands = "UUID|INDEX",
    .least = 1,
    .most = 1,
    .args = args_none,
    .help = "For a person who has looked at it, and reset it if need be. Refused while the\n"
            "driver still says that it is not well.",
    .example = "paddock gpu clear 0",
    .run = run_clear,
};
