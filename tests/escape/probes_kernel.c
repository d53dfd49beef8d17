/* The parts of the kernel that most escapes went through. */
#include "tests/escape/tables.h"

#include <fcntl.h>
#include <linux/keyctl.h>
#include <linux/memfd.h>
#include <mqueue.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

PROBE_CALL(bpf_map, syscall(SYS_bpf, 0, (uint32_t[18]){2, 4, 4, 1}, 72))
PROBE_CALL(bpf_load, syscall(SYS_bpf, 5, NULL, 0))
PROBE_CALL(perf_self, syscall(SYS_perf_event_open, (uint64_t[16]){1UL | 128UL << 32}, 0, -1, -1, 0))
PROBE_CALL(perf_all, syscall(SYS_perf_event_open, NULL, -1, 0, -1, 0))
PROBE_CALL(user_faults, syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */))
PROBE_CALL(user_faults_kernel, syscall(SYS_userfaultfd, 0))
PROBE_CALL(uring_setup, syscall(SYS_io_uring_setup, 8, (uint32_t[32]){0}))
PROBE_CALL(uring_enter, syscall(SYS_io_uring_enter, 0, 1, 0, 0, NULL, 0))
PROBE_CALL(uring_register, syscall(SYS_io_uring_register, -1, 0, NULL, 0))
PROBE_CALL(key_add, syscall(SYS_add_key, "user", "escape", "x", 1, KEY_SPEC_PROCESS_KEYRING))
PROBE_CALL(key_request, syscall(SYS_request_key, "user", "escape", NULL, 0))
PROBE_CALL(key_session, syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL))
PROBE_CALL(key_persistent, syscall(SYS_keyctl, KEYCTL_GET_PERSISTENT, -1, -3))
PROBE_CALL(kexec, syscall(SYS_kexec_load, 0, 0, NULL, 0))
PROBE_CALL(kexec_file, syscall(SYS_kexec_file_load, -1, -1, 0, NULL, 0))
PROBE_CALL(module_load, syscall(SYS_init_module, NULL, 0, ""))
PROBE_CALL(module_file, syscall(SYS_finit_module, -1, "", 0))
PROBE_CALL(module_remove, syscall(SYS_delete_module, "no-such-module", 0))
PROBE_CALL(swap_on, syscall(SYS_swapon, "/work/no-such-swap", 0))
PROBE_CALL(swap_off, syscall(SYS_swapoff, "/work/no-such-swap"))
PROBE_CALL(trace_me, ptrace(PTRACE_TRACEME, 0, NULL, NULL))
PROBE_CALL(trace_init, ptrace(PTRACE_SEIZE, 1, NULL, NULL))
PROBE_CALL(trace_parent, ptrace(PTRACE_SEIZE, getppid(), NULL, NULL))
PROBE_CALL(read_parent, process_vm_readv(getppid(), NULL, 0, NULL, 0, 0))
PROBE_CALL(write_parent, process_vm_writev(getppid(), NULL, 0, NULL, 0, 0))
PROBE_CALL(advise_parent, syscall(SYS_process_madvise, -1, NULL, 0, 4, 0))
PROBE_CALL(descriptor_parent,
           syscall(SYS_pidfd_getfd, (int)syscall(SYS_pidfd_open, getppid(), 0), 0, 0))
PROBE_CALL(compare_parent, syscall(SYS_kcmp, getpid(), getppid(), 0, 0, 0))
PROBE_CALL(pages_of_init, syscall(SYS_move_pages, 1, 0, NULL, NULL, NULL, 0))
PROBE_CALL(migrate_init, syscall(SYS_migrate_pages, 1, 0, NULL, NULL))
PROBE_CALL(secret_memory, syscall(SYS_memfd_secret, 0))
PROBE_CALL(huge_memory, syscall(SYS_memfd_create, "x", MFD_HUGETLB))
PROBE_CALL(huge_memory_high, syscall(SYS_memfd_create, "x", 0x100000000UL | MFD_HUGETLB))
PROBE_CALL(watch_mounts, syscall(SYS_fanotify_init, FAN_CLASS_NOTIF, O_RDONLY))
PROBE_CALL(watch_unprivileged, syscall(SYS_fanotify_init, FAN_REPORT_FID, O_RDONLY))
PROBE_CALL(watch_mark, syscall(SYS_fanotify_mark, -1, 1, FAN_OPEN, AT_FDCWD, "/"))
PROBE_CALL(quota, syscall(SYS_quotactl, 0x800007 << 8, "/dev/vda", 0, NULL))
PROBE_CALL(account, syscall(SYS_acct, "/work/acct"))
PROBE_CALL(log_read, syscall(SYS_syslog, 3, (char[16]){0}, 16))
PROBE_CALL(log_size, syscall(SYS_syslog, 10, NULL, 0))
PROBE_CALL(host_name, syscall(SYS_sethostname, "escaped", 7))
PROBE_CALL(hang_up, syscall(SYS_vhangup))
PROBE_CALL(adjust_clock, syscall(SYS_adjtimex, &(struct timex){0}))
PROBE_CALL(adjust_clock_64, syscall(SYS_clock_adjtime, CLOCK_REALTIME, &(struct timex){0}))
PROBE_CALL(set_clock, syscall(SYS_clock_settime, CLOCK_REALTIME, &(struct timespec){0}))
PROBE_CALL(dcookie, syscall(SYS_lookup_dcookie, 0, NULL, 0))
PROBE_CALL(splice_gift, syscall(SYS_vmsplice, STDOUT_FILENO, NULL, 0, 8))
PROBE_CALL(splice_pipe, syscall(SYS_splice, STDIN_FILENO, NULL, STDOUT_FILENO, NULL, 1, 0))
PROBE_CALL(async_io, syscall(SYS_io_setup, 8, (unsigned long[1]){0}))
PROBE_CALL(message_queue, syscall(SYS_mq_open, "/escape", O_RDWR | O_CREAT, 0600, NULL))
PROBE_CALL(message_get, syscall(SYS_msgget, 0x5041, 01600))
PROBE_CALL(flush_all, syscall(SYS_sync))
PROBE_CALL(flush_one, syscall(SYS_syncfs, STDIN_FILENO))
PROBE_CALL(use_library, syscall(SYS_uselib, "/usr/bin/env"))
PROBE_CALL(file_info, syscall(SYS_sysfs, 3))
PROBE_CALL(cache_state, syscall(451 /* cachestat */, 0, NULL, NULL, 0))
PROBE_CALL(lsm_list, syscall(461 /* lsm_list_modules */, NULL, NULL, 0))
PROBE_CALL(process_release, syscall(SYS_process_mrelease, -1, 0))

static int evict_cache(void) {
    int fd = open("/data/open", O_RDONLY | O_CLOEXEC);
    return fd < 0                                          ? errno
           : (int)-syscall(SYS_fadvise64, fd, 0, 0, 4) > 0 ? EINVAL
           : errno                                         ? errno
                                                           : THROUGH;
}

static int trace_child(void) {
    pid_t pid = fork();
    if (pid == 0) {
        pause();
        _exit(0);
    }
    int result = answered(ptrace(PTRACE_SEIZE, pid, NULL, NULL));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return result;
}

/* By its memory file rather than by a call. */
static int write_parent_memory(void) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/mem", getppid());
    int result = try_open(path, O_RDWR);
    /* The parent is another process of this same sandbox and user. */
    return result == THROUGH ? CONTAINED : result;
}

static const struct attempt attempts[] = {
    TRY("bpf-map", "seccomp", "EPERM", bpf_map),
    TRY("bpf-load", "seccomp", "EPERM", bpf_load),
    TRY("bpf-strict", "seccomp", "EPERM", bpf_map, .policy = "strict"),
    TRY("perf-self", "seccomp", "EPERM", perf_self),
    TRY("perf-machine", "seccomp", "EPERM", perf_all),
    TRY("userfaultfd-user", "seccomp", "EPERM", user_faults),
    TRY("userfaultfd", "seccomp", "EPERM", user_faults_kernel),
    TRY("io-uring-setup", "seccomp", "EPERM", uring_setup),
    TRY("io-uring-enter", "seccomp", "EPERM", uring_enter),
    TRY("io-uring-register", "seccomp", "EPERM", uring_register),
    TRY("io-uring-strict", "seccomp", "EPERM", uring_setup, .policy = "strict"),
    TRY("io-uring-build", "seccomp", "EPERM", uring_setup, .policy = "build"),
    TRY("add-key", "seccomp", "EPERM", key_add),
    TRY("request-key", "seccomp", "EPERM", key_request),
    TRY("keyctl-session", "seccomp", "EPERM", key_session),
    TRY("keyctl-persistent", "seccomp", "EPERM", key_persistent),
    TRY("kexec-load", "seccomp", "policy-violation:kexec_load", kexec),
    TRY("kexec-file-load", "seccomp", "policy-violation:kexec_file_load", kexec_file),
    TRY("init-module", "seccomp", "policy-violation:init_module", module_load),
    TRY("finit-module", "seccomp", "policy-violation:finit_module", module_file),
    TRY("delete-module", "seccomp", "policy-violation:delete_module", module_remove),
    TRY("swapon", "seccomp", "policy-violation:swapon", swap_on),
    TRY("swapoff", "seccomp", "policy-violation:swapoff", swap_off),
    TRY("ptrace-me", "seccomp", "EPERM", trace_me),
    TRY("ptrace-child", "seccomp", "EPERM", trace_child),
    TRY("ptrace-init", "seccomp", "EPERM", trace_init),
    TRY("ptrace-parent", "seccomp", "EPERM", trace_parent),
    TRY("process-vm-readv", "seccomp", "EPERM", read_parent),
    TRY("process-vm-writev", "seccomp", "EPERM", write_parent),
    TRY("process-madvise", "seccomp", "EPERM", advise_parent),
    TRY("process-mrelease", "seccomp", "EPERM", process_release),
    TRY("pidfd-getfd", "seccomp", "EPERM", descriptor_parent),
    TRY("kcmp", "seccomp", "EPERM", compare_parent),
    TRY("move-pages-init", "seccomp", "EPERM", pages_of_init),
    TRY("migrate-pages-init", "seccomp", "EPERM", migrate_init),
    TRY("proc-mem-parent", "pid-namespace", "contained|EACCES|EPERM", write_parent_memory),
    TRY("memfd-secret", "seccomp", "ENOSYS", secret_memory),
    TRY("memfd-hugetlb", "seccomp", "EINVAL", huge_memory),
    TRY("memfd-hugetlb-high-bits", "seccomp", "EINVAL", huge_memory_high),
    TRY("fanotify", "seccomp", "EPERM", watch_mounts),
    TRY("fanotify-unprivileged", "seccomp", "EPERM", watch_unprivileged),
    TRY("fanotify-mark", "seccomp", "EPERM", watch_mark),
    TRY("quotactl", "seccomp", "EPERM", quota),
    TRY("acct", "seccomp", "EPERM", account),
    TRY("syslog-read", "seccomp", "EPERM", log_read),
    TRY("syslog-size", "seccomp", "EPERM", log_size),
    TRY("sethostname", "seccomp", "EPERM", host_name),
    TRY("vhangup", "seccomp", "EPERM", hang_up),
    TRY("adjtimex", "seccomp", "EPERM", adjust_clock),
    TRY("clock-adjtime", "seccomp", "EPERM", adjust_clock_64),
    TRY("clock-settime", "seccomp", "EPERM", set_clock),
    TRY("lookup-dcookie", "seccomp", "EPERM", dcookie),
    TRY("vmsplice", "seccomp", "EPERM", splice_gift),
    TRY("splice", "seccomp", "ENOSYS", splice_pipe),
    TRY("native-aio", "seccomp", "ENOSYS", async_io),
    TRY("mq-open", "seccomp", "ENOSYS", message_queue),
    TRY("msgget", "seccomp", "ENOSYS", message_get),
    TRY("sync-machine", "seccomp", "EPERM", flush_all),
    TRY("syncfs", "seccomp", "EPERM", flush_one),
    TRY("uselib", "seccomp", "ENOSYS", use_library),
    TRY("sysfs-call", "seccomp", "ENOSYS", file_info),
    TRY("cachestat", "seccomp", "ENOSYS", cache_state),
    TRY("lsm-list", "seccomp", "ENOSYS", lsm_list),
    TRY("page-cache-eviction", "seccomp", "EINVAL", evict_cache),
};
ATTEMPTS(kernel_attempts, "kernel surfaces");
