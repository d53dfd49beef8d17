/* What the probes share (declared in attempt.h). */
#include "tests/escape/attempt.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int answered(long r) {
    return r >= 0 ? THROUGH : errno;
}

int untried(const char *reason) {
    printf("# %s\n", reason);
    fflush(stdout);
    return UNTRIED;
}

const char *fact(const char *name) {
    char key[64];
    snprintf(key, sizeof key, "ESCAPE_%s", name);
    const char *value = getenv(key);
    return value ? value : "";
}

long fact_number(const char *name) {
    return strtol(fact(name), NULL, 10);
}

int try_open(const char *path, int flags) {
    int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return errno;
    close(fd);
    return THROUGH;
}

int try_write(const char *path) {
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return errno;
    char c = '1';
    if (read(fd, &c, 1) < 0) c = '1';
    ssize_t n = pwrite(fd, &c, 1, 0);
    int result = answered(n);
    close(fd);
    return result;
}

static int try_list(int fd) {
    DIR *d = fdopendir(fd);
    if (!d) return errno;
    int entries = 0;
    for (struct dirent *e; (e = readdir(d));)
        entries += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return entries ? THROUGH : HIDDEN;
}

int try_see(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) return errno == ENOENT ? HIDDEN : errno;
    struct stat st;
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) return try_list(fd);
    char bytes[16];
    ssize_t n = read(fd, bytes, sizeof bytes);
    int result = n < 0 ? errno : n ? THROUGH : HIDDEN;
    close(fd);
    return result;
}

int fill_file(const char *path, long bytes) {
    static char ones[1 << 16];
    memset(ones, 1, sizeof ones);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return errno;
    for (long done = 0; done < bytes; done += (long)sizeof ones)
        if (write(fd, ones, sizeof ones) < 0) return errno;
    return 0; /* left open: the bytes stay even when the name goes */
}
