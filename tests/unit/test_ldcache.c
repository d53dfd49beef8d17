/* The loader's cache: as ldconfig makes it of libraries that stand in, in each of its
 * formats, and as nobody should make it. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/ldcache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#if defined __aarch64__
enum { OURS = 0x0a03, THEIRS = 0x0303 };
#else
enum { OURS = 0x0303, THEIRS = 0x0a03 };
#endif
enum { HEADER = 48, ENTRY = 24 };

static struct buf seen; /* "name=path\n" of each entry */

static int see(void *context, const char *name, const char *path) {
    (void)context;
    buf_printf(&seen, "%s=%s\n", name, path);
    return 0;
}

static int walk(const struct buf *b, struct error *err) {
    buf_free(&seen);
    /* A copy without a byte behind it, so that a sanitizer sees who reads on. */
    _cleanup_free_ char *exact = malloc(b->len ? b->len : 1);
    assert_non_null(exact);
    if (b->len) memcpy(exact, b->data, b->len);
    return ldcache_walk("cache", exact, b->len, see, NULL, err);
}

static void refused(const struct buf *b, const char *why) {
    _cleanup_error_ struct error err = {0};
    assert_int_equal(walk(b, &err), -1);
    if (!strstr(error_text(&err), why)) fail_msg("\"%s\" lacks \"%s\"", error_text(&err), why);
    assert_true(str_starts(error_text(&err), "cache: "));
    assert_int_equal(err.kind, ERROR_INVALID);
}

static void taken(const struct buf *b, const char *entries) {
    _cleanup_error_ struct error err = {0};
    if (walk(b, &err) != 0) fail_msg("%s", error_text(&err));
    assert_string_equal(buf_text(&seen), entries);
}

static void put(struct buf *b, uint32_t word) {
    buf_append(b, &word, sizeof word);
}

static void set(struct buf *b, size_t at, uint32_t word) {
    assert_true(at + sizeof word <= b->len);
    memcpy(b->data + at, &word, sizeof word);
}

/* Two entries: libcuda.so.1 of ours, libc.so.6 of another machine. */
static void make_new(struct buf *b) {
    static const char strings[] = "libcuda.so.1\0/usr/lib/libcuda.so.1\0libc.so.6\0/lib/libc.so.6";
    uint32_t first = HEADER + 2 * ENTRY;
    size_t from = b->len;
    buf_puts(b, "glibc-ld.so.cache1.1");
    put(b, 2);
    put(b, sizeof strings);
    for (int i = 0; i < 5; i++) put(b, i ? 0 : 2);
    assert_int_equal(b->len - from, HEADER);
    const uint32_t entries[2][6] = {{OURS, first, first + 13}, {THEIRS, first + 35, first + 45}};
    buf_append(b, entries, sizeof entries);
    buf_append(b, strings, sizeof strings);
}

static void make_old(struct buf *b, uint32_t type) {
    static const char strings[] = "libcuda.so.1\0/usr/lib/libcuda.so.1";
    buf_append(b, "ld.so-1.7.0", 12);
    put(b, 1);
    put(b, (OURS & 0xff00) | type);
    put(b, 0);
    put(b, 13);
    if (type != 4) buf_append(b, strings, sizeof strings);
}

static void the_new_format(void **state) {
    (void)state;
    _cleanup_buf_ struct buf b = {0};
    make_new(&b);
    taken(&b, "libcuda.so.1=/usr/lib/libcuda.so.1\n");
    b.data[28] = 0; /* as before glibc 2.33 */
    taken(&b, "libcuda.so.1=/usr/lib/libcuda.so.1\n");
    set(&b, HEADER, THEIRS);
    taken(&b, "");
}

static void types_other_than_elf_are_left_out(void **state) {
    (void)state;
    for (uint32_t type = 0; type < 6; type++) {
        _cleanup_buf_ struct buf b = {0};
        make_new(&b);
        set(&b, HEADER, (OURS & 0xff00) | type);
        taken(&b, type == 1 || type == 3 ? "libcuda.so.1=/usr/lib/libcuda.so.1\n" : "");
    }
}

static void the_old_format_and_the_new_behind_it(void **state) {
    (void)state;
    _cleanup_buf_ struct buf b = {0}, both = {0};
    make_old(&b, 3);
    taken(&b, "libcuda.so.1=/usr/lib/libcuda.so.1\n");
    /* The strings of such a file are behind the new header, of which they count. */
    make_old(&both, 4);
    while (both.len % 8) buf_putc(&both, '\0');
    make_new(&both);
    taken(&both, "libcuda.so.1=/usr/lib/libcuda.so.1\n");
}

static void every_cut_is_refused(void **state) {
    (void)state;
    _cleanup_buf_ struct buf b = {0}, old = {0};
    make_new(&b);
    for (size_t n = 0; n < b.len; n++) {
        struct buf cut = {.data = b.data, .len = n};
        refused(&cut, "");
    }
    make_old(&old, 3);
    for (size_t n = 0; n < old.len; n++) {
        struct buf cut = {.data = old.data, .len = n};
        refused(&cut, "");
    }
}

static void spoilt(size_t at, uint32_t word, const char *why) {
    _cleanup_buf_ struct buf b = {0};
    make_new(&b);
    set(&b, at, word);
    refused(&b, why);
}

static void counts_and_offsets_lie_within(void **state) {
    (void)state;
    uint32_t first = HEADER + 2 * ENTRY, end = first + 60;
    spoilt(20, 3, "strings are cut off");
    spoilt(20, 5, "do not fit");
    spoilt(20, UINT32_MAX, "do not fit");
    spoilt(20, UINT32_MAX / ENTRY + 2, "do not fit");
    spoilt(24, 61, "strings are cut off");
    spoilt(24, UINT32_MAX, "strings are cut off");
    spoilt(24, 0, "points outside");
    static const size_t words[] = {4, 8, ENTRY + 4, ENTRY + 8};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        size_t at = HEADER + words[i];
        spoilt(at, 0, "points outside"); /* the header is no string */
        spoilt(at, first - 1, "points outside");
        spoilt(at, end, "points outside"); /* one behind the last byte */
        spoilt(at, end + 1, "points outside");
        spoilt(at, UINT32_MAX, "points outside");
    }
}

static void strings_end_and_are_no_longer_than_a_path(void **state) {
    (void)state;
    _cleanup_buf_ struct buf b = {0}, lengthy = {0};
    make_new(&b);
    b.data[b.len - 1] = 'x';
    refused(&b, "entry 1 points outside");
    make_new(&lengthy);
    for (int i = 0; i < 5000; i++) buf_putc(&lengthy, 'x');
    buf_putc(&lengthy, '\0');
    set(&lengthy, 24, 60 + 5001);
    set(&lengthy, HEADER + 8, HEADER + 2 * ENTRY + 60);
    refused(&lengthy, "entry 0 points outside");
}

static void byte_orders(void **state) {
    (void)state;
    for (char order = 0; order < 4; order++) {
        _cleanup_buf_ struct buf b = {0};
        make_new(&b);
        b.data[28] = order;
        if (order == 1 || order == 3) refused(&b, "little-endian");
        else taken(&b, "libcuda.so.1=/usr/lib/libcuda.so.1\n");
    }
}

static void other_files_are_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "", "x", "ld.so-1.7.0", "glibc-ld.so.cache1.0", "\177ELF\2\1\1", "glibc-ld.so.cache1.1"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_buf_ struct buf b = {0};
        buf_puts(&b, texts[i]);
        refused(&b, "");
    }
}

static int stop(void *context, const char *name, const char *path) {
    (void)name, (void)path;
    return ++*(int *)context + 6;
}

static void a_visitor_ends_the_walk(void **state) {
    (void)state;
    _cleanup_buf_ struct buf b = {0};
    int visits = 0;
    make_new(&b);
    set(&b, HEADER + ENTRY, OURS);
    assert_int_equal(ldcache_walk("cache", b.data, b.len, stop, &visits, NULL), 7);
    assert_int_equal(visits, 1);
}

/* ---- what ldconfig makes ---- */

static bool ran(const char *fmt, ...) {
    _cleanup_buf_ struct buf command = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&command, fmt, ap);
    va_end(ap);
    /* Of our own making, and there is no other way to run the real ldconfig. */
    return system(buf_text(&command)) == 0; // NOLINT(cert-env33-c)
}

static void real_caches_in_each_format(void **state) {
    (void)state;
    static const char *const formats[] = {"new", "compat", "old"};
    char root[] = "/tmp/paddock-ldcache-XXXXXX";
    if (!ran("PATH=$PATH:/usr/sbin:/sbin; command -v ldconfig >/dev/null")) {
        print_message("no ldconfig here\n");
        skip();
    }
    assert_non_null(mkdtemp(root));
    assert_true(ran("cd %s && mkdir -p etc usr/lib var/cache/ldconfig && "
                    "cp %s usr/lib/libcuda.so.570.86.15 && echo /usr/lib >etc/ld.so.conf",
                    root, STAND_IN));
    for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
        _cleanup_buf_ struct buf cache = {0};
        _cleanup_free_ char *path = path_join(root, "etc/ld.so.cache");
        assert_true(
            ran("PATH=$PATH:/usr/sbin:/sbin; ldconfig -r %s -c %s 2>/dev/null", root, formats[i]));
        assert_int_equal(file_read(path, 1 << 20, &cache, NULL), 0);
        taken(&cache, "libcuda.so.1=/usr/lib/libcuda.so.1\n");
    }
    assert_int_equal(tree_remove(root, NULL), 0);
}

static void this_machine_s_own(void **state) {
    (void)state;
    _cleanup_buf_ struct buf cache = {0};
    if (file_read("/etc/ld.so.cache", 16 << 20, &cache, NULL) < 0) {
        print_message("no /etc/ld.so.cache here\n");
        skip();
    }
    _cleanup_error_ struct error err = {0};
    if (walk(&cache, &err) != 0) fail_msg("%s", error_text(&err));
    assert_non_null(strstr(buf_text(&seen), "libc.so.6=/"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_new_format),
        cmocka_unit_test(types_other_than_elf_are_left_out),
        cmocka_unit_test(the_old_format_and_the_new_behind_it),
        cmocka_unit_test(every_cut_is_refused),
        cmocka_unit_test(counts_and_offsets_lie_within),
        cmocka_unit_test(strings_end_and_are_no_longer_than_a_path),
        cmocka_unit_test(byte_orders),
        cmocka_unit_test(other_files_are_refused),
        cmocka_unit_test(a_visitor_ends_the_walk),
        cmocka_unit_test(real_caches_in_each_format),
        cmocka_unit_test(this_machine_s_own),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    buf_free(&seen);
    return rc;
}
