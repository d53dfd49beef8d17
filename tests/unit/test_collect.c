#include "sandbox/collect.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/clock.h"
#include "common/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

#define MIB     (INT64_C(1) << 20)
#define TIB     (INT64_C(1) << 40)
#define TIMEOUT 30000

/* A workspace as an attacker left it, and a run folder. */
struct ground {
    char path[64];
    int top, work, dir;
};

static struct ground *make_ground(void) {
    struct ground *g = calloc(1, sizeof *g);
    assert_non_null(g);
    /* Workspaces are on tmpfs; so is this, where one is at hand. */
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(g->path, sizeof g->path, "%s/test-collect-XXXXXX", base);
    assert_non_null(mkdtemp(g->path));
    g->top = dir_open(g->path, NULL);
    assert_int_equal(mkdirat(g->top, "work", 0755), 0);
    assert_int_equal(mkdirat(g->top, "dir", 0755), 0);
    g->work = openat(g->top, "work", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g->dir = openat(g->top, "dir", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(g->work >= 0 && g->dir >= 0);
    return g;
}

static int setup(void **state) {
    *state = make_ground();
    return 0;
}

static int teardown(void **state) {
    struct ground *g = *state;
    _cleanup_error_ struct error err = {0};
    close(g->work);
    close(g->dir);
    close(g->top);
    int result = tree_remove(g->path, &err);
    if (result < 0) print_message("%s\n", error_text(&err));
    free(g);
    return result;
}

static void put(int dir, const char *name, const char *text, mode_t mode) {
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write_all(fd, text, strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

static void put_sparse(int dir, const char *name, int64_t size) {
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "tail", 4, size - 4), 4);
    close(fd);
}

static void free_collected(struct collected *c) {
    free(c->path);
    free(c->as);
    free(c->reason);
}
#define _cleanup_collected_ __attribute__((cleanup(free_collected)))

static struct collected collect(const struct ground *g, const char *path, int64_t bytes,
                                int64_t files) {
    struct spec_collect entry = {.path = (char *)path, .as = NULL, .bytes = bytes, .files = files};
    struct collected out;
    _cleanup_error_ struct error err = {0};
    if (collect_run(g->work, -1, g->dir, &entry, 1, TIMEOUT, &out, &err) < 0)
        fail_msg("%s", error_text(&err));
    return out;
}

static bool has(const struct ground *g, const char *path) {
    return faccessat(g->dir, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void content_is(const struct ground *g, const char *path, const char *text) {
    _cleanup_buf_ struct buf b = {0};
    _cleanup_error_ struct error err = {0};
    if (file_read_at(g->dir, path, 65536, &b, &err) < 0) fail_msg("%s", error_text(&err));
    assert_string_equal(buf_text(&b), text);
}

static void reason_has(const struct collected *c, const char *part) {
    assert_non_null(c->reason);
    if (!strstr(c->reason, part)) fail_msg("\"%s\" is not in: %s", part, c->reason);
}

/* Nothing but the named thing may be in artifacts/, no partial copy above all. */
static void artifacts_are(const struct ground *g, const char *only) {
    _cleanup_closedir_ DIR *d =
        fdopendir(openat(g->dir, "artifacts", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        if (!only || strcmp(e->d_name, only) != 0) fail_msg("left in artifacts: %s", e->d_name);
    }
}

/* ---- the plain case ---- */

static void files_and_folders_come_out(void **state) {
    struct ground *g = *state;
    mkdirat(g->work, "out", 0755);
    mkdirat(g->work, "out/sub", 0700);
    put(g->work, "out/a", "alpha", 0640);
    put(g->work, "out/sub/b", "beta", 06755);
    put(g->work, "secret", "x", 0600);
    _cleanup_collected_ struct collected c = collect(g, "out", MIB, 10);
    assert_true(c.present);
    assert_false(c.truncated);
    assert_int_equal(c.files, 2);
    assert_int_equal(c.bytes, 9);
    assert_int_equal(c.skipped, 0);
    assert_null(c.reason);
    content_is(g, "artifacts/out/a", "alpha");
    content_is(g, "artifacts/out/sub/b", "beta");
    struct stat st;
    assert_int_equal(fstatat(g->dir, "artifacts/out/a", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fstatat(g->dir, "artifacts/out/sub/b", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    artifacts_are(g, "out");
}

static void one_file_the_whole_and_what_is_not_there(void **state) {
    struct ground *g = *state;
    mkdirat(g->work, "d", 0755);
    put(g->work, "d/model.bin", "weights", 0644);
    struct spec_collect entries[] = {
        {.path = "d/model.bin", .as = "final/model", .bytes = MIB, .files = 1},
        {.path = "nothing/here", .bytes = MIB, .files = 1},
        {.path = ".", .as = "all", .bytes = MIB, .files = 10},
        {.path = "d", .as = "final", .bytes = MIB, .files = 10},
    };
    struct collected out[4];
    _cleanup_error_ struct error err = {0};
    if (collect_run(g->work, -1, g->dir, entries, 4, TIMEOUT, out, &err) < 0)
        fail_msg("%s", error_text(&err));
    content_is(g, "artifacts/final/model", "weights");
    assert_false(out[1].present);
    assert_null(out[1].reason);
    assert_string_equal(out[1].as, "nothing/here");
    content_is(g, "artifacts/all/d/model.bin", "weights");
    /* A name that is taken is not written over. */
    assert_true(out[3].truncated);
    reason_has(&out[3], "exists");
    for (size_t i = 0; i < 4; i++) free_collected(&out[i]);
}

static void the_whole_can_be_the_artifacts(void **state) {
    struct ground *g = *state;
    mkdirat(g->work, "d", 0755);
    put(g->work, "d/x", "1", 0644);
    put(g->work, "y", "2", 0644);
    _cleanup_collected_ struct collected c = collect(g, ".", MIB, 10);
    assert_true(c.present);
    content_is(g, "artifacts/d/x", "1");
    content_is(g, "artifacts/y", "2");
}

static void paths_that_lead_outside_are_refused(void **state) {
    struct ground *g = *state;
    static const char *const bad[] = {"..", "../work", "/etc", "a/../..", "", "a//b", "./a", "a/."};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct spec_collect entry = {.path = (char *)bad[i], .as = "x", .bytes = 1, .files = 1};
        struct collected out;
        _cleanup_error_ struct error err = {0};
        assert_int_equal(collect_run(g->work, -1, g->dir, &entry, 1, TIMEOUT, &out, &err), -1);
        assert_int_equal(err.kind, ERROR_INVALID);
        entry = (struct spec_collect){.path = "x", .as = (char *)bad[i], .bytes = 1, .files = 1};
        assert_int_equal(collect_run(g->work, -1, g->dir, &entry, 1, TIMEOUT, &out, &err), -1);
    }
}

/* ---- the hostile ones ---- */

static void links_are_never_followed(void **state) {
    struct ground *g = *state;
    put(g->top, "outside", "not yours", 0644);
    mkdirat(g->work, "out", 0755);
    assert_int_equal(symlinkat("/etc/passwd", g->work, "out/passwd"), 0);
    assert_int_equal(symlinkat("/etc", g->work, "out/etc"), 0);
    assert_int_equal(symlinkat("../../outside", g->work, "out/up"), 0);
    assert_int_equal(symlinkat("/proc/self/fd/3", g->work, "out/magic"), 0);
    put(g->work, "out/kept", "kept", 0644);
    _cleanup_collected_ struct collected c = collect(g, "out", MIB, 10);
    assert_int_equal(c.files, 1);
    assert_int_equal(c.skipped, 4);
    reason_has(&c, "a symbolic link");
    assert_false(has(g, "artifacts/out/passwd"));
    assert_false(has(g, "artifacts/out/etc"));
    assert_false(has(g, "artifacts/out/up"));
}

static void a_link_on_the_way_is_not_followed(void **state) {
    struct ground *g = *state;
    assert_int_equal(symlinkat("/etc", g->work, "e"), 0);
    assert_int_equal(symlinkat("/etc/passwd", g->work, "p"), 0);
    _cleanup_collected_ struct collected dir = collect(g, "e/passwd", MIB, 10);
    assert_false(dir.present);
    _cleanup_collected_ struct collected file = collect(g, "p", MIB, 10);
    assert_false(file.present);
    assert_int_equal(file.skipped, 1);
    reason_has(&file, "a symbolic link");
    artifacts_are(g, NULL);
}

static void hard_links_become_files_of_their_own(void **state) {
    struct ground *g = *state;
    mkdirat(g->work, "out", 0755);
    put(g->work, "out/a", "same", 0644);
    assert_int_equal(linkat(g->work, "out/a", g->work, "out/b", 0), 0);
    _cleanup_collected_ struct collected c = collect(g, "out", MIB, 10);
    assert_int_equal(c.files, 2);
    struct stat st;
    assert_int_equal(fstatat(g->dir, "artifacts/out/b", &st, 0), 0);
    assert_int_equal(st.st_nlink, 1);
}

static void fifos_sockets_and_devices_stay_behind(void **state) {
    struct ground *g = *state;
    mkdirat(g->work, "out", 0755);
    assert_int_equal(mkfifoat(g->work, "out/fifo", 0644), 0);
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/work/out/s", g->path);
    assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof address), 0);
    int64_t others = 2;
    if (mknodat(g->work, "out/zero", S_IFCHR | 0666, makedev(1, 5)) == 0) others++;
    else print_message("no device nodes can be made here\n");
    put(g->work, "out/z", "last", 0644);
    _cleanup_collected_ struct collected c = collect(g, "out", MIB, 10);
    close(s);
    assert_int_equal(c.skipped, others);
    assert_int_equal(c.files, 1);
    assert_false(c.truncated);
    assert_false(has(g, "artifacts/out/zero"));
    /* Named outright they are no better. */
    _cleanup_collected_ struct collected fifo = collect(g, "out/fifo", MIB, 10);
    assert_false(fifo.present);
    reason_has(&fifo, "a fifo");
}

static void deep_trees_end(void **state) {
    struct ground *g = *state;
    int fd = dup(g->work);
    for (int i = 0; i < 500; i++) {
        assert_int_equal(mkdirat(fd, "d", 0755), 0);
        put(fd, "f", "x", 0644);
        int next = openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        close(fd);
        fd = next;
        assert_true(fd >= 0);
    }
    close(fd);
    _cleanup_collected_ struct collected c = collect(g, "d", MIB, 1000);
    assert_true(c.present);
    assert_true(c.truncated);
    assert_in_range(c.files, 60, 66);
    reason_has(&c, "nested deeper");
}

static void too_many_files_are_cut(void **state) {
    struct ground *g = *state;
    mkdirat(g->work, "out", 0755);
    for (int i = 0; i < 10000; i++) {
        char name[32];
        snprintf(name, sizeof name, "out/f%d", i);
        put(g->work, name, "x", 0644);
    }
    _cleanup_collected_ struct collected c = collect(g, "out", MIB, 100);
    assert_true(c.truncated);
    assert_int_equal(c.files, 100);
    reason_has(&c, "more than 100 files");
}

/* Names that are no files cost time too. */
static void junk_is_bounded(void **state) {
    struct ground *g = *state;
    mkdirat(g->work, "out", 0755);
    for (int i = 0; i < 5000; i++) {
        char name[32];
        snprintf(name, sizeof name, "out/l%d", i);
        assert_int_equal(symlinkat("x", g->work, name), 0);
    }
    _cleanup_collected_ struct collected c = collect(g, "out", MIB, 10);
    assert_true(c.truncated);
    assert_true(c.skipped < 2000);
}

static void sparse_files_count_by_apparent_size(void **state) {
    struct ground *g = *state;
    mkdirat(g->work, "out", 0755);
    put_sparse(g->work, "out/huge", TIB);
    _cleanup_collected_ struct collected c = collect(g, "out", 10 * MIB, 10);
    assert_true(c.truncated);
    assert_int_equal(c.bytes, 10 * MIB);
    struct stat st;
    assert_int_equal(fstatat(g->dir, "artifacts/out/huge", &st, 0), 0);
    assert_int_equal(st.st_size, 10 * MIB);
    assert_true(st.st_blocks * 512 < MIB);
}

static void holes_stay_holes_within_the_cap(void **state) {
    struct ground *g = *state;
    put_sparse(g->work, "huge", TIB);
    _cleanup_collected_ struct collected c = collect(g, "huge", 2 * TIB, 10);
    assert_false(c.truncated);
    assert_int_equal(c.bytes, TIB);
    struct stat st;
    assert_int_equal(fstatat(g->dir, "artifacts/huge", &st, 0), 0);
    assert_int_equal(st.st_size, TIB);
    assert_true(st.st_blocks * 512 < MIB);
    char tail[5] = {0};
    _cleanup_close_ int fd = openat(g->dir, "artifacts/huge", O_RDONLY | O_CLOEXEC);
    assert_int_equal(pread(fd, tail, 4, TIB - 4), 4);
    assert_string_equal(tail, "tail");
}

static void a_file_beyond_the_cap_is_cut_and_said_so(void **state) {
    struct ground *g = *state;
    put(g->work, "log", "0123456789", 0644);
    _cleanup_collected_ struct collected c = collect(g, "log", 4, 10);
    assert_true(c.present && c.truncated);
    assert_int_equal(c.bytes, 4);
    content_is(g, "artifacts/log", "0123");
    reason_has(&c, "log: more than 4 bytes");
}

static void strange_names_stay_behind(void **state) {
    struct ground *g = *state;
    static const char *const strange[] = {"new\nline", "esc\x1b[2J", "bad\xff\xfe", "\xc0\xaf",
                                          "del\x7f",   "c1\xc2\x9b", "\xed\xa0\x80"};
    char longest[256];
    memset(longest, 'n', 255);
    longest[255] = '\0';
    mkdirat(g->work, "out", 0755);
    int out = openat(g->work, "out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_SIZE(strange); i++) put(out, strange[i], "x", 0644);
    put(out, longest, "x", 0644);
    put(out, "größe …", "x", 0644);
    put(out, "...", "x", 0644);
    put(out, " -rf *", "x", 0644);
    close(out);
    _cleanup_collected_ struct collected c = collect(g, "out", MIB, 100);
    assert_int_equal(c.skipped, ARRAY_SIZE(strange));
    assert_int_equal(c.files, 4);
    reason_has(&c, "a name with control characters or invalid UTF-8");
    for (const char *p = c.reason; *p; p++) assert_true((unsigned char)*p >= 0x20);
    assert_true(has(g, "artifacts/out/größe …"));
}

static void closed_folders_are_opened(void **state) {
    struct ground *g = *state;
    mkdirat(g->work, "out", 0755);
    mkdirat(g->work, "out/closed", 0755);
    put(g->work, "out/closed/f", "inside", 0000);
    assert_int_equal(fchmodat(g->work, "out/closed", 0000, 0), 0);
    _cleanup_collected_ struct collected c = collect(g, "out", MIB, 10);
    assert_int_equal(c.files, 1);
    assert_int_equal(c.skipped, 0);
    content_is(g, "artifacts/out/closed/f", "inside");
    assert_int_equal(fchmodat(g->work, "out/closed", 0755, 0), 0);
}

/* The same by a plain user who owns the files and has no capability. */
static int as_plain_user(const struct ground *g) {
    struct spec_collect entry = {.path = "mine", .bytes = MIB, .files = 10};
    struct collected out;
    if (fchown(g->work, 65534, 65534) < 0 || fchown(g->dir, 65534, 65534) < 0) return 1;
    if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0) return 2;
    mkdirat(g->work, "mine", 0755);
    put(g->work, "mine/f", "inside", 0000);
    if (fchmodat(g->work, "mine", 0000, 0) < 0) return 5;
    if (collect_run(g->work, -1, g->dir, &entry, 1, TIMEOUT, &out, NULL) < 0) return 3;
    bool good = out.files == 1 && out.skipped == 0;
    free_collected(&out);
    return good ? 0 : 4;
}

static void a_plain_user_opens_their_own(void **state) {
    struct ground *g = *state;
    if (geteuid() != 0) {
        print_message("skip - becoming another user needs root\n");
        skip();
    }
    assert_int_equal(fchmodat(AT_FDCWD, g->path, 0755, 0), 0);
    pid_t pid = fork();
    if (pid == 0) _exit(as_plain_user(g));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    content_is(g, "artifacts/mine/f", "inside");
}

/* ---- the user namespace ---- */

static void map_ids(pid_t pid, const char *file, const char *map) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, map, strlen(map)) < 0) {
        print_message("skip - %s cannot be written\n", path);
        skip();
    }
    close(fd);
}

/* A namespace like a sandbox's: its ids are 0x40000000 and up outside. */
static int make_userns(void) {
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        bool made = unshare(CLONE_NEWUSER) == 0;
        if (write(ends[1], made ? "y" : "n", 1) == 1) pause();
        _exit(0);
    }
    char answer = 'n';
    assert_int_equal(read(ends[0], &answer, 1), 1);
    if (answer == 'y') {
        map_ids(pid, "uid_map", "0 1073741824 65536");
        map_ids(pid, "gid_map", "0 1073741824 65536");
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    close(ends[0]);
    close(ends[1]);
    if (answer == 'y') return fd;
    close(fd);
    print_message("skip - user namespaces cannot be made\n");
    skip();
    return -1;
}

static void mapped_files_are_read_and_others_are_not(void **state) {
    struct ground *g = *state;
    if (geteuid() != 0) {
        print_message("skip - mapping a range of ids needs root\n");
        skip();
    }
    int userns = make_userns();
    const uid_t payload = 0x40000000 + 1000;
    mkdirat(g->work, "out", 0700);
    put(g->work, "out/mine", "of the sandbox", 0000);
    put(g->work, "out/roots", "of the host", 0600);
    assert_int_equal(fchownat(g->work, "out/mine", payload, payload, 0), 0);
    assert_int_equal(fchownat(g->work, "out", payload, payload, 0), 0);
    assert_int_equal(fchown(g->work, payload, payload), 0);
    assert_int_equal(fchownat(g->work, "out/roots", 4242, 4242, 0), 0);
    struct spec_collect entry = {.path = "out", .bytes = MIB, .files = 10};
    struct collected c;
    _cleanup_error_ struct error err = {0};
    if (collect_run(g->work, userns, g->dir, &entry, 1, TIMEOUT, &c, &err) < 0)
        fail_msg("%s", error_text(&err));
    close(userns);
    content_is(g, "artifacts/out/mine", "of the sandbox");
    assert_int_equal(c.files, 1);
    assert_int_equal(c.skipped, 1);
    assert_false(has(g, "artifacts/out/roots"));
    struct stat st;
    assert_int_equal(fstatat(g->dir, "artifacts/out/mine", &st, 0), 0);
    assert_int_equal(st.st_uid, 0);
    free_collected(&c);
}

/* ---- time and trouble ---- */

static void time_is_bounded(void **state) {
    struct ground *g = *state;
    mkdirat(g->work, "out", 0755);
    for (int i = 0; i < 200; i++) {
        char name[32];
        snprintf(name, sizeof name, "out/f%d", i);
        put(g->work, name, "x", 0644);
    }
    struct spec_collect entry = {.path = "out", .bytes = MIB, .files = 1000};
    struct collected c;
    _cleanup_error_ struct error err = {0};
    if (collect_run(g->work, -1, g->dir, &entry, 1, 0, &c, &err) < 0)
        fail_msg("%s", error_text(&err));
    assert_true(c.truncated);
    assert_int_equal(c.files, 0);
    reason_has(&c, "time");
    free_collected(&c);
}

static void trouble_of_ours_is_an_error_and_leaves_nothing(void **state) {
    struct ground *g = *state;
    put(g->work, "f", "x", 0644);
    struct spec_collect entry = {.path = "f", .bytes = MIB, .files = 10};
    struct collected c;
    _cleanup_error_ struct error err = {0};
    /* Not a namespace at all: the collector cannot join it. */
    assert_int_equal(collect_run(g->work, g->work, g->dir, &entry, 1, TIMEOUT, &c, &err), -1);
    assert_non_null(strstr(error_text(&err), "user namespace"));
    artifacts_are(g, NULL);
    assert_null(c.path);
}

static void artifacts_must_be_ours(void **state) {
    struct ground *g = *state;
    put(g->work, "f", "x", 0644);
    assert_int_equal(symlinkat("/tmp", g->dir, "artifacts"), 0);
    struct spec_collect entry = {.path = "f", .bytes = MIB, .files = 10};
    struct collected c;
    assert_int_equal(collect_run(g->work, -1, g->dir, &entry, 1, TIMEOUT, &c, NULL), -1);
}

static void no_descriptor_is_lost(void **state) {
    struct ground *g = *state;
    put(g->work, "f", "x", 0644);
    int before = dup(0);
    close(before);
    for (int i = 0; i < 5; i++) {
        _cleanup_collected_ struct collected c = collect(g, "f", MIB, 10);
        (void)c;
    }
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(files_and_folders_come_out),
        TEST(one_file_the_whole_and_what_is_not_there),
        TEST(the_whole_can_be_the_artifacts),
        TEST(paths_that_lead_outside_are_refused),
        TEST(links_are_never_followed),
        TEST(a_link_on_the_way_is_not_followed),
        TEST(hard_links_become_files_of_their_own),
        TEST(fifos_sockets_and_devices_stay_behind),
        TEST(deep_trees_end),
        TEST(too_many_files_are_cut),
        TEST(junk_is_bounded),
        TEST(sparse_files_count_by_apparent_size),
        TEST(holes_stay_holes_within_the_cap),
        TEST(a_file_beyond_the_cap_is_cut_and_said_so),
        TEST(strange_names_stay_behind),
        TEST(closed_folders_are_opened),
        TEST(a_plain_user_opens_their_own),
        TEST(mapped_files_are_read_and_others_are_not),
        TEST(time_is_bounded),
        TEST(trouble_of_ours_is_an_error_and_leaves_nothing),
        TEST(artifacts_must_be_ours),
        TEST(no_descriptor_is_lost),
    };
    return cmocka_run_group_tests_name("collect", tests, NULL, NULL);
}
