/* The interpreter of a mount plan (declared in mounts.h), over the mount API by
 * descriptors: nothing is resolved twice, nothing by a path of the host. */
#include "sandbox/mounts.h"

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/identity.h"
#include "sandbox/weaken.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef MNT_DETACH
#define MNT_DETACH 2
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

enum { OVERFLOW_ID = 65534 }; /* how an owner without an id inside shows */

/* ---- the calls ---- */

static int clone_tree(int dirfd, const char *path, unsigned flags) {
    return (int)syscall(SYS_open_tree, dirfd, path, OPEN_TREE_CLONE | O_CLOEXEC | flags);
}

static int set_attributes(int fd, uint64_t attributes, bool recursive) {
    /* Private: a later mount of the host must not show up inside. */
    struct mount_attr attr = {.attr_set = attributes & ~weaken_attributes(),
                              .propagation = 1UL << 18 /* MS_PRIVATE */};
    return (int)syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0),
                        &attr, sizeof attr);
}

static int fs_option(int fs, const char *key, const char *value) {
    return (int)syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0);
}

/* A configured file system as a detached mount. */
static int fs_mount(int fs, uint64_t attributes) {
    if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) return -1;
    return (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes & ~weaken_attributes());
}

static int fs_open(const char *type) {
    return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

/* ---- sources ---- */

static int open_source(struct mount_step *s, struct error *err) {
    unsigned flags = AT_RECURSIVE | (s->keep_links ? AT_SYMLINK_NOFOLLOW : 0);
    s->fd = s->from >= 0 ? clone_tree(s->from, "", AT_EMPTY_PATH)
                         : clone_tree(AT_FDCWD, s->source, flags);
    if (s->fd < 0 && errno == ENOENT && s->optional) return 0;
    if (s->fd < 0) return error_sys(err, errno, "mount source %s", s->source);
    struct stat st;
    if (fstat(s->fd, &st) < 0) return error_sys(err, errno, "mount source %s", s->source);
    /* By whatever way it was opened, it is what was looked at. */
    if (s->inode &&
        (st.st_dev != s->device || st.st_ino != s->inode || (s->node && st.st_rdev != s->node)))
        return error_set(err, ERROR_DENIED, "mount source %s: became another file", s->source);
    /* A node is bound only where the plan says so, by leaving out nodev. */
    bool node = !(s->attributes & MOUNT_ATTR_NODEV);
    if (node ? !S_ISCHR(st.st_mode) : !S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return error_set(err, ERROR_INVALID, "mount source %s: not %s", s->source,
                         node ? "a character device" : "a folder or a regular file");
    s->is_folder = S_ISDIR(st.st_mode);
    if (s->kind == MOUNT_LATER && !s->is_folder)
        return error_set(err, ERROR_INVALID, "mount source %s: not a folder", s->source);
    if (set_attributes(s->fd, s->attributes, true) < 0)
        return error_sys(err, errno, "set the flags of mount source %s", s->source);
    return 0;
}

int mounts_open_sources(struct mount_plan *plan, struct error *err) {
    for (size_t i = 0; i < plan->count; i++)
        if ((plan->steps[i].kind == MOUNT_BIND || plan->steps[i].kind == MOUNT_LATER) &&
            open_source(&plan->steps[i], err) < 0)
            return -1;
    return 0;
}

/* ---- below the root ---- */

/* The root under construction. Most targets share their folder with the one
 * before, so the last one stays open. */
struct site {
    int *procs; /* see enum mount_proc */
    int root;
    int folder;       /* -1: none yet */
    const char *path; /* of `folder`, a piece of a step's target */
    size_t len;
};

/* Opens what `path` (without its leading slash) names, through no link at all,
 * neither of the image's nor of procfs's. */
static int open_inside(int root, const char *path, int flags) {
    return open_beneath(root, path, O_PATH | flags, 0);
}

static int point_missing(int errnum, const char *path, struct error *err) {
    if (errnum != EROFS) return error_sys(err, errnum, "mount point /%s", path);
    return error_set(err, ERROR_INVALID,
                     "mount point /%s is missing in the image, which is read-only", path);
}

/* Opens a folder below the root, making it and its parents where missing. */
static int open_folder(int root, const char *path, struct error *err) {
    int fd = open_inside(root, path, O_DIRECTORY);
    if (fd >= 0) return fd;
    if (errno != ENOENT) return error_sys(err, errno, "mount point /%s", path);
    const char *slash = strrchr(path, '/');
    _cleanup_free_ char *above = slash ? strndup(path, (size_t)(slash - path)) : NULL;
    if (slash && !above) return error_sys(err, ENOMEM, "mount point /%s", path);
    _cleanup_close_ int parent = above ? open_folder(root, above, err) : -1;
    if (above && parent < 0) return -1;
    const char *name = slash ? slash + 1 : path;
    int made = mkdirat(above ? parent : root, name, 0755) < 0 && errno != EEXIST ? errno : 0;
    if (made) return point_missing(made, path, err);
    fd = open_inside(root, path, O_DIRECTORY);
    return fd < 0 ? error_sys(err, errno, "mount point /%s", path) : fd;
}

/* The folder that holds `target`, and the last part of that. Borrowed; -1. */
static int folder_of(struct site *site, const char *target, const char **name, struct error *err) {
    const char *slash = strrchr(target, '/');
    size_t len = (size_t)(slash - target);
    *name = slash + 1;
    if (len == 0) return site->root;
    if (site->folder >= 0 && site->len == len && memcmp(site->path, target, len) == 0)
        return site->folder;
    _cleanup_free_ char *path = strndup(target + 1, len - 1);
    if (!path) return error_sys(err, ENOMEM, "mount point %s", target);
    int fd = open_folder(site->root, path, err);
    if (fd < 0) return -1;
    if (site->folder >= 0) close(site->folder);
    site->folder = fd;
    site->path = target;
    site->len = len;
    return fd;
}

/* What was opened at or below a new mount is hidden by it. */
static void forget_below(struct site *site, const char *target) {
    size_t len = strlen(target);
    if (site->folder < 0 || site->len < len || memcmp(site->path, target, len) != 0) return;
    close(site->folder);
    site->folder = -1;
}

/* Mounts on a name in a folder that is held open: a single name, and no link is
 * followed (move_mount(2) without MOVE_MOUNT_T_SYMLINKS). */
static int attach_name(int mount, int folder, const char *name) {
    return (int)syscall(SYS_move_mount, mount, "", folder, name, 0x04 /* F_EMPTY_PATH */);
}

/* Makes the mount point where it is missing. */
static int attach_at(struct site *site, const char *target, int mount, bool is_folder,
                     struct error *err) {
    const char *name = NULL;
    int folder = folder_of(site, target, &name, err);
    if (folder < 0) return -1;
    int r = is_folder ? mkdirat(folder, name, 0755) : mknodat(folder, name, S_IFREG | 0444, 0);
    int made = r < 0 && errno != EEXIST ? errno : 0;
    if (attach_name(mount, folder, name) < 0)
        return errno == ENOENT && made ? point_missing(made, target + 1, err)
                                       : error_sys(err, errno, "mount on %s", target);
    forget_below(site, target);
    return 0;
}

/* ---- the steps ---- */

static int step_folder(struct site *site, const struct mount_step *s, struct error *err) {
    const char *name = NULL;
    int folder = folder_of(site, s->target, &name, err);
    if (folder < 0) return -1;
    if (mkdirat(folder, name, s->mode) < 0 && errno != EEXIST)
        return error_sys(err, errno, "folder %s", s->target);
    if (s->payload_owned &&
        fchownat(folder, name, PAYLOAD_UID, PAYLOAD_GID, AT_SYMLINK_NOFOLLOW) < 0)
        return error_sys(err, errno, "give %s to the payload", s->target);
    return 0;
}

static int step_link(struct site *site, const struct mount_step *s, struct error *err) {
    const char *name = NULL;
    int folder = folder_of(site, s->target, &name, err);
    if (folder < 0) return -1;
    if (symlinkat(s->source, folder, name) < 0) return error_sys(err, errno, "link %s", s->target);
    return 0;
}

static int step_text(struct site *site, const struct mount_step *s, struct error *err) {
    const char *name = NULL;
    int folder = folder_of(site, s->target, &name, err);
    if (folder < 0) return -1;
    _cleanup_close_ int fd =
        openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
    if (fd < 0 || write_all(fd, s->source, strlen(s->source)) < 0)
        return error_sys(err, errno, "file %s", s->target);
    return 0;
}

static int step_bind(struct site *site, struct mount_step *s, struct error *err) {
    if (s->fd < 0) return 0;
    int r = attach_at(site, s->target, s->fd, s->is_folder, err);
    close(s->fd);
    s->fd = -1;
    return r;
}

static int step_later(struct site *site, struct mount_step *s, int *handle, struct error *err) {
    _cleanup_close_ int folder = open_folder(site->root, s->target + 1, err);
    if (folder < 0) return -1;
    *handle = s->fd;
    s->fd = -1;
    return 0;
}

int mounts_attach(int root, const char *target, int mount, struct error *err) {
    struct site site = {.root = root, .folder = -1};
    const char *name = NULL;
    int folder = folder_of(&site, target, &name, err);
    if (folder < 0) return -1;
    int r = attach_name(mount, folder, name);
    if (r < 0) error_sys(err, errno, "mount on %s", target);
    if (site.folder >= 0) close(site.folder);
    return r;
}

static int make_tmpfs(const struct mount_step *s, struct error *err) {
    char text[32];
    _cleanup_close_ int fs = fs_open("tmpfs");
    if (fs < 0) return error_sys(err, errno, "tmpfs for %s", s->target);
    int r = 0;
    if (s->bytes > 0 && !weaken("mount-sizes")) {
        snprintf(text, sizeof text, "%" PRId64, s->bytes);
        r |= fs_option(fs, "size", text);
    }
    snprintf(text, sizeof text, "%" PRId64, weaken("mount-sizes") ? 0 : s->inodes);
    r |= fs_option(fs, "nr_inodes", text);
    snprintf(text, sizeof text, "%o", s->mode);
    r |= fs_option(fs, "mode", text);
    if (s->payload_owned) {
        snprintf(text, sizeof text, "%d", PAYLOAD_UID);
        r |= fs_option(fs, "uid", text) | fs_option(fs, "gid", text);
    }
    int mount = r < 0 ? -1 : fs_mount(fs, s->attributes);
    return mount < 0 ? error_sys(err, errno, "tmpfs for %s", s->target) : mount;
}

static int step_tmpfs(struct site *site, const struct mount_step *s, int *handle,
                      struct error *err) {
    _cleanup_close_ int mount = make_tmpfs(s, err);
    if (mount < 0 || attach_at(site, s->target, mount, true, err) < 0) return -1;
    if (!handle) return 0;
    *handle = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *handle < 0 ? error_sys(err, errno, "open %s", s->target) : 0;
}

static int proc_refused(int errnum, struct error *err) {
    if (errnum != EPERM) return error_sys(err, errnum, "procfs");
    return error_set(
        err, ERROR_UNSUPPORTED,
        "procfs: the kernel refuses a new one because the /proc here is partly covered "
        "(a nested container); run Paddock where /proc is whole, e.g. with "
        "--security-opt systempaths=unconfined");
}

/* Processes of others are invisible in it (hidepid), but not to the launcher, whose
 * user namespace this is (cap_capable() in security/commoncap.c). */
static int make_proc(bool processes_only, uint64_t attributes, struct error *err) {
    if (weaken("pid-namespace")) return clone_tree(AT_FDCWD, "/proc", AT_RECURSIVE);
    _cleanup_close_ int fs = fs_open("proc");
    if (fs < 0) return proc_refused(errno, err);
    if (!weaken("proc-masks") && fs_option(fs, "hidepid", "invisible") < 0)
        return error_sys(err, errno, "procfs with hidepid");
    if (processes_only && !weaken("proc-masks") && fs_option(fs, "subset", "pid") < 0)
        return error_sys(err, errno, "procfs of processes only");
    int mount = fs_mount(fs, attributes);
    return mount < 0 ? proc_refused(errno, err) : mount;
}

static int step_proc(struct site *site, const struct mount_step *s, int *own, struct error *err) {
    int mount = site->procs[s->processes_only ? PROC_PROCESSES : PROC_MACHINE];
    if (own) {
        *own = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (*own < 0) return error_sys(err, errno, "open procfs");
    }
    return attach_at(site, s->target, mount, true, err);
}

static int step_devpts(struct site *site, const struct mount_step *s, struct error *err) {
    _cleanup_close_ int fs = fs_open("devpts");
    if (fs < 0 || fs_option(fs, "ptmxmode", "0666") < 0 || fs_option(fs, "mode", "0600") < 0 ||
        fs_option(fs, "max", "64") < 0)
        return error_sys(err, errno, "devpts");
    _cleanup_close_ int mount = fs_mount(fs, s->attributes);
    if (mount < 0) return error_sys(err, errno, "devpts");
    return attach_at(site, s->target, mount, true, err);
}

/* Whether the payload could open it at all: most of what root alone may read
 * has an owner without an id inside, and needs no mount to hide it. */
static bool is_reachable(const struct stat *st) {
    return (st->st_mode & (S_IRWXG | S_IRWXO)) || st->st_uid != OVERFLOW_ID;
}

/* Something of the sandbox's own over `target`, if that exists: what `with`
 * names below the root, or the target itself. */
static int cover(struct site *site, const struct mount_step *s, const char *with,
                 uint64_t attributes, struct error *err) {
    if (weaken("proc-masks")) return 0;
    const char *name = NULL;
    struct stat st;
    int folder = folder_of(site, s->target, &name, err);
    if (folder < 0) return -1;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : error_sys(err, errno, "mask %s", s->target);
    if (s->kind == MOUNT_MASK && !is_reachable(&st)) return 0;
    _cleanup_close_ int mount =
        with ? clone_tree(site->root, with, 0) : clone_tree(folder, name, AT_SYMLINK_NOFOLLOW);
    if (mount < 0 || (attributes && set_attributes(mount, attributes, false) < 0) ||
        attach_name(mount, folder, name) < 0)
        return error_sys(err, errno, "mask %s", s->target);
    return 0;
}

static int run_step(struct site *site, struct mount_step *s, int *handles, int own_proc,
                    struct error *err) {
    const uint64_t constant =
        MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    switch (s->kind) {
    case MOUNT_FOLDER: return step_folder(site, s, err);
    case MOUNT_LINK: return step_link(site, s, err);
    case MOUNT_TEXT: return step_text(site, s, err);
    case MOUNT_BIND: return step_bind(site, s, err);
    case MOUNT_LATER: return step_later(site, s, &handles[s->handle], err);
    case MOUNT_TMPFS: return step_tmpfs(site, s, s->handle >= 0 ? &handles[s->handle] : NULL, err);
    case MOUNT_PROC: return step_proc(site, s, own_proc >= 0 ? &handles[own_proc] : NULL, err);
    case MOUNT_DEVPTS: return step_devpts(site, s, err);
    case MOUNT_MASK: return cover(site, s, "dev/null", 0, err);
    case MOUNT_CONST: return cover(site, s, NULL, constant, err);
    case MOUNT_COVER: return cover(site, s, s->source + 1, constant, err);
    case MOUNT_NOTHING: return cover(site, s, MOUNT_EMPTY + 1, constant, err);
    }
    return error_set(err, ERROR_INTERNAL, "mount step of kind %d", (int)s->kind);
}

static int run_steps(int root, struct mount_plan *plan, int *procs, int *handles, int own_proc,
                     struct error *err) {
    struct site site = {.procs = procs, .root = root, .folder = -1};
    int r = 0;
    for (size_t i = 0; r == 0 && i < plan->count; i++)
        r = run_step(&site, &plan->steps[i], handles, own_proc, err);
    if (site.folder >= 0) close(site.folder);
    return r;
}

/* ---- the root ---- */

static int make_root(struct error *err) {
    static const struct mount_step root = {.target = "/",
                                           .bytes = 4 << 20,
                                           .inodes = 8192,
                                           .mode = 0755,
                                           .attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                                         MOUNT_ATTR_NOEXEC};
    int mount = make_tmpfs(&root, err);
    if (mount < 0) return -1;
    /* On top of the old root, out of the way of nothing: paths still start below
     * it, at the root this process has. */
    if (syscall(SYS_move_mount, mount, "", AT_FDCWD, "/", 0x04) < 0) {
        error_sys(err, errno, "mount the new root");
        close(mount);
        return -1;
    }
    return mount;
}

/* All kinds that may be asked for: once the old root is gone, the kernel makes no
 * procfs any more, since there is none to be seen that is whole
 * (mount_too_revealing() in fs/namespace.c). */
static int make_procs(unsigned wanted, int procs[MOUNT_PROCS], struct error *err) {
    const uint64_t attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
    for (int p = 0; p < MOUNT_PROCS; p++) {
        procs[p] = -1;
        if (!(wanted & PROC_BIT(p))) continue;
        procs[p] = make_proc(p == PROC_PROCESSES, attributes, err);
        if (procs[p] < 0) return -1;
    }
    return 0;
}

/* pivot_root(".", "."): the old root ends up on top of the new one and is
 * detached from there (pivot_root(2)). */
static int enter_root(int root, struct error *err) {
    if (fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
        return error_sys(err, errno, "pivot_root");
    if (fchdir(root) < 0 ||
        (!weaken("mount-namespace") && syscall(SYS_umount2, ".", MNT_DETACH) < 0))
        return error_sys(err, errno, "leave the old root");
    return chdir("/") < 0 ? error_sys(err, errno, "enter the new root") : 0;
}

static int begin(struct mount_plan *base, int *procs, int *root, struct error *err) {
    int none[1];
    umask(0); /* the plan's modes are meant */
    _cleanup_close_ int made = make_root(err);
    if (made < 0 || run_steps(made, base, procs, none, -1, err) < 0 || enter_root(made, err) < 0)
        return -1;
    *root = steal_fd(&made);
    return 0;
}

int mounts_begin(struct mount_plan *base, unsigned wanted, int procs[MOUNT_PROCS], int *root,
                 struct error *err) {
    return make_procs(wanted, procs, err) < 0 ? -1 : begin(base, procs, root, err);
}

int mounts_begin_anew(int procs[MOUNT_PROCS], int *root, struct error *err) {
    struct mount_plan nothing = {0};
    close(*root);
    *root = -1;
    return begin(&nothing, procs, root, err);
}

int mounts_build(struct mount_plan *plan, int procs[MOUNT_PROCS], int *handles, size_t handle_count,
                 int own_proc, int root, struct error *err) {
    for (size_t i = 0; i < handle_count; i++) handles[i] = -1;
    if (run_steps(root, plan, procs, handles, own_proc, err) < 0) return -1;
    if (set_attributes(root, MOUNT_ATTR_RDONLY, false) < 0)
        return error_sys(err, errno, "make the root read-only");
    return 0;
}
