/*
 * Collection (sandbox/collect*.c) from a tree built out of the bytes, together with
 * the other walkers of such trees: listing, digest, copy and removal. Nothing outside
 * changes; what arrives is files and folders, no more than the caps, and as reported.
 */
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"
#include "images/listing.h"
#include "sandbox/collect.h"
#include "sandbox/collect_internal.h"
#include "tests/fuzz/fuzz_tree.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define TIMEOUT_MS 60000

static int folder(int at, const char *name) {
    FUZZ_CHECK(mkdirat(at, name, 0755) == 0, "%s", name);
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    FUZZ_CHECK(fd >= 0, "%s", name);
    return fd;
}

static void check_caps(const struct spec_collect *want, const struct fuzz_tree_count *n) {
    FUZZ_CHECK(n->links == 0 && n->others == 0, "%lu links, %lu others", n->links, n->others);
    FUZZ_CHECK(n->files <= (uint64_t)want->files, "%lu files", n->files);
    FUZZ_CHECK(n->bytes <= (uint64_t)want->bytes, "%lu bytes", n->bytes);
}

/* In this process, as the collector does it: fast. */
static void collect_here(int workspace, int to, const struct spec_collect *want) {
    struct collect_report report;
    struct fuzz_tree_count n = {0};
    struct error err = {0};
    int64_t deadline = clock_mono_ns() + TIMEOUT_MS * NS_PER_MS;
    FUZZ_CHECK(collect_entry(workspace, want, to, "0", deadline, &report, &err) == 0, "%s",
               error_text(&err));
    fuzz_tree_count(to, &n);
    check_caps(want, &n);
    FUZZ_CHECK(memchr(report.reason, 0, sizeof report.reason), "an endless reason");
    FUZZ_CHECK((uint64_t)report.files == n.files && (uint64_t)report.bytes == n.bytes,
               "reports %ld files, %ld bytes; there are %lu, %lu", (long)report.files,
               (long)report.bytes, n.files, n.bytes);
    FUZZ_CHECK(!report.truncated || report.reason[0], "cut without a reason");
    FUZZ_CHECK(report.present == (n.files + n.folders > 0), "present: %d", report.present);
}

/* With the process and the publishing around it. */
static void collect_whole(int workspace, int to, const struct spec_collect *want) {
    struct collected out = {0};
    struct fuzz_tree_count n = {0};
    struct error err = {0};
    FUZZ_CHECK(collect_run(workspace, -1, to, want, 1, TIMEOUT_MS, &out, &err) == 0, "%s",
               error_text(&err));
    _cleanup_close_ int artifacts = openat(to, "artifacts", O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    FUZZ_CHECK(artifacts >= 0, "no artifacts");
    fuzz_tree_count(artifacts, &n);
    check_caps(want, &n);
    for (const char *p = out.reason; p && *p; p++)
        FUZZ_CHECK((unsigned char)*p >= ' ' && *p != 0x7f, "the reason is not printable");
    free(out.path);
    free(out.as);
    free(out.reason);
}

/* What of ours walks such trees besides. */
static void walk(int workspace, int in) {
    _cleanup_listing_ struct listing l = {0};
    char hex[DIGEST_HEX];
    if (listing_read(workspace, 100, false, &l, NULL) < 0) return;
    for (size_t i = 0; i < l.count; i++) {
        const struct listing_entry *e = &l.entries[i];
        FUZZ_CHECK(!path_objection(e->path), "lists %s", e->path);
        FUZZ_CHECK(e->type != LISTING_LINK || link_stays_inside(e->path, e->target),
                   "%s leads to %s", e->path, e->target);
        FUZZ_CHECK(i == 0 || strcmp(l.entries[i - 1].path, e->path) < 0, "%s out of order",
                   e->path);
        FUZZ_CHECK(listing_find(&l, e->path) == e, "%s is not found", e->path);
    }
    FUZZ_CHECK(l.count <= 100, "%zu entries", l.count);
    if (l.bytes > 1 << 21) return; /* a terabyte of zeros is not copied for fun */
    _cleanup_close_ int to = folder(in, "copy");
    char copied[DIGEST_HEX];
    _cleanup_error_ struct error err = {0};
    int failed = tree_digest(workspace, 100, hex, &err);
    if (failed && err.sys == EACCES && geteuid() != 0) return; /* of mode 0, say */
    FUZZ_CHECK(!failed, "lists, but has no digest: %s", error_text(&err));
    if (tree_copy(workspace, to, NULL, NULL) < 0) return;
    FUZZ_CHECK(tree_digest(to, 100, copied, NULL) == 0 && str_eq(hex, copied),
               "the copy is another tree");
}

static const char *const wanted[] = {".", "out", "a", "a/b", "out/a", "d/d/d", "b/out/a", "c d"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len) {
    struct fuzz_input in = {data, len};
    struct fuzz_place *p = fuzz_place();
    const char *path = wanted[fuzz_number(&in, ARRAY_SIZE(wanted))];
    uint8_t how = fuzz_byte(&in);
    struct spec_collect want = {
        .path = (char *)path,
        .as = (char *)path,
        .bytes = how & 1 ? 6 : 200000,
        .files = how & 2 ? 2 : 30,
    };
    _cleanup_close_ int workspace = folder(p->in, "work");
    _cleanup_close_ int to = folder(p->in, "run");
    fuzz_tree_build(workspace, &in);
    if ((how & 0xfc) == 0xfc) collect_whole(workspace, to, &want);
    else collect_here(workspace, to, &want);
    walk(workspace, p->in);
    fuzz_place_check(p);
    fuzz_place_reset(p);
    return 0;
}
