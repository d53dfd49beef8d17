#include "images/archive.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "images/listing.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

/* A scratch folder with an empty tree in it. */
struct place {
    char path[64];
    int fd, tree;
};

static int make_place(void **state) {
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->path, "/tmp/test-archive-XXXXXX");
    if (!mkdtemp(p->path)) return -1;
    p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(p->fd, "tree", 0755) < 0) return -1;
    p->tree = openat(p->fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = p;
    return p->fd < 0 || p->tree < 0 ? -1 : 0;
}

static int drop_place(void **state) {
    struct place *p = *state;
    close(p->tree);
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

static int new_folder(int dirfd, const char *name) {
    assert_int_equal(mkdirat(dirfd, name, 0755), 0);
    int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

static void pack(struct place *p, int tree, const char *name, char sha256[DIGEST_HEX]) {
    _cleanup_error_ struct error err = {0};
    if (archive_pack_file(tree, p->fd, name, &ARCHIVE_LIMITS_SNAPSHOT, sha256, &err) < 0)
        fail_msg("%s", error_text(&err));
}

static void unpack(struct place *p, const char *name, const char *into) {
    _cleanup_error_ struct error err = {0};
    _cleanup_close_ int fd = openat(p->fd, name, O_RDONLY | O_CLOEXEC);
    struct archive_stats stats;
    if (archive_unpack_into_new(fd, p->fd, into, &ARCHIVE_LIMITS_SNAPSHOT, &stats, &err) < 0)
        fail_msg("%s", error_text(&err));
}

static void digest_of(struct place *p, const char *name, char hex[DIGEST_HEX]) {
    _cleanup_error_ struct error err = {0};
    _cleanup_close_ int fd = openat(p->fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tree_digest(fd, 1000, hex, &err) < 0) fail_msg("%s", error_text(&err));
}

/* 200 bytes a component: names that no plain tar header holds. */
static void make_deep(int tree) {
    char name[201];
    memset(name, 'd', 200);
    name[200] = '\0';
    int at = new_folder(tree, name);
    int deeper = new_folder(at, name);
    put(deeper, "leaf", "leaf\n", 0644);
    close(at);
    close(deeper);
}

static void fill(int tree, bool reversed) {
    static const struct {
        const char *path, *text;
        mode_t mode;
    } files[] = {
        {"b", "two\n", 0644},
        {"a/x", "one\n", 0600},
        {"a.c", "", 0664},
        {"run", "#!/bin/sh\n", 0711},
        {"a/\xc3\xa9", "composed\n", 0644},
        {"a/e\xcc\x81", "decomposed\n", 0644},
    };
    assert_int_equal(mkdirat(tree, "a", 0700), 0);
    assert_int_equal(mkdirat(tree, "empty", 0755), 0);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        size_t k = reversed ? ARRAY_SIZE(files) - 1 - i : i;
        put(tree, files[k].path, files[k].text, files[k].mode);
    }
    assert_int_equal(symlinkat("../b", tree, "a/link"), 0);
    make_deep(tree);
}

static void same_tree_gives_same_bytes(void **state) {
    struct place *p = *state;
    char first[DIGEST_HEX], again[DIGEST_HEX], copy[DIGEST_HEX];
    fill(p->tree, false);
    pack(p, p->tree, "1.tar.zst", first);
    pack(p, p->tree, "2.tar.zst", again);
    assert_string_equal(first, again);
    _cleanup_close_ int other = new_folder(p->fd, "other");
    fill(other, true);
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(other, "b", old, 0), 0);
    assert_int_equal(utimensat(other, "a", old, 0), 0);
    assert_int_equal(fchmodat(other, "a.c", 0604, 0), 0);
    pack(p, other, "3.tar.zst", copy);
    assert_string_equal(first, copy);
    _cleanup_close_ int fd = openat(p->fd, "1.tar.zst", O_RDONLY | O_CLOEXEC);
    char file[DIGEST_HEX];
    assert_int_equal(digest_fd(fd, file, NULL), 0);
    assert_string_equal(first, file);
    put(other, "b", "2wo\n", 0644);
    pack(p, other, "4.tar.zst", copy);
    assert_string_not_equal(first, copy);
}

static void locale_does_not_change_bytes(void **state) {
    struct place *p = *state;
    char plain[DIGEST_HEX], utf8[DIGEST_HEX], before[DIGEST_HEX], after[DIGEST_HEX];
    fill(p->tree, false);
    pack(p, p->tree, "1.tar.zst", plain);
    if (!setlocale(LC_ALL, "C.UTF-8")) {
        print_message("skip - this system has no locale C.UTF-8\n");
        skip();
    }
    pack(p, p->tree, "2.tar.zst", utf8);
    unpack(p, "2.tar.zst", "back");
    setlocale(LC_ALL, "C");
    assert_string_equal(plain, utf8);
    digest_of(p, "tree", before);
    digest_of(p, "back", after);
    assert_string_equal(before, after);
}

static void trees_come_back(void **state) {
    struct place *p = *state;
    char sha256[DIGEST_HEX], before[DIGEST_HEX], after[DIGEST_HEX], repacked[DIGEST_HEX];
    fill(p->tree, false);
    pack(p, p->tree, "t.tar.zst", sha256);
    unpack(p, "t.tar.zst", "back");
    digest_of(p, "tree", before);
    digest_of(p, "back", after);
    assert_string_equal(before, after);
    struct stat st;
    assert_int_equal(fstatat(p->fd, "back/empty", &st, 0), 0);
    assert_true(S_ISDIR(st.st_mode));
    assert_int_equal(fstatat(p->fd, "back/run", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    char target[16] = {0};
    assert_int_equal(readlinkat(p->fd, "back/a/link", target, sizeof target), 4);
    assert_string_equal(target, "../b");
    _cleanup_close_ int back = openat(p->fd, "back", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pack(p, back, "r.tar.zst", repacked);
    assert_string_equal(sha256, repacked);
}

static void an_empty_tree_comes_back(void **state) {
    struct place *p = *state;
    char sha256[DIGEST_HEX];
    pack(p, p->tree, "t.tar.zst", sha256);
    unpack(p, "t.tar.zst", "back");
}

static void stats_name_the_archive(void **state) {
    struct place *p = *state;
    _cleanup_error_ struct error err = {0};
    char sha256[DIGEST_HEX];
    put(p->tree, "a", "12345", 0644);
    put(p->tree, "b", "678", 0644);
    pack(p, p->tree, "t.tar.zst", sha256);
    _cleanup_close_ int fd = openat(p->fd, "t.tar.zst", O_RDONLY | O_CLOEXEC);
    _cleanup_close_ int to = new_folder(p->fd, "back");
    struct archive_stats stats;
    assert_int_equal(archive_unpack(fd, to, &ARCHIVE_LIMITS_SNAPSHOT, &stats, &err), 0);
    assert_int_equal(stats.files, 2);
    assert_int_equal(stats.bytes, 8);
    assert_string_equal(stats.sha256, sha256);
}

static void plain_tar_can_unpack_it(void **state) {
    struct place *p = *state;
    char sha256[DIGEST_HEX], before[DIGEST_HEX], after[DIGEST_HEX];
    if (system("command -v tar >/dev/null && command -v zstd >/dev/null") != 0) {
        print_message("skipped: tar or zstd is not installed\n");
        skip();
    }
    fill(p->tree, false);
    pack(p, p->tree, "t.tar.zst", sha256);
    char command[256];
    snprintf(command, sizeof command,
             "cd %s && mkdir back && out=$(tar --zstd -xf t.tar.zst -C back 2>&1) && test -z "
             "\"$out\"",
             p->path);
    assert_int_equal(system(command), 0);
    digest_of(p, "tree", before);
    digest_of(p, "back", after);
    assert_string_equal(before, after);
}

/* What others write: tar with "./" in front, owners, times, every compression. */
static void archives_of_gnu_tar_are_read(void **state) {
    struct place *p = *state;
    static const char *const flags[] = {"", "-z", "-J", "-j", "--zstd", "--format=ustar"};
    char before[DIGEST_HEX], after[DIGEST_HEX];
    make_deep(p->tree);
    put(p->tree, "s", "sparse", 0644);
    assert_int_equal(symlinkat("s", p->tree, "l"), 0);
    _cleanup_close_ int fd = openat(p->tree, "s", O_WRONLY | O_CLOEXEC);
    assert_int_equal(ftruncate(fd, 1 << 20), 0);
    assert_int_equal(pwrite(fd, "end", 3, (1 << 20) - 3), 3);
    digest_of(p, "tree", before);
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        char command[256], name[16];
        snprintf(command, sizeof command, "cd %s && tar %s %s -cf t.tar -C tree . 2>/dev/null",
                 p->path, flags[i], i == 5 ? "--exclude=ddd*" : "-S");
        if (system(command) != 0) {
            print_message("tar %s is not possible here\n", flags[i]);
            continue;
        }
        snprintf(name, sizeof name, "back%zu", i);
        unpack(p, "t.tar", name);
        digest_of(p, name, after);
        if (i != 5) assert_string_equal(before, after);
    }
}

static void pack_refused(struct place *p, enum error_kind kind, const char *text) {
    _cleanup_error_ struct error err = {0};
    char sha256[DIGEST_HEX];
    struct archive_limits limits = {.bytes = 100, .file_bytes = 60, .entries = 4};
    assert_int_equal(archive_pack_file(p->tree, p->fd, "t", &limits, sha256, &err), -1);
    assert_string_equal(error_text(&err), text);
    assert_int_equal(err.kind, kind);
    assert_int_equal(faccessat(p->fd, "t", F_OK, 0), -1);
}

static void what_does_not_belong_is_named(void **state) {
    struct place *p = *state;
    static const char *const targets[] = {"/etc/passwd", "../x", "a/../../x", "", ".."};
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        if (symlinkat(targets[i], p->tree, "l") < 0) continue;
        pack_refused(p, ERROR_INVALID, "l: is a symbolic link that leaves the tree");
        unlinkat(p->tree, "l", 0);
    }
    assert_int_equal(mkfifoat(p->tree, "pipe", 0600), 0);
    pack_refused(p, ERROR_INVALID, "pipe: is neither a file, a folder nor a symbolic link");
    unlinkat(p->tree, "pipe", 0);
    put(p->tree, "a\nb", "", 0644);
    pack_refused(p, ERROR_INVALID, "a\\x0ab: has a control character");
    unlinkat(p->tree, "a\nb", 0);
    put(p->tree, "\xff", "", 0644);
    pack_refused(p, ERROR_INVALID, "\\xff: is not UTF-8");
    unlinkat(p->tree, "\xff", 0);
}

static void limits_hold_when_packing(void **state) {
    struct place *p = *state;
    char text[62];
    memset(text, 'x', 61);
    text[61] = '\0';
    put(p->tree, "a", text, 0644);
    pack_refused(p, ERROR_LIMIT, "a: larger than the 60 bytes allowed");
    put(p->tree, "a", text + 1, 0644);
    put(p->tree, "b", text + 1, 0644);
    pack_refused(p, ERROR_LIMIT, "files of 120 bytes together, 100 allowed");
    for (char name[] = "c"; name[0] < 'h'; name[0]++) put(p->tree, name, "", 0644);
    pack_refused(p, ERROR_LIMIT, "more than 4 files and folders");
}

static void depth_is_bounded_when_packing(void **state) {
    struct place *p = *state;
    int at = fcntl(p->tree, F_DUPFD_CLOEXEC, 0);
    for (int i = 0; i < 100; i++) {
        int next = new_folder(at, "d");
        close(at);
        at = next;
    }
    close(at);
    _cleanup_error_ struct error err = {0};
    char sha256[DIGEST_HEX];
    assert_int_equal(archive_pack_file(p->tree, p->fd, "t", &ARCHIVE_LIMITS_SNAPSHOT, sha256, &err),
                     -1);
    assert_non_null(strstr(error_text(&err), "d/d: is nested deeper than 64"));
}

static void links_inside_are_told_from_others(void **state) {
    (void)state;
    assert_true(link_stays_inside("l", "a"));
    assert_true(link_stays_inside("a/l", "../b/./c//d"));
    assert_true(link_stays_inside("a/b/l", "../../c"));
    assert_false(link_stays_inside("a/b/l", "../../../c"));
    /* "s" may be a link to a folder further up: s/.. is not where it looks. */
    assert_false(link_stays_inside("d/e/l", "s/../foo"));
    assert_false(link_stays_inside("l", "a/.."));
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, drop_place)
    const struct CMUnitTest tests[] = {
        TEST(same_tree_gives_same_bytes),
        TEST(locale_does_not_change_bytes),
        TEST(trees_come_back),
        TEST(an_empty_tree_comes_back),
        TEST(stats_name_the_archive),
        TEST(plain_tar_can_unpack_it),
        TEST(archives_of_gnu_tar_are_read),
        TEST(what_does_not_belong_is_named),
        TEST(limits_hold_when_packing),
        TEST(depth_is_bounded_when_packing),
        cmocka_unit_test(links_inside_are_told_from_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
