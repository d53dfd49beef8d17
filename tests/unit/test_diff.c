#include "orchestrator/version/diff.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "images/listing.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

static void differs(const char *old, const char *new, const char *expected) {
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf out = {0};
    struct diff_side a = {.data = old, .len = old ? strlen(old) : 0};
    struct diff_side b = {.data = new, .len = new ? strlen(new) : 0};
    if (diff_texts("f.c", &a, &b, &out, &err) < 0) fail_msg("%s", error_text(&err));
    assert_string_equal(buf_text(&out), expected);
}

static void texts_differ_by_lines(void **state) {
    (void)state;
    differs("a\nb\nc\n", "a\nB\nc\n",
            "diff --git a/f.c b/f.c\n--- a/f.c\n+++ b/f.c\n@@ -1,3 +1,3 @@\n a\n-b\n+B\n c\n");
    differs(NULL, "a\n",
            "diff --git a/f.c b/f.c\nnew file mode 100644\n--- /dev/null\n+++ b/f.c\n"
            "@@ -0,0 +1 @@\n+a\n");
    differs("a\n", NULL,
            "diff --git a/f.c b/f.c\ndeleted file mode 100644\n--- a/f.c\n+++ /dev/null\n"
            "@@ -1 +0,0 @@\n-a\n");
    differs("a", "b",
            "diff --git a/f.c b/f.c\n--- a/f.c\n+++ b/f.c\n@@ -1 +1 @@\n-a\n"
            "\\ No newline at end of file\n+b\n\\ No newline at end of file\n");
    differs("a\n", "a",
            "diff --git a/f.c b/f.c\n--- a/f.c\n+++ b/f.c\n@@ -1 +1 @@\n-a\n+a\n"
            "\\ No newline at end of file\n");
    differs("a\n", "", "diff --git a/f.c b/f.c\n--- a/f.c\n+++ b/f.c\n@@ -1 +0,0 @@\n-a\n");
    differs("a\n", "a\n", "");
    differs(NULL, "", "diff --git a/f.c b/f.c\nnew file mode 100644\n");
    differs("", "", "");
}

static void binary_files_only_differ(void **state) {
    (void)state;
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf out = {0};
    struct diff_side a = {.data = "a\0b", .len = 3}, b = {.data = "a\0c", .len = 3};
    assert_int_equal(diff_texts("x", &a, &b, &out, &err), 0);
    assert_string_equal(buf_text(&out), "diff --git a/x b/x\nBinary files a/x and b/x differ\n");
    buf_free(&out);
    struct diff_side none = {0};
    assert_int_equal(diff_texts("x", &none, &b, &out, &err), 0);
    assert_string_equal(buf_text(&out), "diff --git a/x b/x\nnew file mode 100644\n"
                                        "Binary files /dev/null and b/x differ\n");
}

static void strange_names_are_quoted(void **state) {
    (void)state;
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf out = {0};
    struct diff_side a = {.data = "", .len = 0}, b = {.data = "x\n", .len = 2};
    assert_int_equal(diff_texts("a \"b\\", &a, &b, &out, &err), 0);
    assert_string_equal(buf_text(&out),
                        "diff --git \"a/a \\\"b\\\\\" \"b/a \\\"b\\\\\"\n--- \"a/a \\\"b\\\\\"\t\n"
                        "+++ \"b/a \\\"b\\\\\"\t\n@@ -0,0 +1 @@\n+x\n");
}

/* Two trees in a scratch folder. */
struct place {
    char path[64];
    int fd, old, new;
};

static int make_place(void **state) {
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->path, "/tmp/test-diff-XXXXXX");
    if (!mkdtemp(p->path)) return -1;
    p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(p->fd, "old", 0755) < 0 || mkdirat(p->fd, "new", 0755) < 0) return -1;
    p->old = openat(p->fd, "old", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    p->new = openat(p->fd, "new", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = p;
    return 0;
}

static int drop_place(void **state) {
    struct place *p = *state;
    close(p->old);
    close(p->new);
    close(p->fd);
    int r = tree_remove(p->path, NULL);
    free(p);
    return r;
}

static void put(int dirfd, const char *path, const char *text, mode_t mode) {
    _cleanup_close_ int fd = openat(dirfd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, text, strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
}

static void fill(struct place *p) {
    mkdirat(p->old, "d", 0755);
    mkdirat(p->new, "d", 0755);
    mkdirat(p->new, "empty", 0755);
    put(p->old, "same", "s\n", 0644);
    put(p->new, "same", "s\n", 0600);
    put(p->old, "d/gone file", "g\n", 0644);
    put(p->new, "d/came", "c\n", 0755);
    put(p->old, "z", "1\n2\n3\n", 0644);
    put(p->new, "z", "1\n2\n3\n4", 0755);
    put(p->old, "mode", "m\n", 0644);
    put(p->new, "mode", "m\n", 0755);
    put(p->old, "kind", "k\n", 0644);
    assert_int_equal(symlinkat("z", p->new, "kind"), 0);
}

static void trees_differ_in_order_of_path(void **state) {
    struct place *p = *state;
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf out = {0}, again = {0}, none = {0};
    fill(p);
    if (diff_trees(p->old, p->new, &out, &err) < 0) fail_msg("%s", error_text(&err));
    assert_string_equal(
        buf_text(&out),
        "diff --git a/d/came b/d/came\nnew file mode 100755\n--- /dev/null\n+++ b/d/came\n"
        "@@ -0,0 +1 @@\n+c\n"
        "diff --git a/d/gone file b/d/gone file\ndeleted file mode 100644\n--- a/d/gone file\t\n"
        "+++ /dev/null\n@@ -1 +0,0 @@\n-g\n"
        "diff --git a/kind b/kind\ndeleted file mode 100644\n--- a/kind\n+++ /dev/null\n"
        "@@ -1 +0,0 @@\n-k\n"
        "diff --git a/kind b/kind\nnew file mode 120000\n--- /dev/null\n+++ b/kind\n"
        "@@ -0,0 +1 @@\n+z\n\\ No newline at end of file\n"
        "diff --git a/mode b/mode\nold mode 100644\nnew mode 100755\n"
        "diff --git a/z b/z\nold mode 100644\nnew mode 100755\n--- a/z\n+++ b/z\n"
        "@@ -1,3 +1,4 @@\n 1\n 2\n 3\n+4\n\\ No newline at end of file\n");
    assert_int_equal(diff_trees(p->old, p->new, &again, &err), 0);
    assert_string_equal(buf_text(&out), buf_text(&again));
    assert_int_equal(diff_trees(p->old, p->old, &none, &err), 0);
    assert_string_equal(buf_text(&none), "");
}

static void git_applies_the_diff(void **state) {
    struct place *p = *state;
    if (system("command -v git >/dev/null") != 0) {
        print_message("skipped: git is not installed\n");
        skip();
    }
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf out = {0}, rest = {0};
    fill(p);
    assert_int_equal(diff_trees(p->old, p->new, &out, &err), 0);
    assert_int_equal(file_write_atomic_at(p->fd, "diff", out.data, out.len, 0644, NULL), 0);
    char command[200];
    snprintf(command, sizeof command, "cd %s/old && git apply ../diff", p->path);
    assert_int_equal(system(command), 0);
    assert_int_equal(diff_trees(p->old, p->new, &rest, &err), 0);
    assert_string_equal(buf_text(&rest), "");
}

static void large_files_are_binary(void **state) {
    struct place *p = *state;
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf out = {0};
    put(p->old, "f", "x", 0644);
    put(p->new, "f", "x", 0644);
    _cleanup_close_ int fd = openat(p->new, "f", O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, (off_t)DIFF_FILE_MAX + 1), 0);
    assert_int_equal(diff_trees(p->old, p->new, &out, &err), 0);
    assert_string_equal(buf_text(&out), "diff --git a/f b/f\nBinary files a/f and b/f differ\n");
}

static void diffs_are_bounded(void **state) {
    struct place *p = *state;
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf out = {0};
    char *text = malloc(DIFF_FILE_MAX + 1);
    assert_non_null(text);
    memset(text, '\n', DIFF_FILE_MAX);
    text[DIFF_FILE_MAX] = '\0';
    /* Each empty line costs two bytes, so that four files are the most. */
    for (char name[] = "a"; name[0] < 'd'; name[0]++) put(p->new, name, text, 0644);
    assert_int_equal(diff_trees(p->old, p->new, &out, &err), 0);
    assert_true(out.len > 6 * DIFF_FILE_MAX);
    put(p->new, "d", text, 0644);
    assert_int_equal(diff_trees(p->old, p->new, &out, &err), -1);
    assert_string_equal(error_text(&err), "d: the diff is larger than 16777216 bytes");
    assert_int_equal(err.kind, ERROR_LIMIT);
    free(text);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, drop_place)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_differ_by_lines),
        cmocka_unit_test(binary_files_only_differ),
        cmocka_unit_test(strange_names_are_quoted),
        TEST(trees_differ_in_order_of_path),
        TEST(git_applies_the_diff),
        TEST(large_files_are_binary),
        TEST(diffs_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
