/* What a command left in a folder, as edits. */
#include "common/cleanup.h"
#include "common/file.h"
#include "orchestrator/client/outside.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
/* clang-format off: cmocka needs what is above first */
#include <cmocka.h>
/* clang-format on */

static char *const editable[] = {"*.c", "notes/*", NULL};

struct pair {
    char dir[32];
    int before, after;
    struct outside_result out;
};

static int make(const char *dir, const char *name) {
    _cleanup_free_ char *path = path_join(dir, name);
    assert_int_equal(dir_make(path, 0755, NULL), 0);
    return dir_open(path, NULL);
}

static int set_up(void **state) {
    struct pair *p = calloc(1, sizeof *p);
    memcpy(p->dir, "/tmp/paddock-outside-XXXXXX", 28);
    assert_non_null(mkdtemp(p->dir));
    p->before = make(p->dir, "before");
    p->after = make(p->dir, "after");
    *state = p;
    return 0;
}

static int tear_down(void **state) {
    struct pair *p = *state;
    close(p->before);
    close(p->after);
    outside_result_clear(&p->out);
    tree_remove(p->dir, NULL);
    free(p);
    return 0;
}

static void put(int dir, const char *path, const char *bytes, size_t len) {
    const char *slash = strchr(path, '/');
    _cleanup_free_ char *folder = slash ? strndup(path, (size_t)(slash - path)) : NULL;
    if (folder) mkdirat(dir, folder, 0755);
    _cleanup_close_ int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, bytes, len), 0);
}

static void text(int dir, const char *path, const char *bytes) {
    put(dir, path, bytes, strlen(bytes));
}

static void look(struct pair *p, const char *incomplete) {
    struct error err = {0};
    if (outside_edits(p->before, p->after, incomplete, editable, &p->out, &err) < 0)
        fail_msg("%s", error_text(&err));
}

static const struct edit *edit_of(const struct pair *p, const char *path) {
    for (size_t i = 0; i < p->out.count; i++)
        if (strcmp(p->out.edits[i].path, path) == 0) return &p->out.edits[i];
    fail_msg("no edit of %s", path);
    return NULL;
}

static void test_changes(void **state) {
    struct pair *p = *state;
    text(p->before, "same.c", "same");
    text(p->after, "same.c", "same");
    text(p->before, "old.c", "old");
    text(p->after, "old.c", "new");
    text(p->before, "gone.c", "x");
    put(p->after, "notes/raw", "\0\xff", 2);
    text(p->before, "Makefile", "all:");
    text(p->after, "Makefile", "none:");
    text(p->before, "keep.txt", "x");
    text(p->after, "a.out", "x");
    look(p, NULL);
    assert_null(p->out.failure);
    assert_int_equal(p->out.count, 3);
    assert_int_equal(edit_of(p, "old.c")->op, EDIT_WRITE);
    assert_string_equal(edit_of(p, "old.c")->content, "new");
    assert_int_equal(edit_of(p, "gone.c")->op, EDIT_DELETE);
    assert_int_equal(edit_of(p, "notes/raw")->len, 2);
    assert_memory_equal(edit_of(p, "notes/raw")->content, "\0\xff", 3);
    assert_int_equal(p->out.dropped_count, 3); /* Makefile, a.out, keep.txt */
}

static void test_what_may_be_missing_is_not_deleted(void **state) {
    struct pair *p = *state;
    text(p->before, "a.c", "x");
    look(p, "a.c: a symbolic link");
    assert_int_equal(p->out.count, 0);
    assert_int_equal(p->out.dropped_count, 1);
    assert_string_equal(p->out.dropped[0], "a.c");
}

/* A link among the files given is not taken out, and so is no change. */
static void test_links_of_before(void **state) {
    struct pair *p = *state;
    text(p->before, "a.c", "x");
    text(p->after, "a.c", "x");
    assert_int_equal(symlinkat("a.c", p->before, "b.c"), 0);
    look(p, "b.c: a symbolic link");
    assert_int_equal(p->out.count + p->out.dropped_count, 0);
    /* One that became a file would be written through nothing: it is dropped. */
    text(p->after, "b.c", "y");
    look(p, NULL);
    assert_int_equal(p->out.count, 0);
    assert_int_equal(p->out.dropped_count, 1);
}

static void test_too_many(void **state) {
    struct pair *p = *state;
    for (int i = 0; i <= EDITS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d.c", i);
        text(p->after, name, "x");
    }
    look(p, NULL);
    assert_string_equal(p->out.failure, "it changed more than 64 files");
}

static void test_too_large(void **state) {
    struct pair *p = *state;
    _cleanup_free_ char *big = calloc(1, EDIT_CONTENT_MAX + 1);
    put(p->after, "a.c", big, EDIT_CONTENT_MAX);
    look(p, NULL);
    assert_null(p->out.failure);
    assert_int_equal(p->out.count, 1);
    put(p->after, "a.c", big, EDIT_CONTENT_MAX + 1);
    look(p, NULL);
    assert_string_equal(p->out.failure, "a.c has become larger than 1048576 bytes");
}

static void test_too_large_together(void **state) {
    struct pair *p = *state;
    _cleanup_free_ char *big = calloc(1, EDIT_CONTENT_MAX);
    for (int i = 0; i < 5; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d.c", i);
        put(p->after, name, big, EDIT_CONTENT_MAX);
    }
    look(p, NULL);
    assert_string_equal(p->out.failure, "what it wrote is larger than 4194304 bytes together");
}

static void test_dropped_are_counted(void **state) {
    struct pair *p = *state;
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d.o", i);
        text(p->after, name, "x");
    }
    look(p, NULL);
    assert_int_equal(p->out.count, 0);
    assert_int_equal(p->out.dropped_count, 100);
    assert_int_equal(strv_len(p->out.dropped), 32);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_changes),
        TEST(test_what_may_be_missing_is_not_deleted),
        TEST(test_links_of_before),
        TEST(test_too_many),
        TEST(test_too_large),
        TEST(test_too_large_together),
        TEST(test_dropped_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
