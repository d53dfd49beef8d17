/* The filters in the kernel: a child installs one, makes one call, and tells
 * what came of it. Arguments are chosen so that an allowed call has an outcome
 * of its own (a bad descriptor, say) that the filter would not give. */
#include "common/cleanup.h"
#include "tests/unit/test_policy_run.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
/* clang-format off: cmocka needs the four above first */
#include <cmocka.h>
/* clang-format on */

/* Outcomes beside the errno values: */
enum { OK = 0, KILLED = -1, VANISHED = -2 };

enum { STRICT, TRAIN, BUILD, POLICIES };
static const char *const names[POLICIES] = {"strict", "train", "build"};

struct loaded {
    struct policy policy;
    struct policy_filter filter;
};

struct call {
    const char *what;
    int32_t expected[POLICIES];
    long number;
    long args[6];
};

#define ALL(x) \
    { x, x, x }
#define HIGH   0x100000000L /* what the kernel drops from an int argument */
#define BAD_FD 1000000L

static const struct call calls[] = {
    {"getpid", ALL(OK), SYS_getpid, {0}},
    {"read", ALL(EBADF), SYS_read, {BAD_FD, 0, 0}},
    {"an unknown call", ALL(ENOSYS), 1023, {0}},
    {"execve", ALL(EFAULT), SYS_execve, {1, 0, 0}},
    {"execveat", ALL(ENOSYS), SYS_execveat, {BAD_FD, 0, 0, 0, 0}},

    {"clone of a user namespace", ALL(EPERM), SYS_clone, {CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0}},
    {"clone of a network namespace", ALL(EPERM), SYS_clone, {CLONE_NEWNET, 0, 0, 0, 0}},
    {"clone with high bits", ALL(EPERM), SYS_clone, {HIGH | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0}},
    {"clone of a sibling", ALL(EPERM), SYS_clone, {CLONE_PARENT | SIGCHLD, 0, 0, 0, 0}},
    {"clone of odd flags", ALL(EINVAL), SYS_clone, {CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0}},
    {"clone3", ALL(ENOSYS), SYS_clone3, {0, 88}},
    {"unshare of nothing", {EPERM, OK, OK}, SYS_unshare, {0}},
    {"unshare of a user namespace", ALL(EPERM), SYS_unshare, {CLONE_NEWUSER}},
    {"unshare of a time namespace", ALL(EPERM), SYS_unshare, {0x80}},
    {"unshare with high bits", ALL(EPERM), SYS_unshare, {HIGH | CLONE_NEWNS}},
    {"setns", ALL(EPERM), SYS_setns, {BAD_FD, 0}},

    {"ioctl FIONREAD", ALL(EBADF), SYS_ioctl, {BAD_FD, FIONREAD, 0}},
    {"ioctl with a sign", ALL(EBADF), SYS_ioctl, {BAD_FD, (long)0xffffffff802c542aL, 0}},
    {"ioctl TIOCSTI", ALL(ENOTTY), SYS_ioctl, {BAD_FD, TIOCSTI, 0}},
    {"ioctl TIOCSTI, high bits", ALL(ENOTTY), SYS_ioctl, {BAD_FD, HIGH | TIOCSTI, 0}},
    {"ioctl TIOCLINUX", ALL(ENOTTY), SYS_ioctl, {BAD_FD, TIOCLINUX, 0}},
    {"ioctl TIOCLINUX, high bits", ALL(ENOTTY), SYS_ioctl, {BAD_FD, 7 * HIGH | TIOCLINUX, 0}},
    {"ioctl of a driver", ALL(ENOTTY), SYS_ioctl, {BAD_FD, 0x12345678, 0}},

    {"unix socket", {EAFNOSUPPORT, OK, OK}, SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
    {"tcp socket", {EAFNOSUPPORT, OK, EAFNOSUPPORT}, SYS_socket, {AF_INET, SOCK_STREAM, 0}},
    {"tcp socket, closed on exec",
     {EAFNOSUPPORT, OK, EAFNOSUPPORT},
     SYS_socket,
     {AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP}},
    {"udp socket", {EAFNOSUPPORT, OK, EAFNOSUPPORT}, SYS_socket, {AF_INET, SOCK_DGRAM, 17}},
    {"ping socket", ALL(EAFNOSUPPORT), SYS_socket, {AF_INET, SOCK_DGRAM, IPPROTO_ICMP}},
    {"raw socket", ALL(EAFNOSUPPORT), SYS_socket, {AF_INET, SOCK_RAW, 17}},
    {"sctp socket", ALL(EAFNOSUPPORT), SYS_socket, {AF_INET, SOCK_STREAM, IPPROTO_SCTP}},
    {"rtnetlink", {EAFNOSUPPORT, OK, EAFNOSUPPORT}, SYS_socket, {AF_NETLINK, SOCK_RAW, 0}},
    {"nfnetlink", ALL(EAFNOSUPPORT), SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER}},
    {"audit netlink", ALL(EAFNOSUPPORT), SYS_socket, {AF_NETLINK, SOCK_RAW, NETLINK_AUDIT}},
    {"packet socket", ALL(EAFNOSUPPORT), SYS_socket, {AF_PACKET, SOCK_RAW, 0}},
    {"packet socket, high bits", ALL(EAFNOSUPPORT), SYS_socket, {HIGH | AF_PACKET, SOCK_DGRAM, 0}},
    {"packet type of inet", ALL(EAFNOSUPPORT), SYS_socket, {AF_INET, SOCK_PACKET, 0}},
    {"vsock", ALL(EAFNOSUPPORT), SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}},
    {"af_alg", ALL(EAFNOSUPPORT), SYS_socket, {AF_ALG, SOCK_SEQPACKET, 0}},
    {"bluetooth", ALL(EAFNOSUPPORT), SYS_socket, {AF_BLUETOOTH, SOCK_RAW, 0}},
    {"xdp", ALL(EAFNOSUPPORT), SYS_socket, {AF_XDP, SOCK_RAW, 0}},
    {"key socket", ALL(EAFNOSUPPORT), SYS_socket, {AF_KEY, SOCK_RAW, 2}},
    {"socketpair", ALL(EFAULT), SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, 0}},
    {"socketpair of tipc", ALL(EAFNOSUPPORT), SYS_socketpair, {AF_TIPC, SOCK_STREAM, 0, 0}},
    {"setsockopt SO_REUSEADDR",
     {ENOPROTOOPT, EBADF, EBADF},
     SYS_setsockopt,
     {BAD_FD, SOL_SOCKET, SO_REUSEADDR, 0, 0}},
    {"setsockopt SO_ATTACH_FILTER",
     ALL(ENOPROTOOPT),
     SYS_setsockopt,
     {BAD_FD, SOL_SOCKET, SO_ATTACH_FILTER, 0, 0}},
    {"setsockopt IPT_SO_SET_REPLACE",
     ALL(ENOPROTOOPT),
     SYS_setsockopt,
     {BAD_FD, IPPROTO_IP, 64, 0, 0}},
    {"setsockopt TCP_ULP", ALL(ENOPROTOOPT), SYS_setsockopt, {BAD_FD, IPPROTO_TCP, 31, 0, 0}},

    {"prctl PR_SET_NAME", ALL(EFAULT), SYS_prctl, {PR_SET_NAME, 1, 0, 0, 0}},
    {"prctl PR_SET_TSC", ALL(EINVAL), SYS_prctl, {PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0}},
    {"prctl PR_SET_TSC, high bits", ALL(EINVAL), SYS_prctl, {HIGH | PR_SET_TSC, 2, 0, 0, 0}},
    {"prctl PR_SET_DUMPABLE", ALL(EINVAL), SYS_prctl, {PR_SET_DUMPABLE, 1, 0, 0, 0}},
    {"prctl PR_SET_PTRACER", ALL(EINVAL), SYS_prctl, {PR_SET_PTRACER, -1, 0, 0, 0}},
    {"prctl PR_SET_SECCOMP", ALL(EINVAL), SYS_prctl, {PR_SET_SECCOMP, 1, 0, 0, 0}},
    {"personality query", ALL(OK), SYS_personality, {0xffffffff}},
    {"personality without randomisation", ALL(EPERM), SYS_personality, {ADDR_NO_RANDOMIZE}},
    {"personality, high bits", ALL(EPERM), SYS_personality, {HIGH | ADDR_NO_RANDOMIZE}},
    {"prlimit64 of oneself", ALL(OK), SYS_prlimit64, {0, RLIMIT_NOFILE, 0, 0}},
    {"prlimit64 of another", ALL(EPERM), SYS_prlimit64, {1, RLIMIT_NOFILE, 0, 0}},
    {"seccomp", ALL(EPERM), SYS_seccomp, {SECCOMP_SET_MODE_FILTER, 8, 0}},
    {"setuid", {EPERM, EINVAL, EINVAL}, SYS_setuid, {-1}},
    {"sched_setscheduler", ALL(EPERM), SYS_sched_setscheduler, {0, SCHED_BATCH, 0}},
    {"sched_setaffinity", ALL(EFAULT), SYS_sched_setaffinity, {0, 8, 1}},

    {"mknodat of a device", ALL(EPERM), SYS_mknodat, {BAD_FD, 1, S_IFCHR | 0600, 0x103}},
    {"mknodat, high bits", ALL(EPERM), SYS_mknodat, {BAD_FD, 1, HIGH | S_IFBLK, 0x103}},
    {"mknodat of a pipe", {EPERM, EFAULT, EFAULT}, SYS_mknodat, {BAD_FD, 1, S_IFIFO, 0}},
    {"symlinkat", {EPERM, EFAULT, EFAULT}, SYS_symlinkat, {1, BAD_FD, 1}},
    {"setxattr", ALL(EOPNOTSUPP), SYS_setxattr, {0, 0, 0, 0, 0}},
    {"flock", {ENOLCK, EBADF, EBADF}, SYS_flock, {BAD_FD, 2}},
    {"fcntl F_GETFD", ALL(EBADF), SYS_fcntl, {BAD_FD, F_GETFD, 0}},
    {"fcntl F_SETLK", {ENOLCK, EBADF, EBADF}, SYS_fcntl, {BAD_FD, F_SETLK, 0}},
    {"fadvise", ALL(EBADF), SYS_fadvise64, {BAD_FD, 0, 0, POSIX_FADV_SEQUENTIAL}},
    {"fadvise that evicts", ALL(EINVAL), SYS_fadvise64, {BAD_FD, 0, 0, POSIX_FADV_DONTNEED}},
    {"memfd_create", {ENOSYS, EFAULT, ENOSYS}, SYS_memfd_create, {1, MFD_CLOEXEC}},
    {"memfd_create of huge pages", {ENOSYS, EINVAL, ENOSYS}, SYS_memfd_create, {1, MFD_HUGETLB}},
    {"sync", ALL(EPERM), SYS_sync, {0}},

    {"ptrace", ALL(EPERM), SYS_ptrace, {0, 0, 0, 0}},
    {"process_vm_readv", ALL(EPERM), SYS_process_vm_readv, {1, 0, 0, 0, 0, 0}},
    {"process_vm_writev", ALL(EPERM), SYS_process_vm_writev, {1, 0, 0, 0, 0, 0}},
    {"pidfd_getfd", ALL(EPERM), SYS_pidfd_getfd, {0, 0, 0}},
    {"kcmp", ALL(EPERM), SYS_kcmp, {1, 1, 0, 0, 0}},
    {"io_uring_setup", ALL(EPERM), SYS_io_uring_setup, {1, 0}},
    {"io_uring_enter", ALL(EPERM), SYS_io_uring_enter, {0, 0, 0, 0, 0, 0}},
    {"bpf", ALL(EPERM), SYS_bpf, {0, 0, 0}},
    {"perf_event_open", ALL(EPERM), SYS_perf_event_open, {0, 0, 0, 0, 0}},
    {"userfaultfd", ALL(EPERM), SYS_userfaultfd, {0}},
    {"add_key", ALL(EPERM), SYS_add_key, {0, 0, 0, 0, 0}},
    {"request_key", ALL(EPERM), SYS_request_key, {0, 0, 0, 0}},
    {"keyctl", ALL(EPERM), SYS_keyctl, {0, 0, 0, 0, 0}},
    {"mount", ALL(EPERM), SYS_mount, {0, 0, 0, 0, 0}},
    {"umount2", ALL(EPERM), SYS_umount2, {0, 0}},
    {"pivot_root", ALL(EPERM), SYS_pivot_root, {0, 0}},
    {"chroot", ALL(EPERM), SYS_chroot, {0}},
    {"fsopen", ALL(EPERM), SYS_fsopen, {0, 0}},
    {"open_tree", ALL(EPERM), SYS_open_tree, {0, 0, 0}},
    {"move_mount", ALL(EPERM), SYS_move_mount, {0, 0, 0, 0, 0}},
    {"mount_setattr", ALL(EPERM), SYS_mount_setattr, {0, 0, 0, 0, 0}},
    {"open_by_handle_at", ALL(EPERM), SYS_open_by_handle_at, {0, 0, 0}},
    {"fanotify_init", ALL(EPERM), SYS_fanotify_init, {0, 0}},
    {"quotactl", ALL(EPERM), SYS_quotactl, {0, 0, 0, 0}},
    {"acct", ALL(EPERM), SYS_acct, {0}},
    {"syslog", ALL(EPERM), SYS_syslog, {3, 0, 0}},
    {"sethostname", ALL(EPERM), SYS_sethostname, {0, 0}},
    {"clock_settime", ALL(EPERM), SYS_clock_settime, {0, 0}},
    {"adjtimex", ALL(EPERM), SYS_adjtimex, {0}},
    {"move_pages", ALL(EPERM), SYS_move_pages, {1, 0, 0, 0, 0, 0}},
    {"vmsplice", ALL(EPERM), SYS_vmsplice, {0, 0, 0, 0}},
    {"memfd_secret", ALL(ENOSYS), 447, {0}},

    {"kexec_load", ALL(KILLED), SYS_kexec_load, {0, 0, 0, 0}},
    {"kexec_file_load", ALL(KILLED), SYS_kexec_file_load, {0, 0, 0, 0, 0}},
    {"init_module", ALL(KILLED), SYS_init_module, {0, 0, 0}},
    {"finit_module", ALL(KILLED), SYS_finit_module, {BAD_FD, 0, 0}},
    {"delete_module", ALL(KILLED), SYS_delete_module, {0, 0}},
    {"reboot", ALL(KILLED), SYS_reboot, {0, 0, 0, 0}},
    {"swapon", ALL(KILLED), SYS_swapon, {0, 0}},
    {"swapoff", ALL(KILLED), SYS_swapoff, {0}},
#ifdef __x86_64__
    {"modify_ldt", ALL(EPERM), SYS_modify_ldt, {0, 0, 0}},
    {"iopl", ALL(KILLED), SYS_iopl, {0}},
    {"ioperm", ALL(KILLED), SYS_ioperm, {0, 0, 0}},
    {"x32 getpid", ALL(KILLED), 0x40000000 | SYS_getpid, {0}},
    {"x32 kexec_load", ALL(KILLED), 0x40000000 | 528, {0}},
#endif
};

/* Runs `body` under the filter: its result, KILLED or VANISHED. */
static int32_t under(const struct policy_filter *f, int32_t (*body)(const void *),
                     const void *what) {
    int32_t *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    *shared = VANISHED;
    pid_t pid = fork();
    if (pid == 0) {
        if (f && install(f) < 0) _exit(1);
        *shared = body(what);
        _exit(0);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    int32_t result = *shared;
    munmap(shared, sizeof *shared);
    if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGSYS ? KILLED : VANISHED;
    return result;
}

static int32_t make_call(const void *what) {
    const struct call *c = what;
    const long *a = c->args;
    return syscall(c->number, a[0], a[1], a[2], a[3], a[4], a[5]) >= 0 ? OK : errno;
}

#ifdef __x86_64__
/* getpid by the 32-bit gate: 0 when the kernel answered. */
static int32_t old_gate(const void *what) {
    (void)what;
    int32_t result = 20;
    __asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
    return result > 0 ? OK : -result;
}
#endif

static int load_all(void **state) {
    static struct loaded all[POLICIES];
    for (int i = 0; i < POLICIES; i++) load_shipped(names[i], &all[i].policy, &all[i].filter);
    *state = all;
    return 0;
}

static int clear_all(void **state) {
    struct loaded *all = *state;
    for (int i = 0; i < POLICIES; i++) {
        policy_clear(&all[i].policy);
        policy_filter_clear(&all[i].filter);
    }
    return 0;
}

static void each_call_gets_its_answer(void **state) {
    const struct loaded *all = *state;
    if (!can_install()) {
        print_message("skip - no system-call filter can be installed here\n");
        skip();
    }
    int wrong = 0;
    for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
        for (int p = 0; p < POLICIES; p++) {
            int32_t is = under(&all[p].filter, make_call, &calls[i]);
            if (is == calls[i].expected[p]) continue;
            print_error("%s under %s: %d, expected %d\n", calls[i].what, names[p], is,
                        calls[i].expected[p]);
            wrong++;
        }
    assert_int_equal(wrong, 0);
}

static void the_old_gate_is_shut(void **state) {
#ifdef __x86_64__
    const struct loaded *all = *state;
    if (!can_install()) {
        print_message("skip - no system-call filter can be installed here\n");
        skip();
    }
    /* A kernel without the 32-bit ABI answers with SIGSEGV. */
    if (under(NULL, old_gate, NULL) != OK) {
        print_message("skip - the kernel has no 32-bit ABI\n");
        skip();
    }
    for (int p = 0; p < POLICIES; p++)
        assert_int_equal(under(&all[p].filter, old_gate, NULL), KILLED);
#else
    (void)state;
    print_message("skip - only x86-64 has this gate\n");
    skip();
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_call_gets_its_answer),
        cmocka_unit_test(the_old_gate_is_shut),
    };
    return cmocka_run_group_tests(tests, load_all, clear_all);
}
