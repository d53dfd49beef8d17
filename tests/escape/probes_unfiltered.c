/* The same calls under a policy that lets them through ("open"): what holds when
 * the filter does not. */
#include "tests/escape/tables.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

PROBE_CALL(mount_tmpfs, syscall(SYS_mount, "none", "/tmp", "tmpfs", 0, NULL))
PROBE_CALL(mount_remount, syscall(SYS_mount, NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL))
PROBE_CALL(mount_bind, syscall(SYS_mount, "/", "/tmp", NULL, MS_BIND, NULL))
PROBE_CALL(umount_mask, syscall(SYS_umount2, "/proc/cmdline", MNT_DETACH))
PROBE_CALL(pivot, syscall(SYS_pivot_root, "/tmp", "/tmp"))
PROBE_CALL(chroot_tmp, syscall(SYS_chroot, "/tmp"))
PROBE_CALL(fs_open, syscall(SYS_fsopen, "tmpfs", 0))
PROBE_CALL(tree_clone, syscall(SYS_open_tree, AT_FDCWD, "/", 1))
PROBE_CALL(host_name, syscall(SYS_sethostname, "escaped", 7))
PROBE_CALL(domain_name, syscall(SYS_setdomainname, "escaped", 7))
PROBE_CALL(device_node, mknod("/tmp/disk", S_IFBLK | 0666, makedev(254, 0)))
PROBE_CALL(become_root, syscall(SYS_setresuid, 0, 0, 0))
PROBE_CALL(become_other, syscall(SYS_setresuid, 1001, 1001, 1001))
PROBE_CALL(root_group, syscall(SYS_setresgid, 0, 0, 0))
PROBE_CALL(renice, setpriority(PRIO_PROCESS, 0, -10))
PROBE_CALL(chown_root, chown("/work", 0, 0))
PROBE_CALL(trace_init, ptrace(PTRACE_SEIZE, 1, NULL, NULL))
PROBE_CALL(descriptor_of_init, syscall(SYS_pidfd_getfd, (int)syscall(SYS_pidfd_open, 1, 0), 0, 0))
PROBE_CALL(compare_init, syscall(SYS_kcmp, getpid(), 1, 0, 0, 0))
PROBE_CALL(monitor_all, syscall(SYS_perf_event_open, (uint64_t[16]){1, 128}, -1, 0, -1, 0))
PROBE_CALL(load_map, syscall(SYS_bpf, 0, (uint32_t[18]){2, 4, 4, 1}, 72))
PROBE_CALL(accounting, syscall(SYS_acct, "/tmp/acct"))
PROBE_CALL(kernel_log, syscall(SYS_syslog, 5, NULL, 0))
PROBE_CALL(real_time_class, syscall(SYS_sched_setscheduler, 0, 1, (int[]){50}))

/* The root of most file systems is inode 2, whatever is mounted ("shocker"). */
static int handle_open(void) {
    struct {
        struct file_handle head;
        uint32_t id[2];
    } handle = {{.handle_bytes = 8, .handle_type = 1}, {2, 0}};
    int mount = open("/usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (mount < 0) return errno;
    return answered(open_by_handle_at(mount, &handle.head, O_RDONLY));
}

static int read_memory_of_init(void) {
    char here[8];
    struct iovec local = {here, sizeof here}, remote = {(void *)0x400000, sizeof here};
    return answered(process_vm_readv(1, &local, 1, &remote, 1, 0));
}

static int supplementary_groups(void) {
    gid_t zero = 0;
    return answered(syscall(SYS_setgroups, 1, &zero));
}

static int set_clock(void) {
    struct timeval now;
    gettimeofday(&now, NULL);
    return answered(syscall(SYS_settimeofday, &now, NULL));
}

static int take_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = 1 << CAP_SYS_ADMIN, .permitted = 1 << CAP_SYS_ADMIN}};
    return answered(syscall(SYS_capset, &header, data));
}

/* A key that the runner left in its own session keyring. */
static int key_of_the_caller(void) {
    if (!*fact("KEY")) return untried("the runner could not make a key: no keyrings here");
    return answered(
        syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", fact("KEY"), 0));
}

/* A namespace of one's own is what the filter is for; it must stay a child of
 * this one, with nothing of the host in reach. */
static int leave_by_own_namespace(void) {
    if (syscall(SYS_unshare, CLONE_NEWUSER | CLONE_NEWNS) < 0) return errno;
    if (syscall(SYS_umount2, "/proc/cmdline", MNT_DETACH) == 0) return THROUGH;
    if (syscall(SYS_mount, NULL, "/usr", NULL, MS_REMOUNT | MS_BIND, NULL) == 0) return THROUGH;
    return errno == EINVAL || errno == EPERM ? CONTAINED : errno;
}

static const struct attempt attempts[] = {
#define OPEN(n, l, e, p) TRY(n, l, e, p, .policy = "open")
    OPEN("open-mount-tmpfs", "capabilities", "EPERM", mount_tmpfs),
    OPEN("open-mount-remount", "capabilities", "EPERM", mount_remount),
    OPEN("open-mount-bind", "capabilities", "EPERM", mount_bind),
    OPEN("open-umount-mask", "capabilities", "EPERM", umount_mask),
    OPEN("open-pivot-root", "capabilities", "EPERM", pivot),
    OPEN("open-chroot", "capabilities", "EPERM", chroot_tmp),
    OPEN("open-fsopen", "capabilities", "EPERM", fs_open),
    OPEN("open-open-tree", "capabilities", "EPERM", tree_clone),
    OPEN("open-sethostname", "capabilities", "EPERM", host_name),
    OPEN("open-setdomainname", "capabilities", "EPERM", domain_name),
    OPEN("open-handle", "user-namespace", "EPERM", handle_open),
    OPEN("open-device-node", "user-namespace", "EPERM|EACCES", device_node),
    OPEN("open-uid-0", "capabilities", "EPERM|EINVAL", become_root),
    OPEN("open-uid-1001", "capabilities", "EPERM|EINVAL", become_other),
    OPEN("open-gid-0", "capabilities", "EPERM|EINVAL", root_group),
    OPEN("open-setgroups", "capabilities", "EPERM", supplementary_groups),
    OPEN("open-capset", "capabilities", "EPERM", take_capabilities),
    OPEN("open-nice", "user-namespace", "EACCES|EPERM", renice),
    OPEN("open-chown-root", "capabilities", "EPERM|EINVAL", chown_root),
    OPEN("open-ptrace-init", "capabilities", "EPERM", trace_init),
    OPEN("open-read-init", "capabilities", "EPERM", read_memory_of_init),
    OPEN("open-pidfd-getfd", "capabilities", "EPERM", descriptor_of_init),
    OPEN("open-kcmp-init", "capabilities", "EPERM|ENOSYS", compare_init),
    OPEN("open-perf-all", "user-namespace", "EPERM|EACCES|ENOENT|ENOSYS", monitor_all),
    OPEN("open-bpf", "user-namespace", "EPERM|ENOSYS", load_map),
    OPEN("open-acct", "user-namespace", "EPERM|ENOSYS", accounting),
    OPEN("open-syslog", "user-namespace", "EPERM", kernel_log),
    OPEN("open-settimeofday", "user-namespace", "EPERM", set_clock),
    OPEN("open-sched-fifo", "user-namespace", "EPERM", real_time_class),
    OPEN("open-session-key", "keyring", "ENOKEY", key_of_the_caller),
    OPEN("open-own-namespace", "mount-namespace", "contained", leave_by_own_namespace),
};
ATTEMPTS(unfiltered_attempts, "without the filter");
