#include "tests/bench/probes.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- mounts, namespaces, files ---- */

static int p_mount_tmpfs(void) {
    return probe_result(mount("none", "/tmp", "tmpfs", 0, "size=4k"));
}
static int p_mount_bind(void) {
    return probe_result(mount("/tmp", "/tmp", NULL, MS_BIND, NULL));
}
static int p_remount(void) {
    return probe_result(mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND | MS_NOATIME, NULL));
}
static int p_fsopen(void) {
    return probe_result(syscall(SYS_fsopen, "tmpfs", 0));
}
static int p_open_tree(void) {
    return probe_result(syscall(SYS_open_tree, AT_FDCWD, "/", 1));
}
static int p_umount(void) {
    return probe_reached(umount2("/proc/self", MNT_DETACH));
}
static int p_pivot_root(void) {
    return probe_reached(syscall(SYS_pivot_root, "/", "/"));
}
static int p_chroot(void) {
    return probe_result(chroot("/"));
}
static int p_setns_init(void) {
    int fd = open("/proc/1/ns/mnt", O_RDONLY);
    return fd < 0 ? errno : probe_result(setns(fd, 0));
}
static int p_unshare_user(void) {
    return probe_result(unshare(CLONE_NEWUSER));
}
static int p_unshare_mnt(void) {
    return probe_result(unshare(CLONE_NEWNS));
}
static int p_unshare_net(void) {
    return probe_result(unshare(CLONE_NEWNET));
}
static int p_clone_user(void) {
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    return probe_result(pid);
}
static int p_clone3_user(void) {
    uint64_t args[11] = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
    long pid = syscall(SYS_clone3, args, sizeof args);
    if (pid == 0) _exit(0);
    return probe_result(pid);
}
static int p_mknod(void) {
    int r = probe_result(mknod("/tmp/probe-dev", S_IFCHR | 0600, 0x0103));
    unlink("/tmp/probe-dev");
    return r;
}
static int p_by_handle(void) {
    struct {
        struct file_handle h;
        unsigned char space[128];
    } f = {.h = {.handle_bytes = 128}};
    int id, fd = open("/", O_RDONLY | O_DIRECTORY);
    if (name_to_handle_at(AT_FDCWD, "/usr", &f.h, &id, 0) < 0) return errno;
    return probe_result(open_by_handle_at(fd, &f.h, O_RDONLY));
}
static int p_write_usr(void) {
    return probe_creates("/usr/probe-file");
}
static int p_write_root(void) {
    return probe_creates("/probe-file");
}
static int p_write_etc(void) {
    return probe_creates("/etc/probe-file");
}
static int p_shadow(void) {
    return probe_reads("/etc/shadow");
}
static int p_list_root(void) {
    return probe_lists("/root");
}
static int p_list_var(void) {
    return probe_lists("/var/lib");
}
static int p_list_run(void) {
    return probe_lists("/run");
}
static int p_xattr(void) {
    int fd = open("/tmp/probe-x", O_CREAT | O_RDWR, 0600);
    long r = syscall(SYS_fsetxattr, fd, "user.probe", "1", 1, 0);
    unlink("/tmp/probe-x");
    return probe_result(r);
}
static int p_suid_bit(void) {
    int fd = open("/tmp/probe-s", O_CREAT | O_RDWR, 0700);
    long r = fchmod(fd, 04755);
    unlink("/tmp/probe-s");
    return probe_result(r);
}
static int runs(int fd) {
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (self < 0 || fd < 0) return errno;
    char buf[65536];
    for (ssize_t n; (n = read(self, buf, sizeof buf)) > 0;)
        if (write(fd, buf, (size_t)n) != n) return errno ? errno : EIO;
    fchmod(fd, 0700);
    char path[40];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int again = open(path, O_RDONLY);
    close(fd);
    if (again < 0) return errno;
    char *const argv[] = {"probe", "nothing", NULL}, *const env[] = {NULL};
    fexecve(again, argv, env);
    return errno;
}
static int p_exec_memfd(void) {
    return runs((int)syscall(SYS_memfd_create, "x", 0));
}
static int p_exec_tmp(void) {
    return runs(open("/tmp", O_TMPFILE | O_RDWR, 0700));
}
static int p_exec_shm(void) {
    return runs(open("/dev/shm", O_TMPFILE | O_RDWR, 0700));
}

/* ---- devices ---- */

static int p_dev_mem(void) {
    return probe_opens("/dev/mem", O_RDONLY);
}
static int p_dev_kmsg(void) {
    return probe_opens("/dev/kmsg", O_RDONLY);
}
static int p_dev_kvm(void) {
    return probe_opens("/dev/kvm", O_RDWR);
}
static int p_dev_disk(void) {
    static const char *const disks[] = {"/dev/vda", "/dev/sda", "/dev/nvme0n1", "/dev/loop0"};
    int r = ENOENT;
    for (int i = 0; r && i < 4; i++) r = probe_opens(disks[i], O_RDONLY);
    return r;
}
static int p_dev_fuse(void) {
    return probe_opens("/dev/fuse", O_RDWR);
}
static int p_dev_tun(void) {
    return probe_opens("/dev/net/tun", O_RDWR);
}
static int p_dev_ptmx(void) {
    return probe_opens("/dev/ptmx", O_RDWR);
}
static int p_dev_uffd(void) {
    return probe_opens("/dev/userfaultfd", O_RDWR);
}
static int p_tiocsti(void) {
    int pty = posix_openpt(O_RDWR | O_NOCTTY), number = 0;
    if (pty < 0 || ioctl(pty, TIOCSPTLCK, &number) < 0) return errno;
    if (ioctl(pty, TIOCGPTN, &number) < 0) return errno;
    char path[32];
    snprintf(path, sizeof path, "/dev/pts/%d", number);
    setsid();
    int tty = open(path, O_RDWR);
    return tty < 0 ? errno : probe_result(ioctl(tty, TIOCSTI, "x"));
}

/* ---- proc, sys ---- */

static int p_core_pattern(void) {
    return probe_opens("/proc/sys/kernel/core_pattern", O_WRONLY);
}
static int p_sysrq(void) {
    return probe_opens("/proc/sysrq-trigger", O_WRONLY);
}
static int p_drop_caches(void) {
    return probe_opens("/proc/sys/vm/drop_caches", O_WRONLY);
}
static int p_sys_hostname(void) {
    return probe_opens("/proc/sys/kernel/hostname", O_WRONLY);
}
static int p_binfmt(void) {
    return probe_opens("/proc/sys/fs/binfmt_misc/register", O_WRONLY);
}
static int p_kcore(void) {
    return probe_reads("/proc/kcore");
}
static int p_keys(void) {
    syscall(SYS_keyctl, 0, -3, 1); /* something to see, where that is allowed */
    return probe_reads("/proc/keys");
}
static int p_key_users(void) {
    return probe_reads("/proc/key-users");
}
static int p_timer_list(void) {
    return probe_reads("/proc/timer_list");
}
static int p_interrupts(void) {
    return probe_reads("/proc/interrupts");
}
static int p_slabinfo(void) {
    return probe_reads("/proc/slabinfo");
}
static int p_modules(void) {
    return probe_opens("/proc/modules", O_RDONLY);
}
static int p_config(void) {
    return probe_reads("/proc/config.gz");
}
static int p_proc_partitions(void) {
    return probe_reads("/proc/partitions");
}
static int p_kallsyms(void) {
    char text[17] = {0};
    int fd = open("/proc/kallsyms", O_RDONLY);
    if (fd < 0 || read(fd, text, 16) != 16) return errno ? errno : ENODATA;
    return strtoull(text, NULL, 16) ? 0 : EPERM;
}
static int p_environ_init(void) {
    return probe_reads("/proc/1/environ");
}
static int p_root_init(void) {
    return probe_lists("/proc/1/root");
}
static int p_maps_init(void) {
    return probe_reads("/proc/1/maps");
}
static int p_fd_init(void) {
    return probe_lists("/proc/1/fd");
}
static int p_foreign_pids(void) {
    char text[64];
    for (int pid = 2; pid < 400; pid++) { /* kthreadd is nobody's in a pid namespace */
        snprintf(text, sizeof text, "/proc/%d/stat", pid);
        char stat[256] = {0};
        int fd = open(text, O_RDONLY | O_CLOEXEC);
        if (fd < 0) continue;
        ssize_t n = read(fd, stat, sizeof stat - 1);
        close(fd);
        if (n > 0 && strstr(stat, "probes") == NULL && strstr(stat, "sh)") == NULL &&
            strstr(stat, "paddock") == NULL && strstr(stat, "bwrap") == NULL &&
            strstr(stat, "firejail") == NULL)
            return 0;
    }
    return ESRCH;
}
static int p_dmesg(void) {
    char text[64];
    return probe_result(syscall(SYS_syslog, 3, text, sizeof text));
}
static int p_oom_lower(void) {
    int fd = open("/proc/self/oom_score_adj", O_WRONLY);
    return fd < 0 ? errno : probe_result(write(fd, "-1000", 5));
}
static int p_cgroup_mkdir(void) {
    static const char *const at[] = {"/sys/fs/cgroup/probe", "/sys/fs/cgroup/pids/probe",
                                     "/sys/fs/cgroup/unified/probe"};
    int r = ENOENT;
    for (int i = 0; r && i < 3; i++) {
        r = probe_result(mkdir(at[i], 0755));
        if (!r) rmdir(at[i]);
    }
    return r;
}
static int p_sys_list(void) {
    return probe_lists("/sys/class");
}
static int p_sys_firmware(void) {
    return probe_lists("/sys/firmware");
}
static int p_sys_helper(void) {
    return probe_opens("/sys/kernel/uevent_helper", O_WRONLY);
}

#define P(f) \
    { #f, p_##f }
const struct probe probes_files[] = {
    P(fsopen),      P(open_tree),    P(umount),          P(pivot_root),   P(chroot),
    P(setns_init),  P(unshare_user), P(unshare_mnt),     P(unshare_net),  P(clone_user),
    P(clone3_user), P(mknod),        P(by_handle),       P(write_usr),    P(write_root),
    P(write_etc),   P(shadow),       P(list_root),       P(list_var),     P(list_run),
    P(xattr),       P(suid_bit),     P(exec_memfd),      P(exec_tmp),     P(exec_shm),
    P(dev_mem),     P(dev_kmsg),     P(dev_kvm),         P(dev_disk),     P(dev_fuse),
    P(dev_tun),     P(dev_ptmx),     P(dev_uffd),        P(tiocsti),      P(core_pattern),
    P(sysrq),       P(drop_caches),  P(sys_hostname),    P(binfmt),       P(kcore),
    P(keys),        P(key_users),    P(timer_list),      P(interrupts),   P(slabinfo),
    P(modules),     P(config),       P(proc_partitions), P(kallsyms),     P(environ_init),
    P(root_init),   P(maps_init),    P(fd_init),         P(foreign_pids), P(dmesg),
    P(oom_lower),   P(cgroup_mkdir), P(sys_list),        P(sys_firmware), P(sys_helper),
    {NULL, NULL},
};

const struct probe probes_mounts[] = {
    P(remount),
    P(mount_bind),
    P(mount_tmpfs),
    {NULL, NULL},
};
#undef P
