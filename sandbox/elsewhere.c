#include "sandbox/elsewhere.h"

#include "common/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How many threads of the machine run or could, with us: the number before the
 * slash (proc_loadavg(5)); 1 when that cannot be told. */
static int running_threads(void) {
    char text[128];
    _cleanup_close_ int fd = openat(AT_FDCWD, "/proc/loadavg", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = '\0';
    char *p = strchr(text, '/');
    while (p && p > text && p[-1] != ' ') p--;
    return p ? (int)strtol(p, NULL, 10) : 1;
}

bool elsewhere_hold(cpu_set_t *before) {
    cpu_set_t only;
    unsigned here = 0;
    if (sched_getaffinity(0, sizeof *before, before) < 0 ||
        syscall(SYS_getcpu, &here, NULL, NULL) < 0 || here >= CPU_SETSIZE)
        return false;
    CPU_ZERO(&only);
    CPU_SET(here, &only);
    return sched_setaffinity(0, sizeof only, &only) == 0;
}

void elsewhere_prepare(struct elsewhere *e, bool ahead) {
    e->useful = sched_getaffinity(0, sizeof e->cpus, &e->cpus) == 0 && CPU_COUNT(&e->cpus) > 1;
    e->stay =
        e->useful && !ahead && running_threads() >= CPU_COUNT(&e->cpus) && elsewhere_hold(&e->cpus);
}

void elsewhere_send(const struct elsewhere *e, pid_t child) {
    cpu_set_t other;
    unsigned here = 0;
    if (!e->useful || e->stay || syscall(SYS_getcpu, &here, NULL, NULL) < 0) return;
    for (unsigned i = 1; i < CPU_SETSIZE; i++) {
        unsigned cpu = (here + i) % CPU_SETSIZE;
        if (!CPU_ISSET(cpu, &e->cpus)) continue;
        CPU_ZERO(&other);
        CPU_SET(cpu, &other);
        if (sched_setaffinity(child, sizeof other, &other) < 0) errno = 0;
        return;
    }
}

int elsewhere_return(const struct elsewhere *e, struct error *err) {
    cpu_set_t all;
    memset(&all, 0xff, sizeof all);
    if (!e->useful || sched_setaffinity(0, sizeof e->cpus, &e->cpus) == 0 ||
        sched_setaffinity(0, sizeof all, &all) == 0)
        return 0;
    return error_sys(err, errno, "cpu affinity");
}
