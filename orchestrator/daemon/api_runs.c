/* Runs: shown, their output, stopped. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/daemon/api.h"
#include "orchestrator/daemon/id.h"
#include "orchestrator/daemon/process.h"
#include "orchestrator/daemon/run.h"
#include "orchestrator/daemon/view.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

static int find(struct daemon *d, const struct request *q, struct run_row *out, struct error *err) {
    int64_t id;
    return api_id(q, ID_RUN, &id, err) < 0 ? -1 : run_get(d->store, id, out, err);
}

int api_runs(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    static const char *const known[] = {"limit", "before", NULL};
    int64_t limit = API_LIST_DEFAULT, before = 0;
    if (request_query_known(q, known, err) < 0 ||
        request_query_int(q, "limit", 1, API_LIST_MAX, &limit, err) < 0 ||
        request_query_int(q, "before", 0, INT64_MAX, &before, err) < 0)
        return -1;
    struct run_row *rows = NULL;
    size_t count = 0;
    int rc = run_list(d->store, 0, before, limit, &rows, &count, err);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (rc == 0 && w) {
        json_open_object(w, NULL);
        json_open_array(w, "runs");
        for (size_t i = 0; i < count; i++) {
            json_open_object(w, NULL);
            view_run(w, &rows[i]);
            json_close_object(w);
        }
        json_close_array(w);
        json_close_object(w);
        rc = response_json(p, w, err);
    }
    runs_free(rows, count);
    return w ? rc : error_sys(err, ENOMEM, "runs");
}

int api_run(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    _cleanup_run_ struct run_row r = {0};
    if (find(d, q, &r, err) < 0) return -1;
    _cleanup_free_ char *dir = daemon_run_dir(d, r.id, err);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!dir || !w) return error_sys(err, ENOMEM, "run");
    json_open_object(w, NULL);
    view_run(w, &r);
    view_document(w, "result", dir, "result.json");
    view_document(w, "exam", dir, "exam.json");
    json_close_object(w);
    return response_json(p, w, err);
}

/* At most API_OUTPUT_MAX bytes from `offset` on; none when there are none yet. */
static int read_output(const char *path, int64_t offset, struct buf *out, struct error *err) {
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno == ENOENT) return 0;
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) return error_sys(err, errno, "output");
    if (offset >= st.st_size) return 0;
    size_t want = (size_t)(st.st_size - offset);
    if (want > API_OUTPUT_MAX) want = API_OUTPUT_MAX;
    char *to = buf_reserve(out, want);
    if (!to) return error_sys(err, ENOMEM, "output");
    ssize_t n = pread(fd, to, want, offset);
    if (n < 0) return error_sys(err, errno, "output");
    out->len += (size_t)n;
    return 0;
}

static int choose_stream(const struct request *q, const char **out, struct error *err) {
    _cleanup_free_ char *stream = NULL;
    if (request_query(q, "stream", &stream, err) < 0) return -1;
    *out = str_eq(stream, "stderr") ? "stderr" : "stdout";
    if (!stream || strcmp(stream, *out) == 0) return 0;
    return error_set(err, ERROR_INVALID, "query: stream: must be stdout or stderr");
}

int api_run_output(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    static const char *const known[] = {"stream", "offset", NULL};
    _cleanup_run_ struct run_row r = {0};
    const char *stream;
    int64_t offset = 0;
    if (find(d, q, &r, err) < 0 || request_query_known(q, known, err) < 0 ||
        choose_stream(q, &stream, err) < 0 ||
        request_query_int(q, "offset", 0, INT64_MAX, &offset, err) < 0)
        return -1;
    if (strcmp(r.phase, "data") == 0 && strcmp(stream, "stdout") == 0)
        return error_set(err, ERROR_DENIED, "r%" PRId64 " printed what is held out", r.id);
    _cleanup_free_ char *dir = daemon_run_dir(d, r.id, err);
    _cleanup_free_ char *path = dir ? path_join(dir, stream) : NULL;
    if (!path) return error_sys(err, ENOMEM, "output");
    p->content_type = "application/octet-stream";
    p->header_name = "Paddock-Run-State";
    p->header_value = strdup(run_state_names[r.state]);
    return read_output(path, offset, &p->body, err);
}

/* Who could have the slow runs of a measurement made anew would choose its
 * numbers. */
static int refuse_measured(const struct run_row *r, struct error *err) {
    if (!r->owner.measurement) return 0;
    return error_set(err, ERROR_DENIED,
                     "run r%" PRId64 " is one of measurement m%" PRId64
                     ", which can only be cancelled as a whole",
                     r->id, r->owner.measurement);
}

/* Stops the launcher: the run is void and, unless its job is cancelled too,
 * made anew. */
int api_run_cancel(struct daemon *d, struct request *q, struct response *p, struct error *err) {
    _cleanup_run_ struct run_row r = {0};
    if (find(d, q, &r, err) < 0 || refuse_measured(&r, err) < 0) return -1;
    _cleanup_free_ char *dir = daemon_run_dir(d, r.id, err);
    if (!dir) return -1;
    _cleanup_process_ struct process process = PROCESS_NONE;
    const char *pidfile, *result;
    run_files(r.phase, &pidfile, &result);
    if (r.state != RUN_RUNNING || run_find(dir, pidfile, result, &r, &process) != RUN_FOUND_ALIVE)
        return error_set(err, ERROR_EXISTS, "run r%" PRId64 " is over", r.id);
    process_signal(&process, SIGTERM);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (!w) return error_sys(err, ENOMEM, "run");
    json_open_object(w, NULL);
    view_run(w, &r);
    json_close_object(w);
    return response_json(p, w, err);
}
