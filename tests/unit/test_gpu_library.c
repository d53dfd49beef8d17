/* The driver's libraries, found and looked at on a machine of the test's making. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/gpu_loan.h"

#include <elf.h>
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

#define DRIVER "570.86.15"
#if defined __aarch64__
#define FOLDER "/usr/lib/aarch64-linux-gnu"
#else
#define FOLDER "/usr/lib/x86_64-linux-gnu"
#endif
#define CUDA FOLDER "/libcuda.so." DRIVER

static char root[64];
static struct buf image; /* the library that stands in */

static const char *at(const char *path) {
    static char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    return full;
}

static void put(const char *path, const void *data, size_t len) {
    unlink(at(path));
    _cleanup_close_ int fd = open(at(path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    assert_true(fd >= 0 && write_all(fd, data, len) == 0);
}

static void put_library(const char *path) {
    put(path, image.data, image.len);
}

static int set_up(void **state) {
    (void)state;
    snprintf(root, sizeof root, "/tmp/paddock-libraries-XXXXXX");
    if (!mkdtemp(root) || setenv("PADDOCK_GPU_ROOT", root, 1) < 0) return -1;
    if (dir_make(at(FOLDER), 0755, NULL) < 0 || dir_make(at("/etc"), 0755, NULL) < 0) return -1;
    if (dir_make(at("/opt"), 0755, NULL) < 0) return -1;
    return image.len ? 0 : file_read(STAND_IN, 1 << 20, &image, NULL);
}

static int tear_down(void **state) {
    (void)state;
    unsetenv("PADDOCK_GPU_ROOT");
    return tree_remove(root, NULL);
}

static bool needs_root(void) {
    if (geteuid() == 0) return false;
    print_message("files of root's are needed\n");
    return true;
}

static int find(struct gpu_loan *loan, struct error *err) {
    *loan = (struct gpu_loan){.inventory = {.driver = DRIVER}};
    return gpu_find_libraries(loan, false, err);
}

static void found(const char *source, size_t count) {
    _cleanup_gpu_loan_ struct gpu_loan loan;
    _cleanup_error_ struct error err = {0};
    struct stat st;
    if (find(&loan, &err) < 0) fail_msg("%s", error_text(&err));
    assert_int_equal(loan.library_count, count);
    for (size_t i = 0; i < count; i++) {
        const struct gpu_file *f = &loan.libraries[i];
        assert_true(str_starts(f->target, GPU_LIBRARIES "/lib"));
        assert_true(str_ends(f->target, ".so." DRIVER));
        assert_true(str_starts(f->source, root));
        assert_int_equal(stat(f->source, &st), 0);
        assert_true(st.st_dev == f->device && st.st_ino == f->inode);
    }
    assert_string_equal(loan.libraries[0].source, at(source));
}

static void refused(const char *file, const char *why) {
    _cleanup_gpu_loan_ struct gpu_loan loan;
    _cleanup_error_ struct error err = {0};
    assert_int_equal(find(&loan, &err), -1);
    if (!strstr(error_text(&err), why) || !strstr(error_text(&err), file))
        fail_msg("\"%s\" lacks \"%s\" or \"%s\"", error_text(&err), why, file);
}

/* A cache of one entry. */
static void put_cache(const char *name, const char *path) {
    _cleanup_buf_ struct buf b = {0};
    uint32_t strings = (uint32_t)(strlen(name) + strlen(path) + 2), first = 48 + 24;
#if defined __aarch64__
    uint32_t flags = 0x0a03;
#else
    uint32_t flags = 0x0303;
#endif
    const uint32_t head[] = {
        1, strings, 2, 0, 0, 0, 0, flags, first, first + (uint32_t)strlen(name) + 1, 0, 0, 0};
    buf_puts(&b, "glibc-ld.so.cache1.1");
    buf_append(&b, head, sizeof head);
    buf_append(&b, name, strlen(name) + 1);
    buf_append(&b, path, strlen(path) + 1);
    put("/etc/ld.so.cache", b.data, b.len);
}

static void the_usual_folders(void **state) {
    (void)state;
    if (needs_root()) skip();
    put_library(CUDA);
    put_library(FOLDER "/libnvidia-ml.so." DRIVER);
    put_library(FOLDER "/libnvidia-ml.so.470.1.2");
    put_library(FOLDER "/libnvidia-opencl.so." DRIVER);
    put_library(FOLDER "/libcuda.so." DRIVER ".1");
    found(CUDA, 2);
}

static void the_cache_leads_through_links_within_the_root(void **state) {
    (void)state;
    if (needs_root()) skip();
    put_library("/opt/libcuda.so." DRIVER);
    put_cache("libcuda.so.1", "/opt/libcuda.so.1");
    assert_int_equal(symlink("/opt/libcuda.so." DRIVER, at("/opt/libcuda.so.1")), 0);
    found("/opt/libcuda.so." DRIVER, 1);
}

static void the_cache_goes_before_the_folders(void **state) {
    (void)state;
    if (needs_root()) skip();
    put_library("/opt/libcuda.so." DRIVER);
    put_library(CUDA);
    put_cache("libcuda.so.1", "/opt/libcuda.so." DRIVER);
    found("/opt/libcuda.so." DRIVER, 1);
}

static void another_drivers_is_passed_over(void **state) {
    (void)state;
    if (needs_root()) skip();
    put_library("/opt/libcuda.so.470.1.2");
    put_cache("libcuda.so.1", "/opt/libcuda.so.470.1.2");
    refused("libcuda.so." DRIVER, "in no folder");
    put_library(CUDA);
    found(CUDA, 1);
}

static void none_at_all(void **state) {
    (void)state;
    refused("libcuda.so." DRIVER, "in no folder");
}

static void links_do_not_lead_out(void **state) {
    (void)state;
    if (needs_root()) skip();
    char outside[] = "/tmp/libcuda.so." DRIVER;
    _cleanup_buf_ struct buf up = {0};
    for (int i = 0; i < 20; i++) buf_puts(&up, "../");
    buf_puts(&up, outside + 1);
    assert_int_equal(symlink(outside, at(CUDA)), 0);
    refused("libcuda.so." DRIVER, "in no folder");
    unlink(at(CUDA));
    assert_int_equal(symlink(buf_text(&up), at(CUDA)), 0);
    refused("libcuda.so." DRIVER, "in no folder");
    unlink(at(CUDA));
    assert_int_equal(symlink("/proc/self/root" CUDA, at(CUDA)), 0);
    refused("libcuda.so." DRIVER, "in no folder");
    unlink(at(CUDA));
    assert_int_equal(symlink(CUDA, at(CUDA)), 0); /* to itself */
    refused(CUDA, "Too many levels");
}

static void climbing_paths_in_the_cache(void **state) {
    (void)state;
    static const char *const paths[] = {"/usr/../../tmp/libcuda.so.1", "libcuda.so.1",
                                        "/usr//lib/libcuda.so.1", "/usr/./libcuda.so.1", ""};
    if (needs_root()) skip();
    put_library(CUDA);
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        put_cache("libcuda.so.1", paths[i]);
        refused("/etc/ld.so.cache", "libcuda.so is at");
    }
    put_cache("libelse.so.1", "/usr/../x");
    found(CUDA, 1); /* of no interest */
}

static void what_is_no_file_of_roots(void **state) {
    (void)state;
    if (needs_root()) skip();
    put_library(CUDA);
    assert_int_equal(chmod(at(CUDA), 0664), 0);
    refused(CUDA, "others may write");
    assert_int_equal(chmod(at(CUDA), 0646), 0);
    refused(CUDA, "others may write");
    assert_int_equal(chmod(at(CUDA), 0644), 0);
    assert_int_equal(chown(at(CUDA), 12345, 0), 0);
    refused(CUDA, "another than root");
    unlink(at(CUDA));
    assert_int_equal(mkfifo(at(CUDA), 0644), 0); /* must not hold us up */
    refused(CUDA, "no regular file");
    unlink(at(CUDA));
    assert_int_equal(mkdir(at(CUDA), 0755), 0);
    refused(CUDA, "no regular file");
}

static void with_byte(size_t offset, char byte, const char *why) {
    _cleanup_free_ char *copy = malloc(image.len);
    assert_true(copy && offset < image.len);
    memcpy(copy, image.data, image.len);
    copy[offset] = byte;
    put(CUDA, copy, image.len);
    refused(CUDA, why);
}

static void what_is_no_library_of_this_machine(void **state) {
    (void)state;
    if (needs_root()) skip();
    with_byte(0, 'x', "no ELF file");
    with_byte(EI_CLASS, ELFCLASS32, "another class");
    with_byte(EI_DATA, ELFDATA2MSB, "another architecture");
    with_byte(offsetof(Elf64_Ehdr, e_machine), EM_386, "another architecture");
    with_byte(offsetof(Elf64_Ehdr, e_type), ET_REL, "no shared library");
    with_byte(EI_VERSION, 7, "no shared library");
    with_byte(offsetof(Elf64_Ehdr, e_phnum), 0, "no table of segments");
    with_byte(offsetof(Elf64_Ehdr, e_phnum), 100, "no table of segments");
    with_byte(offsetof(Elf64_Ehdr, e_phentsize), 1, "no table of segments");
    with_byte(offsetof(Elf64_Ehdr, e_phoff) + 7, -1, "is cut off");
    with_byte(offsetof(Elf64_Ehdr, e_phoff) + 4, 1, "is cut off");
    put(CUDA, "INPUT(libc.so)", 14);
    refused(CUDA, "too short");
}

static void what_is_cut_off(void **state) {
    (void)state;
    if (needs_root()) skip();
    static const size_t lengths[] = {0, 1, 63, 64, 100, 600, 4096};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        if (lengths[i] > image.len) continue;
        put(CUDA, image.data, lengths[i]);
        refused(CUDA, lengths[i] < 64 ? "too short" : "is cut off");
    }
}

static void a_bad_one_of_the_others_refuses_too(void **state) {
    (void)state;
    if (needs_root()) skip();
    put_library(CUDA);
    put(FOLDER "/libnvidia-ml.so." DRIVER, "x", 1);
    refused("libnvidia-ml.so." DRIVER, "too short");
}

static void a_bad_cache(void **state) {
    (void)state;
    if (needs_root()) skip();
    put_library(CUDA);
    put("/etc/ld.so.cache", "nonsense", 8);
    refused("/etc/ld.so.cache", "no cache of the loader");
    put_cache("libcuda.so.1", CUDA);
    assert_int_equal(chmod(at("/etc/ld.so.cache"), 0666), 0);
    refused("/etc/ld.so.cache", "others cannot write");
    unlink(at("/etc/ld.so.cache"));
    assert_int_equal(mkfifo(at("/etc/ld.so.cache"), 0644), 0);
    refused("/etc/ld.so.cache", "no regular file");
}

static void names(void **state) {
    (void)state;
    char links[2][64];
    assert_int_equal(gpu_library_links("libcuda.so." DRIVER, links), 2);
    assert_string_equal(links[0], "libcuda.so.1");
    assert_string_equal(links[1], "libcuda.so");
    assert_int_equal(gpu_library_links("libnvidia-nvvm.so." DRIVER, links), 2);
    assert_string_equal(links[0], "libnvidia-nvvm.so.4");
    assert_int_equal(gpu_library_links("libnvidia-gpucomp.so." DRIVER, links), 0);
    assert_int_equal(gpu_library_links("libc.so.6", links), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_usual_folders),
        TEST(the_cache_leads_through_links_within_the_root),
        TEST(the_cache_goes_before_the_folders),
        TEST(another_drivers_is_passed_over),
        TEST(none_at_all),
        TEST(links_do_not_lead_out),
        TEST(climbing_paths_in_the_cache),
        TEST(what_is_no_file_of_roots),
        TEST(what_is_no_library_of_this_machine),
        TEST(what_is_cut_off),
        TEST(a_bad_one_of_the_others_refuses_too),
        TEST(a_bad_cache),
        TEST(names),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&image);
    return rc;
}
