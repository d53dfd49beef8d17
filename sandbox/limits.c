/* Resource limits of the payload (declared in fence.h). */
#include "sandbox/fence.h"
#include "sandbox/weaken.h"

#include <errno.h>

enum { STACK_BYTES = 8 << 20, OPEN_FILES = 1024, QUEUE_BYTES = 819200 };

static int set_limit(int what, const char *name, uint64_t soft, uint64_t hard, struct error *err) {
    struct rlimit now;
    if (getrlimit(what, &now) < 0) return error_sys(err, errno, "read %s", name);
    /* Lowering is always allowed; a hard limit of our own cannot be exceeded. */
    if (now.rlim_max != RLIM_INFINITY && hard > now.rlim_max) hard = now.rlim_max;
    if (soft > hard) soft = hard;
    struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
    if (setrlimit(what, &limit) < 0) return error_sys(err, errno, "set %s", name);
    return 0;
}

static int set_both(int what, const char *name, uint64_t value, struct error *err) {
    return set_limit(what, name, value, value, err);
}

int limits_apply(const struct fence *f, struct error *err) {
    if (weaken("rlimits")) return 0;
    const struct spec_limits *l = &f->spec->limits;
    if (set_both(RLIMIT_CORE, "RLIMIT_CORE", 0, err) < 0 ||
        set_both(RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK",
                 f->policy->memlock_bytes ? (uint64_t)f->policy->memlock_bytes : RLIM_INFINITY,
                 err) < 0 ||
        set_both(RLIMIT_NOFILE, "RLIMIT_NOFILE",
                 l->open_files ? (uint64_t)l->open_files : OPEN_FILES, err) < 0 ||
        set_limit(RLIMIT_STACK, "RLIMIT_STACK", STACK_BYTES, RLIM_INFINITY, err) < 0 ||
        set_both(RLIMIT_MSGQUEUE, "RLIMIT_MSGQUEUE", QUEUE_BYTES, err) < 0 ||
        set_both(RLIMIT_NICE, "RLIMIT_NICE", 0, err) < 0 ||
        set_both(RLIMIT_RTPRIO, "RLIMIT_RTPRIO", 0, err) < 0)
        return -1;
    if (l->file_bytes && set_both(RLIMIT_FSIZE, "RLIMIT_FSIZE", (uint64_t)l->file_bytes, err) < 0)
        return -1;
    /* One more than allowed, so that the watcher sees who goes beyond; and init,
     * which in plain mode has the payload's id. */
    if (f->limit_nproc && l->pids &&
        set_both(RLIMIT_NPROC, "RLIMIT_NPROC", (uint64_t)l->pids + 2, err) < 0)
        return -1;
    return 0;
}
