/* What a run leaves to be collected. The runner asks for "out" and looks at what
 * came: regular files and folders only, plain names, none of the host's words,
 * no more than was allowed. */
#include "tests/escape/tables.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void put(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) return;
    if (write(fd, text, strlen(text)) < 0) perror(path);
    close(fd);
}

/* An honest file beside it: the rest of the collection must go on. */
static void begin(void) {
    mkdir("/work/out", 0755);
    put("/work/out/honest", "honest\n");
}

static int link_to_file(void) {
    begin();
    return answered(symlink(fact("HOST_FILE"), "/work/out/link"));
}

static int link_to_folder(void) {
    begin();
    return answered(symlink(fact("HOST_DIR"), "/work/out/folder"));
}

static int link_upwards(void) {
    char path[512];
    begin();
    snprintf(path, sizeof path, "../../../../../../..%s", fact("HOST_FILE"));
    return answered(symlink(path, "/work/out/up"));
}

static int link_as_root(void) {
    return answered(symlink(fact("HOST_DIR"), "/work/out"));
}

static int link_magic(void) {
    begin();
    return symlink("/proc/self/exe", "/work/out/exe") | symlink("/proc/1/root", "/work/out/root") |
           symlink("/proc/self/fd/0", "/work/out/fd");
}

static int link_loop(void) {
    begin();
    return symlink("b", "/work/out/a") | symlink("a", "/work/out/b") |
           symlink(".", "/work/out/self");
}

static int hard_link(void) {
    begin();
    return answered(link("/work/out/honest", "/work/out/twin"));
}

static int hard_link_out(void) {
    begin();
    return answered(link("/data/open", "/work/out/data"));
}

static int pipe_reader_hangs(void) {
    begin();
    return answered(mkfifo("/work/out/pipe", 0666));
}

static int socket_file(void) {
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "/work/out/socket"};
    begin();
    return answered(bind(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&un, sizeof un));
}

static int deep_folders(void) {
    begin();
    if (chdir("/work/out") < 0) return errno;
    for (int i = 0; i < 700; i++)
        if (mkdir("d", 0755) < 0 || chdir("d") < 0) return errno;
    put("bottom", "bottom\n");
    return THROUGH;
}

static int long_names(void) {
    char path[512] = "/work/out/";
    begin();
    memset(path + 10, 'n', 255);
    put(path, "long\n");
    return THROUGH;
}

static int odd_names(void) {
    begin();
    put("/work/out/new\nline", "x");
    put("/work/out/invalid-\xff\xfe", "x");
    put("/work/out/escape-\033[2J", "x");
    put("/work/out/overlong-\xc0\xaf", "x");
    put("/work/out/c1-\xc2\x9b", "x");
    put("/work/out/ ", "x");
    put("/work/out/-rf", "x");
    put("/work/out/..x", "x");
    return THROUGH;
}

static int sparse_terabyte(void) {
    begin();
    int fd = open("/work/out/sparse", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) return errno;
    return answered(ftruncate(fd, 1L << 40));
}

static int sparse_with_data(void) {
    int failed = sparse_terabyte();
    int fd = open("/work/out/sparse", O_WRONLY | O_CLOEXEC);
    for (int i = 0; i < 64; i++)
        if (pwrite(fd, "data", 4, (off_t)i << 33) < 0) return errno;
    return failed;
}

static int too_much(void) {
    begin();
    return fill_file("/work/out/much", 6 << 20) ? errno : THROUGH;
}

static int too_many(void) {
    char path[64];
    begin();
    for (int i = 0; i < 1500; i++) {
        snprintf(path, sizeof path, "/work/out/%d", i);
        put(path, "");
    }
    return THROUGH;
}

static int closed_modes(void) {
    begin();
    mkdir("/work/out/closed", 0755);
    put("/work/out/closed/in", "x");
    return chmod("/work/out/closed/in", 0) | chmod("/work/out/closed", 0) |
           chmod("/work/out/honest", 0);
}

static int special_bits(void) {
    begin();
    put("/work/out/bits", "#!/bin/sh\n");
    return answered(chmod("/work/out/bits", 07777));
}

/* A survivor that swaps a file for a link while it is being collected. */
static int swap_while_collected(void) {
    begin();
    pid_t pid = fork();
    if (pid != 0) {
        struct timespec t = {.tv_nsec = 30000000};
        nanosleep(&t, NULL);
        return pid < 0 ? errno : THROUGH;
    }
    setsid();
    (void)symlink(fact("HOST_FILE"), "/work/out/b");
    for (;;) syscall(SYS_renameat2, AT_FDCWD, "/work/out/honest", AT_FDCWD, "/work/out/b", 2);
}

static int grow_while_collected(void) {
    begin();
    pid_t pid = fork();
    if (pid != 0) return pid < 0 ? errno : THROUGH;
    setsid();
    for (;;) {
        int fd = open("/work/out/honest", O_WRONLY | O_APPEND | O_CLOEXEC);
        if (write(fd, "more and more\n", 14) < 0) _exit(0);
        close(fd);
    }
}

/* The name that the collector's own staging folder might have. */
static int staging_names(void) {
    begin();
    mkdir("/work/out/.partial-0000000000000000", 0755);
    put("/work/out/.partial-0000000000000000/0", "x");
    put("/work/out/result.json", "{\"ended\": \"exit\", \"wall_ns\": 1}");
    return THROUGH;
}

#define COLLECT    .flags = ALONE, .collect = "out", .limits = {.disk_bytes = 24 << 20}
#define LEFT(n, p) TRY(n, "collection", "clean", p, COLLECT)
static const struct attempt attempts[] = {
    LEFT("collect-link-file", link_to_file),
    LEFT("collect-link-folder", link_to_folder),
    LEFT("collect-link-upwards", link_upwards),
    LEFT("collect-link-as-root", link_as_root),
    LEFT("collect-link-magic", link_magic),
    LEFT("collect-link-loop", link_loop),
    LEFT("collect-hard-link", hard_link),
    LEFT("collect-hard-link-out", hard_link_out),
    LEFT("collect-fifo", pipe_reader_hangs),
    LEFT("collect-socket", socket_file),
    LEFT("collect-deep", deep_folders),
    LEFT("collect-long-names", long_names),
    LEFT("collect-odd-names", odd_names),
    LEFT("collect-sparse-terabyte", sparse_terabyte),
    LEFT("collect-sparse-data", sparse_with_data),
    LEFT("collect-too-much", too_much),
    LEFT("collect-too-many", too_many),
    LEFT("collect-closed-modes", closed_modes),
    LEFT("collect-special-bits", special_bits),
    LEFT("collect-swapping", swap_while_collected),
    LEFT("collect-growing", grow_while_collected),
    LEFT("collect-staging-names", staging_names),
};
ATTEMPTS(collection_attempts, "collection");
