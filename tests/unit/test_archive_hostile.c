/* Archives that attack whoever unpacks them. */
#include "images/archive.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define MIB (UINT64_C(1) << 20)

static const struct archive_limits small = {.bytes = MIB, .file_bytes = MIB / 2, .entries = 100};
static const struct archive_limits rootfs = {.bytes = MIB,
                                             .file_bytes = MIB / 2,
                                             .entries = 100,
                                             .any_link_target = true,
                                             .skip_special = true};

/* <path>/outside/canary must never change; <path>/in is where archives go. */
struct place {
    char path[64];
    int fd, in;
};

static int make_place(void **state) {
    struct place *p = calloc(1, sizeof *p);
    strcpy(p->path, "/tmp/test-hostile-XXXXXX");
    if (!mkdtemp(p->path)) return -1;
    p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mkdirat(p->fd, "outside", 0755) < 0 || mkdirat(p->fd, "in", 0755) < 0 ||
        file_write_atomic_at(p->fd, "outside/canary", "safe", 4, 0600, NULL) < 0)
        return -1;
    p->in = openat(p->fd, "in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    *state = p;
    return p->in < 0 ? -1 : 0;
}

static int drop_place(void **state) {
    struct place *p = *state;
    close(p->in);
    close(p->fd);
    int r = tree_remove(p->path, NULL);
    free(p);
    return r;
}

static size_t count_names(int dirfd) {
    int listing = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = fdopendir(listing);
    assert_non_null(d);
    size_t n = 0;
    while (readdir(d)) n++;
    return n - 2;
}

static void nothing_changed_outside(struct place *p) {
    _cleanup_buf_ struct buf canary = {0};
    struct stat st;
    assert_int_equal(file_read_at(p->fd, "outside/canary", 100, &canary, NULL), 0);
    assert_string_equal(buf_text(&canary), "safe");
    assert_int_equal(fstatat(p->fd, "outside/canary", &st, 0), 0);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(st.st_mode & 07777, 0600);
    _cleanup_close_ int outside = openat(p->fd, "outside", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(count_names(outside), 1);
    assert_int_equal(count_names(p->fd), 2);
    assert_int_equal(faccessat(AT_FDCWD, "/etc/paddock-was-here", F_OK, 0), -1);
}

/* ---- tars by hand: no writer would make these ---- */

static void seal(char header[512]) {
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (int i = 0; i < 512; i++) sum += (unsigned char)header[i];
    snprintf(header + 148, 8, "%06o", sum);
}

static void add_bytes(struct buf *tar, const char *name, char type, const char *link,
                      const void *content, size_t len) {
    char header[512] = {0};
    memcpy(header, name, strnlen(name, 100));
    snprintf(header + 100, 8, "%07o", 06755);
    snprintf(header + 108, 8, "%07o", 0);
    snprintf(header + 116, 8, "%07o", 0);
    snprintf(header + 124, 12, "%011zo", len);
    snprintf(header + 136, 12, "%011o", 1);
    header[156] = type;
    if (link) memcpy(header + 157, link, strnlen(link, 100));
    memcpy(header + 257, "ustar", 6);
    header[263] = header[264] = '0';
    seal(header);
    buf_append(tar, header, sizeof header);
    buf_append(tar, content, len);
    static const char zeros[512];
    buf_append(tar, zeros, (512 - len % 512) % 512);
}

static void add(struct buf *tar, const char *name, char type, const char *link) {
    add_bytes(tar, name, type, link, "data", type == '0' ? 4 : 0);
}

static void add_long(struct buf *tar, const char *name, char type) {
    add_bytes(tar, "././@LongLink", 'L', NULL, name, strlen(name) + 1);
    add(tar, "short", type, NULL);
}

static void add_pax(struct buf *tar, const char *key, const char *value, size_t value_len) {
    _cleanup_buf_ struct buf record = {0};
    size_t rest = strlen(key) + value_len + 3, len = rest + 1;
    char number[24];
    for (;;) {
        size_t digits = (size_t)snprintf(number, sizeof number, "%zu", len);
        if (digits + rest == len) break;
        len = digits + rest;
    }
    buf_printf(&record, "%s %s=", number, key);
    buf_append(&record, value, value_len);
    buf_putc(&record, '\n');
    add_bytes(tar, "pax", 'x', NULL, record.data, record.len);
}

static void end(struct buf *tar) {
    static const char zeros[1024];
    buf_append(tar, zeros, sizeof zeros);
}

static int as_file(const void *data, size_t len) {
    int fd = memfd_create("tar", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, data, len), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

static int unpack(struct place *p, const struct buf *tar, const struct archive_limits *limits,
                  struct archive_stats *stats, struct error *err) {
    _cleanup_close_ int fd = as_file(tar->data, tar->len);
    return archive_unpack_into_new(fd, p->in, "t", limits, stats, err);
}

/* The archive must be refused with a message that holds `text`, leave nothing
 * and touch nothing. */
static void refused(struct place *p, const struct buf *tar, const struct archive_limits *limits,
                    const char *text) {
    _cleanup_error_ struct error err = {0};
    assert_int_equal(unpack(p, tar, limits, NULL, &err), -1);
    if (!strstr(error_text(&err), text)) fail_msg("\"%s\", not \"%s\"", error_text(&err), text);
    assert_int_equal(count_names(p->in), 0);
    nothing_changed_outside(p);
}

static void accepted(struct place *p, const struct buf *tar, const struct archive_limits *limits,
                     struct archive_stats *stats) {
    _cleanup_error_ struct error err = {0};
    if (unpack(p, tar, limits, stats, &err) < 0) fail_msg("%s", error_text(&err));
    nothing_changed_outside(p);
}

struct step {
    const char *name;
    char type;
    const char *link;
};

static void names_stay_below(void **state) {
    static const struct {
        struct step steps[4];
        const char *text;
    } cases[] = {
        {{{"/etc/paddock-was-here", '0', NULL}}, "/etc/paddock-was-here: is absolute"},
        {{{"//x", '0', NULL}}, "//x: is absolute"},
        {{{"/", '5', NULL}}, "/: is absolute"},
        {{{"../outside/x", '0', NULL}}, "../outside/x: has a \".\" or \"..\" component"},
        {{{"./../outside/x", '0', NULL}}, "has a \".\" or \"..\" component"},
        {{{"a/../../outside/x", '0', NULL}}, "has a \".\" or \"..\" component"},
        {{{"..", '5', NULL}}, "has a \".\" or \"..\" component"},
        {{{"a//b", '0', NULL}}, "has an empty component"},
        {{{"a/./b", '0', NULL}}, "has a \".\" or \"..\" component"},
        {{{".", '0', NULL}}, "is not a folder"},
        {{{"a\nb", '0', NULL}}, "a\\x0ab: has a control character"},
        {{{"a\x1b]0;x", '0', NULL}}, "a\\x1b]0;x: has a control character"},
        {{{"a\xc2\x9b", '0', NULL}}, "has a control character"},
        {{{"a\xff", '0', NULL}}, "a\\xff: is not UTF-8"},
        {{{"a\xc0\xaf", '0', NULL}}, "is not UTF-8"},
        {{{"a", '0', NULL}, {"a", '0', NULL}}, "a: is in the archive twice"},
        {{{"a", '0', NULL}, {"./a", '0', NULL}}, "a: is in the archive twice"},
        {{{"a", '0', NULL}, {"a/b", '0', NULL}}, "a: goes through something that is not a folder"},
        {{{"a", '0', NULL}, {"a", '5', NULL}}, "a: is in the archive twice"},
        {{{"a/b", '0', NULL}, {"a", '0', NULL}}, "a: is in the archive twice"},
        {{{"a", '5', NULL}, {"a", '2', "b"}}, "a: is in the archive twice"},
        {{{"d", '3', NULL}}, "d: is a device, FIFO or socket, which are not accepted"},
        {{{"d", '4', NULL}}, "d: is a device, FIFO or socket, which are not accepted"},
        {{{"d", '6', NULL}}, "d: is a device, FIFO or socket, which are not accepted"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_buf_ struct buf tar = {0};
        for (const struct step *s = cases[i].steps; s->name; s++)
            add(&tar, s->name, s->type, s->link);
        end(&tar);
        refused(*state, &tar, &small, cases[i].text);
    }
}

static void links_are_never_followed(void **state) {
    struct place *p = *state;
    char outside[96], canary[96];
    snprintf(outside, sizeof outside, "%s/outside", p->path);
    snprintf(canary, sizeof canary, "%s/outside/canary", p->path);
    const struct {
        struct step steps[5];
        const char *text;
    } cases[] = {
        {{{"l", '2', outside}, {"l/x", '0', NULL}},
         "l: goes through something that is not a folder"},
        {{{"l", '2', "../../outside"}, {"l/canary", '0', NULL}}, "l: goes through"},
        {{{"l", '2', "."}, {"l/x", '0', NULL}}, "l: goes through"},
        {{{"l", '2', outside}, {"l/d/x", '0', NULL}}, "l: goes through"},
        {{{"a/l", '2', outside}, {"a/l/d", '5', NULL}}, "a/l: goes through"},
        {{{"l", '2', canary}, {"l", '0', NULL}}, "l: is in the archive twice"},
        {{{"l", '2', outside}, {"l", '5', NULL}}, "l: is in the archive twice"},
        {{{"l", '2', outside}, {"l", '2', "x"}}, "l: is in the archive twice"},
        {{{"l", '2', ""}}, "l: is a symbolic link to nothing"},
        {{{"l", '2', "a\nb"}}, "l: is a symbolic link to a name with a control character"},
        {{{"h", '1', canary}}, "h: hard link to: /tmp"},
        {{{"h", '1', "../outside/canary"}}, "has a \".\" or \"..\" component"},
        {{{"l", '2', outside}, {"h", '1', "l/canary"}}, "h: is a hard link to what is not"},
        {{{"l", '2', canary}, {"h", '1', "l"}}, "h: is a hard link to what is not"},
        {{{"d", '5', NULL}, {"h", '1', "d"}}, "h: is a hard link to what is not an earlier file"},
        {{{"h", '1', "later"}, {"later", '0', NULL}}, "h: is a hard link to what is not"},
        {{{"h", '1', "h"}}, "h: is a hard link to what is not an earlier file"},
        {{{"h", '1', "./"}}, "h: is a hard link to what is not an earlier file"},
        {{{"a", '0', NULL}, {"b", '0', NULL}, {"b", '1', "a"}}, "b: is in the archive twice"},
        {{{"l", '2', outside}, {"a", '0', NULL}, {"l/h", '1', "a"}}, "l: goes through"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        _cleanup_buf_ struct buf tar = {0};
        for (const struct step *s = cases[i].steps; s->name; s++)
            add(&tar, s->name, s->type, s->link);
        end(&tar);
        refused(p, &tar, &rootfs, cases[i].text);
    }
}

/* What no listing takes must not get in; a root filesystem may have such names. */
static void links_of_versions_are_plain_text(void **state) {
    static const char *const targets[] = {"a\xff", "a\xc2\x9b"};
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        _cleanup_buf_ struct buf tar = {0};
        add(&tar, "l", '2', targets[i]);
        end(&tar);
        refused(*state, &tar, &small, "l: is a symbolic link to a name that is not plain text");
    }
}

static void links_out_are_refused_in_versions(void **state) {
    static const char *const targets[] = {"/etc/passwd", "../x", "a/../../x", "d/.."};
    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        _cleanup_buf_ struct buf tar = {0};
        add(&tar, "l", '2', targets[i]);
        end(&tar);
        refused(*state, &tar, &small, "l: is a symbolic link that leaves the tree");
    }
}

static void long_and_deep_names_are_refused(void **state) {
    char name[6000];
    _cleanup_buf_ struct buf longest = {0}, component = {0}, deep = {0}, folders = {0};
    for (int i = 0; i < 5000; i++) name[i] = i % 100 == 50 ? '/' : 'x';
    name[5000] = '\0';
    add_long(&longest, name, '0');
    end(&longest);
    refused(*state, &longest, &small, "is longer than 4095 bytes");
    memset(name, 'y', 256);
    name[256] = '\0';
    add_long(&component, name, '0');
    end(&component);
    refused(*state, &component, &small, "has a component of more than 255 bytes");
    for (int i = 0; i < 65; i++) snprintf(name + 2 * (size_t)i, 3, i < 64 ? "d/" : "d");
    add_long(&deep, name, '0');
    end(&deep);
    refused(*state, &deep, &small, "is nested deeper than 64");
    /* Folders that a path makes on the way count as entries too. */
    for (int i = 0; i < 3; i++) {
        name[0] = "abc"[i];
        name[2 * 63 + 1] = '\0';
        add_long(&folders, name, '0');
    }
    end(&folders);
    refused(*state, &folders, &small, "holds more than the 100 entries allowed");
}

/* A name that is not there to read must not be replaced by a shorter one. */
static void broken_records_are_refused(void **state) {
    static const char *const records[] = {"99 path=longer\n", "x path=a\n", "9 path=a",
                                          "7 path=\n"};
    for (size_t i = 0; i < ARRAY_SIZE(records); i++) {
        _cleanup_buf_ struct buf tar = {0};
        add_bytes(&tar, "pax", 'x', NULL, records[i], strlen(records[i]));
        add(&tar, "short", '0', NULL);
        end(&tar);
        refused(*state, &tar, &small, "not a whole tar archive");
    }
}

static void limits_hold(void **state) {
    _cleanup_free_ char *zeros = calloc(1, MIB);
    _cleanup_buf_ struct buf file = {0}, sum = {0}, count = {0}, huge = {0}, negative = {0};
    add_bytes(&file, "a", '0', NULL, zeros, MIB / 2 + 1);
    end(&file);
    refused(*state, &file, &small, "a: larger than the 524288 bytes allowed");
    for (char name[] = "a"; name[0] < 'd'; name[0]++)
        add_bytes(&sum, name, '0', NULL, zeros, MIB / 2);
    end(&sum);
    refused(*state, &sum, &small, "holds more than the 1048576 bytes allowed");
    for (int i = 0; i < 101; i++) {
        char name[16];
        snprintf(name, sizeof name, "f%d", i);
        add(&count, name, '0', NULL);
    }
    end(&count);
    refused(*state, &count, &small, "holds more than the 100 entries allowed");
    add(&huge, "a", '0', NULL);
    memcpy(huge.data + 124, "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff", 12);
    seal(huge.data);
    refused(*state, &huge, &small, "a");
    add(&negative, "a", '0', NULL);
    memset(negative.data + 124, 0xff, 12);
    seal(negative.data);
    end(&negative);
    refused(*state, &negative, &small, "");
}

/* A hole of 8 EiB costs an archive a few bytes; so does claiming no size at all
 * for content that is there. */
static void sparse_files_are_counted_whole(void **state) {
    static const char *const sizes[] = {"9223372036854775807", "1099511627776"};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        _cleanup_buf_ struct buf tar = {0}, records = {0};
        const char *const keys[] = {"GNU.sparse.major=1", "GNU.sparse.minor=0",
                                    "GNU.sparse.name=s"};
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
            buf_printf(&records, "%zu %s\n", strlen(keys[k]) + 4, keys[k]);
        buf_printf(&records, "%zu GNU.sparse.realsize=%s\n", strlen(sizes[i]) + 24, sizes[i]);
        add_bytes(&tar, "pax", 'x', NULL, records.data, records.len);
        char map[512] = "1\n0\n0\n";
        add_bytes(&tar, "s", '0', NULL, map, sizeof map);
        end(&tar);
        refused(*state, &tar, &small, "s: larger than the 524288 bytes allowed");
    }
}

static void rights_and_attributes_are_dropped(void **state) {
    struct place *p = *state;
    _cleanup_buf_ struct buf tar = {0};
    static const char capability[20] = {1, 0, 0, 2, (char)0xff, (char)0xff};
    add_pax(&tar, "SCHILY.xattr.user.x", "v", 1);
    add(&tar, "f", '0', NULL);
    add_pax(&tar, "SCHILY.xattr.security.capability", capability, sizeof capability);
    add(&tar, "g", '0', NULL);
    add_pax(&tar, "SCHILY.acl.access", "user::rwx,user:nobody:rwx,group::r-x,other::r-x", 47);
    add(&tar, "d", '5', NULL);
    add(&tar, "h", '1', "f");
    end(&tar);
    struct archive_stats stats;
    accepted(p, &tar, &small, &stats);
    assert_int_equal(stats.files, 3);
    assert_int_equal(stats.folders, 1);
    static const char *const names[] = {"t/f", "t/g", "t/d", "t/h"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct stat st;
        char path[96];
        assert_int_equal(fstatat(p->in, names[i], &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0755);
        assert_int_equal(st.st_uid, getuid());
        snprintf(path, sizeof path, "%s/in/%s", p->path, names[i]);
        assert_true(listxattr(path, NULL, 0) <= 0);
    }
}

static void special_files_are_left_out_on_request(void **state) {
    struct place *p = *state;
    _cleanup_buf_ struct buf tar = {0};
    add(&tar, "dev/null", '3', NULL);
    add(&tar, "dev/sda", '4', NULL);
    add(&tar, "pipe", '6', NULL);
    add(&tar, "f", '0', NULL);
    add(&tar, "l", '2', "/usr/bin/env");
    end(&tar);
    struct archive_stats stats;
    accepted(p, &tar, &rootfs, &stats);
    assert_int_equal(stats.skipped, 3);
    assert_int_equal(stats.files, 2);
    assert_int_equal(faccessat(p->in, "t/dev", F_OK, 0), -1);
    assert_int_equal(faccessat(p->in, "t/pipe", F_OK, 0), -1);
}

/* ---- compression ---- */

static la_ssize_t to_buf(struct archive *a, void *client, const void *data, size_t len) {
    (void)a;
    buf_append(client, data, len);
    return (la_ssize_t)len;
}

static void compress(int filter, const struct buf *in, struct buf *out) {
    struct archive *a = archive_write_new();
    struct archive_entry *e = archive_entry_new();
    assert_int_equal(archive_write_set_format_raw(a), ARCHIVE_OK);
    assert_int_equal(archive_write_add_filter(a, filter), ARCHIVE_OK);
    archive_write_set_bytes_in_last_block(a, 1);
    assert_int_equal(archive_write_open2(a, out, NULL, to_buf, NULL, NULL), ARCHIVE_OK);
    archive_entry_set_filetype(e, AE_IFREG);
    assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
    assert_int_equal(archive_write_data(a, in->data, in->len), in->len);
    assert_int_equal(archive_write_close(a), ARCHIVE_OK);
    archive_entry_free(e);
    archive_write_free(a);
}

static const int filters[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD, ARCHIVE_FILTER_XZ,
                              ARCHIVE_FILTER_BZIP2};

static void bombs_are_stopped(void **state) {
    _cleanup_free_ char *zeros = calloc(1, 32 * MIB);
    for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
        /* Behind the end of the tar; where a device has no business to have
         * content; and as content that a sparse file does not own up to. */
        _cleanup_buf_ struct buf behind = {0}, device = {0}, hidden = {0}, z = {0};
        add(&behind, "a", '0', NULL);
        end(&behind);
        buf_append(&behind, zeros, 32 * MIB);
        compress(filters[i], &behind, &z);
        refused(*state, &z, &small, "unpacks to more than the");
        buf_free(&z);
        add_bytes(&device, "d", '3', NULL, zeros, 32 * MIB);
        end(&device);
        compress(filters[i], &device, &z);
        refused(*state, &z, &rootfs, "");
        buf_free(&z);
        add_pax(&hidden, "GNU.sparse.realsize", "0", 1);
        add_bytes(&hidden, "s", '0', NULL, zeros, 32 * MIB);
        end(&hidden);
        compress(filters[i], &hidden, &z);
        refused(*state, &z, &small, "");
    }
}

static void one_compression_is_enough(void **state) {
    for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
        _cleanup_buf_ struct buf tar = {0}, once = {0}, twice = {0};
        add(&tar, "a", '0', NULL);
        end(&tar);
        compress(filters[i], &tar, &once);
        compress(filters[i], &once, &twice);
        refused(*state, &twice, &small, "not a whole tar archive: Unrecognized archive format");
    }
}

static void other_formats_are_refused(void **state) {
    static const char *const texts[] = {"LRZI\0\6",
                                        "\x89LZO\0\r\n\x1a\n",
                                        "begin 644 x\n",
                                        "PK\3\4",
                                        "070701",
                                        "!<arch>\n",
                                        "\x1f\x9d\x90",
                                        "MSCF",
                                        "7z\xbc\xaf\x27\x1c",
                                        "#!/bin/sh\nid\n",
                                        "x"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        _cleanup_buf_ struct buf data = {0};
        buf_append(&data, texts[i], 12 < strlen(texts[i]) ? 12 : strlen(texts[i]));
        refused(*state, &data, &small, "not a whole tar archive");
    }
    _cleanup_buf_ struct buf nothing = {0};
    buf_append(&nothing, "", 0);
    refused(*state, &nothing, &small, "is empty");
}

static void sample(struct buf *tar) {
    add(tar, "d", '5', NULL);
    add_bytes(tar, "d/a", '0', NULL, "some content of a file", 22);
    add(tar, "d/l", '2', "a");
    add(tar, "d/h", '1', "d/a");
    add_pax(tar, "path", "d/\xc3\xa9", 4);
    add(tar, "x", '0', NULL);
    add_long(tar, "d/a-long-name", '0');
    add_bytes(tar, "z", '0', NULL, "\1\2\3", 3);
}

static void cut_archives_are_refused(void **state) {
    _cleanup_buf_ struct buf tar = {0};
    sample(&tar);
    size_t whole = tar.len;
    end(&tar);
    for (size_t len = 1; len <= whole; len += 73) {
        struct buf cut = {.data = tar.data, .len = len};
        refused(*state, &cut, &small, "not a whole tar archive");
    }
    struct buf unended = {.data = tar.data, .len = whole - 512};
    refused(*state, &unended, &small, "not a whole tar archive");
    for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
        _cleanup_buf_ struct buf z = {0};
        compress(filters[i], &tar, &z);
        for (size_t len = 1; len < z.len; len += 11) {
            struct buf cut = {.data = z.data, .len = len};
            refused(*state, &cut, &small, "");
        }
    }
}

static uint32_t next_random(uint32_t *x) {
    *x ^= *x << 13;
    *x ^= *x >> 17;
    *x ^= *x << 5;
    return *x;
}

/* Whatever a damaged archive does, it does below the target. The header sums
 * are made right again half of the time, or no damage would get past them. */
static void damage_stays_inside(void **state) {
    struct place *p = *state;
    _cleanup_buf_ struct buf tar = {0};
    sample(&tar);
    end(&tar);
    uint32_t x = 2463534242;
    for (int i = 0; i < 3000; i++) {
        _cleanup_buf_ struct buf bad = {0}, z = {0};
        buf_append(&bad, tar.data, tar.len);
        for (uint32_t n = 1 + next_random(&x) % 4; n > 0; n--)
            bad.data[next_random(&x) % bad.len] = (char)next_random(&x);
        for (size_t at = 0; i % 2 && at + 512 <= bad.len; at += 512)
            if (memcmp(bad.data + at + 257, "ustar", 5) == 0) seal(bad.data + at);
        if (next_random(&x) % 8 == 0) bad.len = 1 + next_random(&x) % bad.len;
        bool compressed = i % 5 == 0;
        if (compressed) {
            compress(filters[next_random(&x) % 4], &tar, &z);
            z.data[next_random(&x) % z.len] ^= (char)(1 << next_random(&x) % 8);
        }
        _cleanup_close_ int fd = compressed ? as_file(z.data, z.len) : as_file(bad.data, bad.len);
        if (archive_unpack_into_new(fd, p->in, "t", &rootfs, NULL, NULL) == 0)
            assert_int_equal(tree_remove_at(p->in, "t", NULL), 0);
        assert_int_equal(count_names(p->in), 0);
    }
    nothing_changed_outside(p);
}

static void a_name_is_taken_once(void **state) {
    struct place *p = *state;
    _cleanup_error_ struct error err = {0};
    _cleanup_buf_ struct buf tar = {0};
    sample(&tar);
    end(&tar);
    accepted(p, &tar, &small, NULL);
    assert_int_equal(unpack(p, &tar, &small, NULL, &err), -1);
    assert_int_equal(err.kind, ERROR_EXISTS);
    assert_int_equal(count_names(p->in), 1);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, drop_place)
    const struct CMUnitTest tests[] = {
        TEST(names_stay_below),
        TEST(links_are_never_followed),
        TEST(links_out_are_refused_in_versions),
        TEST(links_of_versions_are_plain_text),
        TEST(long_and_deep_names_are_refused),
        TEST(broken_records_are_refused),
        TEST(limits_hold),
        TEST(sparse_files_are_counted_whole),
        TEST(rights_and_attributes_are_dropped),
        TEST(special_files_are_left_out_on_request),
        TEST(bombs_are_stopped),
        TEST(one_compression_is_enough),
        TEST(other_formats_are_refused),
        TEST(cut_archives_are_refused),
        TEST(damage_stays_inside),
        TEST(a_name_is_taken_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
