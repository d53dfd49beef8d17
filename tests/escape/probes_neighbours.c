/* From one sandbox to another, and to the host's own shared things. */
#include "tests/escape/tables.h"

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { KEY = 0x7061646B };

static int abstract_socket(struct sockaddr_un *un, socklen_t *len) {
    static const char name[] = "paddock-escape-neighbour";
    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(un->sun_path + 1, name, sizeof name);
    *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + sizeof name);
    return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int touch(const char *path, mode_t mode) {
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, mode);
    if (fd < 0) return errno;
    if (write(fd, "neighbour\n", 10) < 0) return errno;
    return fchmod(fd, mode) < 0 ? errno : 0;
}

/* Until the launcher is told to stop. In a namespace of its own all goes by itself;
 * a test without one must not leave it on the machine. */
static int stay_and_forget(const sigset_t *end) {
    int got;
    sigwait(end, &got);
    shmctl(shmget(KEY, 1, 0), IPC_RMID, NULL);
    semctl(semget(KEY, 1, 0), 0, IPC_RMID);
    return CONTAINED;
}

/* The neighbour: leaves something in each place and stays. */
static int be_the_neighbour(void) {
    struct sockaddr_un un;
    socklen_t len;
    sigset_t end;
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_BLOCK, &end, NULL);
    int fd = abstract_socket(&un, &len);
    if (bind(fd, (struct sockaddr *)&un, len) < 0 || listen(fd, 4) < 0) return errno;
    if (shmget(KEY, 4096, IPC_CREAT | 0666) < 0 || semget(KEY, 1, IPC_CREAT | 0666) < 0)
        return errno;
    int failed = touch("/tmp/neighbour", 0666) | touch("/dev/shm/neighbour", 0666) |
                 touch("/work/neighbour", 0666) | touch("/shared/private", 0600);
    if (failed) return failed;
    int shared = open("/data/open", O_RDONLY | O_CLOEXEC);
    if (flock(shared, LOCK_EX) < 0) return errno;
    failed = touch("/shared/neighbour", 0644); /* the runner waits for it */
    return failed ? failed : stay_and_forget(&end);
}

static int find_segment(void) {
    return answered(shmget(KEY, 4096, 0));
}

static int find_semaphore(void) {
    return answered(semget(KEY, 1, 0));
}

static int find_abstract(void) {
    struct sockaddr_un un;
    socklen_t len;
    int fd = abstract_socket(&un, &len);
    return answered(connect(fd, (struct sockaddr *)&un, len));
}

static int find_tmp(void) {
    return try_open("/tmp/neighbour", O_RDONLY);
}

static int find_shm(void) {
    return try_open("/dev/shm/neighbour", O_RDONLY);
}

static int find_work(void) {
    return try_open("/work/neighbour", O_RDONLY);
}

static int read_private(void) {
    return try_open("/shared/private", O_RDONLY);
}

static int replace_mode(void) {
    return answered(chmod("/shared/private", 0666));
}

static int see_lock(void) {
    int fd = open("/data/open", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? errno : answered(flock(fd, LOCK_SH | LOCK_NB));
}

static int see_record_lock(void) {
    int fd = open("/data/open", O_RDONLY | O_CLOEXEC);
    struct flock l = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    return fd < 0 ? errno : answered(fcntl(fd, F_OFD_SETLK, &l));
}

static int take_lease(void) {
    int fd = open("/data/open", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? errno : answered(fcntl(fd, F_SETLEASE, F_RDLCK));
}

static int watch_shared(void) {
    return answered(syscall(SYS_inotify_init1, 0));
}

static int notify_directory(void) {
    int fd = open("/data", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? errno : answered(fcntl(fd, F_NOTIFY, 1));
}

static int find_host_segment(void) {
    return answered(shmget((key_t)fact_number("SHM"), 1, 0));
}

static int find_host_tmp(void) {
    struct stat st;
    return answered(stat(fact("HOST_DIR"), &st));
}

/* Nobody else's file may be below the shared folders of this sandbox. */
static int find_leftovers(void) {
    static const char *const places[] = {"/tmp", "/dev/shm", "/tmp/home"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int seen = try_see(places[i]);
        if (i == 0 ? access("/tmp/home", F_OK) < 0 : seen == THROUGH) return THROUGH;
    }
    return HIDDEN;
}

#define BESIDE .flags = NEIGHBOUR
static const struct attempt attempts[] = {
    /* Not an attempt but the other side of them; the runner starts it by name. */
    TRY("neighbour", "none", "killed", be_the_neighbour, .flags = ALONE | NEIGHBOUR),
    TRY("neighbour-sysv-memory", "ipc-namespace", "ENOENT", find_segment, BESIDE),
    TRY("neighbour-semaphore", "ipc-namespace", "ENOENT", find_semaphore, BESIDE),
    TRY("neighbour-abstract", "network-namespace", "ECONNREFUSED|EPERM", find_abstract, BESIDE),
    TRY("neighbour-tmp", "mount-namespace", "ENOENT", find_tmp, BESIDE),
    TRY("neighbour-shm", "mount-namespace", "ENOENT", find_shm, BESIDE),
    TRY("neighbour-work", "mount-namespace", "ENOENT", find_work, BESIDE),
    TRY("neighbour-file", "id-range", "EACCES", read_private, .flags = NEIGHBOUR | ROOT_ONLY),
    TRY("neighbour-chmod", "id-range", "EPERM", replace_mode, .flags = NEIGHBOUR | ROOT_ONLY),
    TRY("neighbour-flock-strict", "seccomp", "ENOLCK", see_lock, .flags = NEIGHBOUR,
        .policy = "strict"),
    TRY("neighbour-record-lock-strict", "seccomp", "ENOLCK", see_record_lock, .flags = NEIGHBOUR,
        .policy = "strict"),
    TRY("neighbour-lease-strict", "seccomp", "ENOLCK", take_lease, .flags = NEIGHBOUR,
        .policy = "strict"),
    TRY("neighbour-inotify-strict", "seccomp", "ENOSYS", watch_shared, .flags = NEIGHBOUR,
        .policy = "strict"),
    TRY("neighbour-dnotify-strict", "seccomp", "ENOLCK", notify_directory, .flags = NEIGHBOUR,
        .policy = "strict"),
    TRY("neighbour-lease", "seccomp", "EACCES", take_lease, BESIDE),
    TRY("neighbour-dnotify", "seccomp", "EACCES", notify_directory, BESIDE),
    TRY("host-sysv-memory", "ipc-namespace", "ENOENT", find_host_segment),
    TRY("host-tmp", "mount-namespace", "ENOENT", find_host_tmp),
    TRY("leftovers", "mount-namespace", "hidden", find_leftovers, .flags = ALONE),
};
ATTEMPTS(neighbour_attempts, "between sandboxes");
