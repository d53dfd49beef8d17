#include "tests/bench/probes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <unistd.h>

enum { HELD_FD = 50 /* the caller opens it before it starts the launcher */ };

/* ---- kernel surfaces ---- */

static int p_io_uring(void) {
    struct io_uring_params p = {0};
    return probe_result(syscall(SYS_io_uring_setup, 4, &p));
}
static int p_uffd(void) {
    return probe_result(syscall(SYS_userfaultfd, 0));
}
static int p_uffd_user(void) {
    return probe_result(syscall(SYS_userfaultfd, 1));
}
static int p_perf(void) {
    struct perf_event_attr a = {.type = PERF_TYPE_SOFTWARE,
                                .size = sizeof a,
                                .config = PERF_COUNT_SW_TASK_CLOCK,
                                .exclude_kernel = 1};
    return probe_result(syscall(SYS_perf_event_open, &a, 0, -1, -1, 0));
}
static int p_bpf_map(void) {
    union bpf_attr a = {
        .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1};
    return probe_result(syscall(SYS_bpf, BPF_MAP_CREATE, &a, sizeof a));
}
static int p_keyctl(void) {
    return probe_result(syscall(SYS_keyctl, 0, -3, 0));
}
static int p_add_key(void) {
    return probe_result(syscall(SYS_add_key, "user", "probe", "x", 1, -3));
}
static int p_request_key(void) {
    return probe_reached(syscall(SYS_request_key, "user", "probe-none", NULL, 0));
}
static int p_ptrace_init(void) {
    return probe_result(ptrace(PTRACE_SEIZE, 1, 0, 0));
}
static int p_ptrace_child(void) {
    pid_t pid = fork();
    if (pid == 0)
        for (;;) pause();
    int r = probe_result(ptrace(PTRACE_SEIZE, pid, 0, 0));
    kill(pid, SIGKILL);
    return r;
}
static int p_vm_read_init(void) {
    char byte;
    unsigned long at = 0;
    char line[64] = {0};
    int fd = open("/proc/1/maps", O_RDONLY);
    if (fd >= 0 && read(fd, line, sizeof line - 1) > 0) at = strtoul(line, NULL, 16);
    struct iovec mine = {&byte, 1}, theirs = {(void *)at, 1}; /* NOLINT: another's address */
    return probe_result(process_vm_readv(1, &mine, 1, &theirs, 1, 0));
}
static int p_pidfd_getfd(void) {
    int fd = (int)syscall(SYS_pidfd_open, 1, 0);
    return fd < 0 ? errno : probe_result(syscall(SYS_pidfd_getfd, fd, 0, 0));
}
static int p_pidfd_open(void) {
    return probe_result(syscall(SYS_pidfd_open, 1, 0));
}
static int p_kcmp(void) {
    return probe_result(syscall(SYS_kcmp, getpid(), 1, 0, 0, 0));
}
static int p_signal_init(void) {
    return probe_result(kill(1, 0));
}
static int p_limits_init(void) {
    return probe_result(prlimit(1, RLIMIT_NOFILE, NULL, &(struct rlimit){0}));
}
static int p_int80(void) {
#ifdef __x86_64__
    long r;
    __asm__ volatile("int $0x80" : "=a"(r) : "0"(20L) : "memory", "r8", "r9", "r10", "r11");
    return r > 0 ? 0 : (int)-r;
#else
    return ENOSYS;
#endif
}
static int p_x32(void) {
    return probe_result(syscall(0x40000000 | 39));
}
static int p_personality(void) {
    return probe_result(syscall(SYS_personality, 0x0040000));
}
static int filter(unsigned flags) {
    struct sock_filter allow = {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW};
    struct sock_fprog prog = {1, &allow};
    return probe_result(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog));
}
static int p_filter(void) {
    return filter(0);
}
static int p_listener(void) {
    return filter(SECCOMP_FILTER_FLAG_NEW_LISTENER);
}
static int p_ldt(void) {
    char ldt[64];
    return probe_result(syscall(SYS_modify_ldt, 0, ldt, sizeof ldt));
}
static int p_iopl(void) {
    return probe_result(syscall(SYS_iopl, 3));
}
static int p_module(void) {
    return probe_reached(syscall(SYS_init_module, NULL, 0, ""));
}
static int p_kexec(void) {
    return probe_reached(syscall(SYS_kexec_load, 0, 1000, NULL, ~0UL));
}
static int p_reboot(void) {
    return probe_reached(syscall(SYS_reboot, 0, 0, 0, NULL));
}
static int p_swapon(void) {
    return probe_reached(syscall(SYS_swapon, "/nowhere", ~0));
}
static int p_acct(void) {
    return probe_reached(syscall(SYS_acct, "/nowhere"));
}
static int p_quotactl(void) {
    return probe_reached(syscall(SYS_quotactl, 0x80000200, NULL, 0, NULL));
}
static int p_fanotify(void) {
    return probe_result(syscall(SYS_fanotify_init, 0x200, 0));
}
static int p_inotify(void) {
    int fd = inotify_init1(IN_CLOEXEC);
    return fd < 0 ? errno : probe_result(inotify_add_watch(fd, "/usr/bin", IN_ACCESS));
}
static int p_flock(void) {
    int fd = open("/usr/bin/env", O_RDONLY);
    return fd < 0 ? errno : probe_result(flock(fd, LOCK_EX | LOCK_NB));
}
static int p_lease(void) {
    int fd = open("/usr/bin/env", O_RDONLY);
    return fd < 0 ? errno : probe_result(fcntl(fd, F_SETLEASE, F_RDLCK));
}
static int p_hostname(void) {
    return probe_result(sethostname("probe", 5));
}
static int p_clock(void) {
    struct timex t = {0};
    if (adjtimex(&t) < 0) return errno;
    t.modes = ADJ_TICK; /* to what it is */
    return probe_result(adjtimex(&t));
}
static int p_fifo(void) {
    struct sched_param p = {1};
    return probe_result(sched_setscheduler(0, SCHED_FIFO, &p));
}
static int p_batch(void) {
    struct sched_param p = {0};
    return probe_result(sched_setscheduler(0, SCHED_BATCH, &p));
}
static int p_nice(void) {
    return probe_result(setpriority(PRIO_PROCESS, 0, -10));
}
static int p_ioprio(void) {
    return probe_result(syscall(SYS_ioprio_set, 1, 0, (1 << 13) | 0));
}
static int p_affinity(void) {
    cpu_set_t set;
    memset(&set, 0xff, sizeof set);
    return probe_result(sched_setaffinity(0, sizeof set, &set));
}
static int p_rlimit(void) {
    struct rlimit l;
    getrlimit(RLIMIT_NOFILE, &l);
    l.rlim_max++;
    return probe_result(setrlimit(RLIMIT_NOFILE, &l));
}
static int p_core(void) {
    struct rlimit l;
    getrlimit(RLIMIT_CORE, &l);
    return l.rlim_max ? 0 : EPERM;
}
static int p_tsc(void) {
    return probe_result(prctl(PR_SET_TSC, PR_TSC_ENABLE));
}
/* The one question about PR_SET_MM that needs no capability. */
static int p_set_mm(void) {
    unsigned size = 0;
    return probe_result(prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0));
}
static int p_sched_core(void) {
    return probe_result(prctl(62, 1, 0, 0, 0));
}
static int p_ptracer(void) {
    return probe_result(prctl(0x59616d61, -1L, 0, 0, 0));
}
static int p_dumpable(void) {
    return probe_result(prctl(PR_SET_DUMPABLE, 1));
}
static int p_vmsplice(void) {
    int fds[2];
    char byte = 1;
    struct iovec v = {&byte, 1};
    return pipe(fds) < 0 ? errno : probe_result(vmsplice(fds[1], &v, 1, 0));
}
static int p_mlock(void) {
    void *p = mmap(NULL, 1 << 26, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return probe_result(mlock(p, 1 << 26));
}
static int p_evict(void) {
    int fd = open("/usr/bin/env", O_RDONLY);
    return fd < 0 ? errno : posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
}
static int p_sync(void) {
    int fd = open("/usr", O_RDONLY);
    return fd < 0 ? errno : probe_result(syncfs(fd));
}
static int p_wx(void) {
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? errno : 0;
}
static int p_secretmem(void) {
    return probe_result(syscall(447, 0));
}
static int p_migrate(void) {
    return probe_result(syscall(SYS_migrate_pages, 1, 0, NULL, NULL));
}

/* ---- who one is ---- */

static unsigned long long status_hex(const char *field) {
    char text[4096] = {0};
    int fd = open("/proc/self/status", O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0) return 0;
    char *at = strstr(text, field);
    return at ? strtoull(at + strlen(field), NULL, 16) : 0;
}
static int p_caps(void) {
    return status_hex("CapEff:") ? 0 : EPERM;
}
static int p_bounding(void) {
    return status_hex("CapBnd:") ? 0 : EPERM;
}
static int p_new_privs(void) {
    return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) ? EPERM : 0;
}
static int p_unfiltered(void) {
    return status_hex("Seccomp:") ? EPERM : 0;
}
static int p_uid0(void) {
    return getuid() ? EPERM : 0;
}
static int p_held_fd(void) {
    return probe_result(fcntl(HELD_FD, F_GETFD));
}
static int p_secret_env(void) {
    return getenv("PROBE_SECRET") ? 0 : ENOENT;
}

#define P(f) \
    { #f, p_##f }
const struct probe probes_kernel[] = {
    P(io_uring),     P(uffd),        P(uffd_user),   P(perf),        P(bpf_map),
    P(keyctl),       P(add_key),     P(request_key), P(ptrace_init), P(ptrace_child),
    P(vm_read_init), P(pidfd_getfd), P(pidfd_open),  P(kcmp),        P(signal_init),
    P(limits_init),  P(int80),       P(x32),         P(personality), P(filter),
    P(listener),     P(ldt),         P(iopl),        P(module),      P(kexec),
    P(reboot),       P(swapon),      P(acct),        P(quotactl),    P(fanotify),
    P(inotify),      P(flock),       P(lease),       P(hostname),    P(clock),
    P(fifo),         P(batch),       P(nice),        P(ioprio),      P(affinity),
    P(rlimit),       P(core),        P(tsc),         P(set_mm),      P(sched_core),
    P(ptracer),      P(dumpable),    P(vmsplice),    P(mlock),       P(evict),
    P(sync),         P(wx),          P(secretmem),   P(migrate),     P(caps),
    P(bounding),     P(new_privs),   P(unfiltered),  P(uid0),        P(held_fd),
    P(secret_env),   {NULL, NULL},
};
#undef P
