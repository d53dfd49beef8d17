/*
 * A coder's reply (orchestrator/agent) in each of its three formats; the first byte
 * chooses. A reply with a problem says so in bounded words. One without gives edits
 * that the daemon's own code takes and that make of the files on disk exactly what the
 * patch worked out in memory; none of them touches what may not be edited.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "images/listing.h"
#include "orchestrator/agent/format.h"
#include "orchestrator/version/edit.h"
#include "tasks/task.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define PROBLEMS_MAX ((size_t)64 << 10)

static char *const editable[] = {"*.c", "*.h", "bare", "empty", "notes/*", NULL};

static const struct {
    const char *path, *text; /* text NULL: not shown */
} files[] = {
    {"train.c", "int main(void) {\n    int x = 1;\n\n    x++;\n    return x;\n}\n\n"
                "int twice(int x) {\n    x++;\n    x++;\n    return x;\n}\n"},
    {"a.h", "a\na\nb\n"},
    {"bare", "one\ntwo"}, /* no newline at its end */
    {"empty", ""},
    {"notes/blob", NULL},
    {"run.sh", "echo\n"}, /* locked */
};

static bool may_edit(const void *context, const char *path) {
    const struct task rules = {.editable = (char **)editable};
    (void)context;
    return task_may_edit(&rules, path);
}

static void put(int at, const char *path, const char *text, size_t len) {
    _cleanup_close_ int fd = openat(at, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    FUZZ_CHECK(fd >= 0 && write_all(fd, text, len) == 0, "%s", path);
}

/* The workspace: on disk, and as the coder was shown it. */
static int make_workspace(int in, struct sources *s) {
    FUZZ_CHECK(mkdirat(in, "w", 0755) == 0, "w");
    int fd = openat(in, "w", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && mkdirat(fd, "notes", 0755) == 0, "notes");
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        const char *text = files[i].text ? files[i].text : "\1\377", *path = files[i].path;
        put(fd, path, text, strlen(text));
        FUZZ_CHECK(sources_add(s, path, text, strlen(text), may_edit(NULL, path), NULL) == 0, "%s",
                   path);
    }
    FUZZ_CHECK(symlinkat("../train.c", fd, "notes/link") == 0, "link");
    FUZZ_CHECK(sources_add(s, "notes/link", NULL, 0, false, NULL) == 0, "link");
    return fd;
}

/* ---- what was made of it ---- */

static const struct patch_file *find(const struct patch *p, const char *path) {
    for (size_t i = 0; i < p->count; i++)
        if (str_eq(p->files[i].path, path)) return &p->files[i];
    return NULL;
}

static void check_file(int fd, const char *path, const char *text, size_t len) {
    _cleanup_buf_ struct buf is = {0};
    struct error err = {0};
    FUZZ_CHECK(file_read_at(fd, path, EDIT_CONTENT_MAX, &is, &err) == 0, "%s", error_text(&err));
    FUZZ_CHECK(is.len == len && memcmp(buf_text(&is), text, len) == 0, "%s holds\n%s\nnot\n%.*s",
               path, buf_text(&is), (int)len, text);
}

/* Every file is as the patch says, and there are no others. */
static void check_workspace(int fd, const struct patch *p) {
    _cleanup_listing_ struct listing l = {0};
    struct error err = {0};
    FUZZ_CHECK(listing_read(fd, 1000, false, &l, &err) == 0, "%s", error_text(&err));
    size_t wanted = 1; /* the link */
    for (size_t i = 0; i < p->count; i++) {
        const struct patch_file *f = &p->files[i];
        FUZZ_CHECK(may_edit(NULL, f->path), "%s is locked", f->path);
        if (f->deleted) {
            FUZZ_CHECK(!listing_find(&l, f->path), "%s is still there", f->path);
            continue;
        }
        wanted++;
        check_file(fd, f->path, buf_text(&f->text), f->text.len);
    }
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        const char *text = files[i].text ? files[i].text : "\1\377";
        if (find(p, files[i].path)) continue;
        wanted++;
        check_file(fd, files[i].path, text, strlen(text));
    }
    FUZZ_CHECK(l.files == wanted, "%lu files, not %zu", (unsigned long)l.files, wanted);
}

/* Whether one path is a folder to the other: what the daemon refuses, and the model is
 * then told. */
static bool is_above(const char *a, const char *b) {
    size_t len = strlen(a);
    return strncmp(a, b, len) == 0 && b[len] == '/';
}

static bool may_be_refused(const struct patch *p) {
    for (size_t i = 0; i < p->count; i++) {
        const char *path = p->files[i].path;
        for (size_t k = 0; k < ARRAY_SIZE(files); k++)
            if (is_above(path, files[k].path) || is_above(files[k].path, path)) return true;
        for (size_t k = 0; k < p->count; k++)
            if (is_above(path, p->files[k].path)) return true;
        if (is_above("notes/link", path)) return true;
    }
    return false;
}

static void apply(int fd, const struct patch *p) {
    static const struct edit_rules rules = {.may_edit = may_edit};
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    _cleanup_buf_ struct buf text = {0};
    struct edit *edits = NULL;
    size_t count = 0;
    struct error err = {0};
    FUZZ_CHECK(w && patch_encode(p, w, NULL, &err) == 0, "%s", error_text(&err));
    fuzz_take_text(w, &text);
    _cleanup_json_ struct json *doc = json_parse("edits", buf_text(&text), text.len, &err);
    FUZZ_CHECK(doc && edits_decode(doc, &edits, &count, &err) == 0, "%s", error_text(&err));
    FUZZ_CHECK(count > 0, "a patch without edits");
    int r = edits_apply(fd, edits, count, &rules, &err);
    edits_free(edits, count);
    if (r == 0) check_workspace(fd, p);
    else FUZZ_CHECK(may_be_refused(p), "%s\n%s", error_text(&err), buf_text(&text));
    error_clear(&err);
}

static void check_problems(const struct patch *p) {
    FUZZ_CHECK(p->problems.len > 0 && p->problems.len <= PROBLEMS_MAX, "%zu bytes of problems",
               p->problems.len);
    FUZZ_CHECK(str_starts(buf_text(&p->problems), "- "), "%s", buf_text(&p->problems));
}

static bool is_text(const char *text) {
    for (size_t left = strlen(text); left > 0;) {
        size_t n = utf8_sequence((const unsigned char *)text, left);
        if (n == 0) return false;
        text += n;
        left -= n;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct fuzz_input in = {.at = data, .left = len};
    enum format format = (enum format)fuzz_number(&in, 3);
    _cleanup_free_ char *reply = fuzz_text(&in);
    if (!is_text(reply)) return 0; /* what comes out of an answer's JSON is text */
    struct fuzz_place *place = fuzz_place();
    _cleanup_sources_ struct sources sources = {0};
    _cleanup_close_ int fd = make_workspace(place->in, &sources);
    _cleanup_patch_ struct patch p = {.base = &sources, .editable = editable};
    _cleanup_free_ char *summary = format_summary(reply);
    FUZZ_CHECK(summary && strstr(reply, summary), "%s", summary);
    FUZZ_CHECK(format_read(format, reply, &p, NULL) == 0, "out of memory");
    if (p.problem_count > 0) check_problems(&p);
    else apply(fd, &p);
    fuzz_place_check(place);
    fuzz_place_reset(place);
    return 0;
}
