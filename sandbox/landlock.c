/* Landlock: a second opinion on what the mounts already say (declared in
 * fence.h). Reading and executing anywhere in the root, writing only where the
 * plan means it. Rights the running kernel does not know are left out. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/fence.h"
#include "sandbox/weaken.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <sys/syscall.h>

/* Newer than Debian 12's headers. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif
#define SCOPE_ABSTRACT_UNIX (1ULL << 0)
#define SCOPE_SIGNAL        (1ULL << 1)

#define READING \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define READING_FILE (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE)
#define WRITING_FILE \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)
/* Device nodes can be made nowhere. */
#define WRITING                                                                                 \
    (WRITING_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |            \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
     LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER)

struct ruleset_attr { /* struct landlock_ruleset_attr of ABI 6 */
    uint64_t fs, net, scoped;
};

static uint64_t rights_of_abi(int abi) {
    uint64_t rights = (UINT64_C(1) << 13) - 1;
    if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
    if (abi >= 3) rights |= LANDLOCK_ACCESS_FS_TRUNCATE;
    if (abi >= 5) rights |= LANDLOCK_ACCESS_FS_IOCTL_DEV;
    return rights;
}

struct rules {
    int ruleset, root;
    uint64_t known;
};

/* Nothing but down from the root, by no link. */
static int allow(const struct rules *r, const char *path, uint64_t rights, struct error *err) {
    struct landlock_path_beneath_attr rule = {.allowed_access = rights & r->known,
                                              .parent_fd = r->root};
    _cleanup_close_ int fd = -1;
    if (path[1]) {
        rule.parent_fd = fd = open_beneath(r->root, path + 1, O_PATH | O_CLOEXEC, 0);
        if (fd < 0) return error_sys(err, errno, "landlock: %s", path);
    }
    if (syscall(SYS_landlock_add_rule, r->ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        return error_sys(err, errno, "landlock: rule for %s", path);
    return 0;
}

static int add_rules(const struct fence *f, const struct rules *r, struct error *err) {
    /* In /dev nothing can be made, and what is there is a node to be used. */
    if (allow(r, "/", READING, err) < 0 || allow(r, "/dev", READING | WRITING_FILE, err) < 0)
        return -1;
    for (size_t i = 0; i < f->plan.count; i++) {
        const struct mount_step *s = &f->plan.steps[i];
        bool bound = s->kind == MOUNT_BIND && s->attributes & MOUNT_ATTR_NODEV;
        bool made = s->kind == MOUNT_TMPFS || s->kind == MOUNT_DEVPTS;
        if (!(bound || made) || s->attributes & MOUNT_ATTR_RDONLY) continue;
        bool file = bound && !s->is_folder;
        if (allow(r, s->target, file ? READING_FILE | WRITING_FILE : READING | WRITING, err) < 0)
            return -1;
    }
    return 0;
}

int landlock_apply(struct fence *f, struct error *err) {
    if (weaken("landlock")) return 0;
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (abi < 1) {
        fence_note(f, FENCE_LANDLOCK, LAYER_OFF,
                   errno == EOPNOTSUPP ? "the kernel has it, but it is not among the boot's lsm="
                                       : "the kernel has no Landlock");
        return 0;
    }
    struct ruleset_attr attr = {.fs = rights_of_abi((int)abi)};
    if (abi >= 6) attr.scoped = SCOPE_ABSTRACT_UNIX | SCOPE_SIGNAL;
    size_t size = abi >= 6 ? sizeof attr : sizeof attr.fs;
    _cleanup_close_ int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (ruleset < 0) return error_sys(err, errno, "landlock: ruleset");
    _cleanup_close_ int root = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    const struct rules rules = {ruleset, root, attr.fs};
    if (root < 0 || add_rules(f, &rules, err) < 0) return error_wrap(err, "landlock");
    if (syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
        return error_sys(err, errno, "landlock: restrict");
    fence_note(f, FENCE_LANDLOCK, LAYER_ON,
               "ABI %ld: reads in the root, writes where it is meant%s", abi,
               abi >= 6 ? ", signals and abstract sockets stay inside" : "");
    return 0;
}
