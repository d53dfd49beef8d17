#include "sandbox/weaken.h"

#include <stdlib.h>

#ifndef PADDOCK_WEAKEN

int weaken_check(struct error *err) {
    if (!getenv("PADDOCK_WEAKEN")) return 0;
    return error_set(err, ERROR_DENIED,
                     "PADDOCK_WEAKEN is set, but this is no test build: the fence is never weaker");
}

#else

#include "common/cleanup.h"

#include <linux/capability.h>
#include <linux/mount.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

static const char *const layers[] = {
    "user-namespace", "mount-namespace", "pid-namespace",    "network-namespace",
    "ipc-namespace",  "uts-namespace",   "cgroup-namespace", "time-namespace",
    "read-only",      "mount-flags",     "mount-sizes",      "proc-masks",
    "devices",        "capabilities",    "no-new-privs",     "seccomp",
    "landlock",       "cgroup",          "rlimits",          "keyring",
    "descriptors",    "id-range",        "janitor",          "kill",
    "sweep",          "collection",      "watchers"};

static bool is_listed(const char *list, const char *layer) {
    size_t len = strlen(layer);
    for (const char *p = list; p; p = strchr(p, ',')) {
        if (*p == ',') p++;
        if (strncmp(p, layer, len) == 0 && (p[len] == ',' || p[len] == '\0')) return true;
    }
    return false;
}

bool weaken(const char *layer) {
    return is_listed(getenv("PADDOCK_WEAKEN"), layer);
}

int weaken_check(struct error *err) {
    const char *list = getenv("PADDOCK_WEAKEN");
    if (!list) return 0;
    size_t known = 0, named = 1;
    for (const char *p = list; *p; p++) named += *p == ',';
    for (size_t i = 0; i < ARRAY_SIZE(layers); i++) known += weaken(layers[i]);
    if (known != named)
        return error_set(err, ERROR_INVALID, "PADDOCK_WEAKEN: %s names a layer there is not", list);
    fprintf(stderr, "paddock-sandbox: TEST BUILD, THE FENCE IS WEAKENED: without %s\n", list);
    return 0;
}

uint64_t weaken_namespaces(void) {
    return (weaken("user-namespace") ? CLONE_NEWUSER : 0) |
           (weaken("pid-namespace") ? CLONE_NEWPID : 0) |
           (weaken("ipc-namespace") ? CLONE_NEWIPC : 0) |
           (weaken("uts-namespace") ? CLONE_NEWUTS : 0);
}

uint64_t weaken_attributes(void) {
    return (weaken("read-only") ? MOUNT_ATTR_RDONLY : 0) |
           (weaken("mount-flags") ? MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC : 0);
}

int weaken_keep_capabilities(struct error *err) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0) return error_sys(err, errno, "capget");
    for (int i = 0; i < 2; i++) data[i].effective = data[i].inheritable = data[i].permitted;
    if (syscall(SYS_capset, &header, data) < 0) return error_sys(err, errno, "capset");
    for (int cap = 0; cap < 64; cap++)
        if ((data[cap / 32].permitted >> cap % 32 & 1) &&
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
            return error_sys(err, errno, "keep capability %d", cap);
    return 0;
}

#endif
