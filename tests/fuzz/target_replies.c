/*
 * What agents and daemons answer: replay folders (orchestrator/client), answers of
 * the API, and diffs of any two texts. The first byte chooses.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/client/replay.h"
#include "orchestrator/client/reply.h"
#include "orchestrator/version/diff.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <git2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void put(int at, const char *path, const void *data, size_t len) {
    _cleanup_close_ int fd = openat(at, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    FUZZ_CHECK(fd >= 0 && write_all(fd, data, len) == 0, "%s", path);
}

/* replay.json and one edits file are the input; a link leads out of the folder. */
static void replay(struct fuzz_input *in) {
    struct fuzz_place *p = fuzz_place();
    if (mkdirat(p->in, "replay", 0755) == 0)
        FUZZ_CHECK(symlinkat("../../outside/canary", p->in, "replay/out") == 0, "link");
    _cleanup_free_ char *document = fuzz_text(in);
    put(p->in, "replay/replay.json", document, strlen(document));
    put(p->in, "replay/edits.json", in->at, in->left);
    _cleanup_free_ char *dir = path_join(p->path, "in/replay");
    _cleanup_replay_ struct replay r = {0};
    _cleanup_error_ struct error err = {0};
    int loaded = replay_load(dir, &r, &err);
    FUZZ_CHECK((loaded < 0) == error_is_set(&err), "returned %d: %s", loaded, error_text(&err));
    FUZZ_CHECK(loaded < 0 || r.count > 0, "no steps");
    for (size_t i = 0; loaded == 0 && i < r.count; i++)
        FUZZ_CHECK(r.steps[i].parent >= 0 && (size_t)r.steps[i].parent <= i &&
                       json_type(r.steps[i].edits) == JSON_ARRAY && *r.steps[i].hypothesis,
                   "step %zu has parent %ld", i, (long)r.steps[i].parent);
}

/* Paths as the client asks for them, on an answer of any shape. */
static void answer(struct fuzz_input *in) {
    static const char *const paths[] = {"", "id", "result.wall_ns", "a.b.c", "versions", "."};
    _cleanup_free_ char *path = fuzz_text(in);
    _cleanup_json_ struct json *doc = json_parse("answer", (const char *)in->at, in->left, NULL);
    for (size_t i = 0; doc && i <= ARRAY_SIZE(paths); i++) {
        const char *at = i < ARRAY_SIZE(paths) ? paths[i] : path;
        reply_text(doc, at);
        reply_int(doc, at, 0);
        reply_number(doc, at, 0);
        reply_bool(doc, at, false);
        size_t n = reply_count(doc, at);
        FUZZ_CHECK(!reply_at(doc, at, n), "an element behind the last of %s", at);
        FUZZ_CHECK(n == 0 || reply_at(doc, at, n - 1), "element %zu of %s is missing", n - 1, at);
    }
}

/* "@@ -FROM,COUNT …": the first line of the old side that the hunk is about, less
 * one. An empty range ("-0,0", "-3,0") names the line before it. False: no such. */
static bool hunk_start(const char *p, long *before) {
    char *end = NULL;
    if (!str_starts(p, "@@ -")) return false;
    *before = strtol(p + 4, &end, 10);
    bool empty = *end == ',' && strtol(end + 1, NULL, 10) == 0;
    *before -= !empty;
    return true;
}

/* Takes one line off *text, into `out` unless that is NULL. */
static void take_line(const char **text, struct buf *out) {
    size_t n = strcspn(*text, "\n");
    n += (*text)[n] == '\n';
    if (out) buf_append(out, *text, n);
    *text += n;
}

/* Applies the hunks of one text file's diff and says whether they give `want`. */
static bool gives(const char *hunks, const char *have, const char *want) {
    _cleanup_buf_ struct buf out = {0};
    long line = 0, before;
    for (const char *p = hunks, *next; *p; p = next) {
        next = p + strcspn(p, "\n");
        next += *next == '\n';
        if (hunk_start(p, &before)) {
            for (; line < before && *have; line++) take_line(&have, &out);
            continue;
        }
        if (p[0] == '\\') continue;
        size_t n = (size_t)(next - p) - 1;
        if (*next == '\\') n--; /* "\ No newline at end of file" is about this line */
        if (p[0] != '+') {
            if (strncmp(have, p + 1, n) != 0) return false;
            have += n;
            line++;
        }
        if (p[0] != '-') buf_append(&out, p + 1, n);
    }
    buf_puts(&out, have);
    return strcmp(buf_text(&out), want) == 0;
}

static void difference(struct fuzz_input *in) {
    _cleanup_free_ char *a = fuzz_text(in);
    _cleanup_free_ char *b = fuzz_text(in);
    _cleanup_buf_ struct buf out = {0};
    struct error err = {0};
    const struct diff_side old = {.data = a, .len = strlen(a)};
    const struct diff_side new = {.data = b, .len = strlen(b)};
    FUZZ_CHECK(diff_texts("x", &old, &new, &out, &err) == 0, "%s", error_text(&err));
    FUZZ_CHECK((out.len == 0) == str_eq(a, b), "%zu bytes of diff", out.len);
    const char *hunks = out.len ? strstr(buf_text(&out), "\n@@ ") : NULL;
    if (hunks)
        FUZZ_CHECK(gives(hunks + 1, a, b), "does not lead from one to the other:\n%s",
                   buf_text(&out));
}

/* One user of the library for good: starting it anew for each diff is slow. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    return git_libgit2_init() < 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct fuzz_input in = {data, len};
    switch (fuzz_byte(&in) % 3) {
    case 0: replay(&in); break;
    case 1: answer(&in); break;
    default: difference(&in);
    }
    return 0;
}
