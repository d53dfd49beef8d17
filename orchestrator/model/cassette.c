/* Recording (declared in cassette.h). */
#include "orchestrator/model/cassette.h"

#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/json.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

static void put_call(struct json_writer *w, const struct cassette_call *c) {
    const struct model_reply *r = &c->reply;
    json_open_object(w, NULL);
    json_put_string(w, "key", c->key);
    json_put_string(w, "request_sha256", r->request_sha256);
    json_put_string(w, "model", c->model);
    json_put_string(w, "echoed", r->model);
    json_put_string(w, "request_id", r->request_id);
    json_put_string(w, "reply", r->text);
    json_put_string(w, "reasoning", r->reasoning);
    json_put_string(w, "refusal", r->refusal);
    json_put_string(w, "stop", model_stop_name(r->stop));
    json_put_int(w, "input_tokens", r->usage.input);
    json_put_int(w, "cached_tokens", r->usage.cached_input);
    json_put_int(w, "cache_write_tokens", r->usage.cache_write);
    json_put_int(w, "output_tokens", r->usage.output);
    json_put_int(w, "reasoning_tokens", r->usage.reasoning);
    json_put_bool(w, "usage_known", r->usage.known);
    json_put_double(w, "cost", r->usage.cost);
    json_put_double(w, "latency_ms", (double)r->latency_ns / (double)NS_PER_MS);
    json_put_int(w, "retries", r->retries);
    json_put_int(w, "bound_tokens", c->bound_tokens);
    json_put_double(w, "bound_cost", c->bound_cost);
    json_put_string(w, "error", c->error);
    if (c->error) json_put_string(w, "error_kind", error_kind_name(c->kind));
    json_close_object(w);
}

/* Cuts off a last line that was not finished; the lock is ours. */
static int mend(int fd) {
    struct stat st;
    if (fstat(fd, &st) < 0) return -1;
    off_t end = st.st_size;
    char last = '\n';
    while (end > 0 && pread(fd, &last, 1, end - 1) == 1 && last != '\n') end--;
    return end == st.st_size ? 0 : ftruncate(fd, end);
}

int cassette_append(const char *path, const struct cassette_call *call, struct error *err) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "cassette %s", path);
    put_call(w, call);
    _cleanup_buf_ struct buf line = {0};
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    if (text) buf_append(&line, text, len);
    buf_putc(&line, '\n');
    if (!text || buf_failed(&line)) return error_sys(err, ENOMEM, "cassette %s", path);
    _cleanup_close_ int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) < 0 || mend(fd) < 0 ||
        write_all(fd, line.data, line.len) < 0 || fsync(fd) < 0)
        return error_sys(err, errno, "cassette %s", path);
    return 0;
}
