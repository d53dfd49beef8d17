#include "orchestrator/client/agent_brief.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/agent/excerpt.h"
#include "orchestrator/agent/knowledge.h"
#include "orchestrator/client/agent_files.h"
#include "orchestrator/client/agent_tree.h"
#include "orchestrator/client/reply.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define AGENT_PLACE "They lie in the folder that you are started in."

/* ---- goal and limits ---- */

static void put_goal(const struct json *task, double root, struct buf *out) {
    const char *metric = reply_text_or(task, "metric", "metric"), *unit = reply_text(task, "unit");
    double target = reply_number(task, "target", NAN);
    bool higher = reply_bool(task, "higher_is_better", false);
    if (reply_is_race(task)) {
        buf_puts(out, "the least wall time of the training run");
        if (isfinite(target))
            buf_printf(out, ", with a %s of at %s %.6g%s%s when it ends", metric,
                       higher ? "least" : "most", target, unit ? " " : "", unit ? unit : "");
        if (isfinite(root)) buf_printf(out, "; the record takes %.4g s here", root);
    } else {
        buf_printf(out, "the %s %s%s%s%s that can be had within the limits",
                   higher ? "highest" : "lowest", metric, unit ? " (" : "", unit ? unit : "",
                   unit ? ")" : "");
        if (isfinite(root)) buf_printf(out, "; the record has %.6g here", root);
    }
}

static void put_limit(const struct json *limits, const char *key, double unit, const char *what,
                      struct buf *out) {
    double value = reply_number(limits, key, NAN);
    if (isfinite(value)) buf_printf(out, "%s%.4g%s", out->len ? ", " : "", value / unit, what);
}

static void put_limits(const struct json *task, struct buf *out) {
    const struct json *limits = reply_find(task, "phases.train.limits");
    if (!limits) return;
    put_limit(limits, "wall_ms", 1000, " s of wall time", out);
    put_limit(limits, "cpu_ms", 1000, " s of cpu time", out);
    put_limit(limits, "memory_bytes", 1 << 20, " MiB of memory", out);
    put_limit(limits, "pids", 1, " processes and threads", out);
    put_limit(limits, "disk_bytes", 1 << 20, " MiB of files", out);
}

/* ---- hints, knowledge, prompts ---- */

static int add_hint(struct agent *a, const struct json *experiment, int level, struct buf *out,
                    struct error *err) {
    static const char *const heads[] = {
        "The change that a person made next, as a diff", "The next change, as pseudocode",
        "The next change, described", "The next change, as a short paper"};
    _cleanup_json_ struct json *doc = NULL;
    _cleanup_free_ char *path = http_task_path(experiment);
    if (!path) return error_sys(err, ENOMEM, "hints");
    if (http_getf(a->http, &doc, err, "/v1/tasks/%s/hints/%" PRId64 "/%d", path,
                  reply_int(experiment, "step", 1), level) < 0)
        return error_wrap(err, "hint %d", level);
    buf_printf(out, "%s%s:\n\n%s\n", out->len ? "\n" : "", heads[level],
               reply_text_or(doc, "text", ""));
    return 0;
}

/* The user's prompts, else the task's, else the shipped ones. */
static int load_prompts(const struct json *experiment, const struct agent_config *config,
                        struct prompts *out, struct error *err) {
    _cleanup_free_ char *shipped = prompts_shipped(err);
    _cleanup_free_ char *own = path_join(reply_text_or(experiment, "task_dir", "."), "prompts");
    if (!shipped) return -1;
    if (!own) return error_sys(err, ENOMEM, "prompts");
    char *folders[4] = {0};
    size_t n = 0;
    if (config->prompts) folders[n++] = config->prompts;
    folders[n++] = own;
    folders[n] = shipped;
    return prompts_load(folders, out, err);
}

int agent_brief_make(struct agent *a, const struct json *experiment,
                     const struct agent_config *config, double root, struct agent_brief *out,
                     struct error *err) {
    if (load_prompts(experiment, config, &out->prompts, err) < 0 ||
        agent_files_patterns(a->task, &out->editable, err) < 0)
        return -1;
    put_goal(a->task, root, &out->goal);
    put_limits(a->task, &out->limits);
    for (int level = 0; level < AGENT_HINTS; level++)
        if (config->hints[level] && add_hint(a, experiment, level, &out->hints, err) < 0) return -1;
    if (knowledge_read(config->knowledge, &out->knowledge, err) < 0) return -1;
    if (buf_failed(&out->goal) || buf_failed(&out->limits) || buf_failed(&out->hints))
        return error_sys(err, ENOMEM, "briefing");
    out->briefing = (struct briefing){.prompts = &out->prompts,
                                      .system = config->system,
                                      .repairs = config->repairs,
                                      .format = config->format,
                                      .place = config->command ? AGENT_PLACE : NULL,
                                      .editable = out->editable,
                                      .title = reply_text_or(a->task, "title", ""),
                                      .statement = reply_text_or(a->task, "statement", ""),
                                      .goal = buf_text(&out->goal),
                                      .limits = buf_text(&out->limits),
                                      .hints = buf_text(&out->hints),
                                      .knowledge = buf_text(&out->knowledge)};
    return 0;
}

void agent_brief_clear(struct agent_brief *b) {
    prompts_clear(&b->prompts);
    strv_free(b->editable);
    buf_free(&b->goal);
    buf_free(&b->limits);
    buf_free(&b->hints);
    buf_free(&b->knowledge);
}

/* ---- of one version ---- */

static int add_file(struct agent *a, const char *version, const struct json *file,
                    char *const *editable, struct sources *out, struct error *err) {
    const char *path = reply_text_or(file, "path", "");
    _cleanup_buf_ struct buf bytes = {0};
    bool whole = !agent_files_is_link(file) &&
                 reply_int(file, "bytes", INT64_MAX) <= (int64_t)SOURCE_TEXT_MAX;
    if (whole && agent_files_read(a, version, path, &bytes, err) < 0) return -1;
    return sources_add(out, path, whole ? buf_text(&bytes) : NULL, bytes.len,
                       agent_files_may_edit(editable, file), err);
}

int agent_brief_sources(struct agent *a, const char *version, char *const *editable,
                        struct sources *out, struct error *err) {
    _cleanup_json_ struct json *doc = NULL;
    if (http_getf(a->http, &doc, err, "/v1/versions/%s/files", version) < 0) return -1;
    for (size_t i = 0; i < reply_count(doc, "files"); i++)
        if (add_file(a, version, reply_at(doc, "files", i), editable, out, err) < 0)
            return error_wrap(err, "%s", version);
    return 0;
}

#define LOG_HEAD ((size_t)4 << 10) /* of each stream */
#define LOG_TAIL ((size_t)8 << 10)
#define LOG_MOST ((int64_t)256 << 20)

/* The run to look at: of a version that was examined the training, else the last. */
static const struct json *telling_run(const struct json *version) {
    const struct json *last = NULL, *train = NULL;
    for (size_t i = 0; i < reply_count(version, "runs"); i++) {
        const struct json *run = reply_at(version, "runs", i);
        const char *phase = reply_text_or(run, "phase", "");
        if (str_eq(phase, "data") || !str_eq(reply_text_or(run, "purpose", "explore"), "explore"))
            continue;
        last = run;
        if (str_eq(phase, "train")) train = run;
    }
    const char *outcome = reply_text_or(version, "outcome", "");
    bool judged = str_eq(outcome, "valid") || str_starts(outcome, "invalid-");
    return judged && train ? train : last;
}

static int add_stream(struct agent *a, const char *run, const char *stream, struct buf *out,
                      struct error *err) {
    _cleanup_(excerpt_clear) struct excerpt e = {.head_max = LOG_HEAD, .tail_max = LOG_TAIL};
    for (int64_t offset = 0; offset < LOG_MOST;) {
        _cleanup_buf_ struct buf chunk = {0};
        _cleanup_free_ char *path =
            str_printf("/v1/runs/%s/output?stream=%s&offset=%" PRId64, run, stream, offset);
        if (!path) return error_sys(err, ENOMEM, "log");
        if (http_bytes(a->http, path, &chunk, NULL, err) < 0) return -1;
        if (chunk.len == 0) break;
        excerpt_add(&e, buf_text(&chunk), chunk.len);
        offset += (int64_t)chunk.len;
    }
    _cleanup_buf_ struct buf text = {0};
    excerpt_show(&e, &text);
    if (text.len == 0) return 0;
    buf_printf(out, "%s%s:\n", out->len ? "\n" : "", stream);
    sources_fence(buf_text(&text), text.len, out);
    return 0;
}

int agent_brief_log(struct agent *a, const char *version, struct buf *out, struct error *err) {
    _cleanup_json_ struct json *doc = NULL;
    if (http_getf(a->http, &doc, err, "/v1/versions/%s", version) < 0) return -1;
    const struct json *run = telling_run(doc);
    if (!run) return 0;
    const char *id = reply_text_or(run, "id", "");
    if (reply_check_id(id, "r", err) < 0 || add_stream(a, id, "stdout", out, err) < 0 ||
        add_stream(a, id, "stderr", out, err) < 0)
        return -1;
    return buf_failed(out) ? error_sys(err, ENOMEM, "log") : 0;
}
