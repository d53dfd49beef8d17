/*
 * What the benches run inside and outside the fence: one static program, so
 * that the dynamic loader's work is no part of what is compared.
 *
 *     true | spin | sleep          nothing; until killed; until killed
 *     memory | output | forks | disk
 *                                  up to a limit; the last output is the last sign
 *                                  of life before it
 *     tree FAN DEPTH               FAN^DEPTH processes, a line when all stand
 *     cpu N | call N | read N | filtered N | fault N | exec N
 *                                  N operations; prints ns per operation
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Small operations are timed by the processor time they take, in slices of
 * which the best counts: what others do on the machine is no part of it. */
enum { SLICES = 10 };

static int64_t cpu_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void sign_of_life(void) {
    if (write(STDOUT_FILENO, ".", 1) != 1) _exit(3);
}

/* ---- towards a limit ---- */

static void take_memory(void) {
    for (;;) {
        char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) _exit(3);
        for (size_t i = 0; i < 1 << 20; i += 4096) ((volatile char *)p)[i] = 1;
        sign_of_life();
    }
}

static void flood(void) {
    static char block[4096];
    memset(block, 'x', sizeof block);
    while (write(STDOUT_FILENO, block, sizeof block) > 0) {
    }
    pause();
}

static void fork_until_refused(void) {
    for (;;) {
        pid_t pid = fork();
        if (pid == 0) pause();
        if (pid < 0) break;
    }
    sign_of_life();
    pause();
}

static void fill_disk(void) {
    static char block[65536];
    memset(block, 'x', sizeof block);
    int fd = open("fill", O_WRONLY | O_CREAT, 0600);
    while (write(fd, block, sizeof block) > 0) {
    }
    sign_of_life();
    for (;;) pause();
}

/* Everyone who stands writes a byte into one pipe; the first process reads as
 * many as it expects, then says so. */
static void grow(int report, long fan, long depth) {
    for (long i = 0; depth > 0 && i < fan; i++) {
        pid_t pid = fork();
        if (pid < 0) _exit(3);
        if (pid == 0) {
            grow(report, fan, depth - 1);
            if (write(report, ".", 1) != 1) _exit(3);
            for (;;) pause();
        }
    }
}

static int stand_tree(long fan, long depth) {
    int pipefd[2];
    if (pipe(pipefd) < 0) return 3;
    long expected = 0, level = 1;
    for (long d = 0; d < depth; d++) expected += level *= fan;
    grow(pipefd[1], fan, depth);
    char byte;
    for (long i = 0; i < expected; i++)
        if (read(pipefd[0], &byte, 1) != 1) return 3;
    printf("%ld\n", expected + 1);
    fflush(stdout);
    for (;;) pause();
}

/* ---- what an operation costs ---- */

static volatile uint64_t sink;

static void op_cpu(void) {
    uint64_t x = sink | 1;
    for (int i = 0; i < 1000; i++) x = x * 6364136223846793005U + 1442695040888963407U;
    sink = x;
}

static void op_call(void) {
    syscall(SYS_getppid);
}

static int null_fd;

static void op_read(void) {
    char byte;
    if (read(null_fd, &byte, 1) < 0) _exit(3);
}

/* A call whose arguments policies look at; it succeeds on any pipe or file. */
static int pipe_fd;

static void op_filtered(void) {
    int n;
    if (ioctl(pipe_fd, FIONREAD, &n) < 0) _exit(3);
}

/* 256 fresh pages; the caller divides. */
static void op_fault(void) {
    char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) _exit(3);
    for (size_t i = 0; i < 1 << 20; i += 4096) ((volatile char *)p)[i] = 1;
    munmap(p, 1 << 20);
}

static void op_exec(const char *self) {
    pid_t pid = vfork(); /* NOLINT */
    if (pid == 0) {
        execl(self, self, "true", (char *)NULL);
        _exit(4);
    }
    int status;
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0) _exit(3);
}

static int time_operation(const char *name, long n, const char *self) {
    static const struct {
        const char *name;
        void (*run)(void);
        int parts;
    } ops[] = {{"cpu", op_cpu, 1},
               {"call", op_call, 1},
               {"read", op_read, 1},
               {"filtered", op_filtered, 1},
               {"fault", op_fault, 256}};
    int pipefd[2];
    if (pipe(pipefd) < 0) return 3;
    pipe_fd = pipefd[0];
    null_fd = open("/dev/null", O_RDONLY);
    long each_slice = n / SLICES;
    for (size_t o = 0; o < sizeof ops / sizeof *ops; o++) {
        if (strcmp(ops[o].name, name) != 0) continue;
        double best = 0;
        for (int slice = 0; slice <= SLICES; slice++) {
            int64_t begin = cpu_ns();
            for (long i = 0; i < each_slice; i++) ops[o].run();
            double each = (double)(cpu_ns() - begin) / (double)each_slice / ops[o].parts;
            if (slice == 1 || (slice > 1 && each < best)) best = each; /* 0 warms up */
        }
        printf("%.3f\n", best);
        return 0;
    }
    if (strcmp(name, "exec") != 0) return 2;
    for (long i = 0; i < n / SLICES; i++) op_exec(self);
    int64_t begin = now_ns();
    for (long i = 0; i < n; i++) op_exec(self);
    printf("%.3f\n", (double)(now_ns() - begin) / (double)n);
    return 0;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "true") == 0) return 0;
    if (strcmp(what, "spin") == 0)
        for (;;) op_cpu();
    if (strcmp(what, "sleep") == 0)
        for (;;) pause();
    if (strcmp(what, "memory") == 0) take_memory();
    if (strcmp(what, "output") == 0) flood();
    if (strcmp(what, "forks") == 0) fork_until_refused();
    if (strcmp(what, "disk") == 0) fill_disk();
    if (strcmp(what, "tree") == 0 && argc == 4)
        return stand_tree(strtol(argv[2], NULL, 10), strtol(argv[3], NULL, 10));
    if (argc == 3) return time_operation(what, strtol(argv[2], NULL, 10), argv[0]);
    return 2;
}
