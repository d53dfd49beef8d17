/*
 * Edits (orchestrator/version): the JSON of an agent applied to a small workspace.
 * Nothing outside it changes; a refused list leaves it as it was; an accepted one
 * stays within the task's limits, and its diff can be made.
 */
#include "common/cleanup.h"
#include "common/file.h"
#include "images/listing.h"
#include "orchestrator/version/diff.h"
#include "orchestrator/version/edit.h"
#include "tests/fuzz/fuzz.h"

#include <fcntl.h>
#include <git2.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX 8
#define BYTES_MAX 4096

static bool recode(const struct json *doc, struct buf *out) {
    struct edit *edits = NULL;
    size_t count = 0;
    if (edits_decode(doc, &edits, &count, NULL) < 0) return false;
    FUZZ_CHECK(count <= EDITS_MAX, "%zu edits", count);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    FUZZ_CHECK(w, "out of memory");
    edits_encode(edits, count, w, NULL);
    edits_free(edits, count);
    fuzz_take_text(w, out);
    return true;
}

static void put(int at, const char *path, const char *text, mode_t mode) {
    _cleanup_close_ int fd = openat(at, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    FUZZ_CHECK(fd >= 0 && write_all(fd, text, strlen(text)) == 0, "%s", path);
}

/* in/a is the workspace that is edited, in/b stays as it was. */
static int make_workspace(int in, const char *name) {
    FUZZ_CHECK(mkdirat(in, name, 0755) == 0, "%s", name);
    int fd = openat(in, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && mkdirat(fd, "src", 0755) == 0, "%s", name);
    put(fd, "train.c", "int main(void) {\n    return 0;\n}\n", 0644);
    put(fd, "run.sh", "echo\n", 0755);
    put(fd, "src/a.h", "a a\n", 0644);
    FUZZ_CHECK(symlinkat("src/a.h", fd, "link") == 0, "link");
    FUZZ_CHECK(symlinkat("../../outside", fd, "out") == 0, "out"); /* as a hostile snapshot has */
    return fd;
}

static bool may_edit(const void *context, const char *path) {
    (void)context;
    return !str_starts(path, "locked");
}

static const struct edit_rules rules = {
    .may_edit = may_edit, .source_bytes = BYTES_MAX, .source_files = FILES_MAX};

/* listing_read() refuses links that leave the tree. */
static void list(int fd, struct listing *out) {
    struct error err = {0};
    FUZZ_CHECK(listing_read(fd, 1000, true, out, &err) == 0, "%s", error_text(&err));
}

static void check_changed(int before, int after, const struct edit *edits, size_t count) {
    _cleanup_listing_ struct listing l = {0};
    _cleanup_buf_ struct buf diff = {0};
    struct error err = {0};
    list(after, &l);
    if (count > 0)
        FUZZ_CHECK(l.files <= FILES_MAX && l.bytes <= BYTES_MAX, "%lu files, %lu bytes", l.files,
                   l.bytes);
    bool stage_asked = false; /* an edit may well write to such a name */
    for (size_t i = 0; i < count; i++) stage_asked |= str_starts(edits[i].path, ".edit-");
    for (size_t i = 0; i < l.count && !stage_asked; i++)
        FUZZ_CHECK(!str_starts(l.entries[i].path, ".edit-"), "%s is left", l.entries[i].path);
    for (size_t i = 0; i < count; i++) FUZZ_CHECK(may_edit(NULL, edits[i].path), "was locked");
    FUZZ_CHECK(diff_trees(before, after, &diff, &err) == 0, "%s", error_text(&err));
}

static void apply(struct fuzz_place *p, const struct edit *edits, size_t count) {
    _cleanup_close_ int before = make_workspace(p->in, "b");
    _cleanup_close_ int after = make_workspace(p->in, "a");
    _cleanup_error_ struct error err = {0};
    char was[DIGEST_HEX], is[DIGEST_HEX];
    bool out = faccessat(after, "out", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    FUZZ_CHECK(out, "the link out");
    /* With the link that leaves: every path through it must be refused. */
    for (size_t i = 0; i < count; i++)
        if (str_starts(edits[i].path, "out/")) {
            struct edit_rules none = {0};
            FUZZ_CHECK(edits_apply(after, &edits[i], 1, &none, NULL) < 0, "%s", edits[i].path);
        }
    FUZZ_CHECK(unlinkat(after, "out", 0) == 0 && unlinkat(before, "out", 0) == 0, "out");
    FUZZ_CHECK(tree_digest(after, 1000, was, NULL) == 0, "digest");
    int r = edits_apply(after, edits, count, &rules, &err);
    FUZZ_CHECK(tree_digest(after, 1000, is, &err) == 0, "%s", error_text(&err));
    if (r < 0) FUZZ_CHECK(str_eq(was, is), "refused (%s), yet changed", error_text(&err));
    else check_changed(before, after, edits, count);
}

/* One user of the library for good: starting it anew for each diff is slow. */
int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    return git_libgit2_init() < 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    const char *text = (const char *)data;
    if (!fuzz_round_trip("edits", text, len, recode)) return 0;
    _cleanup_json_ struct json *doc = json_parse("edits", text, len, NULL);
    struct edit *edits = NULL;
    size_t count = 0;
    FUZZ_CHECK(doc && edits_decode(doc, &edits, &count, NULL) == 0, "twice differently");
    struct fuzz_place *p = fuzz_place();
    apply(p, edits, count);
    edits_free(edits, count);
    fuzz_place_check(p);
    fuzz_place_reset(p);
    return 0;
}
