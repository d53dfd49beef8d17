#include "orchestrator/client/verify.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "images/listing.h"
#include "orchestrator/client/reply.h"

#include <fcntl.h>
#include <string.h>

#define TREE_ENTRIES_MAX 2000000

/* ---- a state folder ---- */

static int digest_at(int dir, enum score_file which, char hex[DIGEST_HEX], struct error *err) {
    const char *name = score_file_names[which];
    bool tree = which == SCORE_FILE_ARTIFACTS;
    int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | (tree ? O_DIRECTORY : O_NONBLOCK);
    _cleanup_close_ int fd = openat(dir, name, flags);
    if (fd < 0) return error_sys(err, errno, "%s", name);
    return tree ? tree_digest(fd, TREE_ENTRIES_MAX, hex, err) : digest_fd(fd, hex, err);
}

/* A build's tree is moved to where the trains take it from. */
static bool is_kept(const struct score_run *r, size_t file) {
    return r->files[file] && !(file == SCORE_FILE_ARTIFACTS && str_eq(r->phase, "build"));
}

static void check_run(const struct score_run *r, int runs, size_t *files,
                      struct score_report *out) {
    _cleanup_close_ int dir = openat(runs, r->id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (dir < 0) {
        score_report_add(out, false, "files", "%s: its folder: %s", r->id, strerror(errno));
        return;
    }
    for (size_t i = 0; i < SCORE_FILE_COUNT; i++) {
        char hex[DIGEST_HEX];
        _cleanup_error_ struct error err = {0};
        if (!is_kept(r, i)) continue;
        (*files)++;
        if (digest_at(dir, (enum score_file)i, hex, &err) < 0)
            score_report_add(out, false, "files", "%s: %s", r->id, error_text(&err));
        else if (!str_eq(hex, r->files[i]))
            score_report_add(out, false, "files", "%s: %s has another digest now, %s", r->id,
                             score_file_names[i], hex);
    }
}

static void check_folders(const struct score *s, const char *state, struct score_report *out) {
    _cleanup_free_ char *path = path_join(state, "runs");
    _cleanup_error_ struct error err = {0};
    _cleanup_close_ int runs = path ? dir_open(path, &err) : -1;
    size_t files = 0, before = out->count;
    if (runs < 0) {
        score_report_add(out, false, "files", "%s", error_text(&err));
        return;
    }
    for (size_t i = 0; i < s->run_count; i++) check_run(&s->runs[i], runs, &files, out);
    if (out->count == before)
        score_report_add(out, true, "files", "%zu files of %zu runs, each with its digest", files,
                         s->run_count);
}

static void check_snapshots(const struct score *s, const char *state, struct score_report *out) {
    size_t before = out->count;
    for (size_t i = 0; i < s->arm_count; i++) {
        char hex[DIGEST_HEX];
        const char *want = s->arms[i].snapshot;
        _cleanup_error_ struct error err = {0};
        _cleanup_free_ char *path = str_printf("%s/snapshots/%s.tar.zst", state, want);
        _cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
        if (fd < 0) score_report_add(out, false, "snapshots", "%s: %s", want, strerror(errno));
        else if (digest_fd(fd, hex, &err) < 0)
            score_report_add(out, false, "snapshots", "%s: %s", want, error_text(&err));
        else if (!str_eq(hex, want))
            score_report_add(out, false, "snapshots", "%s: its bytes have another digest now",
                             want);
    }
    if (out->count == before)
        score_report_add(out, true, "snapshots", "of %zu arms, each with its digest", s->arm_count);
}

/* Another document of the same score than the one at hand? */
static void compare_heads(const struct score *s, const char *text, size_t len, const char *whose,
                          struct score_report *out) {
    _cleanup_score_ struct score other = {0};
    _cleanup_error_ struct error err = {0};
    if (score_parse(whose, text, len, &other, &err) < 0)
        score_report_add(out, false, "kept", "%s", error_text(&err));
    else if (!str_eq(other.head, s->head))
        score_report_add(out, false, "kept", "%s has another head, %s", whose,
                         other.head ? other.head : "none");
    else score_report_add(out, true, "kept", "%s has the same head", whose);
}

static void check_kept(const struct score *s, const char *state, struct score_report *out) {
    _cleanup_buf_ struct buf text = {0};
    _cleanup_error_ struct error err = {0};
    _cleanup_free_ char *path =
        str_printf("%s/scores/%s-%s.json", state, s->measurement, s->version);
    if (path && file_read(path, SCORE_BYTES_MAX, &text, &err) == 0)
        compare_heads(s, buf_text(&text), text.len, path, out);
    else score_report_add(out, false, "kept", "%s", error_text(&err));
}

int verify_state(const struct score *s, const char *state, struct score_report *out,
                 struct error *err) {
    check_kept(s, state, out);
    check_folders(s, state, out);
    check_snapshots(s, state, out);
    return out->no_room ? error_sys(err, ENOMEM, "verify") : 0;
}

/* ---- a daemon ---- */

/* What its row says of a run; the result's digest is of the file that ended it. */
static const char *differs(const struct score_run *r, const struct json *row) {
    bool exam = str_eq(r->phase, "examine");
    const char *digest = r->files[exam ? SCORE_FILE_EXAM : SCORE_FILE_RESULT];
    if (!str_eq(digest, reply_text(row, "result_sha256"))) return "another result";
    if (r->wall_ns != reply_int(row, "wall_ns", 0)) return "another time";
    if (r->seed && !str_eq(r->seed, reply_text(row, "seed"))) return "another seed";
    if (r->is_void != str_eq(reply_text(row, "state"), "void")) return "another state";
    return NULL;
}

static int check_rows(const struct score *s, struct http *http, struct score_report *out,
                      struct error *err) {
    size_t before = out->count;
    for (size_t i = 0; i < s->run_count; i++) {
        const struct score_run *r = &s->runs[i];
        _cleanup_json_ struct json *row = NULL;
        _cleanup_error_ struct error bad = {0};
        if (http_getf(http, &row, &bad, "/v1/runs/%s", r->id) < 0) {
            if (bad.kind != ERROR_NOT_FOUND) return error_move(err, &bad);
            score_report_add(out, false, "rows", "%s: the daemon knows no such run", r->id);
            continue;
        }
        const char *what = differs(r, row);
        if (what) score_report_add(out, false, "rows", "%s: the daemon has %s", r->id, what);
    }
    if (out->count == before)
        score_report_add(out, true, "rows", "%zu runs are as the daemon has them", s->run_count);
    return 0;
}

static int check_candidate(const struct score *s, struct http *http, struct score_report *out,
                           struct error *err) {
    char hex[DIGEST_HEX];
    const char *tmp = getenv("TMPDIR");
    _cleanup_free_ char *path = str_printf("/v1/versions/%s/snapshot", s->version);
    _cleanup_close_ int fd = open(tmp && *tmp ? tmp : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (!path || fd < 0) return error_sys(err, errno, "temporary file");
    if (http_download(http, path, fd, err) < 0) return -1;
    if (lseek(fd, 0, SEEK_SET) < 0) return error_sys(err, errno, "temporary file");
    if (digest_fd(fd, hex, err) < 0) return -1;
    bool same = str_eq(hex, s->snapshot);
    score_report_add(out, same, "snapshot",
                     same ? "of %s: the daemon's has its digest"
                          : "of %s: the daemon's has another digest",
                     s->version);
    return 0;
}

int verify_daemon(const struct score *s, struct http *http, struct score_report *out,
                  struct error *err) {
    _cleanup_buf_ struct buf text = {0};
    _cleanup_free_ char *path =
        str_printf("/v1/measurements/%s/scores/%s/score.json", s->measurement, s->version);
    if (!path) return error_sys(err, ENOMEM, "verify");
    if (http_bytes(http, path, &text, NULL, err) < 0) return -1;
    compare_heads(s, buf_text(&text), text.len, "the daemon's document", out);
    if (check_rows(s, http, out, err) < 0 || check_candidate(s, http, out, err) < 0) return -1;
    return out->no_room ? error_sys(err, ENOMEM, "verify") : 0;
}
