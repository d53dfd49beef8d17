/*
 * bench_probes: what a program finds possible where it runs. One static
 * program, run bare, under other launchers and in the fence (probes.sh), so
 * that all are asked the very same.
 *
 *     bench_probes               every probe but the heavy ones, a line each:
 *                                NAME ok | NAME denied REASON
 *     bench_probes heavy NAME    one that runs into a limit of resources, which
 *                                may end the whole sandbox
 *     bench_probes host          what the probes look for outside
 */
#include "tests/bench/probes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* 0: it worked. Else an errno. */
int probe_result(long r) {
    return r < 0 ? errno : 0;
}

/* Worked, or failed for another reason than permission: the kernel let it in. */
int probe_reached(long r) {
    return r < 0 && (errno == EPERM || errno == EACCES || errno == ENOSYS) ? errno : 0;
}

int probe_opens(const char *path, int flags) {
    return probe_result(open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
}

int probe_reads(const char *path) {
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return errno;
    ssize_t n = read(fd, &byte, 1);
    return n < 0 ? errno : n == 0 ? ENODATA : 0;
}

int probe_lists(const char *path) {
    DIR *d = opendir(path);
    if (!d) return errno;
    for (struct dirent *e; (e = readdir(d));)
        if (e->d_name[0] != '.') return 0;
    return ENODATA;
}

int probe_creates(const char *path) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) return errno;
    unlink(path);
    return 0;
}

static void attempt(const struct probe *p) {
    pid_t pid = fork();
    if (pid == 0) {
        alarm(30);
        errno = 0;
        _exit(p->run());
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) < 0) printf("%s denied no-fork\n", p->name);
    else if (WIFSIGNALED(status)) printf("%s denied signal-%d\n", p->name, WTERMSIG(status));
    else if (WEXITSTATUS(status)) {
        const char *name = strerrorname_np(WEXITSTATUS(status));
        printf("%s denied %s\n", p->name, name ? name : "?");
    } else printf("%s ok\n", p->name);
    fflush(stdout);
}

static void attempt_all(const struct probe *list) {
    for (; list->name; list++) attempt(list);
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "nothing") == 0) return 0;
    if (argc > 1 && strcmp(argv[1], "host") == 0) return probes_stand_host();
    if (argc == 1) {
        attempt_all(probes_files);
        attempt_all(probes_kernel);
        attempt_all(probes_net);
        attempt_all(probes_mounts);
    }
    for (const struct probe *p = probes_heavy; argc > 2 && p->name; p++)
        if (strcmp(argv[2], p->name) == 0) attempt(p);
    return 0;
}
