#include "tests/fuzz/fuzz_tree.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

/* Small, so that steps meet each other's names. */
static const char *const names[] = {
    "a",    "b",      "out",       "c d",      "\n",   "\x1b[2J",       "\xff\xfe", "...",
    "e\tf", ".edit-", ".partial-", "\xc2\x9b", "über", "\xe2\x80\xaex", "-rf",      "artifacts"};

static const char *const targets[] = {"a",
                                      "..",
                                      "../outside/canary",
                                      "../../outside",
                                      "/etc/passwd",
                                      "/proc/self/fd",
                                      "b/../..",
                                      "",
                                      "out/a",
                                      ".",
                                      "/dev/zero",
                                      "\n"};

struct builder {
    int top;
    int at; /* the folder at hand */
    struct fuzz_input *in;
};

static void pick_name(struct builder *b, char out[NAME_MAX + 1]) {
    uint32_t n = fuzz_number(b->in, 24);
    if (n < ARRAY_SIZE(names)) {
        snprintf(out, NAME_MAX + 1, "%s", names[n]);
    } else if (n == 23) {
        memset(out, 'n', NAME_MAX);
        out[NAME_MAX] = '\0';
    } else {
        _cleanup_free_ char *text = fuzz_text(b->in);
        snprintf(out, NAME_MAX + 1, "%s", text);
        for (char *p = out; *p; p++)
            if (*p == '/') *p = '_';
    }
    if (!*out || str_eq(out, ".") || str_eq(out, "..")) snprintf(out, NAME_MAX + 1, "x");
}

static void enter(struct builder *b, const char *name) {
    if (mkdirat(b->at, name, 0755) < 0 && errno != EEXIST) return;
    int fd = openat(b->at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) return;
    if (b->at != b->top) close(b->at);
    b->at = fd;
}

static void back_to_top(struct builder *b) {
    if (b->at != b->top) close(b->at);
    b->at = b->top;
}

static void make_file(struct builder *b, const char *name) {
    static const off_t sizes[] = {0, 1, 5, 4096, 4097, 70000, 1 << 20, INT64_C(1) << 40};
    _cleanup_close_ int fd =
        openat(b->at, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) return;
    off_t size = sizes[fuzz_number(b->in, ARRAY_SIZE(sizes))];
    uint8_t how = fuzz_byte(b->in);
    if (ftruncate(fd, size) < 0) return;
    if (how & 1 && pwrite(fd, "data", 4, 0) < 0) return;
    if (how & 2 && size > 8192 && pwrite(fd, "end", 3, size - 3) < 0) return;
    if (how & 4) (void)!fchmod(fd, 0);
    if (how & 8) (void)!fchmod(fd, 04755);
}

static void make_socket(struct builder *b) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/s", b->at);
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0) (void)!bind(fd, (struct sockaddr *)&address, sizeof address);
}

static void make_deep(struct builder *b) {
    for (uint32_t n = fuzz_number(b->in, 80); n > 0; n--) enter(b, "d");
}

/* Hard links come from the top of the tree only: never to a file outside it. */
static void make_hard_link(struct builder *b, const char *name) {
    char from[NAME_MAX + 1];
    pick_name(b, from);
    (void)!linkat(b->top, from, b->at, name, 0);
}

static void step(struct builder *b) {
    char name[NAME_MAX + 1];
    uint8_t what = fuzz_byte(b->in) % 16;
    if (what == 0) return back_to_top(b);
    if (what == 10) return make_socket(b);
    if (what == 11) return make_deep(b);
    pick_name(b, name);
    switch (what) {
    case 1:
    case 2: return enter(b, name);
    case 3: (void)!mkdirat(b->at, name, 0); return;
    case 4: (void)!mkfifoat(b->at, name, 0666); return;
    case 5:
    case 6: (void)!symlinkat(targets[fuzz_number(b->in, ARRAY_SIZE(targets))], b->at, name); return;
    case 7: return make_hard_link(b, name);
    case 8: (void)!mknodat(b->at, name, S_IFCHR | 0666, makedev(1, 5)); return;
    case 9: (void)!mknodat(b->at, name, S_IFBLK | 0666, makedev(7, 0)); return;
    default: return make_file(b, name);
    }
}

void fuzz_tree_build(int dirfd, struct fuzz_input *in) {
    struct builder b = {.top = dirfd, .at = dirfd, .in = in};
    for (int i = 0; i < FUZZ_TREE_STEPS && in->left > 0; i++) step(&b);
    back_to_top(&b);
}

void fuzz_tree_count(int dirfd, struct fuzz_tree_count *out) {
    int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_closedir_ DIR *d = fdopendir(fd);
    FUZZ_CHECK(d, "%s", strerror(errno));
    for (struct dirent *e; (e = readdir(d));) {
        struct stat st;
        if (str_eq(e->d_name, ".") || str_eq(e->d_name, "..")) continue;
        FUZZ_CHECK(fstatat(dirfd, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0, "%s", e->d_name);
        out->files += S_ISREG(st.st_mode);
        out->bytes += S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
        out->links += S_ISLNK(st.st_mode);
        out->others += !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode) && !S_ISDIR(st.st_mode);
        if (!S_ISDIR(st.st_mode)) continue;
        out->folders++;
        _cleanup_close_ int below = openat(dirfd, e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (below >= 0) fuzz_tree_count(below, out);
    }
}
