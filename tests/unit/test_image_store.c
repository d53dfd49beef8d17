#include "images/store.h"

#include "common/cleanup.h"
#include "common/file.h"
#include "images/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

/* A scratch folder: a tree to make tarballs of, and a store beside it. */
struct place {
    char path[64], store[80], tarball[80];
    int fd, tree;
};

static int make_place(void **state) {
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->path, "/tmp/test-images-XXXXXX");
    if (!mkdtemp(p->path)) return -1;
    snprintf(p->store, sizeof p->store, "%s/state/images", p->path);
    snprintf(p->tarball, sizeof p->tarball, "%s/t.tar.zst", p->path);
    p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(p->fd, "tree", 0755) < 0 || mkdirat(p->fd, "tree/usr", 0755) < 0) return -1;
    p->tree = openat(p->fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = p;
    return file_write_atomic_at(p->tree, "usr/tool", "#!/bin/sh\n", 10, 0755, NULL);
}

static int drop_place(void **state) {
    struct place *p = *state;
    close(p->tree);
    close(p->fd);
    int r = tree_remove(p->path, NULL);
    free(p);
    return r;
}

static void make_tarball(struct place *p) {
    _cleanup_error_ struct error err = {0};
    char sha256[DIGEST_HEX];
    unlinkat(p->fd, "t.tar.zst", 0);
    if (archive_pack_file(p->tree, p->fd, "t.tar.zst", &ARCHIVE_LIMITS_SNAPSHOT, sha256, &err) < 0)
        fail_msg("%s", error_text(&err));
}

static void import(struct place *p, const char *name, char digest[DIGEST_HEX]) {
    _cleanup_error_ struct error err = {0};
    _cleanup_image_ struct image image = {0};
    if (image_import(p->store, p->tarball, name, &image, &err) < 0)
        fail_msg("%s", error_text(&err));
    if (digest) memcpy(digest, image.digest, DIGEST_HEX);
}

static size_t count_in(struct place *p, const char *folder) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", p->store, folder);
    _cleanup_closedir_ DIR *d = opendir(path);
    size_t n = 0;
    while (d && readdir(d)) n++;
    return d ? n - 2 : 0;
}

static void refused(struct place *p, const char *name, const char *text) {
    _cleanup_error_ struct error err = {0};
    assert_int_equal(image_import(p->store, p->tarball, name, NULL, &err), -1);
    if (!strstr(error_text(&err), text)) fail_msg("\"%s\", not \"%s\"", error_text(&err), text);
    assert_int_equal(count_in(p, "rootfs"), 0);
    assert_int_equal(count_in(p, "names"), 0);
}

static void resolves(struct place *p, const char *ref, const char *name, const char *digest) {
    _cleanup_error_ struct error err = {0};
    _cleanup_image_ struct image image = {0};
    char expected[200];
    if (image_resolve(p->store, ref, &image, &err) < 0) fail_msg("%s", error_text(&err));
    assert_string_equal(image.digest, digest);
    if (name) assert_string_equal(image.name, name);
    else assert_null(image.name);
    snprintf(expected, sizeof expected, "%s/rootfs/%s", p->store, digest);
    assert_string_equal(image.location, expected);
}

static void unresolved(struct place *p, const char *ref, enum error_kind kind) {
    _cleanup_error_ struct error err = {0};
    _cleanup_image_ struct image image = {0};
    assert_int_equal(image_resolve(p->store, ref, &image, &err), -1);
    assert_int_equal(err.kind, kind);
}

static void imported_images_are_found(void **state) {
    struct place *p = *state;
    char digest[DIGEST_HEX], prefixed[80], file[DIGEST_HEX];
    unresolved(p, "debian", ERROR_NOT_FOUND);
    make_tarball(p);
    import(p, "debian", digest);
    _cleanup_close_ int fd = open(p->tarball, O_RDONLY | O_CLOEXEC);
    assert_int_equal(digest_fd(fd, file, NULL), 0);
    assert_string_equal(digest, file);
    resolves(p, "debian", "debian", digest);
    resolves(p, digest, "debian", digest);
    snprintf(prefixed, sizeof prefixed, "sha256:%s", digest);
    resolves(p, prefixed, "debian", digest);
    unresolved(p, "other", ERROR_NOT_FOUND);
    unresolved(p, "../names/debian", ERROR_INVALID);
    unresolved(p, "", ERROR_INVALID);
    digest[0] = digest[0] == '0' ? '1' : '0';
    unresolved(p, digest, ERROR_NOT_FOUND);
}

static void lists_are_sorted_and_complete(void **state) {
    struct place *p = *state;
    _cleanup_error_ struct error err = {0};
    struct image *images;
    size_t count;
    make_tarball(p);
    import(p, "zeta", NULL);
    import(p, "alpha", NULL);
    assert_int_equal(count_in(p, "rootfs"), 1);
    assert_int_equal(image_list(p->store, &images, &count, &err), 0);
    assert_int_equal(count, 3);
    assert_string_equal(images[0].name, "host");
    assert_string_equal(images[1].name, "alpha");
    assert_string_equal(images[2].name, "zeta");
    assert_int_equal(images[1].files, 1);
    assert_int_equal(images[1].bytes, 10);
    assert_string_equal(images[1].source, p->tarball);
    assert_int_equal(strlen(images[1].imported_at), 24);
    _cleanup_json_writer_ struct json_writer *w = json_writer_new(false);
    image_encode(&images[1], w, NULL);
    assert_non_null(strstr(json_writer_text(w, NULL), "\"name\":\"alpha\",\"location\":\"/tmp/"));
    image_list_free(images, count);
}

static void the_host_is_an_image(void **state) {
    struct place *p = *state;
    _cleanup_error_ struct error err = {0};
    _cleanup_image_ struct image a = {0}, b = {0};
    assert_int_equal(image_resolve(p->store, "host", &a, &err), 0);
    assert_int_equal(image_resolve(p->store, "host", &b, &err), 0);
    assert_string_equal(a.location, "host");
    assert_string_equal(a.digest, b.digest);
    assert_int_equal(image_remove(p->store, "host", &err), -1);
    assert_int_equal(err.kind, ERROR_DENIED);
    refused(p, "host", "\"host\" always is this machine's own image");
}

static void a_name_can_move_to_another_image(void **state) {
    struct place *p = *state;
    char first[DIGEST_HEX], second[DIGEST_HEX];
    make_tarball(p);
    import(p, "debian", first);
    assert_int_equal(file_write_atomic_at(p->tree, "usr/more", "x", 1, 0644, NULL), 0);
    make_tarball(p);
    import(p, "debian", second);
    assert_string_not_equal(first, second);
    resolves(p, "debian", "debian", second);
    resolves(p, first, NULL, first);
}

static void bad_names_are_refused(void **state) {
    struct place *p = *state;
    make_tarball(p);
    static const char *const names[] = {"", "Debian", "../x", "a/b", ".hidden", "a b"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) refused(p, names[i], "cannot name an image");
    char digest[DIGEST_HEX];
    digest_hex_of("", 0, digest);
    refused(p, digest, "a name must not look like a digest");
}

static void links_for_mount_points_are_refused(void **state) {
    struct place *p = *state;
    static const char *const names[] = {"proc", "sys", "dev", "tmp", "etc", "run", "work", "data"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char text[80];
        assert_int_equal(symlinkat("usr", p->tree, names[i]), 0);
        make_tarball(p);
        snprintf(text, sizeof text,
                 "/%s in the image is a symbolic link; it must be a folder or absent", names[i]);
        refused(p, "bad", text);
        unlinkat(p->tree, names[i], 0);
    }
    assert_int_equal(file_write_atomic_at(p->tree, "proc", "", 0, 0644, NULL), 0);
    make_tarball(p);
    refused(p, "bad", "/proc in the image is not a folder");
}

static void what_is_no_root_filesystem_is_refused(void **state) {
    struct place *p = *state;
    refused(p, "x", "t.tar.zst: No such file or directory");
    assert_int_equal(file_write_atomic(p->tarball, "junk", 4, 0644, NULL), 0);
    refused(p, "x", "import of image x: /tmp/");
    assert_int_equal(tree_remove_at(p->tree, "usr", NULL), 0);
    make_tarball(p);
    refused(p, "x", "the image holds no file");
    assert_int_equal(file_write_atomic_at(p->tree, "manifest.json", "[]", 2, 0644, NULL), 0);
    make_tarball(p);
    refused(p, "x", "make one with \"docker export\"");
}

static void gc_removes_what_has_no_name(void **state) {
    struct place *p = *state;
    _cleanup_error_ struct error err = {0};
    struct image_gc_stats stats;
    char digest[DIGEST_HEX];
    assert_int_equal(image_gc(p->store, NULL, &stats, &err), 0);
    make_tarball(p);
    import(p, "a", digest);
    import(p, "b", NULL);
    assert_int_equal(image_remove(p->store, "a", &err), 0);
    assert_int_equal(image_remove(p->store, "a", &err), -1);
    assert_int_equal(err.kind, ERROR_NOT_FOUND);
    assert_int_equal(image_gc(p->store, NULL, &stats, &err), 0);
    assert_int_equal(stats.images, 0);
    resolves(p, "b", "b", digest);
    assert_int_equal(image_remove(p->store, digest, &err), 0);
    resolves(p, digest, NULL, digest);
    char *keep[] = {digest, NULL};
    assert_int_equal(image_gc(p->store, keep, &stats, &err), 0);
    assert_int_equal(stats.images, 0);
    assert_int_equal(image_gc(p->store, NULL, &stats, &err), 0);
    assert_int_equal(stats.images, 1);
    assert_int_equal(stats.bytes, 10);
    assert_int_equal(count_in(p, "rootfs"), 0);
}

static void gc_waits_for_no_import(void **state) {
    struct place *p = *state;
    _cleanup_error_ struct error err = {0};
    char path[128];
    make_tarball(p);
    import(p, "a", NULL);
    snprintf(path, sizeof path, "%s/rootfs/.new-left", p->store);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/lock", p->store);
    int lock = open(path, O_RDONLY | O_CLOEXEC);
    assert_int_equal(flock(lock, LOCK_SH), 0);
    assert_int_equal(image_gc(p->store, NULL, NULL, &err), -1);
    assert_int_equal(err.kind, ERROR_BUSY);
    assert_int_equal(count_in(p, "rootfs"), 2);
    close(lock);
    assert_int_equal(image_gc(p->store, NULL, NULL, &err), 0);
    assert_int_equal(count_in(p, "rootfs"), 1);
}

static void a_damaged_record_removes_nothing(void **state) {
    struct place *p = *state;
    _cleanup_error_ struct error err = {0};
    struct image *images;
    size_t count;
    char path[128];
    make_tarball(p);
    import(p, "a", NULL);
    snprintf(path, sizeof path, "%s/names/a.json", p->store);
    assert_int_equal(file_write_atomic(path, "{\"digest\": 1}", 13, 0644, NULL), 0);
    assert_int_equal(image_gc(p->store, NULL, NULL, &err), -1);
    assert_int_equal(count_in(p, "rootfs"), 1);
    assert_int_equal(image_list(p->store, &images, &count, &err), 0);
    assert_int_equal(count, 1);
    image_list_free(images, count);
    unresolved(p, "a", ERROR_INVALID);
}

static void imports_at_once_agree(void **state) {
    struct place *p = *state;
    make_tarball(p);
    pid_t children[4];
    for (int i = 0; i < 4; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%d", i);
        children[i] = fork();
        if (children[i] == 0) _exit(image_import(p->store, p->tarball, name, NULL, NULL) ? 1 : 0);
    }
    for (int i = 0; i < 4; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(count_in(p, "rootfs"), 1);
    assert_int_equal(count_in(p, "names"), 4);
}

int main(void) {
    setenv("PADDOCK_LOG", "error", 1);
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, drop_place)
    const struct CMUnitTest tests[] = {
        TEST(imported_images_are_found),
        TEST(lists_are_sorted_and_complete),
        TEST(the_host_is_an_image),
        TEST(a_name_can_move_to_another_image),
        TEST(bad_names_are_refused),
        TEST(links_for_mount_points_are_refused),
        TEST(what_is_no_root_filesystem_is_refused),
        TEST(gc_removes_what_has_no_name),
        TEST(gc_waits_for_no_import),
        TEST(a_damaged_record_removes_nothing),
        TEST(imports_at_once_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
