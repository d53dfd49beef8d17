#include "common/file.h"

#include "common/cleanup.h"
#include "common/digest.h"

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

struct place {
    char path[64];
    int fd;
};

static int make_place(void **state) {
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->path, "/tmp/paddock-test-XXXXXX");
    if (!p || !mkdtemp(p->path)) return -1;
    p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = p;
    return p->fd < 0 ? -1 : 0;
}

static int remove_place(void **state) {
    struct place *p = *state;
    close(p->fd);
    int r = tree_remove(p->path, NULL);
    free(p);
    return r;
}

static void write_file(int dir, const char *name, const char *text) {
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, text, strlen(text)), 0);
    close(fd);
}

static void atomic_write_replaces_whole(void **state) {
    struct place *p = *state;
    _cleanup_error_ struct error err = {0};
    assert_int_equal(file_write_atomic_at(p->fd, "f", "one", 3, 0600, &err), 0);
    assert_int_equal(file_write_atomic_at(p->fd, "f", "two!", 4, 0600, &err), 0);
    _cleanup_buf_ struct buf text = {0};
    assert_int_equal(file_read_at(p->fd, "f", 100, &text, &err), 0);
    assert_string_equal(buf_text(&text), "two!");
}

static void reads_are_capped_and_name_the_file(void **state) {
    struct place *p = *state;
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf text = {0};
    write_file(p->fd, "f", "12345");
    assert_int_equal(file_read_at(p->fd, "f", 4, &text, &err), -1);
    assert_string_equal(error_text(&err), "f: larger than the 4 bytes allowed");
    assert_int_equal(err.kind, ERROR_LIMIT);
    assert_int_equal(file_read_at(p->fd, "none", 4, &text, &err), -1);
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
}

static void a_fifo_does_not_block_a_read(void **state) {
    struct place *p = *state;
    assert_int_equal(mkfifoat(p->fd, "fifo", 0600), 0);
    _cleanup_buf_ struct buf text = {0};
    /* No writer: end of file at once, not a wait. */
    assert_int_equal(file_read_at(p->fd, "fifo", 10, &text, NULL), 0);
    assert_int_equal(text.len, 0);
}

static void removal_follows_no_link(void **state) {
    struct place *p = *state;
    assert_int_equal(mkdirat(p->fd, "outside", 0755), 0);
    assert_int_equal(mkdirat(p->fd, "t", 0755), 0);
    write_file(p->fd, "outside/keep", "x");
    assert_int_equal(symlinkat("../outside", p->fd, "t/link"), 0);
    _cleanup_error_ struct error err = {0};
    assert_int_equal(tree_remove_at(p->fd, "t", &err), 0);
    assert_int_equal(faccessat(p->fd, "t", F_OK, AT_SYMLINK_NOFOLLOW), -1);
    assert_int_equal(faccessat(p->fd, "outside/keep", F_OK, 0), 0);
    assert_int_equal(tree_remove_at(p->fd, "t", &err), 0);
}

static void removal_copes_with_depth_and_modes(void **state) {
    struct place *p = *state;
    int at = dup(p->fd);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(mkdirat(at, "d", 0755), 0);
        write_file(at, "file", "x");
        int next = openat(at, "d", O_RDONLY | O_DIRECTORY);
        assert_true(next >= 0);
        close(at);
        at = next;
    }
    assert_int_equal(fchmod(at, 0), 0);
    close(at);
    _cleanup_error_ struct error err = {0};
    if (tree_remove_at(p->fd, "d", &err) < 0) fail_msg("%s", error_text(&err));
    assert_int_equal(faccessat(p->fd, "d", F_OK, 0), -1);
}

static void copies_keep_links_as_links(void **state) {
    struct place *p = *state;
    assert_int_equal(mkdirat(p->fd, "a", 0755), 0);
    assert_int_equal(mkdirat(p->fd, "a/sub", 0700), 0);
    assert_int_equal(mkdirat(p->fd, "b", 0755), 0);
    write_file(p->fd, "a/sub/f", "hello");
    assert_int_equal(fchmodat(p->fd, "a/sub/f", 04755, 0), 0);
    assert_int_equal(symlinkat("/etc/passwd", p->fd, "a/l"), 0);
    _cleanup_close_ int a = openat(p->fd, "a", O_RDONLY | O_DIRECTORY);
    _cleanup_close_ int b = openat(p->fd, "b", O_RDONLY | O_DIRECTORY);
    struct tree_stats stats = {0};
    _cleanup_error_ struct error err = {0};
    if (tree_copy(a, b, &stats, &err) < 0) fail_msg("%s", error_text(&err));
    assert_int_equal(stats.files, 1);
    assert_int_equal(stats.bytes, 5);
    struct stat st;
    assert_int_equal(fstatat(b, "sub/f", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0755); /* no setuid bit */
    assert_int_equal(fstatat(b, "l", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(mkfifoat(p->fd, "a/fifo", 0600), 0);
    assert_int_equal(mkdirat(p->fd, "c", 0755), 0);
    _cleanup_close_ int c = openat(p->fd, "c", O_RDONLY | O_DIRECTORY);
    assert_int_equal(tree_copy(a, c, NULL, &err), -1);
    assert_non_null(strstr(error_text(&err), "fifo: neither file, folder nor link"));
}

static void beneath_means_beneath(void **state) {
    struct place *p = *state;
    assert_int_equal(symlinkat("/etc", p->fd, "etc"), 0);
    assert_int_equal(open_beneath(p->fd, "etc/passwd", O_RDONLY, 0), -1);
    assert_int_equal(open_beneath(p->fd, "../..", O_RDONLY, 0), -1);
    assert_int_equal(open_beneath(p->fd, "/etc/passwd", O_RDONLY, 0), -1);
    write_file(p->fd, "f", "x");
    _cleanup_close_ int fd = open_beneath(p->fd, "f", O_RDONLY, 0);
    assert_true(fd >= 0);
}

static void confined_paths(void **state) {
    (void)state;
    const char *good[] = {"a", "a/b", "..a", "a..", ".hidden"};
    const char *bad[] = {"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/./b"};
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) assert_true(path_is_confined(good[i]));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) assert_false(path_is_confined(bad[i]));
    assert_false(path_is_confined(NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(atomic_write_replaces_whole, make_place, remove_place),
        cmocka_unit_test_setup_teardown(reads_are_capped_and_name_the_file, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(a_fifo_does_not_block_a_read, make_place, remove_place),
        cmocka_unit_test_setup_teardown(removal_follows_no_link, make_place, remove_place),
        cmocka_unit_test_setup_teardown(removal_copes_with_depth_and_modes, make_place,
                                        remove_place),
        cmocka_unit_test_setup_teardown(copies_keep_links_as_links, make_place, remove_place),
        cmocka_unit_test_setup_teardown(beneath_means_beneath, make_place, remove_place),
        cmocka_unit_test(confined_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
