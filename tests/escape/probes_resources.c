/* Using up what belongs to everybody. Each has a launch of its own, with small
 * limits; most are judged by how that ended. */
#include "tests/escape/tables.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

/* The limit is to end us; when it does not, we got through. */
static int outlast(void) {
    sleep(1);
    return THROUGH;
}

/* ---- processes ---- */

static int fork_bomb(void) {
    for (int i = 0; i < 12; i++) fork(); /* 4,096 at most, whatever fails */
    return outlast();
}

static int fork_many(void) {
    for (int i = 0; i < 400; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            pause();
            _exit(0);
        }
    }
    return outlast();
}

static int zombies(void) {
    for (int i = 0; i < 400; i++)
        if (fork() == 0) _exit(0);
    return outlast();
}

static int silent_clones(void) {
    for (int i = 0; i < 400; i++) {
        long pid = syscall(SYS_clone, 0, NULL, NULL, NULL, NULL); /* no exit signal */
        if (pid == 0) {
            pause();
            _exit(0);
        }
    }
    return outlast();
}

static void *rest(void *unused) {
    pause();
    return unused;
}

static int thread_bomb(void) {
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 65536);
    for (int i = 0; i < 400; i++) {
        pthread_t t;
        pthread_create(&t, &small, rest, NULL);
    }
    return outlast();
}

/* A chain whose links die young: nobody to kill but the newest. */
static int fork_chain(void) {
    if (fork() != 0) {
        pause();
        return THROUGH;
    }
    for (;;) {
        pid_t pid = fork();
        if (pid > 0) _exit(0);
    }
}

/* ---- memory ---- */

static int heap(void) {
    for (int i = 0; i < 256; i++) {
        char *p = malloc(MIB);
        if (p) memset(p, 1, MIB);
    }
    return outlast();
}

/* Past the limit only when all have filled theirs, however slow the machine. */
static int heap_in_children(void) {
    int filled[2];
    char done[16];
    if (pipe(filled) < 0) return errno;
    for (int i = 0; i < 16; i++)
        if (fork() == 0) {
            char *heap = malloc(16 * MIB);
            memset(heap, 1, 16 * MIB);
            /* Written from there, or the compiler may leave the filling out. */
            if (write(filled[1], heap, 1) == 1) pause();
            _exit(1);
        }
    for (size_t n = 0; n < sizeof done;) {
        ssize_t got = read(filled[0], done, sizeof done - n);
        if (got <= 0) return errno;
        n += (size_t)got;
    }
    return outlast();
}

static int tmp_memory(void) {
    int failed = fill_file("/tmp/full", 200 * MIB);
    return failed ? failed : outlast();
}

static int shm_memory(void) {
    int failed = fill_file("/dev/shm/full", 200 * MIB);
    return failed ? failed : outlast();
}

/* Files without a name still cost memory. */
static int unlinked_memory(void) {
    for (int i = 0; i < 8; i++) {
        int failed = fill_file("/tmp/full", 25 * MIB);
        unlink("/tmp/full");
        if (failed) return failed;
    }
    return outlast();
}

static int memfd_memory(void) {
    static char ones[MIB];
    memset(ones, 1, sizeof ones);
    int fd = memfd_create("full", MFD_CLOEXEC);
    if (fd < 0) return errno;
    for (int i = 0; i < 256; i++)
        if (write(fd, ones, sizeof ones) < 0) return errno;
    return outlast();
}

static int sysv_memory(void) {
    for (int i = 0; i < 16; i++) {
        int id = shmget(IPC_PRIVATE, 16 * MIB, 0600);
        if (id < 0) return errno;
        char *p = shmat(id, NULL, 0);
        if ((intptr_t)p == -1) return errno;
        memset(p, 1, 16 * MIB);
        shmdt(p); /* detached, it is in nobody's resident set */
    }
    return outlast();
}

static int pipe_memory(void) {
    static char page[65536];
    for (int i = 0; i < 450; i++) {
        int ends[2];
        if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0) return errno;
        (void)fcntl(ends[1], F_SETPIPE_SZ, MIB);
        while (write(ends[1], page, sizeof page) > 0) continue;
    }
    return outlast();
}

static int socket_memory(void) {
    static char bytes[32768];
    for (int i = 0; i < 450; i++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
            return errno;
        while (send(pair[0], bytes, sizeof bytes, 0) > 0) continue;
        while (send(pair[1], bytes, sizeof bytes, 0) > 0) continue;
    }
    return outlast();
}

/* Reading untouched memory maps the one page of zeros, which counts for nobody;
 * the tables that map it do not. */
static int page_tables(void) {
    size_t step = 2 * (size_t)MIB, size = step * 16384;
    volatile char *p =
        mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return errno;
    madvise((void *)p, size, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < size; i += step) (void)p[i];
    return outlast();
}

static int huge_pages(void) {
    void *p = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB,
                   -1, 0);
    return p == MAP_FAILED ? errno : THROUGH;
}

static int huge_pages_high(void) {
    return answered(syscall(SYS_mmap, NULL, 2L * MIB, 3,
                            0x500000000UL | MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0));
}

static int huge_segment(void) {
    return answered(shmget(IPC_PRIVATE, 2 * MIB, SHM_HUGETLB | 0600));
}

/* Names that are not there are remembered too. */
static int negative_names(void) {
    char path[64];
    time_t end = time(NULL) + 3; /* as many as there is time for */
    for (int i = 0; i < 100000 && time(NULL) <= end; i++) {
        snprintf(path, sizeof path, "/usr/no-such-%d", i);
        (void)access(path, F_OK);
    }
    return CONTAINED;
}

static int watches(void) {
    int made = 0;
    for (int i = 0; i < 100000; i++, made++)
        if (inotify_init1(IN_CLOEXEC) < 0) break;
    return made < 1100 ? errno : THROUGH;
}

/* ---- disk ---- */

static int fill_work(void) {
    (void)fill_file("/work/full", 200 * MIB);
    return outlast();
}

static int fill_tmp(void) {
    (void)fill_file("/tmp/full", 200 * MIB);
    return outlast();
}

static int use_inodes(void) {
    char path[64];
    for (int i = 0; i < 100000; i++) {
        snprintf(path, sizeof path, "/work/%d", i);
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) break;
        close(fd);
    }
    return outlast();
}

static int use_tmp_inodes(void) {
    char path[64];
    for (int i = 0; i < 100000; i++) {
        snprintf(path, sizeof path, "/tmp/%d", i);
        if (mkdir(path, 0700) < 0) break;
    }
    return outlast();
}

static int big_file(void) {
    return fill_file("/work/big", 4 * MIB) ? errno : THROUGH;
}

/* ---- output ---- */

static int flood(int fd, const char *bytes, size_t len) {
    for (long i = 0; i < 100000; i++)
        if (write(fd, bytes, len) < 0) return errno;
    return outlast();
}

static int flood_stdout(void) {
    return flood(STDOUT_FILENO, "flood\n", 6);
}

static int flood_stderr(void) {
    return flood(STDERR_FILENO, "\0\0\0\0\0\0\0\0", 8);
}

static int flood_reopened(void) {
    int fd = open("/proc/self/fd/1", O_WRONLY | O_CLOEXEC);
    return fd < 0 ? errno : flood(fd, "\033]0;x\a\033[2J", 10);
}

/* Non-blocking on a pipe that the launcher must not stumble over. */
static int flood_children(void) {
    for (int i = 0; i < 8; i++)
        if (fork() == 0) return flood(STDOUT_FILENO, "child\n", 6);
    return flood(STDERR_FILENO, "parent\n", 7);
}

/* ---- cpu and time ---- */

static int spin(void) {
    volatile unsigned long turns = 0;
    while (turns < UINT64_MAX) turns++;
    return THROUGH;
}

static int spin_in_children(void) {
    for (int i = 0; i < 8; i++)
        if (fork() == 0) spin();
    return spin();
}

static int spin_in_short_lives(void) {
    for (;;) {
        pid_t pid = fork();
        if (pid == 0) {
            for (volatile int i = 0; i < 2000000; i++) continue;
            _exit(0);
        }
        waitpid(pid, NULL, 0);
    }
}

static int sleep_on(void) {
    sleep(30);
    return THROUGH;
}

static int ignore_all_signals(void) {
    for (int s = 1; s < 65; s++) signal(s, SIG_IGN);
    sleep(30);
    return THROUGH;
}

static int stop_oneself(void) {
    raise(SIGSTOP);
    sleep(30);
    return THROUGH;
}

/* The parent of a vfork waits in a state that only a fatal signal ends. */
static int wait_for_vfork(void) {
    /* NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork): the point
     */
    if (vfork() == 0) {
        sleep(30);
        _exit(0);
    }
    /* NOLINTEND(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
    return THROUGH;
}

static int full_pipe(void) {
    int ends[2];
    static char bytes[1 << 20];
    if (pipe2(ends, O_CLOEXEC) < 0) return errno;
    return answered(write(ends[1], bytes, sizeof bytes)); /* nobody reads */
}

#define PIDS .flags = ALONE, .limits = {.pids = 24}
#define MEMORY(extra) \
    .flags = ALONE | (extra), .limits = {.memory_bytes = 48 << 20, .tmp_bytes = 300 << 20}
#define OUTPUT .flags = ALONE, .limits = {.output_bytes = 20000}
#define WALL   .flags = ALONE, .limits = {.wall_ms = 400, .grace_ms = 50}
#define CPU    .flags = ALONE, .limits = {.cpu_ms = 300}
static const struct attempt attempts[] = {
    TRY("fork-bomb", "cgroup", "ended:pids-limit", fork_bomb, PIDS),
    TRY("fork-many", "cgroup", "ended:pids-limit", fork_many, PIDS),
    TRY("zombies", "cgroup", "ended:pids-limit", zombies, PIDS),
    TRY("clones-without-signal", "cgroup", "ended:pids-limit", silent_clones, PIDS),
    TRY("thread-bomb", "cgroup", "ended:pids-limit", thread_bomb, PIDS),
    TRY("fork-chain", "watchers", "ended:wall-limit|ended:pids-limit", fork_chain, WALL),
    TRY("memory-heap", "cgroup", "ended:memory-limit", heap, MEMORY(0)),
    TRY("memory-children", "cgroup", "ended:memory-limit", heap_in_children, MEMORY(0)),
    TRY("memory-tmp", "cgroup", "ended:memory-limit", tmp_memory, MEMORY(0)),
    TRY("memory-shm", "cgroup", "ended:memory-limit", shm_memory, MEMORY(0)),
    TRY("memory-unlinked", "cgroup", "ended:memory-limit", unlinked_memory, MEMORY(0)),
    TRY("memory-memfd", "cgroup", "ended:memory-limit", memfd_memory, MEMORY(NEEDS_GROUP)),
    TRY("memory-sysv", "cgroup", "ended:memory-limit", sysv_memory, MEMORY(NEEDS_GROUP)),
    TRY("memory-pipes", "cgroup", "ended:memory-limit", pipe_memory, MEMORY(NEEDS_GROUP)),
    TRY("memory-sockets", "cgroup", "ended:memory-limit", socket_memory, MEMORY(NEEDS_GROUP)),
    TRY("memory-page-tables", "cgroup", "ended:memory-limit", page_tables, MEMORY(NEEDS_GROUP)),
    TRY("memory-negative-names", "cgroup", "contained", negative_names, MEMORY(NEEDS_GROUP)),
    TRY("memory-huge-pages", "seccomp", "EINVAL", huge_pages),
    TRY("memory-huge-pages-high-bits", "seccomp", "EINVAL", huge_pages_high),
    TRY("memory-huge-pages-strict", "seccomp", "EINVAL", huge_pages, .policy = "strict"),
    TRY("memory-huge-segment", "capabilities", "EPERM|ENOMEM", huge_segment),
    TRY("inotify-instances", "user-namespace", "EMFILE|ENOSPC", watches),
    TRY("disk-work", "mount-sizes", "ended:disk-limit", fill_work, .flags = ALONE),
    TRY("disk-tmp", "mount-sizes", "ended:disk-limit", fill_tmp, .flags = ALONE),
    TRY("inodes-work", "mount-sizes", "ended:disk-limit", use_inodes, .flags = ALONE),
    TRY("inodes-tmp", "mount-sizes", "ended:disk-limit", use_tmp_inodes, .flags = ALONE),
    TRY("file-size", "rlimits", "ended:signal", big_file, .flags = ALONE,
        .limits = {.file_bytes = 1 << 20}),
    TRY("output-stdout", "watchers", "ended:output-limit", flood_stdout, OUTPUT),
    TRY("output-stderr-nul", "watchers", "ended:output-limit", flood_stderr, OUTPUT),
    TRY("output-reopened", "watchers", "ended:output-limit", flood_reopened, OUTPUT),
    TRY("output-children", "watchers", "ended:output-limit", flood_children, OUTPUT),
    TRY("cpu-spin", "watchers", "ended:cpu-limit", spin, CPU),
    TRY("cpu-children", "watchers", "ended:cpu-limit", spin_in_children, CPU),
    TRY("cpu-short-lives", "watchers", "ended:cpu-limit", spin_in_short_lives, CPU),
    TRY("wall-sleep", "watchers", "ended:wall-limit", sleep_on, WALL),
    TRY("wall-ignore-signals", "watchers", "ended:wall-limit", ignore_all_signals, WALL),
    TRY("wall-stop-oneself", "watchers", "ended:wall-limit", stop_oneself, WALL),
    TRY("wall-vfork", "watchers", "ended:wall-limit", wait_for_vfork, WALL),
    TRY("wall-full-pipe", "watchers", "ended:wall-limit", full_pipe, WALL),
};
ATTEMPTS(resource_attempts, "resources");
