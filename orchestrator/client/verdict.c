#include "orchestrator/client/verdict.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/client/reply.h"

#include <string.h>

/* The measurement that is asked for, or that of the newest score. */
static char *choose(struct http *http, const char *version, const char *asked, struct error *err) {
    _cleanup_json_ struct json *doc = NULL;
    if (asked) return reply_check_id(asked, "m", err) < 0 ? NULL : strdup(asked);
    if (http_getf(http, &doc, err, "/v1/versions/%s", version) < 0) return NULL;
    size_t n = reply_count(doc, "scores");
    const struct json *newest = n ? reply_at(doc, "scores", n - 1) : NULL;
    const char *id = reply_text_or(newest, "measurement", "");
    if (*id) return reply_check_id(id, "m", err) < 0 ? NULL : strdup(id);
    error_set(err, ERROR_NOT_FOUND, "%s has no score: paddock score %s makes one", version,
              version);
    return NULL;
}

/* Into the file, whole or not at all; else to stdout. */
static int deliver(const struct args *args, const struct buf *bytes, struct error *err) {
    const char *path = args_text(args, "output");
    if (!path || str_eq(path, "-")) return cli_print(bytes, err);
    return file_write_atomic(path, buf_text(bytes), bytes->len, 0644, err);
}

static int show_page(const struct cli *cli, const struct args *args, const struct buf *document,
                     struct error *err) {
    _cleanup_score_ struct score s = {0};
    _cleanup_buf_ struct buf out = {0};
    if (score_parse("score.json", buf_text(document), document->len, &s, err) < 0) return -1;
    if (verdict_page(&s, cli->colour && !args_given(args, "output"), &out, err) < 0) return -1;
    return deliver(args, &out, err);
}

int verdict_show(struct cli *cli, const struct args *args, struct error *err) {
    const char *version = args->operands[0];
    bool svg = args_given(args, "svg");
    if (reply_check_id(version, "v", err) < 0) return -1;
    struct http *http = cli_http(cli, err);
    _cleanup_free_ char *m =
        http ? choose(http, version, args_text(args, "measurement"), err) : NULL;
    if (!m) return -1;
    _cleanup_free_ char *path =
        str_printf("/v1/measurements/%s/scores/%s/%s", m, version, svg ? "runs.svg" : "score.json");
    _cleanup_buf_ struct buf bytes = {0};
    if (!path) return error_sys(err, ENOMEM, "verdict");
    if (http_bytes(http, path, &bytes, NULL, err) < 0) return -1;
    /* The very bytes: the chain is over them. */
    return svg || cli->json ? deliver(args, &bytes, err) : show_page(cli, args, &bytes, err);
}
