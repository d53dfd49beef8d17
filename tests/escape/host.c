#include "tests/escape/host.h"

#include "common/cleanup.h"
#include "common/file.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>

/* The first ids of the first two ranges of a root launcher (sandbox/live.c). */
enum { FIRST_IDS = 0x40000000, SECOND_IDS = 0x40010000 };
enum { HOST_USER = 1000, LEAK_FD = 50 };

/* ---- files ---- */

static int put(const char *dir, const char *name, const char *text, mode_t mode,
               struct error *err) {
    _cleanup_free_ char *path = path_join(dir, name);
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write_all(fd, text, strlen(text)) < 0 || fchmod(fd, mode) < 0)
        return error_sys(err, errno, "%s", path);
    return 0;
}

static int copy(const char *from, const char *dir, const char *name, mode_t mode, uid_t owner,
                struct error *err) {
    _cleanup_free_ char *path = path_join(dir, name);
    _cleanup_buf_ struct buf bytes = {0};
    if (file_read(from, 64 << 20, &bytes, err) < 0) return -1;
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write_all(fd, bytes.data, bytes.len) < 0 ||
        (owner && fchown(fd, owner, owner) < 0) || fchmod(fd, mode) < 0)
        return error_sys(err, errno, "%s", path);
    return 0;
}

static char *make_folder(const struct host *h, const char *name, mode_t mode) {
    char *path = path_join(h->work, name);
    if (path && (mkdir(path, mode) < 0 || chmod(path, mode) < 0)) {
        free(path);
        return NULL;
    }
    return path;
}

/* As root the owners are ids of the sandboxes to come; else our own id, which
 * is 0 inside with subordinate ids. */
static int plant_programs(const struct host *h, struct error *err) {
    _cleanup_free_ char *program = path_join(h->bin, "../tests/escape_probe");
    uid_t low = h->root ? FIRST_IDS : 0, high = h->root ? SECOND_IDS : 0;
    if (copy(program, h->probe, "probe", 0755, 0, err) < 0 ||
        copy(program, h->probe, "setuid-low", 04755, low, err) < 0 ||
        copy(program, h->probe, "setuid-high", 04755, high, err) < 0 ||
        copy(program, h->data, "tool", 0755, 0, err) < 0)
        return -1;
    return 0;
}

static int plant_files(const struct host *h, struct error *err) {
    _cleanup_free_ char *private = path_join(h->data, "private");
    _cleanup_free_ char *node = path_join(h->data, "null");
    if (put(h->secret, "secret", HOST_SECRET "\n", 0644, err) < 0 ||
        put(h->data, "root-only", HOST_SECRET "\n", 0600, err) < 0)
        return -1;
    if (!h->root) return 0;
    if (put(h->data, "private", HOST_SECRET "\n", 0600, err) < 0) return -1;
    if (chown(private, HOST_USER, HOST_USER) < 0 ||
        mknod(node, S_IFCHR | 0666, makedev(1, 3)) < 0 || chmod(node, 0666) < 0)
        return error_sys(err, errno, "files of other owners");
    return 0;
}

int host_reset(struct host *h, struct error *err) {
    _cleanup_free_ char *shared = strdup(h->shared);
    if (tree_remove(shared, err) < 0) return -1;
    if (mkdir(shared, 0777) < 0 || chmod(shared, 0777) < 0)
        return error_sys(err, errno, "%s", shared);
    return put(h->data, "open", "open to all\n", 0666, err);
}

/* ---- sockets, memory, descriptors ---- */

static int listen_on(int fd, const void *address, socklen_t len, struct error *err) {
    if (fd < 0 || bind(fd, address, len) < 0 || listen(fd, 8) < 0)
        return error_sys(err, errno, "listen");
    return 0;
}

static int open_sockets(struct host *h, struct error *err) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    h->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listen_on(h->listener, &in, sizeof in, err) < 0) return -1;
    if (getsockname(h->listener, (struct sockaddr *)&in, &len) < 0)
        return error_sys(err, errno, "port");
    h->port = ntohs(in.sin_port);
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int n = snprintf(un.sun_path + 1, sizeof un.sun_path - 1, "paddock-escape-%d", (int)getpid());
    h->abstract = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
    if (listen_on(h->abstract, &un, len, err) < 0) return -1;
    struct sockaddr_un file = {.sun_family = AF_UNIX};
    snprintf(file.sun_path, sizeof file.sun_path, "%s/socket", h->data);
    h->socket_in_data = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return listen_on(h->socket_in_data, &file, sizeof file, err);
}

static int open_leaks(struct host *h, struct error *err) {
    _cleanup_free_ char *file = path_join(h->secret, "secret");
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) return error_sys(err, errno, "socketpair");
    int opened[4] = {open(h->secret, O_RDONLY | O_DIRECTORY), open(file, O_RDWR), pair[0], pair[1]};
    for (int i = 0; i < 4; i++) {
        h->leaks[i] = opened[i] < 0 ? -1 : fcntl(opened[i], F_DUPFD, LEAK_FD);
        if (h->leaks[i] < 0) return error_sys(err, errno, "descriptors to leak");
        close(opened[i]);
    }
    return 0;
}

static void open_key(struct host *h) {
    /* A session of our own, so that nobody else's keyring is touched. */
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0) return;
    char name[sizeof h->key];
    snprintf(name, sizeof name, "paddock-escape-%d", (int)getpid());
    if (syscall(SYS_add_key, "user", name, "x", 1, KEY_SPEC_SESSION_KEYRING) >= 0)
        snprintf(h->key, sizeof h->key, "%s", name);
}

static int start_decoy(struct host *h, struct error *err) {
    h->decoy = fork();
    if (h->decoy < 0) return error_sys(err, errno, "fork");
    if (h->decoy == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        setpgid(0, 0);
        for (;;) pause();
    }
    setpgid(h->decoy, h->decoy);
    return 0;
}

int host_open(struct host *h, struct error *err) {
    const char *bin = getenv("PADDOCK_BIN"), *policies = getenv("PADDOCK_POLICIES"),
               *open_policy = getenv("ESCAPE_OPEN_POLICY");
    char template[] = "/tmp/paddock-escape-XXXXXX";
    if (!bin || !open_policy)
        return error_set(err, ERROR_INVALID, "run this by ./dev escape or tests/escape/escape.sh");
    h->listener = h->abstract = h->socket_in_data = h->segment = -1;
    h->root = geteuid() == 0;
    umask(022);
    if (!mkdtemp(template) || chmod(template, 0755) < 0) return error_sys(err, errno, "mkdtemp");
    h->work = strdup(template);
    h->bin = strdup(bin);
    h->policies = policies ? strdup(policies) : path_join(bin, "../policies");
    h->open_policy = strdup(open_policy);
    h->data = make_folder(h, "data", 0755);
    h->probe = make_folder(h, "probe", 0755);
    h->shared = make_folder(h, "shared", 0777);
    h->secret = make_folder(h, "secret", 0755);
    _cleanup_free_ char *live = make_folder(h, "live", 0700);
    _cleanup_free_ char *launcher = path_join(bin, "paddock-sandbox");
    if (!h->data || !h->probe || !h->shared || !h->secret || !live)
        return error_sys(err, errno, "folders in %s", h->work);
    setenv("PADDOCK_LIVE", live, 1);
    if (stat(launcher, &h->launcher) < 0) return error_sys(err, errno, "%s", launcher);
    gethostname(h->name, sizeof h->name - 1);
    _cleanup_buf_ struct buf pattern = {0};
    if (file_read("/proc/sys/kernel/core_pattern", 4096, &pattern, err) < 0) return -1;
    h->core_pattern = buf_steal(&pattern);
    if (plant_programs(h, err) < 0 || plant_files(h, err) < 0 || host_reset(h, err) < 0 ||
        open_sockets(h, err) < 0 || open_leaks(h, err) < 0)
        return -1;
    h->segment = shmget((key_t)(0x50000000 + getpid()), 4096, IPC_CREAT | 0666);
    open_key(h);
    return start_decoy(h, err);
}

void host_close(struct host *h) {
    if (h->decoy > 0) {
        kill(h->decoy, SIGKILL);
        waitpid(h->decoy, NULL, 0);
    }
    if (h->segment >= 0) shmctl(h->segment, IPC_RMID, NULL);
    if (h->work) tree_remove(h->work, NULL);
    free(h->work);
    free(h->data);
    free(h->probe);
    free(h->shared);
    free(h->secret);
    free(h->bin);
    free(h->policies);
    free(h->open_policy);
    free(h->core_pattern);
}

/* ---- facts ---- */

static int push(char ***list, const char *key, const char *value) {
    _cleanup_free_ char *text = str_printf("%s=%s", key, value);
    return text ? strv_push(list, text) : -1;
}

static int push_number(char ***list, const char *key, long value) {
    char text[32];
    snprintf(text, sizeof text, "%ld", value);
    return push(list, key, text);
}

char **host_facts(const struct host *h) {
    struct sysinfo info;
    char **list = NULL;
    _cleanup_free_ char *file = path_join(h->secret, "secret");
    char abstract[64];
    sysinfo(&info);
    snprintf(abstract, sizeof abstract, "paddock-escape-%d", (int)getpid());
    int failed = push(&list, "PATH", "/usr/bin:/bin") | push(&list, "HOME", "/tmp/home") |
                 push(&list, "ESCAPE_HOST_FILE", file) | push(&list, "ESCAPE_HOST_DIR", h->secret) |
                 push(&list, "ESCAPE_HOSTNAME", h->name) | push(&list, "ESCAPE_KEY", h->key) |
                 push(&list, "ESCAPE_ABSTRACT", abstract) |
                 push_number(&list, "ESCAPE_PID", h->decoy) |
                 push_number(&list, "ESCAPE_PORT", h->port) |
                 push_number(&list, "ESCAPE_SHM", 0x50000000 + getpid()) |
                 push_number(&list, "ESCAPE_UPTIME", info.uptime);
    if (!failed) return list;
    strv_free(list);
    return NULL;
}
