/*
 * JSON, and the documents that pass between our programs: whoever can write into a
 * folder of ours must not get further than an error. The first byte chooses the
 * decoder; what it accepts must survive being written and read again.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/judge/exam.h"
#include "orchestrator/judge/exam_job.h"
#include "sandbox/live.h"
#include "sandbox/result.h"
#include "sandbox/spec.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

static bool recode_any(const struct json *doc, struct buf *out) {
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    FUZZ_CHECK(w, "out of memory");
    json_put_value(w, NULL, doc);
    fuzz_take_text(w, out);
    return true;
}

static bool recode_spec(const struct json *doc, struct buf *out) {
    _cleanup_spec_ struct spec s = {0};
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(true);
    struct error err = {0};
    if (spec_decode(doc, &s, NULL) < 0) return false;
    FUZZ_CHECK(str_is_name(s.id) && s.argv[0][0], "id %s", s.id);
    for (size_t i = 0; i < s.collect_count; i++)
        FUZZ_CHECK(str_eq(s.collect[i].path, ".") || path_is_confined(s.collect[i].path), "%s",
                   s.collect[i].path);
    FUZZ_CHECK(w && spec_encode(&s, w, &err) == 0, "%s", error_text(&err));
    fuzz_take_text(w, out);
    return true;
}

static bool recode_result(const struct json *doc, struct buf *out) {
    _cleanup_result_ struct result r = {0};
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    struct error err = {0};
    if (result_decode(doc, &r, NULL) < 0) return false;
    int status = result_exit_status(&r);
    FUZZ_CHECK(status >= 0 && status <= 255, "exit status %d", status);
    FUZZ_CHECK(w && result_encode(&r, w, &err) == 0, "%s", error_text(&err));
    fuzz_take_text(w, out);
    return true;
}

static bool recode_exam(const struct json *doc, struct buf *out) {
    _cleanup_exam_ struct exam e = {0};
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (exam_decode(doc, &e, NULL) < 0) return false;
    FUZZ_CHECK(w && exam_encode(&e, w, NULL) == 0, "out of memory");
    fuzz_take_text(w, out);
    return true;
}

static bool recode_job(const struct json *doc, struct buf *out) {
    _cleanup_exam_job_ struct exam_job job = {0};
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    if (exam_job_decode(doc, &job, NULL) < 0) return false;
    FUZZ_CHECK(w && exam_job_encode(&job, w, NULL) == 0, "out of memory");
    fuzz_take_text(w, out);
    return true;
}

/* Every value through every typed look at it. */
static void read_all(const struct json *v) {
    const char *text;
    int64_t n;
    double d;
    bool b;
    _cleanup_error_ struct error err = {0};
    FUZZ_CHECK((json_as_string(v, &text, &err) == 0) == (json_type(v) == JSON_STRING), "string");
    FUZZ_CHECK((json_as_bool(v, &b, &err) == 0) == (json_type(v) == JSON_BOOL), "bool");
    if (json_as_int(v, -5, 1000, &n, &err) == 0) FUZZ_CHECK(n >= -5 && n <= 1000, "%ld", (long)n);
    if (json_as_double(v, 0, 1, &d, &err) == 0) FUZZ_CHECK(d >= 0 && d <= 1, "%g", d);
    for (size_t i = 0; i < json_count(v); i++) {
        const char *key = json_key_at(v, i);
        if (key) FUZZ_CHECK(json_find(v, key) == json_at(v, i), "key %s", key);
        read_all(json_at(v, i));
    }
}

/* An entry of the live registry, as a listing reads it. Never as a sweep does: that
 * would kill the groups it names. */
static void live(const char *text, size_t len) {
    struct fuzz_place *p = fuzz_place();
    _cleanup_free_ char *dir = path_join(p->path, "in/live");
    struct live_entry *entries = NULL;
    size_t count = 0;
    FUZZ_CHECK(dir && setenv("PADDOCK_LIVE", dir, 1) == 0, "out of memory");
    if (mkdirat(p->in, "live", 0700) < 0) FUZZ_CHECK(errno == EEXIST, "%s", strerror(errno));
    _cleanup_close_ int fd = openat(p->in, "live/x", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FUZZ_CHECK(fd >= 0 && flock(fd, LOCK_EX) == 0 && write_all(fd, text, len) == 0, "entry");
    struct error err = {0};
    FUZZ_CHECK(live_list(&entries, &count, &err) == 0, "%s", error_text(&err));
    FUZZ_CHECK(count <= 1 && (count == 0 || entries[0].pid > 0), "%zu entries", count);
    live_list_free(entries, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    static const struct {
        const char *what;
        fuzz_recode *recode;
    } kinds[] = {{"json", recode_any},
                 {"spec", recode_spec},
                 {"result", recode_result},
                 {"exam", recode_exam},
                 {"exam job", recode_job}};
    if (len < 1) return -1;
    const char *text = (const char *)data + 1;
    size_t kind = data[0] % (ARRAY_SIZE(kinds) + 1);
    if (kind == ARRAY_SIZE(kinds)) {
        live(text, len - 1);
        return 0;
    }
    if (kind == 0) {
        _cleanup_json_ struct json *doc = json_parse("json", text, len - 1, NULL);
        if (doc) read_all(doc);
    }
    fuzz_round_trip(kinds[kind].what, text, len - 1, kinds[kind].recode);
    return 0;
}
