#include "sandbox/elsewhere.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

void elsewhere_prepare(struct elsewhere *e) {
    e->useful = sched_getaffinity(0, sizeof e->cpus, &e->cpus) == 0 && CPU_COUNT(&e->cpus) > 1;
}

void elsewhere_send(const struct elsewhere *e, pid_t child) {
    cpu_set_t other;
    unsigned here = 0;
    if (!e->useful || syscall(SYS_getcpu, &here, NULL, NULL) < 0) return;
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
