/* What is mounted where (declared in mounts.h): data, no system call that
 * changes anything. */
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/file.h"
#include "sandbox/fence.h"
#include "sandbox/mounts.h"
#include "sandbox/weaken.h"

#include <limits.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>

#define SAFE  (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)
#define CONST (SAFE | MOUNT_ATTR_RDONLY)
/* Writing to a device is no change of the file system it lies in; touching its
 * times would be, and a neighbour could see that. */
#define NODE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY)

enum { DEFAULT_INODES = 1000000, LEAST_INODES = 1024, BYTES_PER_INODE = 1024 };

struct mount_step *plan_add(struct mount_plan *p, enum mount_kind kind, const char *target,
                            const char *source) {
    static struct mount_step spare; /* written to when memory ran out, never read */
    if (p->count == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 64;
        struct mount_step *steps = realloc(p->steps, cap * sizeof *steps);
        if (!steps) {
            p->failed = true;
            return &spare;
        }
        p->steps = steps;
        p->cap = cap;
    }
    struct mount_step *s = &p->steps[p->count];
    *s = (struct mount_step){.kind = kind, .handle = -1, .from = -1, .fd = -1, .mode = 0755};
    s->target = strdup(target);
    s->source = source ? strdup(source) : NULL;
    if (!s->target || (source && !s->source)) {
        p->failed = true;
        free(s->target);
        free(s->source);
        return &spare;
    }
    p->count++;
    return s;
}

static struct mount_step *add_bind(struct mount_plan *p, const char *target, const char *source,
                                   uint64_t attributes) {
    struct mount_step *s = plan_add(p, MOUNT_BIND, target, source);
    s->attributes = attributes;
    return s;
}

static struct mount_step *add_tmpfs(struct mount_plan *p, const char *target, int64_t bytes,
                                    int64_t inodes, unsigned mode, bool exec) {
    struct mount_step *s = plan_add(p, MOUNT_TMPFS, target, NULL);
    s->bytes = bytes;
    s->inodes = inodes ? inodes : DEFAULT_INODES;
    s->mode = mode;
    s->attributes = SAFE | (exec ? 0 : MOUNT_ATTR_NOEXEC);
    return s;
}

/* An entry of the image's top: a link is made anew (what it names is looked up
 * inside, when the program does), all else is bound. */
static void add_entry(struct mount_plan *p, const char *host, const char *target) {
    struct stat st;
    char text[PATH_MAX];
    ssize_t n = readlink(host, text, sizeof text - 1);
    if (n > 0) {
        text[n] = '\0';
        plan_add(p, MOUNT_LINK, target, text);
        return;
    }
    if (lstat(host, &st) < 0) return;
    if (S_ISDIR(st.st_mode) || S_ISREG(st.st_mode)) {
        add_bind(p, target, host, CONST)->keep_links = true;
    }
}

static void plan_etc(struct mount_plan *p) {
    static const char *const shared[] = {"/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime"};
    plan_add(p, MOUNT_FOLDER, "/etc", NULL);
    for (size_t i = 0; i < ARRAY_SIZE(shared); i++) add_entry(p, shared[i], shared[i]);
    plan_add(p, MOUNT_TEXT, "/etc/passwd",
             "root:x:0:0:root:/:/usr/sbin/nologin\n"
             "paddock:x:1000:1000:paddock:/tmp/home:/bin/sh\n"
             "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n");
    plan_add(p, MOUNT_TEXT, "/etc/group", "root:x:0:\npaddock:x:1000:\nnogroup:x:65534:\n");
    plan_add(p, MOUNT_TEXT, "/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n");
    plan_add(p, MOUNT_TEXT, "/etc/nsswitch.conf",
             "passwd: files\ngroup: files\nshadow: files\nhosts: files\nservices: files\n");
    plan_add(p, MOUNT_TEXT, "/etc/resolv.conf", "");
}

/* "../share/paddock" from the folder of this program, in fresh memory. */
static char *installed_beside(void) {
    _cleanup_free_ char *dir = program_dir(NULL);
    return dir ? path_join(dir, "../share/paddock") : NULL;
}

/* What Paddock itself has installed below /usr shows as empty: beside the
 * policies lie the task packages, with the answers. */
static void hide_installation(struct mount_plan *p) {
    _cleanup_free_ char *beside = installed_beside();
    const char *const places[] = {beside, "/usr/local/share/paddock", "/usr/share/paddock"};
    _cleanup_free_ char *before = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        /* Where it really is: a mount point is reached through no link. */
        bool there = places[i] && access(places[i], F_OK) == 0;
        char *real = there ? realpath(places[i], NULL) : NULL;
        if (!real || !str_starts(real, "/usr/") || str_eq(real, before)) {
            free(real);
            continue;
        }
        plan_add(p, MOUNT_NOTHING, real, NULL);
        free(before);
        before = real;
    }
}

static void plan_host_image(struct mount_plan *p) {
    static const char *const merged[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
    add_bind(p, "/usr", "/usr", CONST);
    for (size_t i = 0; i < ARRAY_SIZE(merged); i++) add_entry(p, merged[i], merged[i]);
    plan_etc(p);
}

/* The fence's own folders, and what a target will be mounted on. */
static bool is_ours(const char *name) {
    static const char *const ours[] = {".", "..", "proc", "dev", "sys", "tmp", "run", ".gpu"};
    for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
        if (strcmp(name, ours[i]) == 0) return true;
    return false;
}

/* A root file system: its top level is built anew from links and binds, so that
 * mount points can be made beside what it holds although it is read-only. */
static int plan_folder_image(struct mount_plan *p, const char *path, struct error *err) {
    _cleanup_closedir_ DIR *d = opendir(path);
    if (!d) return error_sys(err, errno, "image %s", path);
    for (struct dirent *e; (e = readdir(d));) {
        if (is_ours(e->d_name)) continue;
        _cleanup_free_ char *host = path_join(path, e->d_name);
        _cleanup_free_ char *target = path_join("/", e->d_name);
        if (!host || !target) return error_sys(err, ENOMEM, "image %s", path);
        add_entry(p, host, target);
    }
    return 0;
}

static void plan_proc(struct mount_plan *p, const struct policy *policy) {
    static const char *const masked[] = {
        "/proc/kcore",         "/proc/keys",       "/proc/key-users",   "/proc/kallsyms",
        "/proc/kmsg",          "/proc/timer_list", "/proc/sched_debug", "/proc/sysrq-trigger",
        "/proc/latency_stats", "/proc/kpagecount", "/proc/kpageflags",  "/proc/kpagecgroup",
        "/proc/vmallocinfo",   "/proc/config.gz",  "/proc/timer_stats", "/proc/modules",
        "/proc/pagetypeinfo",  "/proc/slabinfo",   "/proc/cmdline",     "/proc/interrupts",
        "/proc/partitions",    "/proc/diskstats"};
    static const char *const fixed[] = {"/proc/sys", "/proc/bus", "/proc/fs", "/proc/irq"};
    static const char *const hidden[] = {"/proc/acpi", "/proc/scsi", "/proc/asound",
                                         "/proc/dynamic_debug"};
    plan_add(p, MOUNT_FOLDER, MOUNT_EMPTY, NULL)->mode = 0555;
    struct mount_step *proc = plan_add(p, MOUNT_PROC, "/proc", NULL);
    proc->attributes = SAFE | MOUNT_ATTR_NOEXEC;
    proc->processes_only = !policy->proc_machine;
    if (proc->processes_only) return; /* there is nothing to cover */
    for (size_t i = 0; i < ARRAY_SIZE(masked); i++) plan_add(p, MOUNT_MASK, masked[i], NULL);
    for (size_t i = 0; i < ARRAY_SIZE(fixed); i++) plan_add(p, MOUNT_CONST, fixed[i], NULL);
    for (size_t i = 0; i < ARRAY_SIZE(hidden); i++) plan_add(p, MOUNT_NOTHING, hidden[i], NULL);
}

/* /dev is a folder of the root, which ends read-only: nodes are binds (a user
 * namespace cannot make any), all else links. */
static void plan_dev_base(struct mount_plan *p) {
    static const char *const nodes[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                        "/dev/urandom"};
    static const char *const links[][2] = {{"/dev/fd", "/proc/self/fd"},
                                           {"/dev/stdin", "/proc/self/fd/0"},
                                           {"/dev/stdout", "/proc/self/fd/1"},
                                           {"/dev/stderr", "/proc/self/fd/2"}};
    plan_add(p, MOUNT_FOLDER, "/dev", NULL);
    for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) add_bind(p, nodes[i], nodes[i], NODE);
    for (size_t i = 0; i < ARRAY_SIZE(links); i++)
        plan_add(p, MOUNT_LINK, links[i][0], links[i][1]);
}

/* What the policy adds to it. */
static int plan_dev(struct mount_plan *p, const struct policy *policy, struct error *err) {
    for (size_t i = 0; policy->devices && policy->devices[i]; i++) {
        if (strncmp(policy->devices[i], "/dev/", 5) != 0)
            return error_set(err, ERROR_INVALID, "policy %s: device %s is not below /dev",
                             policy->name, policy->devices[i]);
        add_bind(p, policy->devices[i], policy->devices[i], NODE);
    }
    if (weaken("devices")) add_bind(p, "/dev/ptmx", "/dev/ptmx", NODE);
    if (policy->devpts) {
        plan_add(p, MOUNT_DEVPTS, "/dev/pts", NULL)->attributes =
            MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC;
        plan_add(p, MOUNT_LINK, "/dev/ptmx", "pts/ptmx");
    }
    return 0;
}

/* So many that the byte cap, not the inode cap, is what an honest program meets. */
static int64_t inodes_for(int64_t bytes) {
    if (bytes == 0) return DEFAULT_INODES;
    int64_t inodes = bytes / BYTES_PER_INODE;
    if (inodes < LEAST_INODES) return LEAST_INODES;
    return inodes > DEFAULT_INODES ? DEFAULT_INODES : inodes;
}

static void plan_writable(struct mount_plan *p, const struct spec *spec,
                          const struct policy *policy) {
    const struct spec_limits *l = &spec->limits;
    int64_t inodes = inodes_for(l->tmp_bytes);
    add_tmpfs(p, "/dev/shm", l->tmp_bytes, inodes, 01777, false)->handle = HANDLE_SHM;
    add_tmpfs(p, "/tmp", l->tmp_bytes, inodes, 01777, policy->exec_tmp)->handle = HANDLE_TMP;
    struct mount_step *home = plan_add(p, MOUNT_FOLDER, "/tmp/home", NULL);
    home->mode = 0700;
    home->payload_owned = true;
    struct mount_step *work = add_tmpfs(p, spec->workspace_target, l->disk_bytes, l->disk_inodes,
                                        0755, policy->exec_workspace);
    work->handle = HANDLE_WORKSPACE;
    work->payload_owned = true;
}

int plan_base(struct mount_plan *out, struct error *err) {
    *out = (struct mount_plan){0};
    plan_host_image(out);
    plan_dev_base(out);
    return out->failed ? error_sys(err, ENOMEM, "mount plan") : 0;
}

int plan_make(const struct spec *spec, const struct policy *policy, struct mount_plan *out,
              struct error *err) {
    *out = (struct mount_plan){0};
    bool host = strcmp(spec->image, "host") == 0;
    if (!host && plan_folder_image(out, spec->image, err) < 0) return -1;
    if (!host) plan_dev_base(out);
    if (plan_dev(out, policy, err) < 0) return -1;
    plan_proc(out, policy);
    if (host) hide_installation(out);
    plan_writable(out, spec, policy);
    for (size_t i = 0; i < spec->mount_count; i++) {
        const struct spec_mount *m = &spec->mounts[i];
        add_bind(out, m->target, m->source,
                 SAFE | (m->writable ? 0 : MOUNT_ATTR_RDONLY) | (m->exec ? 0 : MOUNT_ATTR_NOEXEC));
    }
    for (size_t i = 0; i < spec->clock.gate.data_count; i++) {
        const struct spec_mount *m = &spec->clock.gate.data[i];
        struct mount_step *s = plan_add(out, MOUNT_LATER, m->target, m->source);
        s->attributes = CONST | MOUNT_ATTR_NOEXEC;
        s->handle = FENCE_HANDLES + (int)i;
    }
    return out->failed ? error_sys(err, ENOMEM, "mount plan") : 0;
}

void plan_clear(struct mount_plan *plan) {
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->steps[i].fd >= 0) close(plan->steps[i].fd);
        free(plan->steps[i].target);
        free(plan->steps[i].source);
    }
    free(plan->steps);
    *plan = (struct mount_plan){0};
}
