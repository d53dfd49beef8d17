#include "tests/fuzz/fuzz.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

void fuzz_fail(const char *file, int line, const char *condition, const char *fmt, ...) {
    struct buf text = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&text, fmt, ap);
    va_end(ap);
    fprintf(stderr, "%s:%d: does not hold: %s: %s\n", file, line, condition, buf_text(&text));
    abort();
}

uint8_t fuzz_byte(struct fuzz_input *in) {
    if (in->left == 0) return 0;
    in->left--;
    return *in->at++;
}

uint32_t fuzz_number(struct fuzz_input *in, uint32_t below) {
    uint32_t n = fuzz_byte(in);
    if (below > 256) n = n << 8 | fuzz_byte(in);
    if (below > 65536) n = n << 16 | (uint32_t)fuzz_byte(in) << 8 | fuzz_byte(in);
    return n % below;
}

char *fuzz_text(struct fuzz_input *in) {
    size_t len = strnlen((const char *)in->at, in->left);
    char *text = strndup((const char *)in->at, len);
    FUZZ_CHECK(text, "out of memory");
    in->at += len;
    in->left -= len;
    fuzz_byte(in);
    return text;
}

int fuzz_memfd(const void *data, size_t len) {
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && write_all(fd, data, len) == 0 && lseek(fd, 0, SEEK_SET) == 0, "%s",
               strerror(errno));
    return fd;
}

/* ---- documents ---- */

void fuzz_take_text(struct json_writer *w, struct buf *out) {
    size_t len = 0;
    const char *text = json_writer_text(w, &len);
    FUZZ_CHECK(text, "the writer has no document");
    buf_append(out, text, len);
}

bool fuzz_round_trip(const char *what, const char *text, size_t len, fuzz_recode *recode) {
    _cleanup_json_ struct json *doc = json_parse(what, text, len, NULL);
    _cleanup_buf_ struct buf first = {0}, second = {0};
    if (!doc || !recode(doc, &first)) return false;
    _cleanup_error_ struct error err = {0};
    _cleanup_json_ struct json *again = json_parse(what, buf_text(&first), first.len, &err);
    FUZZ_CHECK(again, "%s: our own text is refused: %s: %s", what, error_text(&err),
               buf_text(&first));
    FUZZ_CHECK(recode(again, &second), "%s: our own text is refused: %s", what, buf_text(&first));
    FUZZ_CHECK(first.len == second.len && memcmp(first.data, second.data, first.len) == 0,
               "%s: differs when written again:\n%s\n%s", what, buf_text(&first),
               buf_text(&second));
    return true;
}

/* ---- the place ---- */

static struct fuzz_place the_place = {.fd = -1};

static void remove_place(void) {
    tree_remove(the_place.path, NULL);
}

static const char *parent_of_places(void) {
    const char *set = getenv("TMPDIR");
    if (set && *set) return set;
    return access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"; /* memory is faster */
}

static int open_folder(int at, const char *name) {
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    FUZZ_CHECK(fd >= 0, "%s: %s", name, strerror(errno));
    return fd;
}

struct fuzz_place *fuzz_place(void) {
    struct fuzz_place *p = &the_place;
    if (p->fd >= 0) return p;
    umask(022);
    snprintf(p->path, sizeof p->path, "%.90s/paddock-fuzz-XXXXXX", parent_of_places());
    FUZZ_CHECK(mkdtemp(p->path), "%s: %s", p->path, strerror(errno));
    atexit(remove_place);
    p->fd = open_folder(AT_FDCWD, p->path);
    FUZZ_CHECK(mkdirat(p->fd, "outside", 0755) == 0 && mkdirat(p->fd, "in", 0755) == 0, "%s",
               strerror(errno));
    p->in = open_folder(p->fd, "in");
    p->outside = open_folder(p->fd, "outside");
    _cleanup_close_ int canary = openat(p->outside, "canary", O_WRONLY | O_CREAT | O_EXCL, 0600);
    FUZZ_CHECK(canary >= 0 && write_all(canary, "safe", 4) == 0, "%s", strerror(errno));
    return p;
}

static size_t count_names(int dirfd) {
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = fdopendir(fd);
    FUZZ_CHECK(d, "%s", strerror(errno));
    size_t n = 0;
    while (readdir(d)) n++;
    return n - 2;
}

void fuzz_place_check(const struct fuzz_place *p) {
    struct stat st;
    char text[8] = "";
    _cleanup_close_ int fd = openat(p->outside, "canary", O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    FUZZ_CHECK(fd >= 0 && fstat(fd, &st) == 0, "the canary is gone");
    FUZZ_CHECK(st.st_nlink == 1 && (st.st_mode & 07777) == 0600 && st.st_size == 4,
               "the canary changed: %lu links, mode %o, %ld bytes", (unsigned long)st.st_nlink,
               (unsigned)st.st_mode, (long)st.st_size);
    FUZZ_CHECK(read(fd, text, sizeof text) == 4 && memcmp(text, "safe", 4) == 0,
               "the canary says %s", text);
    FUZZ_CHECK(count_names(p->outside) == 1, "something was made outside");
    FUZZ_CHECK(count_names(p->fd) == 2, "something was made beside the folder");
    FUZZ_CHECK(fstat(p->outside, &st) == 0 && (st.st_mode & 07777) == 0755,
               "the folder outside has mode %o", (unsigned)st.st_mode);
}

void fuzz_place_reset(struct fuzz_place *p) {
    struct error err = {0};
    close(p->in);
    FUZZ_CHECK(tree_remove_at(p->fd, "in", &err) == 0, "%s", error_text(&err));
    FUZZ_CHECK(mkdirat(p->fd, "in", 0755) == 0, "%s", strerror(errno));
    p->in = open_folder(p->fd, "in");
}
